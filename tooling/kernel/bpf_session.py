# SPDX-License-Identifier: Apache-2.0
"""What one case of bpf_client.py owns in the kernel, and does there: its maps, programs and test runs."""
import ctypes
import errno
import mmap
import os
import struct

from bpf_syscall import (
    ARENA, BPF_F_TEST_XDP_LIVE_FRAMES, DEVMAP, DEVMAP_HASH, HOOKING, LOG_BYTES, MAP_CREATE, MAP_FREEZE,
    MAP_LOOKUP, MAP_NEXT_KEY, MAP_UPDATE, MAX_DUMPED, MAX_MAP_BYTES, MAX_REPEAT, NETFILTER, PERF_ARRAY,
    PER_CPU, PROG_LOAD, PROG_TEST_RUN, RAW_TRACEPOINT, READABLE, RINGBUF, SYSCALL, UNORDERED, KernelTypes,
    PerfBuffer, Refused, address, bpf, buffer_of, checked, name_of, object_name, prog_type_of,
)


class Session:
    """What one case owns in the kernel: its maps, programs and perf buffers."""

    def __init__(self, client, case):
        self.client, self.case = client, case
        self.specs = case.get("maps") or []
        self.owned, self.perf, self.maps = [], {}, []
        self.targets = []
        self.prog = -1
        self.prog_type = 0

    def close(self):
        for buffer in self.perf.values():
            buffer.close()
        for fd in reversed(self.owned):
            os.close(fd)
        for target in self.targets:
            target.close()
        self.targets = []
        self.perf, self.owned, self.maps, self.prog = {}, [], [], -1

    def own(self, fd):
        self.owned.append(fd)
        return fd

    # ---- maps

    def create(self, spec):
        kind, flags = spec["type"], spec.get("flags", 0)
        each = max(8, spec.get("key_size", 0) + spec.get("value_size", 0))
        wanted = each * spec.get("max_entries", 0) * (self.client.cpus if kind in PER_CPU else 1)
        if wanted > MAX_MAP_BYTES and kind not in (RINGBUF, ARENA):
            raise Refused(f"a map of {wanted} bytes is more than the {MAX_MAP_BYTES} allowed", errno.E2BIG)
        inner = self.create(spec["inner"]) if spec.get("inner") else 0
        if kind in (DEVMAP, DEVMAP_HASH):
            flags &= ~0x80  # the kernel sets this one itself
        key_type, value_type = spec.get("btf_key_type_id", 0), spec.get("btf_value_type_id", 0)
        types = self.client.load_btf(spec.get("btf") or self.case["btf"]) if key_type or value_type else 0
        extra = spec.get("map_extra") or (1 << 44 if kind == ARENA else 0)
        fd, _ = checked(f"cannot create a map of type {kind}", MAP_CREATE, "<IIIIIII16sIIIIIQ",
                        kind, spec.get("key_size", 0), spec.get("value_size", 0), spec.get("max_entries", 0),
                        flags, inner, spec.get("numa_node", 0), object_name(spec.get("name")), 0, types,
                        key_type, value_type, 0, extra, size=96)
        return self.own(fd)

    def update(self, index, key, value):
        spec, fd = self.specs[index], self.maps[index]
        if spec["type"] in HOOKING:
            raise Refused(f"maps of type {spec['type']} are not filled here", errno.EPERM)
        if isinstance(value, dict):
            if "map" in value:
                value_fd = self.maps[value["map"]]
            elif "inner" in value:
                value_fd = self.create(spec["inner"])
            else:
                value_fd, code, _ = self.load(value["prog"], quiet=True)
                if value_fd < 0:
                    raise Refused("a program for a program array does not load", code)
                self.own(value_fd)
            value = struct.pack("<I", value_fd)
        else:
            value = bytes.fromhex(value)
            if spec["type"] in (DEVMAP, DEVMAP_HASH) and any(value[4:]):
                raise Refused("a devmap entry with a program is not made here", errno.EPERM)
            if spec["type"] in PER_CPU and len(value) == spec["value_size"]:
                value = value.ljust(-(-len(value) // 8) * 8, b"\0") * self.client.cpus
        key_buffer, value_buffer = buffer_of(bytes.fromhex(key)), buffer_of(value)
        checked("cannot update a map", MAP_UPDATE, "<IIQQQ", fd, 0, address(key_buffer) if key else 0,
                address(value_buffer), 0)

    def make_maps(self):
        for spec in self.specs:
            self.maps.append(self.create(spec))
        for index, spec in enumerate(self.specs):
            for key, value in spec.get("init") or []:
                self.update(index, key, value)
            if spec["type"] == PERF_ARRAY and spec.get("perf_pages"):
                self.perf[index] = PerfBuffer(self.client.cpu, spec["perf_pages"])
                key, value = (buffer_of(struct.pack("<I", n)) for n in (self.client.cpu, self.perf[index].fd))
                checked("cannot set a perf buffer", MAP_UPDATE, "<IIQQQ", self.maps[index], 0, address(key),
                        address(value), 0)
            if spec.get("freeze"):
                checked("cannot freeze a map", MAP_FREEZE, "<I", self.maps[index])

    def dump(self, index):
        spec, fd = self.specs[index], self.maps[index]
        kind = spec["type"]
        if spec.get("dump") is False:
            return None
        if index in self.perf:
            return self.perf[index].records()
        if kind == RINGBUF:
            return self.dump_ring(spec, fd)
        if kind not in READABLE:
            return None
        step = -(-spec["value_size"] // 8) * 8
        shift = step * self.client.cpu if kind in PER_CPU else 0
        key, following = (ctypes.create_string_buffer(spec["key_size"]) for _ in range(2))
        value = ctypes.create_string_buffer(step * self.client.cpus)
        entries, before = [], 0
        while len(entries) < MAX_DUMPED:
            if bpf(MAP_NEXT_KEY, "<IIQQQ", fd, 0, before, address(following), 0)[0] < 0:
                break
            key.raw, before = following.raw, address(key)
            if bpf(MAP_LOOKUP, "<IIQQQ", fd, 0, before, address(value), 0)[0] == 0:
                entries.append([key.raw.hex(), value.raw[shift:shift + spec["value_size"]].hex()])
        # the order of a hash means nothing
        return sorted(entries) if kind in UNORDERED else entries

    def dump_ring(self, spec, fd):
        """Records that were submitted, oldest first; the two mappings of the data hide its wrapping."""
        size, page = spec["max_entries"], mmap.PAGESIZE
        with mmap.mmap(fd, page + 2 * size, prot=mmap.PROT_READ, offset=page) as ring:
            produced, = struct.unpack_from("<Q", ring, 0)
            pos, out = 0, []
            while pos < produced and len(out) < MAX_DUMPED:
                at = page + (pos & size - 1)
                header, = struct.unpack_from("<I", ring, at)
                length = header & 0x3FFFFFFF
                if header >> 31:  # still being written
                    break
                if not header >> 30 & 1:  # not discarded
                    out.append(["", ring[at + 8:at + 8 + length].hex()])
                pos += -(-(length + 8) // 8) * 8
        return out

    # ---- programs

    def code_of(self, case):
        code = bytearray.fromhex(case["insns"])
        if len(code) % 8:
            raise Refused("insns must be whole instructions of 8 bytes")

        def put(slot, value):
            struct.pack_into("<i", code, slot * 8 + 4, value)

        for fix in case.get("fixups") or []:
            put(fix["insn"], self.maps[fix["map"]])
            if "off" in fix:
                put(fix["insn"] + 1, fix["off"])
        for fix in case.get("kfuncs") or []:
            put(fix["insn"], self.client.kernel_types().find(fix["name"], "func"))
        for fix in case.get("ksyms") or []:
            put(fix["insn"], self.client.kernel_types().find(fix["name"], fix.get("kind", "var")))
        return bytes(code)

    def load(self, case, quiet=False):
        """Answers (fd or -1, errno, log)."""
        code = self.code_of(case)
        kind = prog_type_of(case)
        insns, license_text = buffer_of(code), buffer_of(case.get("license", "GPL").encode() + b"\0")
        types = self.client.load_btf(case["btf"]) if case.get("btf") else 0
        func_raw = bytes.fromhex(case.get("func_info") or "")
        line_raw = bytes.fromhex(case.get("line_info") or "")
        func_size = case.get("func_info_rec_size", 8) if func_raw else 0
        line_size = case.get("line_info_rec_size", 16) if line_raw else 0
        func_info, line_info = buffer_of(func_raw), buffer_of(line_raw)
        target, target_fd = case.get("attach_btf"), 0
        if case.get("target"):
            target_fd, target_id = self.load_target(case["target"])
        else:
            target_id = self.client.kernel_types().find(target["name"], target.get("kind", "func")) if target else 0
        level, log = (0 if quiet else case.get("log_level", 1)), self.client.log
        for attempt in range(4):
            if level:
                log[0] = b"\0"
            fd, _ = bpf(PROG_LOAD, "<IIQQIIQII16sIIIIQIIQIII", kind, len(code) // 8, address(insns),
                        address(license_text), level, LOG_BYTES if level else 0, address(log) if level else 0,
                        case.get("kern_version", 0), case.get("flags", 0), object_name(case.get("prog_name")),
                        0, case.get("expected_attach_type", 0), types, func_size,
                        address(func_info) if func_raw else 0, len(func_raw) // func_size if func_size else 0,
                        line_size, address(line_info) if line_raw else 0,
                        len(line_raw) // line_size if line_size else 0, target_id, target_fd, size=144)
            if fd == -errno.ENOSPC and level & 3:
                level = 4  # the whole walk does not fit: statistics and the reason do
            elif fd not in (-errno.EAGAIN, -errno.EINTR) or self.client.expired:
                break
        text = log.value.decode("utf-8", "replace") if level else ""
        return (fd, 0, text) if fd >= 0 else (-1, -fd, text)

    def load_target(self, target):
        """Loads the program that an extension is for; answers its descriptor and the id of the function in its types."""
        case = target["prog"]
        if not case.get("btf"):
            raise Refused("a program to extend needs btf")
        session = Session(self.client, case)
        self.targets.append(session)
        session.make_maps()
        fd, code, _ = session.load(case, quiet=True)
        if fd < 0:
            raise Refused("the program to extend does not load", code)
        session.own(fd)
        types = KernelTypes(bytes.fromhex(self.client.btf_text(case["btf"])))
        types.whose = "the target's"
        return fd, types.find(target["func"], "func")

    def test_run(self, run):
        data = bytes.fromhex(run["data"]) if run.get("data") is not None else None
        ctx = bytes.fromhex(run["ctx"]) if run.get("ctx") is not None else None
        if run.get("flags", 0) & BPF_F_TEST_XDP_LIVE_FRAMES:
            raise Refused("live frames would leave the test", errno.EPERM)
        if run.get("repeat", 1) > MAX_REPEAT:
            raise Refused(f"repeat is {run['repeat']}, at most {MAX_REPEAT}")
        room = run.get("data_size_out", len(data) + 1024 if data is not None else 0)
        ctx_room = run.get("ctx_size_out", max(256, len(ctx)) if ctx is not None else 0)
        if self.prog_type in (RAW_TRACEPOINT, SYSCALL):
            ctx_room = 0
        repeat = run.get("repeat", 0 if self.prog_type in (RAW_TRACEPOINT, SYSCALL, NETFILTER) else 1)
        data_in, ctx_in = buffer_of(data), buffer_of(ctx)
        data_out = ctypes.create_string_buffer(room) if room else None
        ctx_out = ctypes.create_string_buffer(ctx_room) if ctx_room else None
        result, attr = bpf(PROG_TEST_RUN, "<IIIIQQIIIIQQIII", self.prog, 0, len(data or b""), room,
                           address(data_in), address(data_out), repeat, 0, len(ctx or b""), ctx_room,
                           address(ctx_in), address(ctx_out), run.get("flags", 0), run.get("cpu", 0), 0, size=80)
        retval, _, data_size = struct.unpack_from("<III", attr, 4)
        duration, _, ctx_size = struct.unpack_from("<III", attr, 36)
        answer = {"errno": max(0, -result), "retval": retval, "duration_ns": duration}
        if result < 0:
            answer["errname"] = name_of(-result)
        else:
            if data_out is not None:
                answer["data_out"] = data_out.raw[:min(data_size, room)].hex()
            if ctx_out is not None:
                answer["ctx_out"] = ctx_out.raw[:min(ctx_size, ctx_room)].hex()
            elif self.prog_type == SYSCALL and ctx_in is not None:
                answer["ctx_out"] = ctx_in.raw[:len(ctx)].hex()
        return answer

    def run_all(self, runs, dump_each=False):
        out = []
        for run in runs if isinstance(runs, list) else [runs]:
            for _ in range(run.get("runs", 1) or 1):
                answer = self.test_run(run)
                if dump_each or run.get("dump"):
                    answer["maps"] = self.dump_all()
                out.append(answer)
                if self.client.expired:
                    raise Refused("the time for this case is over", errno.ETIMEDOUT)
        return out

    def dump_all(self):
        return [self.dump(index) for index in range(len(self.specs))]
