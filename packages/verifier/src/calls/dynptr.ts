import type { ArgSpec } from "@tsbpf/abi";
import { frameOfPointer, spiOf, useStack } from "../access/stack-bounds.ts";
import { isConst } from "../domain/scalar.ts";
import { type Env, newId } from "../env.ts";
import { scratchSlot } from "../log/print-state.ts";
import { markStackRead, markStackWrite } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { type DynptrType, pointerReg, REG, type Reg } from "../state/reg.ts";
import { EMPTY_SLOT, KIND, makeSlot } from "../state/slot.ts";
import { curFrame, type Frame, mapRegs, slotAt } from "../state/state.ts";
import type { CallMeta } from "./args.ts";
import { destroyDynptrAt } from "./dynptr-slots.ts";
import { acquireRef, dropRef, invalidated } from "./refs.ts";

const DYNPTR_BYTES = 16;
const DYNPTR_KINDS = KIND.dynptr.repeat(8);

/** Finds the higher slot of a dynptr place; refuses bad offsets (H-100). Undefined when a line was already logged. */
function placeOf(env: Env, reg: Reg): number | undefined {
  if (!isConst(reg.val)) {
    env.log.write("dynptr has to be at a constant offset\n");
    return undefined;
  }
  const off = reg.off + Number(reg.val.smin);
  const isRoomy = off <= -DYNPTR_BYTES && off >= -512;
  if (off % 8 !== 0 || !isRoomy) {
    env.log.write(`cannot pass in dynptr at an offset=${off}\n`);
    return undefined;
  }
  return spiOf(off);
}

const lowSlot = (frame: Frame, spi: number): Reg | null => slotAt(frame, spi).reg;

/** Says whether a whole dynptr starts at a slot: `spi` is the one at the lower address. */
function isDynptrAt(frame: Frame, spi: number): boolean {
  const first = slotAt(frame, spi);
  const second = slotAt(frame, spi - 1);
  return (
    first.kinds === DYNPTR_KINDS && second.kinds === DYNPTR_KINDS && (first.reg?.x.dynptr?.isFirst ?? false)
  );
}

/** Checks a dynptr argument, and creates what the helper will initialise (H-101..H-103). */
export function checkDynptrArg(env: Env, arg: ArgSpec, regno: number, meta: CallMeta): void {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  const bad = (text: string): never => reject(env, "CALL_ARG_DYNPTR", "EINVAL", text);
  if (reg.type !== REG.stack && reg.type !== REG.dynptr) {
    bad(`arg#${regno - 1} expected pointer to stack or const struct bpf_dynptr`);
  }
  if (arg.access === "write") {
    if (reg.type === REG.dynptr) bad("Dynptr has to be an uninitialized dynptr");
    const spi = placeOf(env, reg);
    if (spi === undefined) {
      bad("Dynptr has to be an uninitialized dynptr");
      return;
    }
    createDynptr(env, reg, spi, meta.newDynptrType ?? dynptrKind(arg), meta);
    return;
  }
  if (reg.type === REG.dynptr) {
    if (arg.access === "readwrite") {
      bad("cannot pass pointer to const bpf_dynptr, the helper mutates it");
    }
    meta.dynptrId = reg.id;
    meta.dynptrType = reg.x.dynptr?.type;
    if (arg.releases === true) bad("cannot release unowned const bpf_dynptr");
    return;
  }
  const spi = placeOf(env, reg);
  const frame = frameOfPointer(env, reg);
  const held = spi === undefined ? 0 : (lowSlot(frame, spi)?.refObjId ?? 0);
  if (arg.releases === true && held === 0) bad(`arg ${regno} is an unacquired reference`);
  if (spi === undefined || !isDynptrAt(frame, spi)) {
    bad(`Expected an initialized dynptr as arg #${regno - 1}`);
    return;
  }
  markStackRead(env, frame.frameno, spi);
  markStackRead(env, frame.frameno, spi - 1);
  scratchSlot(env, spi);
  scratchSlot(env, spi - 1);
  const main = lowSlot(frame, spi) as Reg;
  const type = main.x.dynptr?.type;
  if (arg.dynptrKind !== undefined && arg.dynptrKind !== "any" && arg.dynptrKind !== type) {
    bad(`Expected a dynptr of type ${arg.dynptrKind} as arg #${regno - 1}`);
  }
  meta.dynptrId = main.id;
  meta.dynptrType = type;
  meta.refObjId = main.refObjId;
}

const dynptrKind = (arg: ArgSpec): DynptrType =>
  arg.dynptrKind === undefined || arg.dynptrKind === "any" ? "local" : arg.dynptrKind;

/** Makes the two slots a dynptr. */
function createDynptr(env: Env, reg: Reg, spi: number, type: DynptrType, meta: CallMeta | undefined): void {
  const frame = frameOfPointer(env, reg);
  useStack(env, frame, 8 * (spi + 1));
  destroyDynptrAt(env, frame, spi);
  destroyDynptrAt(env, frame, spi - 1);
  const id = newId(env);
  const clonedId = meta?.clonedRefId ?? 0;
  const refObjId = clonedId !== 0 || type !== "ringbuf" ? clonedId : acquireRef(env, "ptr");
  const make = (isFirst: boolean): Reg =>
    pointerReg(REG.dynptr, { id, refObjId, x: { dynptr: { type, isFirst }, dynptrId: 1 } });
  frame.stack[spi] = makeSlot(DYNPTR_KINDS, make(true));
  frame.stack[spi - 1] = makeSlot(DYNPTR_KINDS, make(false));
  for (const at of [spi, spi - 1]) {
    scratchSlot(env, at);
    markStackWrite(env, frame.frameno, at);
  }
}

/** Submits or discards a dynptr: it and all its clones and slices end (H-60, H-110). */
export function releaseDynptr(env: Env, regno: number): void {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  const spi = spiOf(reg.off + Number(reg.val.smin));
  const main = lowSlot(frameOfPointer(env, reg), spi);
  if (main === null) return;
  const { refObjId } = main;
  dropRef(env.cur, refObjId);
  const slices = new Set<number>();
  for (const frame of env.cur.frames) {
    frame.stack.forEach((slot, at) => {
      if (slot.kinds[7] !== KIND.dynptr || slot.reg?.refObjId !== refObjId) return;
      slices.add(slot.reg.id);
      frame.stack[at] = EMPTY_SLOT;
      scratchSlot(env, at);
      markStackWrite(env, frame.frameno, at);
    });
  }
  const gone = invalidated(env);
  mapRegs(env.cur, (one) =>
    one.type === REG.mem && (slices.has(one.x.dynptrId) || one.refObjId === refObjId) ? gone : one,
  );
}
