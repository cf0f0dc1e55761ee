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
import os
import re
import signal
import struct
import sys
import time

# no __pycache__ beside the sources
sys.dont_write_bytecode = True

from bpf_session import Session
from bpf_syscall import (
    BTF_LOAD, LOG_BYTES, MACHINE, OBJ_INFO, KernelTypes, Refused, address, bpf, buffer_of, checked, name_of,
    possible_cpus, prog_type_of, reason_in,
)


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
