import { aluScalar } from "../domain/alu.ts";
import { zeroExtend32 } from "../domain/cast.ts";
import { constScalar } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { REG, type Reg, withId } from "../state/reg.ts";
import { isSpilled, type Slot } from "../state/slot.ts";
import { curFrame, type Frame, frameAt, type LinkedPlace, type State } from "../state/state.ts";

/** Places that one jump may refine together (S-133). */
const MAX_LINKED = 6;

/** Returns the instruction that a frame of a state stands at. */
export const frameInsnIdx = (state: State, frameno: number): number =>
  state.frames[frameno + 1]?.callsite ?? state.insnIdx;

/** Finds the live registers and spilled slots of a link group; those beyond six leave the group. */
export function collectLinked(env: Env, state: State, id: number, places: LinkedPlace[]): void {
  for (let frameno = state.frames.length - 1; frameno >= 0; frameno--) {
    const frame = frameAt(state, frameno);
    const live = env.liveRegs[frameInsnIdx(state, frameno)] as number;
    for (let i = 0; i < 10; i++) {
      const reg = frame.regs[i] as Reg;
      if (((live >> i) & 1) === 0 || reg.type !== REG.scalar || reg.id !== id) continue;
      if (places.length < MAX_LINKED) places.push({ frameno, isReg: true, index: i });
      else frame.regs[i] = withId(reg, 0, reg.off, 0);
    }
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi] as Slot;
      if (slot.reg === null || !isSpilled(slot)) continue;
      if (slot.reg.type !== REG.scalar || slot.reg.id !== id) continue;
      if (places.length < MAX_LINKED) places.push({ frameno, isReg: false, index: spi });
      else frame.stack[spi] = { kinds: slot.kinds, reg: withId(slot.reg, 0, slot.reg.off, 0) };
    }
  }
}

const placeReg = (frame: Frame, place: LinkedPlace): Reg | null | undefined =>
  place.isReg ? frame.regs[place.index] : frame.stack[place.index]?.reg;

/** Gives the other members of a group what was learned of one (S-135). */
export function syncLinked(_env: Env, state: State, regno: number, places: readonly LinkedPlace[]): void {
  const curFrameno = state.frames.length - 1;
  const known = curFrame(state).regs[regno] as Reg;
  for (const place of places) {
    if (place.isReg && place.frameno === curFrameno && place.index === regno) continue;
    const frame = frameAt(state, place.frameno);
    const reg = placeReg(frame, place);
    if (reg === null || reg === undefined || reg.type !== REG.scalar || reg.id !== known.id) continue;
    const next = adjusted(reg, known);
    if (place.isReg) frame.regs[place.index] = next;
    else frame.stack[place.index] = { kinds: (frame.stack[place.index] as Slot).kinds, reg: next };
  }
}

function adjusted(reg: Reg, known: Reg): Reg {
  const isPlain = reg.deltaBits === 0 && known.deltaBits === 0;
  const regDelta = reg.deltaBits === 0 ? 0 : reg.off;
  const knownDelta = known.deltaBits === 0 ? 0 : known.off;
  if (isPlain || regDelta === knownDelta) return known;
  let val = aluScalar("add", 64, known.val, constScalar(regDelta - knownDelta));
  if (known.deltaBits === 32 || reg.deltaBits === 32) val = zeroExtend32(val);
  return {
    type: REG.scalar,
    flags: 0,
    off: reg.off,
    val,
    id: reg.id,
    deltaBits: reg.deltaBits,
    refObjId: 0,
    isPrecise: known.isPrecise,
    x: reg.x,
  };
}
