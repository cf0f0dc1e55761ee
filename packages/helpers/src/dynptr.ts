import type { LinearMemory } from "@tsbpf/memory";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, R5, setS32, setU32, u32, u64 } from "./regs.ts";
import { finishRecord } from "./ringbuf.ts";
import { scratchOf } from "./scratch.ts";

/** Layout of the 16 bytes that a program keeps for a dynptr and cannot look into. */
const DYNPTR = { data: 0, size: 8, flags: 12 } as const;
const DYNPTR_BYTES = 16;
/** Largest span of a dynptr. @source linux kernel/bpf DYNPTR_MAX_SIZE */
const SIZE_MAX = 0xff_ffff;
const READ_ONLY = 1;

/** A dynptr as helpers see it. */
interface Span {
  /** First address; 0 for a null dynptr. */
  readonly address: number;
  readonly bytes: number;
  readonly isReadOnly: boolean;
}

function readSpan(memory: LinearMemory, at: number): Span {
  const { view } = memory;
  return {
    address: view.getUint32(at + DYNPTR.data, true),
    bytes: view.getUint32(at + DYNPTR.size, true),
    isReadOnly: (view.getUint32(at + DYNPTR.flags, true) & READ_ONLY) !== 0,
  };
}

function writeSpan(memory: LinearMemory, at: number, { address, bytes, isReadOnly }: Span): void {
  const { view } = memory;
  view.setUint32(at + DYNPTR.data, address, true);
  view.setUint32(at + DYNPTR.data + 4, 0, true);
  view.setUint32(at + DYNPTR.size, bytes, true);
  view.setUint32(at + DYNPTR.flags, isReadOnly ? READ_ONLY : 0, true);
}

const NULL_SPAN: Span = { address: 0, bytes: 0, isReadOnly: false };

/** Says whether `bytes` at `offset` lie within a span. */
const holds = (span: Span, offset: number, bytes: number): boolean =>
  bytes <= span.bytes && offset <= span.bytes - bytes;

const fromMem: RawHelper = (regs, env) => {
  const at = u32(regs, R4);
  const bytes = u32(regs, R2);
  if (bytes > SIZE_MAX || regs[R2 + 1] !== 0) {
    writeSpan(env.memory, at, NULL_SPAN);
    return fail(regs, "E2BIG");
  }
  if (!isZero(regs, R3)) {
    writeSpan(env.memory, at, NULL_SPAN);
    return fail(regs, "EINVAL");
  }
  writeSpan(env.memory, at, { address: u32(regs, R1), bytes, isReadOnly: false });
  setU32(regs, 0);
};

const read: RawHelper = (regs, env) => {
  const span = readSpan(env.memory, u32(regs, R3));
  if (span.address === 0 || !isZero(regs, R5)) return fail(regs, "EINVAL");
  const bytes = u32(regs, R2);
  const offset = u32(regs, R4);
  if (!holds(span, offset, bytes)) return fail(regs, "E2BIG");
  env.memory.copy(u32(regs, R1), span.address + offset, bytes);
  setU32(regs, 0);
};

const write: RawHelper = (regs, env) => {
  const span = readSpan(env.memory, u32(regs, R1));
  if (span.address === 0 || span.isReadOnly) return fail(regs, "EINVAL");
  const offset = u32(regs, R2);
  const bytes = u32(regs, R4);
  if (!holds(span, offset, bytes)) return fail(regs, "E2BIG");
  if (!isZero(regs, R5)) return fail(regs, "EINVAL");
  env.memory.copy(span.address + offset, u32(regs, R3), bytes);
  setU32(regs, 0);
};

const data: RawHelper = (regs, env) => {
  const span = readSpan(env.memory, u32(regs, R1));
  const offset = u32(regs, R2);
  const isThere = span.address !== 0 && !span.isReadOnly && holds(span, offset, u32(regs, R3));
  setU32(regs, isThere ? span.address + offset : 0);
};

const reserveDynptr: RawHelper = (regs, env) => {
  const at = u32(regs, R4);
  const bytes = u32(regs, R2);
  const map = mapArg(regs, R1, env);
  writeSpan(env.memory, at, NULL_SPAN);
  if (!isZero(regs, R3)) return fail(regs, "EINVAL");
  if (bytes > SIZE_MAX) return fail(regs, "E2BIG");
  const address = map.ring?.reserve(bytes, 0) ?? 0;
  if (address === 0) return fail(regs, "EINVAL");
  writeSpan(env.memory, at, { address, bytes, isReadOnly: false });
  setU32(regs, 0);
};

const finishDynptr =
  (isDiscarded: boolean): RawHelper =>
  (regs, env) => {
    const at = u32(regs, R1);
    const { address } = readSpan(env.memory, at);
    if (address !== 0) finishRecord(env, address, u32(regs, R2), isDiscarded);
    writeSpan(env.memory, at, NULL_SPAN);
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
    writeSpan(env.memory, args[0] as number, { address, bytes, isReadOnly: true });
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
