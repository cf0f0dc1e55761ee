export type { CallSite } from "./call.ts";
export { classifyCall, targetSlotOf } from "./call.ts";
export { decodeInsns, encodeInsns, SLOT_BYTES } from "./codec.ts";
export type { Insn } from "./insn.ts";
export { isSameInsn, isWide, LD_IMM64_OP, makeInsn, makeWide, slotsOf, wideImm } from "./insn.ts";
export type { RegMask } from "./registers.ts";
export { CALLEE_SAVED_MASK, defsOf, FRAME_POINTER, SCRATCH_MASK, usesOf } from "./registers.ts";
export type { EncodingIssue } from "./reserved.ts";
export { findEncodingIssue, findWideHalfIssue } from "./reserved.ts";
export type {
  Action,
  ActionKind,
  AluOp,
  AtomicOp,
  CallKind,
  ConformanceGroup,
  FieldRule,
  InsnRow,
  JmpOp,
  Role,
  SizeBytes,
  Source,
  WideKind,
  Width,
} from "./row.ts";
export { ALU_OPS, ATOMIC_OPS, CALL_KINDS, CONFORMANCE_GROUPS, JMP_OPS, WIDE_KINDS } from "./row.ts";
export { ATOMIC_IMM } from "./rows/atomic.ts";
export { INSN_ROWS, insnOfRow, isFieldAllowed, rowOf, rowOfId, rowsOfOp } from "./table.ts";
