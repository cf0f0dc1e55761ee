import { joinU64, LIMITS } from "@tsbpf/base";
import type { Region } from "@tsbpf/memory";
import { FRAME, FUNC_POINTER_HI, framePointerOf, type LinkedProg, type Machine } from "@tsbpf/runtime";
import { FLAG, type Frame, KIND, REG, type Reg, type Scalar, type Slot } from "@tsbpf/verifier";

/**
 * Says whether what a machine holds lies inside what the verifier knew.
 *
 * Assumes that the machine stands before an instruction of `linked` whose innermost frame is the state's last one.
 * Says no only when the state is wrong about the machine; kinds of pointers that have no address here are not judged
 * beyond being null or not.
 */

/** Where a concrete state is to be compared. */
export interface RunPlace {
  readonly machine: Machine;
  readonly linked: LinkedProg;
  /** Depth, from 1, of the machine's frame that is frame 0 of the abstract state. */
  readonly base: number;
}

const MASK_32 = 0xffff_ffffn;

/** Says whether a scalar allows a value, by its bits and in all four readings. */
function holdsValue(val: Scalar, value: bigint): boolean {
  const signed = BigInt.asIntN(64, value);
  return (
    (value & ~val.tnum.mask) === val.tnum.value &&
    value >= val.umin &&
    value <= val.umax &&
    signed >= val.smin &&
    signed <= val.smax &&
    holdsLow32(val, Number(value & MASK_32))
  );
}

const holdsLow32 = (val: Scalar, low: number): boolean =>
  (BigInt(low) & ~val.tnum.mask & MASK_32) === (val.tnum.value & MASK_32) &&
  low >= val.u32min &&
  low <= val.u32max &&
  (low | 0) >= val.s32min &&
  (low | 0) <= val.s32max;

/** Says whether a pointer with a register's offsets from `start` may have the address. */
const isAtOffset = (reg: Reg, address: number, start: number): boolean =>
  holdsValue(reg.val, BigInt.asUintN(64, BigInt(address - start - reg.off)));

/** Says whether some value of a map makes the address possible. */
function isInValue(reg: Reg, address: number, place: RunPlace): boolean {
  const { regions } = place.machine.env.memory;
  // The pointer may stand before its value or behind it, so the region is that of where the offset counts from.
  const { smin, smax } = reg.val;
  const origins = new Set([address, address - reg.off]);
  for (const by of [smin, smax]) {
    if (by >= -OFFSET_MAX && by <= OFFSET_MAX) origins.add(address - reg.off - Number(by));
  }
  return [...origins].some((origin) => {
    const region = regions.at(origin) ?? regions.nearest(origin);
    return region !== undefined && isInRegion(reg, address, origin, region);
  });
}

/** Offsets that Linux lets a pointer have: below 2^29. */
const OFFSET_MAX = 1n << 29n;

function isInRegion(reg: Reg, address: number, origin: number, region: Region): boolean {
  if (region.kind === "stack" || region.kind === "ctx" || region.kind === "packet") return false;
  if (region.cells === undefined) return isAtOffset(reg, address, region.start);
  const { stride, windows } = region.cells;
  const cell = Math.floor((origin - region.start) / stride);
  for (const window of windows) {
    const step = window.stride ?? window.bytes;
    for (const index of [cell, cell - 1]) {
      for (let span = 0; span < (window.count ?? 1); span++) {
        const start = region.start + index * stride + window.offset + span * step;
        if (index >= 0 && isAtOffset(reg, address, start)) return true;
      }
    }
  }
  return false;
}

/** Says whether `memBytes` from where the pointer's object starts lie in one region. */
function isInMem(reg: Reg, address: number, place: RunPlace): boolean {
  if (reg.x.memBytes === 0 || reg.val.tnum.mask !== 0n) return true;
  const start = address - reg.off - Number(reg.val.smin);
  const region = place.machine.env.memory.regions.at(start);
  return region !== undefined && start + reg.x.memBytes <= region.end;
}

function isInPacket(reg: Reg, address: number, start: number, end: number): boolean {
  if (!isAtOffset(reg, address, start)) return false;
  // `range` bytes from where the variable part leads were compared with the end.
  return reg.x.range <= 0 || address - reg.off + reg.x.range <= end;
}

