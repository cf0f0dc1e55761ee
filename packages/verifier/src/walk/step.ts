import type { Insn } from "@tsbpf/isa";
import { walkHelperCall } from "../calls/helper-call.ts";
import { walkKfuncCall } from "../calls/kfunc-call.ts";
import { walkSubprogCall } from "../calls/subprog-call.ts";
import type { Env } from "../env.ts";
import { scratchReg } from "../log/print-state.ts";
import { reject } from "../reject.ts";
import { walkAlu, walkEnd } from "./alu.ts";
import { walkBranch, walkMayGoto } from "./branch.ts";
import { walkExit } from "./exit.ts";
import { walkAtomic, walkLoad, walkStore } from "./memory.ts";
import { walkAddrCast } from "./mov.ts";
import { walkPacketLoad } from "./packet-load.ts";
import { walkWide } from "./wide.ts";

/** How the walk goes on after an instruction. */
export type StepEnd = "next" | "returns" | "path ends";

/** Walks one instruction: checks it, changes `env.cur` and moves `env.insnIdx`. */
export function stepInsn(env: Env, insn: Insn): StepEnd {
  const action = env.rows[env.insnIdx]?.action;
  if (action === undefined) return rejectEncoding(env, insn);
  switch (action.kind) {
    case "alu":
      walkAlu(env, insn, action);
      break;
    case "end":
      walkEnd(env, insn, action);
      break;
    case "addr_cast":
      walkAddrCast(env, insn);
      break;
    case "load":
      walkLoad(env, insn, action);
      break;
    case "store":
      walkStore(env, insn, action);
      break;
    case "atomic":
      walkAtomic(env, insn, action);
      break;
    case "packet":
      walkPacketLoad(env, insn, action);
      return "next";
    case "wide":
      walkWide(env, insn, action);
      return "next";
    case "branch":
      env.jumps++;
      walkBranch(env, insn, action);
      return "next";
    case "may_goto":
      env.jumps++;
      walkMayGoto(env, insn);
      return "next";
    case "ja":
      env.jumps++;
      walkJump(env, insn, action.distance);
      return "next";
    case "exit":
      env.jumps++;
      return walkExit(env, insn);
    case "call":
      env.jumps++;
      return walkCall(env, insn, action.callKind);
    case "gotox":
      return rejectEncoding(env, insn);
  }
  env.insnIdx++;
  return "next";
}

function walkJump(env: Env, insn: Insn, distance: "off" | "imm"): void {
  const isReserved = distance === "off" ? insn.imm !== 0 : insn.off !== 0;
  if (insn.src !== 0 || insn.dst !== 0 || isReserved) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_JA uses reserved fields");
  }
  env.insnIdx += 1 + (distance === "off" ? insn.off : insn.imm);
}

function walkCall(env: Env, insn: Insn, kind: "helper" | "subprog" | "kfunc" | "indirect"): StepEnd {
  if (insn.dst !== 0 || (kind !== "kfunc" && insn.off !== 0) || kind === "indirect") {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_CALL uses reserved fields");
  }
  let end: StepEnd = "next";
  if (kind === "subprog") walkSubprogCall(env, insn);
  else if (kind === "kfunc") end = walkKfuncCall(env, insn);
  else end = walkHelperCall(env, insn);
  scratchReg(env, 0);
  return end;
}

const RESERVED_BY_OPERATION: Readonly<Record<number, string>> = {
  128: "BPF_NEG",
  176: "BPF_MOV",
  208: "BPF_END",
};

/** The kernel's words for an opcode whose other fields name no operation. */
function rejectEncoding(env: Env, insn: Insn): never {
  const cls = insn.op & 0x07;
  const operation = insn.op & 0xf0;
  const reserved = (name: string): never =>
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", `${name} uses reserved fields`);
  if (cls === 0x04 || cls === 0x07) {
    return reserved(RESERVED_BY_OPERATION[operation] ?? "BPF_ALU");
  }
  if (cls === 0x05 || cls === 0x06) {
    if (operation === 0x80) return reserved("BPF_CALL");
    if (operation === 0x90) return reserved("BPF_EXIT");
    if (operation === 0x00) return reserved("BPF_JA");
    if (operation === 0xe0) {
      return reject(env, "ISA_RESERVED_FIELD", "EINVAL", `invalid may_goto imm ${insn.imm}`);
    }
    return reserved("BPF_JMP/JMP32");
  }
  if (cls === 0x03 && (insn.op & 0xe0) === 0xc0) return rejectAtomic(env, insn);
  if (cls === 0x03) return reserved("BPF_STX");
  if (cls === 0x02) return reserved("BPF_ST");
  if (cls === 0x00) {
    if ((insn.op & 0xe0) === 0x00) {
      return reject(env, "ISA_UNKNOWN_OPERATION", "EINVAL", "invalid BPF_LD_IMM insn");
    }
    return reserved("BPF_LD_[ABS|IND]");
  }
  return reject(env, "ISA_UNKNOWN_OPERATION", "EINVAL", `unknown insn class ${cls}`);
}

const ATOMIC_KNOWN: ReadonlySet<number> = new Set([
  0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110,
]);

function rejectAtomic(env: Env, insn: Insn): never {
  if (ATOMIC_KNOWN.has(insn.imm)) {
    return reject(env, "MEM_ATOMIC_SIZE", "EINVAL", "invalid atomic operand size");
  }
  const hex = (insn.imm >>> 0).toString(16).padStart(2, "0");
  return reject(env, "ISA_UNKNOWN_OPERATION", "EINVAL", `BPF_ATOMIC uses invalid atomic opcode ${hex}`);
}
