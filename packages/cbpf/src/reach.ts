import { targetsOf } from "./check.ts";
import type { CbpfInsn } from "./insn.ts";
import { type CbpfAction, cbpfRowOf } from "./rows.ts";

/** Largest length of an IPv4 header, which is all that `ldxb 4*([k]&0xf)` gives. */
const HEADER_LENGTH_MAX = 60;

/**
 * Says how many bytes of a packet's start a program can read at most, so that nobody need copy more.
 *
 * @returns 0 for a program that reads none; infinity when an index may lie anywhere.
 */
export function reachOf(insns: readonly CbpfInsn[]): number {
  let reach = 0;
  // What X holds at most where each instruction starts; classic programs start with 0.
  const indexMax = new Float64Array(insns.length).fill(-1);
  const work: number[] = [];
  const visit = (at: number, index: number): void => {
    if (at < 0 || at >= insns.length || (indexMax[at] as number) >= index) return;
    indexMax[at] = index;
    work.push(at);
  };
  visit(0, 0);
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    const insn = insns[at] as CbpfInsn;
    const action = cbpfRowOf(insn.code)?.action;
    const index = indexMax[at] as number;
    reach = Math.max(reach, endOfLoad(insn, action, index));
    for (const target of targetsOf(insns, at)) visit(target, indexAfter(insn, action, index));
  }
  return reach;
}

function endOfLoad({ k }: CbpfInsn, action: CbpfAction | undefined, index: number): number {
  if (action?.kind === "header-length") return k + 1;
  if (action?.kind !== "packet") return 0;
  return (action.mode === "ind" ? index : 0) + k + action.bytes;
}

function indexAfter({ k }: CbpfInsn, action: CbpfAction | undefined, index: number): number {
  switch (action?.kind) {
    case "header-length":
      return HEADER_LENGTH_MAX;
    case "imm":
      return action.to === "x" ? k : index;
    case "len":
    case "mem":
    case "move":
      return action.to === "x" ? Number.POSITIVE_INFINITY : index;
    default:
      return index;
  }
}
