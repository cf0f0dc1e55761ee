#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small tools of make.sh, one a subcommand:

offloads IF               turn segmentation, merging and checksum offload off, as ethtool -K would
vlan IF TAP TPID:VID ...  a VLAN interface in user space: TAP's frames go over IF with these tags
echo PORT                 TCP and UDP echo server, IPv4 and IPv6
talk tcp|udp HOST PORT N BYTES   send N messages and wait for the answers
odd IF DST SRC            a dozen frames that no ordinary program sends
"""
import fcntl
import os
import select
import socket
import struct
import sys
import threading

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
TP_STATUS_VLAN_VALID = 0x10
SIOCETHTOOL = 0x8946
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000

# ethtool's "set" commands: rx checksum, tx checksum, scatter-gather, TSO, GSO, GRO
ETHTOOL_SWITCHES = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def offloads(interface):
    import ctypes

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for name, command in ETHTOOL_SWITCHES.items():
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
            request = struct.pack("16sQ", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
            try:
                fcntl.ioctl(s, SIOCETHTOOL, request)
            except OSError as error:
                print(f"{interface}: cannot turn {name} off: {error}", file=sys.stderr)


def vlan(interface, name, *tags):
    tags = [tuple(int(x, base) for x, base in zip(t.split(":"), (16, 10))) for t in tags]
    header = b"".join(struct.pack("!HH", tpid, vid) for tpid, vid in tags)

    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.bind((interface, ETH_P_ALL))
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    with open(f"/sys/class/net/{interface}/address") as f:
        mac = bytes.fromhex(f.read().strip().replace(":", ""))
    # the interface has the address of the one below it, as a kernel VLAN interface has
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8924, struct.pack("16sH6s16x", name.encode(), 1, mac))  # SIOCSIFHWADDR

    print("ready", flush=True)
    while True:
        for ready in select.select([wire, tap], [], [])[0]:
            if ready is tap:
                frame = os.read(tap, 65536)
                wire.send(frame[:12] + header + frame[12:])
                continue
            frame, control, _, address = wire.recvmsg(65536, 256)
            if address[2] == PACKET_OUTGOING:
                continue
            # the kernel takes the outer tag out of the frame and tells it beside
            for level, kind, data in control:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", data)
                    if status & TP_STATUS_VLAN_VALID:
                        frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
            found = [struct.unpack_from("!HH", frame, 12 + 4 * i) for i in range(len(tags)) if len(frame) >= 18]
            if [(tpid, tci & 0xFFF) for tpid, tci in found] == tags:
                try:
                    os.write(tap, frame[:12] + frame[12 + len(header):])
                except OSError:  # the interface is not up yet: a frame lost, as on any wire
                    pass


def echo(port):
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.bind(("::", int(port)))
    tcp = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        while True:
            threading.Thread(target=serve, args=(tcp.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    while True:
        data, peer = udp.recvfrom(65536)
        udp.sendto(data, peer)


def talk(kind, host, port, count, size):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        if kind == "tcp":
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect((host, int(port)))
        for i in range(int(count)):
            message = (f"message {i:04d} " * (int(size) // 13 + 1))[: int(size)].encode()
            s.send(message)
            got = 0
            while got < len(message):
                got += len(s.recv(65536))


def checksum(data):
    data = data + b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(protocol, payload, src="192.0.2.2", dst="192.0.2.1", ttl=64, ihl=5, length=None):
    total = length if length is not None else ihl * 4 + len(payload)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, 0, total, 1, 0, ttl, protocol, 0,
                         socket.inet_aton(src), socket.inet_aton(dst))
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return header + payload


def ip6(next_header, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), next_header, hops,
                       socket.inet_pton(socket.AF_INET6, "2001:db8::2"),
                       socket.inet_pton(socket.AF_INET6, "2001:db8::1")) + payload


def udp(payload, sport=40000, dport=9, length=None, src="192.0.2.2", dst="192.0.2.1"):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    size = 8 + len(payload)
    pseudo = socket.inet_pton(family, src) + socket.inet_pton(family, dst) + struct.pack("!HH", 17, size)
    body = struct.pack("!HHHH", sport, dport, size if length is None else length, 0) + payload
    return body[:6] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[8:]


def tcp(flags, sport=40001, dport=80):
    pseudo = socket.inet_aton("192.0.2.2") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 6, 20)
    body = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, flags, 1024, 0, 0)
    return body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]


def odd(interface, dst, src):
    dst, src = (bytes.fromhex(m.replace(":", "")) for m in (dst, src))
    udp6 = udp(b"six", src="2001:db8::2", dst="2001:db8::1")
    options = struct.pack("!BBBBI", 0, 0, 1, 4, 0)  # next header is filled in below; PadN of four
    bpdu = bytes.fromhex("424203" + "0000000000" + "8000" + src.hex() + "00000000" + "8000" + src.hex() +
                         "8001" + "0000" + "1400" + "0200" + "0f00")
    lldp = bytes.fromhex("0207040200" + "5e000002" + "0404057665746830"[:12] + "06020078" + "0000")
    frames = [
        bytes.fromhex("0180c2000000") + src + struct.pack("!H", len(bpdu)) + bpdu,  # spanning tree, LLC
        bytes.fromhex("0180c200000e") + src + b"\x88\xcc" + lldp,
        dst + src + b"\x08\x00" + ip4(17, udp(b"short header"), ihl=4),
        dst + src + b"\x08\x00" + ip4(17, udp(b"length below header"), length=12),
        dst + src + b"\x08\x00" + ip4(6, tcp(0x02)[:10]),  # cut within the TCP header
        dst + src + b"\x08\x00" + ip4(6, tcp(0x00)),  # null scan
        dst + src + b"\x08\x00" + ip4(6, tcp(0x03)),  # SYN and FIN
        dst + src + b"\x08\x00" + ip4(6, tcp(0x29)),  # FIN, PSH, URG: an "xmas" scan
        dst + src + b"\x08\x00" + ip4(17, udp(b"loopback", src="127.0.0.1"), src="127.0.0.1"),
        dst + src + b"\x08\x00" + ip4(17, udp(b"multicast", src="224.0.0.5"), src="224.0.0.5"),
        dst + src + b"\x08\x00" + ip4(17, udp(b"expired"), ttl=0),
        dst + src + b"\x08\x00" + ip4(17, udp(b"udp length", length=4)),
        dst + src + b"\x08\x00" + ip4(4, ip4(1, b"\x08\x00" + struct.pack("!HHH", checksum(b"\x08\x00\x00\x00\x00\x01\x00\x01"), 1, 1))),
        dst + src + b"\x86\xdd" + ip6(0, bytes([60]) + options[1:] + bytes([17]) + options[1:] + udp6),
        dst + src + b"\x86\xdd" + ip6(44, struct.pack("!BBHI", 17, 0, 0, 7) + udp6),  # atomic fragment
        dst + src + b"\x86\xdd" + ip6(17, udp6, hops=0),
        dst + src + b"\x86\xdd" + ip6(17, udp6[:4]),  # cut within the UDP header
    ]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((interface, 0))
        for frame in frames:
            s.send(frame)


COMMANDS = {"offloads": offloads, "vlan": vlan, "echo": echo, "talk": talk, "odd": odd}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
