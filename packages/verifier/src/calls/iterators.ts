import { touchMemory } from "../access/access.ts";
import { frameOfPointer, spiOf } from "../access/stack-bounds.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { scratchSlot } from "../log/print-state.ts";
import { markStackRead, markStackWrite } from "../prune/liveness.ts";
import { findLoopEntry, widenState } from "../prune/widen.ts";
import { reject } from "../reject.ts";
import { FLAG, pointerReg, REG, type Reg, ZERO_REG } from "../state/reg.ts";
import { EMPTY_SLOT, KIND, makeSlot } from "../state/slot.ts";
import { curFrame, type Frame, frameAt, type State, slotAt } from "../state/state.ts";
import { dropNull } from "../walk/null-check.ts";
import { pushState } from "../walk/pending.ts";
import { acquireRef, releaseRef } from "./refs.ts";

/** Bytes of iterator structs on the stack. */
const ITER_BYTES: Readonly<Record<string, number>> = {
  num: 8,
  bits: 16,
  css: 24,
  css_task: 8,
  task: 24,
  task_vma: 8,
  kmem_cache: 8,
  dmabuf: 8,
  scx_dsq: 48,
};

const ITER_KINDS = KIND.iter.repeat(8);

/** Which iterator an argument is, and what the call does with it. */
export interface IterUse {
  /** Name after `bpf_iter_`. */
  readonly name: string;
  readonly action: "new" | "next" | "destroy" | "use";
  /** Whether its items are protected by RCU (H-120). */
  readonly isRcu: boolean;
  readonly kfunc: string;
}

/** Where an iterator lies. */
export interface IterPlace {
  readonly frameno: number;
  readonly spi: number;
  readonly slots: number;
  readonly refObjId: number;
}

/** Finds the slots; logs the kernel's line and returns undefined for a bad offset (H-116). */
function placeOf(env: Env, reg: Reg, bytes: number): IterPlace | undefined {
  if (!isConst(reg.val)) {
    env.log.write("iter has to be at a constant offset\n");
    return undefined;
  }
  const off = reg.off + Number(reg.val.smin);
  if (off % 8 !== 0 || off > -bytes || off < -512) {
    env.log.write(`cannot pass in iter at an offset=${off}\n`);
    return undefined;
  }
  return { frameno: reg.x.frameno, spi: spiOf(off), slots: bytes / 8, refObjId: 0 };
}

const slotsOf = (frame: Frame, place: IterPlace): readonly number[] =>
  Array.from({ length: place.slots }, (_, i) => place.spi - i).filter((spi) => spi >= 0 && frame !== null);

/** Checks an iterator argument and creates or ends what it names (H-115..H-117). */
export function checkIterArg(env: Env, regno: number, use: IterUse): IterPlace {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  const bad = (text: string): never => reject(env, "CALL_ARG_ITER", "EINVAL", text);
  if (reg.type !== REG.stack) bad(`arg#${regno - 1} expected pointer to an iterator on stack`);
  const bytes = ITER_BYTES[use.name];
  if (bytes === undefined) return bad(`expected valid iter pointer as arg #${regno - 1}`);
  const place = placeOf(env, reg, bytes);
  const frame = frameOfPointer(env, reg);
  if (use.action === "new") {
    const isTaken =
      place === undefined ||
      slotsOf(frame, place).some((spi) => slotAt(frame, spi).kinds.includes(KIND.iter));
    if (place === undefined || isTaken) {
      return bad(`expected uninitialized iter_${use.name} as arg #${regno - 1}`);
    }
    createIter(env, regno, use, frame, place);
    return place;
  }
  const main = place === undefined ? undefined : slotAt(frame, place.spi);
  const isInit =
    place !== undefined &&
    main?.reg?.x.iter?.name === use.name &&
    main.reg.refObjId !== 0 &&
    slotsOf(frame, place).every((spi) => slotAt(frame, spi).kinds === ITER_KINDS);
  if (place === undefined || !isInit) {
    return bad(`expected an initialized iter_${use.name} as arg #${regno - 1}`);
  }
  if (((main?.reg?.flags ?? 0) & FLAG.untrusted) !== 0) {
    reject(env, "CALL_ARG_ITER", "EPROTO", `expected an RCU CS when using ${use.kfunc}`);
  }
  for (const spi of slotsOf(frame, place)) {
    markStackRead(env, frame.frameno, spi);
    scratchSlot(env, spi);
  }
  if (use.action === "destroy") {
    releaseRef(env, main?.reg?.refObjId ?? 0);
    for (const spi of slotsOf(frame, place)) {
      frame.stack[spi] = EMPTY_SLOT;
      markStackWrite(env, frame.frameno, spi);
    }
  }
  return { ...place, refObjId: main?.reg?.refObjId ?? 0 };
}

function createIter(env: Env, regno: number, use: IterUse, frame: Frame, place: IterPlace): void {
  for (let i = 0; i < place.slots; i++) {
    touchMemory(env, { regno, off: 8 * i, size: 8, isWrite: true });
  }
  const refObjId = acquireRef(env, "ptr");
  const isInRcu = env.cur.isRcu || env.cur.activeLocks > 0 || !env.cur.inSleepable;
  let flags = 0;
  if (use.isRcu) flags = isInRcu ? FLAG.rcu : FLAG.untrusted;
  slotsOf(frame, place).forEach((spi, i) => {
    const reg = pointerReg(REG.stack, {
      flags,
      refObjId: i === 0 ? refObjId : 0,
      x: { iter: { name: use.name, isActive: true, depth: 0 } },
    });
    frame.stack[spi] = makeSlot(ITER_KINDS, reg);
    scratchSlot(env, spi);
    markStackWrite(env, frame.frameno, spi);
  });
}

const iterAt = (state: State, place: IterPlace): Reg | null =>
  slotAt(frameAt(state, place.frameno), place.spi).reg;

function setIter(state: State, place: IterPlace, isActive: boolean, depthBy: number): void {
  const frame = frameAt(state, place.frameno);
  const slot = slotAt(frame, place.spi);
  const iter = slot.reg?.x.iter;
  if (slot.reg === null || iter === undefined) return;
  const x = { ...slot.reg.x, iter: { ...iter, isActive, depth: iter.depth + depthBy } };
  frame.stack[place.spi] = { kinds: slot.kinds, reg: { ...slot.reg, x } };
}

/** The two ways a `next` goes on: one more item, walked later, or the end, walked now (H-118). */
export function walkIterNext(env: Env, place: IterPlace): void {
  const iter = iterAt(env.cur, place)?.x.iter;
  if (iter?.isActive === true) {
    const entry = findLoopEntry(env, env.cur.parent, env.insnIdx);
    const queued = pushState(env, env.insnIdx + 1, env.insnIdx);
    setIter(queued, place, true, 1);
    if (entry !== undefined) widenState(env, entry, queued);
    const frame = curFrame(queued);
    frame.regs[0] = dropNull(frame.regs[0] as Reg);
  }
  setIter(env.cur, place, false, 0);
  curFrame(env.cur).regs[0] = ZERO_REG;
}

/** Flags of the items of an iterator (H-119). */
export const itemFlags = (env: Env, place: IterPlace): number =>
  ((iterAt(env.cur, place)?.flags ?? 0) & FLAG.rcu) !== 0 ? FLAG.rcu : FLAG.trusted;
