import type { ProgSpec, ProgTypeName } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import {
  defsOf,
  FRAME_POINTER,
  findEncodingIssue,
  findWideHalfIssue,
  type Insn,
  isWide,
  rowOf,
  slotsOf,
  targetSlotOf,
} from "@tsbpf/isa";
import type { LinkedFunc } from "../linked-prog.ts";
import { mayBe } from "./op-kinds.ts";
import { refuse } from "./refuse.ts";

/** Program types whose context is a `__sk_buff` that legacy packet loads may read (ISA-113). */
const PACKET_LOAD_TYPES: ReadonlySet<ProgTypeName> = new Set<ProgTypeName>([
  "socket_filter",
  "sched_cls",
  "sched_act",
  "cgroup_skb",
]);

/**
 * Checks each instruction alone, and that the number of slots is one that Linux takes.
 *
 * @throws LINK_SIZE, LINK_ENCODING, LINK_WIDE, LINK_FRAME_POINTER, LINK_PACKET_LOAD (InputError).
 */
export function checkInsns(spec: ProgSpec): void {
  const { insns } = spec;
  if (insns.length === 0 || insns.length > LIMITS.progSlots) {
    throw refuse("LINK_SIZE", spec, 0, `${insns.length} slots found, 1..${LIMITS.progSlots} allowed`);
  }
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot] as Insn;
    const issue = findEncodingIssue(insn);
    if (issue !== undefined) {
      throw refuse("LINK_ENCODING", spec, slot, issue.text, {
        issue: issue.code,
        field: issue.field,
        op: insn.op,
      });
    }
    checkMeaning(spec, slot, insn);
    if (!isWide(insn)) continue;
    const half = findWideHalfIssue(insns[slot + 1]);
    if (half !== undefined) throw refuse("LINK_WIDE", spec, slot, half.text, { field: half.field });
    slot++;
  }
}

/** The two casts between the program's and the user's view of an arena, as destination and source space (ISA-43). */
const CASTS: readonly number[] = [1, 1 << 16];

function checkMeaning(spec: ProgSpec, slot: number, insn: Insn): void {
  const namesFrame = insn.dst === FRAME_POINTER || insn.src === FRAME_POINTER;
  if (namesFrame && (defsOf(insn) & (1 << FRAME_POINTER)) !== 0) {
    throw refuse("LINK_FRAME_POINTER", spec, slot, "r10 is written, the frame pointer is read only");
  }
  if (mayBe(insn, "addr_cast") && rowOf(insn)?.action.kind === "addr_cast" && !CASTS.includes(insn.imm)) {
    throw refuse(
      "LINK_ARENA",
      spec,
      slot,
      `addr_space_cast ${insn.imm} found, ${CASTS.join(" or ")} allowed`,
      { imm: insn.imm },
    );
  }
  if (mayBe(insn, "packet") && !PACKET_LOAD_TYPES.has(spec.type)) {
    throw refuse(
      "LINK_PACKET_LOAD",
      spec,
      slot,
      `legacy packet load in a program of type ${spec.type}, ${[...PACKET_LOAD_TYPES].join(", ")} allowed`,
      { progType: spec.type },
    );
  }
}

/**
 * Checks that control stays in each function and meets only the starts of instructions (C-20, C-21, ISA-80).
 *
 * @throws LINK_JUMP, LINK_FALL_THROUGH, CALL_TARGET (InputError).
 */
export function checkControl(spec: ProgSpec, funcs: readonly LinkedFunc[]): void {
  const isStart = markStarts(spec.insns);
  for (const func of funcs) {
    if (isStart[func.start] !== 1) {
      throw refuse("CALL_TARGET", spec, func.start, "a function starts in the middle of a wide load");
    }
    let last = func.start;
    for (let slot = func.start; slot < func.end; slot += slotsOf(spec.insns[slot] as Insn)) {
      last = slot;
      checkJump(spec, func, slot, isStart);
    }
    const action = rowOf(spec.insns[last] as Insn)?.action.kind;
    if (action !== "exit" && action !== "ja" && action !== "gotox") {
      throw refuse(
        "LINK_FALL_THROUGH",
        spec,
        last,
        `function ${func.name} does not end in exit or an unconditional jump`,
        {
          func: func.name,
        },
      );
    }
  }
}

function checkJump(spec: ProgSpec, func: LinkedFunc, slot: number, isStart: Uint8Array): void {
  const insn = spec.insns[slot] as Insn;
  if (!mayBe(insn, "ja") && !mayBe(insn, "branch") && !mayBe(insn, "may_goto")) return;
  const target = targetSlotOf(insn, slot) as number;
  if (target < func.start || target >= func.end) {
    throw refuse(
      "LINK_JUMP",
      spec,
      slot,
      `jump to slot ${target}, ${func.start}..${func.end - 1} allowed in ${func.name}`,
      {
        target,
        func: func.name,
      },
    );
  }
  if (isStart[target] !== 1) {
    throw refuse("LINK_JUMP", spec, slot, `jump to slot ${target}, which is the second half of a wide load`, {
      target,
    });
  }
}

/** Marks the slots where an instruction starts. */
function markStarts(insns: readonly Insn[]): Uint8Array {
  const isStart = new Uint8Array(insns.length);
  for (let slot = 0; slot < insns.length; slot += slotsOf(insns[slot] as Insn)) isStart[slot] = 1;
  return isStart;
}
