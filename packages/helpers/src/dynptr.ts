import type { ErrnoName } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import {
  directAddress,
  holds,
  isNull,
  memorySpan,
  NULL_SPAN,
  readFrom,
  readSpan,
  SPAN_BYTES_MAX,
  SPAN_KIND,
  writeSpan,
  writeTo,
} from "./dynptr-span.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, R5, setS32, setU32, u32, u64 } from "./regs.ts";
import { finishRecord } from "./ringbuf.ts";
import { scratchOf } from "./scratch.ts";

const DYNPTR_BYTES = 16;

const fromMem: RawHelper = (regs, env) => {
  const at = u32(regs, R4);
  const bytes = u32(regs, R2);
  if (bytes > SPAN_BYTES_MAX || regs[R2 + 1] !== 0) {
    writeSpan(env, at, NULL_SPAN);
    return fail(regs, "E2BIG");
  }
  if (!isZero(regs, R3)) {
    writeSpan(env, at, NULL_SPAN);
    return fail(regs, "EINVAL");
  }
  writeSpan(env, at, memorySpan(SPAN_KIND.local, u32(regs, R1), bytes));
  setU32(regs, 0);
};

const answer = (regs: Int32Array, errno: ErrnoName | undefined): void =>
  errno === undefined ? setU32(regs, 0) : fail(regs, errno);

const read: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R3));
  if (isNull(span) || !isZero(regs, R5)) return fail(regs, "EINVAL");
  const bytes = u32(regs, R2);
  const offset = u32(regs, R4);
  if (!holds(span, offset, bytes)) return fail(regs, "E2BIG");
  answer(regs, readFrom(env, span, offset, u32(regs, R1), bytes));
};

const write: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  if (isNull(span) || span.isReadOnly) return fail(regs, "EINVAL");
  const offset = u32(regs, R2);
  const bytes = u32(regs, R4);
  if (!holds(span, offset, bytes)) return fail(regs, "E2BIG");
  if (regs[R5 + 1] !== 0) return fail(regs, "EINVAL");
  answer(regs, writeTo(env, span, offset, { from: u32(regs, R3), bytes, flags: u32(regs, R5) }));
};

const data: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  const offset = u32(regs, R2);
  const bytes = u32(regs, R3);
  const isMemory = span.kind === SPAN_KIND.local || span.kind === SPAN_KIND.ringbuf;
  const isThere = isMemory && !isNull(span) && !span.isReadOnly && holds(span, offset, bytes);
  setU32(regs, isThere ? directAddress(env, span, offset, bytes) : 0);
};

const reserveDynptr: RawHelper = (regs, env) => {
  const at = u32(regs, R4);
  const bytes = u32(regs, R2);
  const map = mapArg(regs, R1, env);
  writeSpan(env, at, NULL_SPAN);
  if (!isZero(regs, R3)) return fail(regs, "EINVAL");
  if (bytes > SPAN_BYTES_MAX) return fail(regs, "E2BIG");
  const address = map.ring?.reserve(bytes, 0) ?? 0;
  if (address === 0) return fail(regs, "EINVAL");
  writeSpan(env, at, memorySpan(SPAN_KIND.ringbuf, address, bytes));
  setU32(regs, 0);
};

const finishDynptr =
  (isDiscarded: boolean): RawHelper =>
  (regs, env) => {
    const at = u32(regs, R1);
    const { address } = readSpan(env, at);
    if (address !== 0) finishRecord(env, address, u32(regs, R2), isDiscarded);
    writeSpan(env, at, NULL_SPAN);
    setU32(regs, 0);
  };

/** @source linux uapi/linux/bpf.h BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP */
const WAKEUP_FLAGS = 3n;

const drain: RawHelper = (regs, env) => {
  const { userRing } = mapArg(regs, R1, env);
  if ((u64(regs, R4) & ~WAKEUP_FLAGS) !== 0n || userRing === undefined) return fail(regs, "EINVAL");
  const funcLo = regs[R2] as number;
  const funcHi = regs[R2 + 1] as number;
  const args = Int32Array.of(sampleDynptr(env), 0, regs[R3] as number, regs[R3 + 1] as number);
  const visit = (address: number, bytes: number): boolean => {
    writeSpan(env, args[0] as number, memorySpan(SPAN_KIND.local, address, bytes, true));
    return env.callBack(funcLo, funcHi, args) === 0;
  };
  setS32(regs, userRing.drain(visit));
};

/** Returns where the dynptr of a drained record lies. */
const sampleDynptr = (env: HelperEnv): number => scratchOf(env) + DYNPTR_BYTES;

/** Helpers on dynptrs. */
export const dynptrHelpers: readonly HelperPlugin[] = [
  kernelHelper(197, "Makes a dynptr of memory.", fromMem),
  kernelHelper(198, "Reserves room for a record in a ring buffer, as a dynptr.", reserveDynptr),
  kernelHelper(199, "Makes a record visible that a dynptr holds.", finishDynptr(false)),
  kernelHelper(200, "Gives a record up that a dynptr holds.", finishDynptr(true)),
  kernelHelper(201, "Copies bytes out of what a dynptr points to.", read),
  kernelHelper(202, "Copies bytes to what a dynptr points to.", write),
  kernelHelper(203, "Returns the address of bytes that a dynptr points to.", data),
  kernelHelper(209, "Calls a function of the program for each record that user space produced.", drain),
];
