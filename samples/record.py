#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what Linux does: every sample program over captures/lab.pcap, written to verdicts.jsonl,
one line a program.

Loads each object anew for each program with bpftool, test-runs the program over all packets in order on
CPU 0, and notes the verdicts, a digest of all outputs, and a digest of every map afterwards. Nothing is
attached. Needs root, bpftool and a kernel that lets bpf(2) be used.

  samples/record.py [OBJECT ...]     these objects only, printed instead of written

The digest of the outputs is the SHA-256 over, for each packet, the return value and the length of the
output (u32, little endian) and the output bytes. That of a map is over key and value of its entries,
sorted; of per-CPU maps, the value of the CPU that ran.
"""
import collections
import ctypes
import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NR_BPF = {"x86_64": 321}.get(os.uname().machine, 280)
MAP_LOOKUP, MAP_NEXT_KEY, OBJ_GET, PROG_TEST_RUN, OBJ_INFO = 1, 4, 7, 10, 15
PER_CPU, READABLE = {5, 6, 10}, {1, 2, 5, 6, 9, 10, 11}

# bpftool cannot load these: big endian, legacy maps, a program that is left out
NOT_LOADED = {"parser/parser.be.bpf.o", "legacy-maps/legacy-maps.bpf.o", "optional/optional.bpf.o"}
# what they do depends on the clock, on the routes of the host, or cannot be test-run
NOT_RUN = {"rate_limit", "route", "egress", "on_cpu"}

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, layout, *fields, size=0):
    packed = struct.pack(layout, *fields)
    attr = ctypes.create_string_buffer(packed, max(len(packed), size))
    result = libc.syscall(ctypes.c_long(NR_BPF), ctypes.c_long(command), ctypes.byref(attr), ctypes.c_long(len(attr)))
    return (result if result >= 0 else -ctypes.get_errno()), attr


def get(path):
    text = ctypes.create_string_buffer(path.encode())
    fd, _ = bpf(OBJ_GET, "<QII", ctypes.addressof(text), 0, 0)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd), path)
    return fd


def read_packets(path):
    with open(path, "rb") as f:
        raw = f.read()
    pos = 24
    while pos < len(raw):
        length, = struct.unpack_from("<I", raw, pos + 8)
        yield raw[pos + 16:pos + 16 + length]
        pos += 16 + length


def run(fd, packets):
    verdicts, digest, changed = collections.Counter(), hashlib.sha256(), 0
    out = ctypes.create_string_buffer(8192)
    for packet in packets:
        data = ctypes.create_string_buffer(packet, len(packet))
        result, attr = bpf(PROG_TEST_RUN, "<IIIIQQIIIIQQIII", fd, 0, len(packet), len(out), ctypes.addressof(data),
                           ctypes.addressof(out), 1, 0, 0, 0, 0, 0, 0, 0, 0, size=80)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        retval, _, length = struct.unpack_from("<III", attr, 4)
        verdicts[retval] += 1
        changed += out.raw[:length] != packet
        digest.update(struct.pack("<II", retval, length) + out.raw[:length])
    return {"verdicts": {str(k): verdicts[k] for k in sorted(verdicts)}, "changed": changed,
            "outputs": digest.hexdigest()}


def read_map(fd, cpus):
    info = ctypes.create_string_buffer(256)
    bpf(OBJ_INFO, "<IIQ", fd, 80, ctypes.addressof(info))
    kind, _, key_size, value_size = struct.unpack_from("<IIII", info, 0)
    name = info.raw[24:40].split(b"\0")[0].decode()
    if kind not in READABLE or name.endswith(".kconfig"):
        return name, None
    step = -(-value_size // 8) * 8
    key, following = ctypes.create_string_buffer(key_size), ctypes.create_string_buffer(key_size)
    value = ctypes.create_string_buffer(step * (cpus if kind in PER_CPU else 1))
    entries, before = [], 0
    while bpf(MAP_NEXT_KEY, "<IIQQQ", fd, 0, before, ctypes.addressof(following), 0)[0] == 0:
        key.raw, before = following.raw, ctypes.addressof(key)
        if bpf(MAP_LOOKUP, "<IIQQQ", fd, 0, before, ctypes.addressof(value), 0)[0] == 0:
            entries.append(key.raw + value.raw[:value_size])
    return name, {"entries": len(entries), "sha256": hashlib.sha256(b"".join(sorted(entries))).hexdigest()}


def record(path, folder, packets, cpus):
    """Answers {program: what it did}, each with maps of its own."""
    programs, names = {}, None
    while names is None or names:
        progs, maps = f"{folder}/progs", f"{folder}/maps"
        subprocess.run(["bpftool", "prog", "loadall", path, progs, "pinmaps", maps], check=True, capture_output=True)
        if names is None:
            names = sorted(set(os.listdir(progs)) - NOT_RUN)
        if names:
            name = names.pop(0)
            fd = get(f"{progs}/{name}")
            programs[name] = run(fd, packets)
            os.close(fd)
            found = {}
            for pin in sorted(os.listdir(maps)) if os.path.isdir(maps) else []:
                fd = get(f"{maps}/{pin}")
                key, content = read_map(fd, cpus)
                if content:
                    found[key] = content
                os.close(fd)
            programs[name]["maps"] = found
        for pinned in filter(os.path.isdir, (progs, maps)):
            for pin in os.listdir(pinned):
                os.unlink(f"{pinned}/{pin}")
            os.rmdir(pinned)
    return programs


def main():
    os.sched_setaffinity(0, {0})
    os.chdir(HERE)
    wanted = sys.argv[1:] or sorted(set(glob.glob("*/*.bpf.o")) - NOT_LOADED)
    with open("/sys/devices/system/cpu/possible") as f:
        cpus = int(f.read().strip().split("-")[-1]) + 1
    packets = list(read_packets("captures/lab.pcap"))
    folder = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
    try:
        lines = []
        for path in wanted:
            for name, did in record(path, folder, packets, cpus).items():
                lines.append(json.dumps({"object": path, "program": name, **did}))
    finally:
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)
    text = "".join(f"{line}\n" for line in lines)
    if sys.argv[1:]:
        sys.stdout.write(text)
    else:
        with open("verdicts.jsonl", "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
