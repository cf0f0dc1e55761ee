# SPDX-License-Identifier: Apache-2.0
"""What bpf_client.py and bpf_session.py need of the kernel: bpf(2) itself, its numbers, the kernel's types, perf buffers."""
import ctypes
import errno
import mmap
import os
import re
import struct

MACHINE = os.uname().machine
NR_BPF = {"x86_64": 321}.get(MACHINE, 280)
NR_PERF_EVENT_OPEN = {"x86_64": 298}.get(MACHINE, 241)

MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY, PROG_LOAD = range(6)
PROG_TEST_RUN, OBJ_INFO, BTF_LOAD, MAP_FREEZE = 10, 15, 18, 22
COMMANDS = {MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY, PROG_LOAD, PROG_TEST_RUN,
            OBJ_INFO, BTF_LOAD, MAP_FREEZE}

HASH, ARRAY, PROG_ARRAY, PERF_ARRAY, PERCPU_HASH, PERCPU_ARRAY = 1, 2, 3, 4, 5, 6
LRU_HASH, LRU_PERCPU_HASH, ARRAY_OF_MAPS, HASH_OF_MAPS, DEVMAP, DEVMAP_HASH = 9, 10, 12, 13, 14, 25
RINGBUF, ARENA = 27, 33
PER_CPU = {PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, 21}
UNORDERED = {HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH}
READABLE = UNORDERED | {ARRAY, PERCPU_ARRAY, 11}  # 11 is LPM_TRIE
# an update puts a hook or a thread in place: socket maps, CPU maps, AF_XDP maps, struct_ops
HOOKING = {15, 16, 17, 18, 26}
BPF_F_TEST_XDP_LIVE_FRAMES = 2
MAX_MAP_BYTES = 64 << 20
MAX_REPEAT = 1 << 24
MAX_DUMPED = 4096
LOG_BYTES = 16 << 20

PROG_TYPES = ("unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb "
              "cgroup_sock lwt_in lwt_out lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint "
              "cgroup_sock_addr lwt_seg6local lirc_mode2 sk_reuseport flow_dissector cgroup_sysctl "
              "raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm sk_lookup syscall "
              "netfilter").split()
RAW_TRACEPOINT, SYSCALL, NETFILTER = 17, 31, 32

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Refused(Exception):
    """Something before the verdict failed: a bad case, or a map that cannot be made."""

    def __init__(self, text, code=0):
        super().__init__(f"{text}: {name_of(code)}" if code else text)
        self.code = code


def name_of(code):
    return "ENOTSUPP" if code == 524 else errno.errorcode.get(code, str(code))


def address(buffer):
    return ctypes.addressof(buffer) if buffer is not None else 0


def buffer_of(data):
    return None if data is None else ctypes.create_string_buffer(data, max(len(data), 1))


def bpf(command, layout, *fields, size=0):
    """One bpf(2); answers (result or -errno, attr as the kernel left it)."""
    if command not in COMMANDS:
        raise Refused(f"bpf command {command} is never used here")
    packed = struct.pack(layout, *fields)
    attr = ctypes.create_string_buffer(packed, max(len(packed), size))
    result = libc.syscall(ctypes.c_long(NR_BPF), ctypes.c_long(command), ctypes.byref(attr),
                          ctypes.c_long(len(attr)))
    return (result if result >= 0 else -ctypes.get_errno()), attr


def checked(what, command, layout, *fields, size=0):
    result, attr = bpf(command, layout, *fields, size=size)
    if result < 0:
        raise Refused(what, -result)
    return result, attr


def possible_cpus():
    with open("/sys/devices/system/cpu/possible") as f:
        spans = [span.partition("-") for span in f.read().strip().split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)


def object_name(text):
    return re.sub(r"[^A-Za-z0-9_.]", "_", text or "")[:15].encode()


class KernelTypes:
    """Ids of the kernel's own functions, variables and types, or of those in raw, by kind and name."""

    KINDS = {"int": 1, "struct": 4, "union": 5, "enum": 6, "typedef": 8, "func": 12, "var": 14}
    FIXED = {1: 4, 3: 12, 14: 4, 17: 4}  # bytes after the common part
    EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}  # bytes a member

    def __init__(self, raw=None):
        if raw is None:
            with open("/sys/kernel/btf/vmlinux", "rb") as f:
                raw = f.read()
        self.whose = "the kernel's"
        header, type_off, type_len, str_off = struct.unpack_from("<IIII", raw, 4)
        pos, end, strings = header + type_off, header + type_off + type_len, header + str_off
        self.ids, number = {}, 1
        while pos < end:
            name_off, info = struct.unpack_from("<II", raw, pos)
            kind = info >> 24 & 31
            pos += 12 + self.FIXED.get(kind, 0) + self.EACH.get(kind, 0) * (info & 0xFFFF)
            if name_off:
                at = strings + name_off
                self.ids.setdefault((kind, raw[at:raw.index(0, at)].decode("latin-1")), number)
            number += 1

    def find(self, name, kind):
        found = self.ids.get((self.KINDS.get(kind, kind), name))
        if found is None:
            raise Refused(f"{self.whose} BTF has no {kind} {name}", errno.ESRCH)
        return found


class PerfBuffer:
    """The software event behind one slot of a perf event array, on the CPU that runs the programs."""

    def __init__(self, cpu, pages):
        # perf_event_attr: software event, BPF output, raw samples, wake up on each
        attr = ctypes.create_string_buffer(struct.pack("<IIQQQQQI", 1, 112, 10, 1, 1 << 10, 0, 0, 1), 112)
        self.fd = libc.syscall(ctypes.c_long(NR_PERF_EVENT_OPEN), ctypes.byref(attr), ctypes.c_long(-1),
                               ctypes.c_long(cpu), ctypes.c_long(-1), ctypes.c_long(8))
        if self.fd < 0:
            raise Refused("perf_event_open", ctypes.get_errno())
        self.bytes = pages * mmap.PAGESIZE
        self.ring = mmap.mmap(self.fd, mmap.PAGESIZE + self.bytes)

    def records(self):
        """The raw parts of the samples so far, as [["", hex]]; a count of lost ones as ["lost", n]."""
        head, = struct.unpack_from("<Q", self.ring, 1024)
        pos, out = 0, []
        take = lambda at, n: bytes(self.ring[mmap.PAGESIZE + (at + i) % self.bytes] for i in range(n))
        while pos < head and len(out) < MAX_DUMPED:
            kind, _, size = struct.unpack("<IHH", take(pos, 8))
            if kind == 9:
                length, = struct.unpack("<I", take(pos + 8, 4))
                out.append(["", take(pos + 12, length).hex()])
            elif kind == 2:
                out.append(["lost", struct.unpack("<Q", take(pos + 16, 8))[0]])
            pos += size
        return out

    def close(self):
        self.ring.close()
        os.close(self.fd)


def prog_type_of(case):
    kind = case["prog_type"]
    if isinstance(kind, int):
        return kind
    if kind not in PROG_TYPES:
        raise Refused(f"unknown program type {kind}")
    return PROG_TYPES.index(kind)


# lines of a log that describe state or statistics rather than say why
NOISE = re.compile(r"\s*(\d+: |from \d+ to \d+|processed \d+ insns|; |verification time|stack depth|mark_precise|"
                   r"parent |last_idx|regs=|R\d+(_\w+)?=|frame\d+: |caller:|callee:|to caller at|Validating |"
                   r"Func#\d+ |Live regs|returning from callee)")


def reason_in(log):
    return next((line.strip() for line in reversed(log.splitlines()) if line.strip() and not NOISE.match(line)), "")
