import { InputError } from "@tsbpf/base";
import { ANCILLARY_OFFSET, ancillaryOf } from "./ancillary.ts";
import { CBPF_INSNS_MAX, type CbpfInsn, SCRATCH_WORDS, SHIFT_MAX } from "./insn.ts";
import { type CbpfRow, cbpfRowOf } from "./rows.ts";

/** Every code a check may give; each is reached by a test. */
export const CBPF_CHECK_CODES = [
  "CBPF_LENGTH",
  "CBPF_OPCODE",
  "CBPF_DIVISION",
  "CBPF_SHIFT",
  "CBPF_SCRATCH",
  "CBPF_SCRATCH_UNSET",
  "CBPF_ANCILLARY",
  "CBPF_JUMP",
  "CBPF_NO_RETURN",
] as const;
export type CbpfCheckCode = (typeof CBPF_CHECK_CODES)[number];

/** Why a classic program cannot be run. */
export interface CbpfIssue {
  readonly code: CbpfCheckCode;
  readonly message: string;
  /** Index of the instruction; undefined for the program as a whole. */
  readonly at?: number;
}

export interface CbpfCheckOptions {
  /** Takes jumps backwards, which libpcap emits for `protochain` and Linux refuses. Default false. */
  readonly allowLoops?: boolean;
  /** Takes absolute loads at any offset: libpcap finds no packet behind `ANCILLARY_OFFSET`. Default false. */
  readonly allowAnyOffset?: boolean;
  /** Instructions at most; {@link CBPF_INSNS_MAX} when omitted. */
  readonly insnsMax?: number;
}

/**
 * Finds the first reason for which Linux would refuse a classic program.
 *
 * @returns undefined when there is none.
 * @source linux net/core/filter.c bpf_check_classic
 */
export function findCbpfIssue(
  insns: readonly CbpfInsn[],
  options: CbpfCheckOptions = {},
): CbpfIssue | undefined {
  const insnsMax = options.insnsMax ?? CBPF_INSNS_MAX;
  if (insns.length === 0 || insns.length > insnsMax) {
    return { code: "CBPF_LENGTH", message: `${insns.length} instructions found, 1..${insnsMax} allowed` };
  }
  for (const [at, insn] of insns.entries()) {
    const row = cbpfRowOf(insn.code);
    if (row === undefined) {
      const code = `0x${insn.code.toString(16)}`;
      return {
        code: "CBPF_OPCODE",
        message: `opcode ${code} found, which is no classic instruction, at ${at}`,
        at,
      };
    }
    const issue =
      findOperandIssue(insn, row, at) ??
      (options.allowAnyOffset === true ? undefined : findOffsetIssue(insn, row, at)) ??
      findJumpIssue(insns, row, at, options.allowLoops === true);
    if (issue !== undefined) return issue;
  }
  const last = insns.length - 1;
  if (cbpfRowOf(insns[last]?.code ?? -1)?.action.kind !== "return") {
    return { code: "CBPF_NO_RETURN", message: `the last instruction, ${last}, is no ret`, at: last };
  }
  return findUnsetScratch(insns);
}

function findOperandIssue(insn: CbpfInsn, { name, action }: CbpfRow, at: number): CbpfIssue | undefined {
  const { k } = insn;
  switch (action.kind) {
    case "alu":
      if (action.operand !== "k") return undefined;
      if ((action.op === "div" || action.op === "mod") && k === 0) {
        return { code: "CBPF_DIVISION", message: `${name} by the constant 0, at ${at}`, at };
      }
      if ((action.op === "lsh" || action.op === "rsh") && k > SHIFT_MAX) {
        return { code: "CBPF_SHIFT", message: `${name} by ${k} bits, 0..${SHIFT_MAX} allowed, at ${at}`, at };
      }
      return undefined;
    case "mem":
    case "store":
      if (k < SCRATCH_WORDS) return undefined;
      return {
        code: "CBPF_SCRATCH",
        message: `${name} M[${k}], M[0]..M[${SCRATCH_WORDS - 1}] allowed, at ${at}`,
        at,
      };
    default:
      return undefined;
  }
}

