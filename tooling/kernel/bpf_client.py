#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks the running Linux kernel about BPF programs, with nothing but bpf(2).

Reads one JSON object a line on stdin, answers with one a line on stdout, in order; README.md has the
fields. It loads and test-runs programs and never attaches one: commands outside COMMANDS, live frames,
and updates of maps that would hook something in are refused here, whatever a case says.

  bpf_client.py            serve until stdin ends
  bpf_client.py --probe    print {"allowed": ...} and exit
"""
import ctypes
import errno
import json
import mmap
import os
import re
import signal
import struct
import sys
import time

# no __pycache__ beside the sources
sys.dont_write_bytecode = True

from bpf_syscall import (
    ARENA, BPF_F_TEST_XDP_LIVE_FRAMES, BTF_LOAD, DEVMAP, DEVMAP_HASH, HOOKING, LOG_BYTES, MACHINE, MAP_CREATE,
    MAP_FREEZE, MAP_LOOKUP, MAP_NEXT_KEY, MAP_UPDATE, MAX_DUMPED, MAX_MAP_BYTES, MAX_REPEAT, NETFILTER,
    OBJ_INFO, PERF_ARRAY, PER_CPU, PROG_LOAD, PROG_TEST_RUN, RAW_TRACEPOINT, READABLE, RINGBUF, SYSCALL,
    UNORDERED, KernelTypes, PerfBuffer, Refused, address, bpf, buffer_of, checked, name_of, object_name,
    possible_cpus, prog_type_of, reason_in,
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


class Client:
    def __init__(self):
        self.cpus = possible_cpus()
        # one CPU for everything, so that "the" value of a per-CPU map is that of the CPU that ran
        self.cpu = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {self.cpu})
        self.log = ctypes.create_string_buffer(LOG_BYTES)
        self.btf_fds, self.btf_named, self.types = {}, {}, None
        self.open_sessions, self.next_handle = {}, 1
        self.expired = False
        signal.signal(signal.SIGALRM, self.on_alarm)

    def on_alarm(self, *_):
        self.expired = True

    def kernel_types(self):
        if self.types is None:
            self.types = KernelTypes()
        return self.types

    def btf_text(self, text):
        return self.btf_named[text[1:]] if text.startswith("@") else text

    def load_btf(self, text):
        text = self.btf_text(text)
        if text not in self.btf_fds:
            if len(self.btf_fds) >= 64:
                os.close(self.btf_fds.pop(next(iter(self.btf_fds))))
            raw = bytes.fromhex(text)
            data = buffer_of(raw)
            self.btf_fds[text], _ = checked("cannot load the BTF", BTF_LOAD, "<QQIIII", address(data), 0,
                                            len(raw), 0, 0, 0, size=32)
        return self.btf_fds[text]

    def verified_insns(self, fd):
        info = ctypes.create_string_buffer(256)
        result, _ = bpf(OBJ_INFO, "<IIQ", fd, 232, address(info))
        return struct.unpack_from("<I", info, 216)[0] if result == 0 else 0

    def verdict(self, session, case, answer):
        session.make_maps()
        session.prog_type = prog_type_of(case)
        start = time.monotonic_ns()
        session.prog, code, log = session.load(case)
        answer.update(loaded=session.prog >= 0, errno=code, log=log, load_ns=time.monotonic_ns() - start)
        if code and self.expired:
            raise Refused("the time for this case is over", errno.ETIMEDOUT)
        counts = re.findall(r"^processed (\d+) insns", log, re.M)
        if counts:
            answer["processed_insns"] = int(counts[-1])
        if session.prog < 0:
            answer.update(errname=name_of(code), errline=reason_in(log))
            return
        session.own(session.prog)
        answer["verified_insns"] = self.verified_insns(session.prog)

    def answer_case(self, case, answer, keep):
        session = Session(self, case)
        try:
            self.verdict(session, case, answer)
            if session.prog >= 0 and case.get("run") is not None:
                runs = session.run_all(case["run"], case.get("dump_each", False))
                answer.update(runs=runs, maps=session.dump_all())
                if runs and runs[0]["errno"] == 0:
                    answer.update({k: v for k, v in runs[0].items() if k not in ("errno", "maps")})
            if keep and session.prog >= 0:
                answer["handle"] = self.next_handle
                self.open_sessions[self.next_handle] = session
                self.next_handle += 1
        finally:
            if "handle" not in answer:
                session.close()

    def perform(self, request, answer):
        op = request.get("op", "case")
        if op in ("case", "open"):
            self.answer_case(request, answer, keep=op == "open")
        elif op == "btf":
            self.btf_named[request["key"]] = request["btf"]
        elif op in ("run", "update", "dump", "close"):
            session = self.open_sessions.get(request["handle"])
            if session is None:
                raise Refused(f"no open program has handle {request['handle']}")
            if op == "run":
                answer["runs"] = session.run_all(request["run"], request.get("dump_each", False))
            elif op == "update":
                for key, value in request["entries"]:
                    session.update(request["map"], key, value)
            elif op == "close":
                self.open_sessions.pop(request["handle"]).close()
            if op == "dump" or (op == "run" and request.get("dump")):
                answer["maps"] = session.dump_all()
        else:
            raise Refused(f"unknown op {op}")

    def answer_line(self, line):
        answer = {"name": None}
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Refused("a case must be an object")
            answer["name"] = request.get("name")
            if request.get("op", "case") in ("case", "open"):
                answer.update(loaded=False, errno=0)
            self.expired = False
            signal.setitimer(signal.ITIMER_REAL, float(request.get("timeout", 20)), 0.05)
            self.perform(request, answer)
        except Refused as refused:
            answer.update(error=str(refused), errno=refused.code)
            if refused.code:
                answer["errname"] = name_of(refused.code)
        except Exception as bad:  # a bad line never stops the rest
            answer["error"] = f"bad case: {type(bad).__name__}: {bad}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self.expired:
            answer["timed_out"] = True
        return answer

    def serve(self):
        for line in sys.stdin:
            if line.strip():
                print(json.dumps(self.answer_line(line), separators=(",", ":")), flush=True)


def probe():
    """Loads and runs the shortest program there is."""
    try:
        client = Client()
        run = {"prog_type": "socket_filter", "insns": "b700000000000000" "9500000000000000", "run": {"data": "00" * 64}}
        answer = client.answer_line(json.dumps(run))
    except OSError as error:
        answer = {"error": str(error)}
    allowed = bool(answer.get("loaded")) and answer.get("retval") == 0
    print(json.dumps({"allowed": allowed, "kernel": os.uname().release, "machine": MACHINE,
                      "why": answer.get("error") or answer.get("errname") or ""}))


if __name__ == "__main__":
    if sys.platform != "linux":
        print(json.dumps({"allowed": False, "kernel": "", "machine": MACHINE, "why": "not Linux"}))
    elif "--probe" in sys.argv[1:]:
        probe()
    else:
        Client().serve()
