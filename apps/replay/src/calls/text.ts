import type { Machine } from "@tsbpf/runtime";
import type { Call, CallEnd } from "./follow.ts";
import { printFuncCall, printFuncResult, printHelperCall, printVerdict } from "./labels.ts";
import { printNumber, printReturn, registerOf } from "./values.ts";

/** Name of what is called. */
export function nameOf(call: Call): string {
  switch (call.kind) {
    case "func":
      return call.func.name;
    case "helper":
      return call.name;
    case "tail_call":
      return call.helper.proto.name;
    case "throw":
      return "bpf_throw";
  }
}

/** Prints what is called with its arguments, before it runs. */
export function textOf(call: Call, machine: Machine, regs: Int32Array): string {
  switch (call.kind) {
    case "func":
      return printFuncCall(call.prog, call.func, machine, regs);
    case "helper":
      return call.helper === undefined ? `${call.name}()` : printHelperCall(call.helper, machine, regs);
    case "tail_call":
      return printHelperCall(call.helper, machine, regs);
    case "throw":
      return `bpf_throw(cookie=${printNumber(registerOf(regs, 1))})`;
  }
}

interface Ending {
  readonly machine: Machine;
  readonly regs: Int32Array;
  /** Whether it is the program itself that ended. */
  readonly isRoot: boolean;
}

/** Prints how a call ended; the empty text where there is nothing to say. */
export function resultOf(call: Call, end: CallEnd, { machine, regs, isRoot }: Ending): string {
  if (end === "failed") return "no program, goes on";
  if (end === "unwound") return "dropped by bpf_throw";
  if (call.kind === "func" && isRoot) return printVerdict(call.prog, regs);
  if (end === "replaced") return "";
  switch (call.kind) {
    case "func":
      return printFuncResult(call.prog, call.func.start, machine, regs);
    case "helper":
      return call.helper === undefined
        ? printNumber(registerOf(regs, 0))
        : printReturn(registerOf(regs, 0), call.helper.proto.ret, machine);
    case "tail_call":
    case "throw":
      return "";
  }
}