function findOffsetIssue({ k }: CbpfInsn, { name, action }: CbpfRow, at: number): CbpfIssue | undefined {
  if (action.kind !== "packet" || action.mode === "ind") return undefined;
  if (k < ANCILLARY_OFFSET || ancillaryOf(k) !== undefined) return undefined;
  return { code: "CBPF_ANCILLARY", message: `${name} [${k | 0}], which is no ancillary load, at ${at}`, at };
}

function findJumpIssue(
  insns: readonly CbpfInsn[],
  { action, name }: CbpfRow,
  at: number,
  allowLoops: boolean,
): CbpfIssue | undefined {
  for (const target of targetsOf(insns, at)) {
    if (action.kind !== "jump" && action.kind !== "branch") return undefined;
    const isForward = target > at || allowLoops;
    if (isForward && target >= 0 && target < insns.length) continue;
    return {
      code: "CBPF_JUMP",
      message: `${name} to ${target}, ${allowLoops ? 0 : at + 1}..${insns.length - 1} allowed, at ${at}`,
      at,
    };
  }
  return undefined;
}

/** Returns where control may go from an instruction, the order being: condition true, then false. */
export function targetsOf(insns: readonly CbpfInsn[], at: number): readonly number[] {
  const insn = insns[at];
  const action = insn === undefined ? undefined : cbpfRowOf(insn.code)?.action;
  if (insn === undefined || action?.kind === "return") return [];
  if (action?.kind === "jump") return [at + 1 + (insn.k | 0)];
  if (action?.kind === "branch") return [at + 1 + insn.jt, at + 1 + insn.jf];
  return [at + 1];
}

const ALL_SET = (1 << SCRATCH_WORDS) - 1;

/**
 * Finds a load of scratch memory that some path reaches without a store. Jumps backwards make the walk start over
 * until nothing changes; what is known of a place only shrinks, so that ends.
 */
function findUnsetScratch(insns: readonly CbpfInsn[]): CbpfIssue | undefined {
  // Bit n of an entry: every jump to it that was walked has stored M[n] before.
  const setAt = new Int32Array(insns.length).fill(ALL_SET);
  for (;;) {
    const { issue, isStable } = walkScratch(insns, setAt);
    if (issue !== undefined || isStable) return issue;
  }
}

function walkScratch(
  insns: readonly CbpfInsn[],
  setAt: Int32Array,
): { readonly issue?: CbpfIssue; readonly isStable: boolean } {
  let isStable = true;
  let set = 0;
  for (const [at, { code, k }] of insns.entries()) {
    set &= setAt[at] as number;
    const action = cbpfRowOf(code)?.action;
    if (action?.kind === "store") set |= 1 << k;
    if (action?.kind === "mem" && (set & (1 << k)) === 0) {
      const message = `M[${k}] is loaded, and not stored on every way there, at ${at}`;
      return { issue: { code: "CBPF_SCRATCH_UNSET", message, at }, isStable: true };
    }
    if (action?.kind !== "jump" && action?.kind !== "branch") continue;
    for (const target of targetsOf(insns, at)) {
      const before = setAt[target] as number;
      setAt[target] = before & set;
      if (target <= at && (before & set) !== before) isStable = false;
    }
    set = ALL_SET;
  }
  return { isStable };
}

/**
 * Checks a classic program as Linux does before it takes one.
 *
 * @throws CBPF_… (InputError) naming the instruction.
 */
export function checkCbpf(insns: readonly CbpfInsn[], options: CbpfCheckOptions = {}): void {
  const issue = findCbpfIssue(insns, options);
  if (issue === undefined) return;
  throw new InputError(
    issue.code,
    issue.message,
    issue.at === undefined ? {} : { details: { at: issue.at } },
  );
}
