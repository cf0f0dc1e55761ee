import { ctxAccess, kfuncByName } from "@tsbpf/abi";
import { findEncodingIssue } from "@tsbpf/isa";
import { helperById, isHelperOffered } from "../calls/protos.ts";
import type { Env } from "../env.ts";
import { printReg } from "../log/print-reg.ts";
import type { Rejection } from "../reject.ts";
import { KIND } from "../state/slot.ts";

/** Codes whose reason becomes a fact by what the register holds. */
const STATED = /^(MEM_|REG_(POINTER|OFFSET|RETURN|LEAK)|CALL_ARG_|CALL_KFUNC_ARG|REF_NOT|CALL_RETURN)/;

/** What the walk knows of the register that the text names, in the notation of the log. */
function stateOf(env: Env, message: string): string {
  const regno = /\bR(\d)\b/.exec(message)?.[1];
  const frame = env.cur.frames.at(-1);
  const reg = regno === undefined ? undefined : frame?.regs[Number(regno)];
  if (reg === undefined || frame === undefined) return "";
  const text = printReg(reg, frame.frameno);
  return text === "" || message.includes(`(${text})`) ? "" : `r${regno} is ${text}`;
}

const SLOT_BYTES = 8;
const SIZES = [1, 2, 4, 8] as const;

/** What the context offers at a place where an access was refused. */
function ctxDetail(env: Env, message: string): string {
  const said = /off=(-?\d+) size=(\d+)/.exec(message);
  const [off, size] = [Number(said?.[1]), Number(said?.[2])];
  const { type } = env.spec;
  const sizes = (isWrite: boolean) =>
    SIZES.filter((one) => ctxAccess(type, env.attachType, off, one, isWrite) !== undefined);
  const [read, write] = [sizes(false), sizes(true)];
  if (read.some((one) => one === size) && write.length === 0) return "this field may only be read";
  if (read.length === 0 && write.length === 0) return `no field of ${type}'s context starts at ${off}`;
  const list = (of: readonly number[]): string => (of.length === 0 ? "none" : of.join(" or "));
  return `bytes to read there: ${list(read)}, to write: ${list(write)}`;
}

/** How far compares have proven the packet, beside what an instruction takes of it. */
function packetDetail(env: Env, insnIdx: number, message: string): string {
  const state = stateOf(env, message);
  const reg = env.cur.frames.at(-1)?.regs[Number(/\bR(\d)\b/.exec(message)?.[1])];
  const action = env.rows[insnIdx]?.action;
  if (reg === undefined || reg.x.range < 0 || (action?.kind !== "load" && action?.kind !== "store"))
    return state;
  const end = reg.off + (env.insns[insnIdx]?.off ?? 0) + action.size;
  return `${state}: ${reg.x.range} bytes are proven, the access ends at ${end}`;
}

/** What an unreadable slot of the stack holds instead of bytes. */
const OBJECTS: Readonly<Record<string, string>> = {
  [KIND.dynptr]: "a dynptr",
  [KIND.iter]: "an iterator",
  [KIND.irqFlag]: "an irq flag",
};

function stackDetail(env: Env, message: string): string {
  const said = /off (-\d+)\+(\d+)/.exec(message);
  const at = Number(said?.[1]) + Number(said?.[2]);
  const kinds = env.cur.frames.at(-1)?.stack[Math.floor((-at - 1) / SLOT_BYTES)]?.kinds ?? "";
  const object = OBJECTS[kinds[0] ?? ""];
  return object === undefined ? "" : `there is ${object}`;
}

/** Adds to a reason what only this program can say. */
export function detailOf(env: Env, refusal: Rejection, hasWalked: boolean): string {
  const { code, message, insnIdx } = refusal;
  const insn = env.insns[insnIdx];
  if (code === "ISA_RESERVED_FIELD" && insn !== undefined) {
    const issue = findEncodingIssue(insn);
    if (issue !== undefined && issue.field !== "op") return `its ${issue.field} is ${insn[issue.field]}`;
  }
  if (code === "LIMIT_STACK" || code === "LIMIT_TAIL_CALL_STACK") {
    return env.subprogs.map((one) => `${one.name || `func#${one.idx}`} ${one.stackBytes}`).join(", ");
  }
  if (code === "CALL_ARG_TYPE" || code === "CALL_HELPER_UNKNOWN" || code.startsWith("CALL_ARG_")) {
    const proto = env.rows[insnIdx]?.action.kind === "call" ? helperById(env, insn?.imm ?? 0) : undefined;
    const state = hasWalked ? stateOf(env, message) : "";
    const isHelper = insn?.src === 0 && proto !== undefined;
    return [state, ...(isHelper ? [proto.signature] : [])].filter((text) => text !== "").join("; ");
  }
  if (code === "MEM_PACKET_BOUNDS") return packetDetail(env, insnIdx, message);
  if (code === "MEM_CTX_ACCESS") return ctxDetail(env, message);
  if (code === "CALL_HELPER_PROG" && !env.isPerfmon) {
    const proto = helperById(env, insn?.imm ?? 0);
    const isOffered = proto !== undefined && isHelperOffered({ ...env, isPerfmon: true }, proto);
    return isOffered ? "loaders with CAP_PERFMON may" : "";
  }
  if (code === "CALL_KFUNC") {
    const name = /calling kernel function (\w+) is not allowed/.exec(message)?.[1];
    return name === undefined || kfuncByName(name) !== undefined
      ? ""
      : "Linux 6.18 is not known to have a function of that name, and loaders refuse what they do not find";
  }
  if (code === "MEM_STACK_UNINIT") return stackDetail(env, message);
  if (code === "REG_POINTER_RANGE" && message.includes("register") && insn !== undefined) {
    const numbers = [insn.dst, insn.src].map((regno) => stateOf(env, `R${regno}`));
    return numbers.find((text) => text.includes("scalar(")) ?? "";
  }
  return hasWalked && STATED.test(code) ? stateOf(env, message) : "";
}