function isPointerInside(reg: Reg, address: number, place: RunPlace): boolean {
  const { machine } = place;
  const { env } = machine;
  switch (reg.type) {
    case REG.stack:
      return isAtOffset(reg, address, framePointerOf(machine, place.base + reg.x.frameno));
    case REG.ctx:
      return isAtOffset(reg, address, env.ctxAddress);
    case REG.mapValue:
      return isInValue(reg, address, place);
    case REG.mem:
      return isInMem(reg, address, place);
    case REG.pkt:
      return env.packet === undefined || isInPacket(reg, address, env.packet.dataStart, env.packet.dataEnd);
    case REG.pktMeta:
      return env.packet === undefined || isInPacket(reg, address, env.packet.metaStart, env.packet.dataStart);
    case REG.pktEnd:
      return env.packet === undefined || address === env.packet.dataEnd;
    default:
      return true;
  }
}

/** Kinds that other code makes up: their addresses say nothing here. */
const UNJUDGED: ReadonlySet<number> = new Set([REG.notInit, REG.arena, REG.btfId, REG.flowKeys]);

/** Says whether a register's 64 bits lie inside its abstract value. */
function isRegInside(reg: Reg, lo: number, hi: number, place: RunPlace): boolean {
  if (reg.type === REG.scalar) return holdsValue(reg.val, joinU64(lo, hi));
  if (UNJUDGED.has(reg.type)) return true;
  if (reg.type === REG.func) {
    return hi === FUNC_POINTER_HI && lo === place.linked.funcs[reg.x.subprog]?.start;
  }
  if (hi !== 0) return false;
  if (lo === 0) return (reg.flags & FLAG.maybeNull) !== 0;
  return isPointerInside(reg, lo >>> 0, place);
}

/** Says whether eight bytes of a frame lie inside their abstract slot; `top` is the address past them. */
function isSlotInside(slot: Slot, top: number, place: RunPlace): boolean {
  const { view } = place.machine.env.memory;
  let spilledBytes = 0;
  for (let i = 0; i < 8; i++) {
    const kind = slot.kinds[i];
    if (kind === KIND.zero && view.getUint8(top - 1 - i) !== 0) return false;
    if (kind === KIND.spill) spilledBytes++;
  }
  if (spilledBytes === 0 || slot.reg === null) return true;
  const lo = view.getInt32(top - 8, true);
  if (spilledBytes === 8) return isRegInside(slot.reg, lo, view.getInt32(top - 4, true), place);
  // Of a narrow spill the slot keeps the whole register's value; only the stored part lies in memory.
  const { val } = slot.reg;
  if (spilledBytes === 4) return holdsLow32(val, lo >>> 0);
  const mask = (1n << BigInt(8 * spilledBytes)) - 1n;
  return (BigInt(lo >>> 0) & ~val.tnum.mask & mask) === (val.tnum.value & mask);
}

const R6 = 12;

/**
 * Names registers and slots of a frame that lie outside, up to a number of them.
 *
 * @param regs - the live registers, when the frame is the running one.
 */
export function outsideOfFrame(
  frame: Pick<Frame, "regs" | "stack">,
  depth: number,
  regs: Int32Array | undefined,
  place: RunPlace,
  max: number,
): string[] {
  const outside: string[] = [];
  const { frames } = place.machine;
  // Of a frame that waits, the callee's record keeps what it will get back.
  const words = regs ?? frames.words;
  const first = regs === undefined ? 6 : 0;
  const last = regs === undefined ? 9 : 10;
  const at = regs === undefined ? depth * FRAME.words + FRAME.saved - R6 : 0;
  for (let i = first; i <= last && outside.length < max; i++) {
    const lo = words[at + 2 * i] as number;
    if (!isRegInside(frame.regs[i] as Reg, lo, words[at + 2 * i + 1] as number, place)) outside.push(`r${i}`);
  }
  const fp = framePointerOf(place.machine, depth);
  const slots = Math.min(frame.stack.length, LIMITS.stackBytes / 8);
  for (let spi = 0; spi < slots && outside.length < max; spi++) {
    if (!isSlotInside(frame.stack[spi] as Slot, fp - 8 * spi, place)) outside.push(`fp${-8 * (spi + 1)}`);
  }
  return outside;
}
