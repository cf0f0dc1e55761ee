import { isSameScalar, isScalarWithin } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { REG, type Reg, type RegExtra, UNKNOWN_REG } from "../state/reg.ts";
import { EMPTY_SLOT, isFullSpill, KIND, MISC_SLOT, type Slot } from "../state/slot.ts";
import { type Frame, frameAt, type State } from "../state/state.ts";
import { frameInsnIdx } from "../walk/linked.ts";

/**
 * How closely states are compared (X-40..X-45): bit by bit; by ranges; or by ranges only where exactness was needed.
 */
export type Exactness = "exact" | "range within" | "not exact";

/** One to one correspondence of ids between two states, built while they are compared. */
class IdMap {
  // Kept at their longest and refilled: states are compared more often than instructions are walked.
  private readonly olds: number[] = [];
  private readonly curs: number[] = [];
  private count = 0;
  private fresh = 0;

  reset(idGen: number): void {
    this.count = 0;
    this.fresh = idGen;
  }
  match(old: number, cur: number): boolean {
    if (old === 0 || cur === 0) return old === cur;
    for (let i = 0; i < this.count; i++) {
      if (this.olds[i] === old) return this.curs[i] === cur;
      if (this.curs[i] === cur) return false;
    }
    this.olds[this.count] = old;
    this.curs[this.count] = cur;
    this.count++;
    return true;
  }
  /** Scalars: an old one without id asks nothing; a current one without is a group of its own. */
  matchScalar(old: number, cur: number): boolean {
    if (old === 0) return true;
    return this.match(old, cur === 0 ? ++this.fresh : cur);
  }
}
const ids = new IdMap();
/** Whether scalars are compared bit by bit: masks of speculative paths depend on them. */
let comparesExactly = false;

const isSameExtra = (a: RegExtra, b: RegExtra): boolean =>
  a === b ||
  (a.map === b.map &&
    a.mapUid === b.mapUid &&
    a.range === b.range &&
    a.memBytes === b.memBytes &&
    a.dynptrId === b.dynptrId &&
    a.subprog === b.subprog &&
    a.btf?.name === b.btf?.name &&
    a.btf?.typeId === b.btf?.typeId &&
    a.btf?.isKernel === b.btf?.isKernel &&
    a.dynptr?.type === b.dynptr?.type &&
    a.dynptr?.isFirst === b.dynptr?.isFirst &&
    a.iter?.name === b.iter?.name &&
    a.iter?.isActive === b.iter?.isActive &&
    a.iter?.depth === b.iter?.depth &&
    a.irqClass === b.irqClass);

/** Same type, offset, payload and value; ids and precision aside. */
export const isSameReg = (a: Reg, b: Reg): boolean =>
  a === b ||
  (a.type === b.type &&
    a.flags === b.flags &&
    a.off === b.off &&
    isSameExtra(a.x, b.x) &&
    isSameScalar(a.val, b.val));

const isExact = (old: Reg, cur: Reg): boolean =>
  isSameReg(old, cur) && ids.match(scalarId(old), scalarId(cur)) && ids.match(old.refObjId, cur.refObjId);

/** A delta makes another id of a link group's id; those are negative, which ids are not. */
const scalarId = (reg: Reg): number =>
  reg.deltaBits === 0 || reg.id === 0 ? reg.id : -2 * reg.id - (reg.deltaBits === 64 ? 0 : 1);

/** Whether nothing but the register itself says what it is: it is safe with itself, whatever else is compared. */
const isAlone = (reg: Reg): boolean => reg.id === 0 && reg.refObjId === 0;

/** Says whether what was safe with `old` is safe with `cur`. */
function isRegSafe(old: Reg, cur: Reg, exactness: Exactness): boolean {
  if (old === cur && isAlone(old)) return true;
  if (exactness === "exact") return isExact(old, cur);
  if (old.type === REG.notInit) return true;
  if (old.type !== cur.type || old.flags !== cur.flags) return false;
  switch (old.type) {
    case REG.scalar:
      if (comparesExactly) return isSameReg(old, cur) && ids.matchScalar(scalarId(old), scalarId(cur));
      if (!old.isPrecise && exactness === "not exact") return true;
      if (!isScalarWithin(old.val, cur.val)) return false;
      // Without an id nothing was learned of others through it: then links of the current one only add to what is known.
      if (old.id === 0) return true;
      if (old.deltaBits !== cur.deltaBits) return false;
      if (old.deltaBits !== 0 && old.off !== cur.off) return false;
      return ids.matchScalar(scalarId(old), scalarId(cur));
    case REG.mapKey:
    case REG.mapValue:
    case REG.mem:
    case REG.buf:
    case REG.tpBuffer:
      return (
        old.off === cur.off &&
        isSameExtra(old.x, cur.x) &&
        isScalarWithin(old.val, cur.val) &&
        ids.match(old.id, cur.id) &&
        ids.match(old.refObjId, cur.refObjId)
      );
    case REG.pkt:
    case REG.pktMeta:
      return (
        old.x.range <= cur.x.range &&
        old.off === cur.off &&
        ids.match(old.id, cur.id) &&
        isScalarWithin(old.val, cur.val)
      );
    case REG.stack:
      return isExact(old, cur) && old.x.frameno === cur.x.frameno;
    case REG.arena:
      return true;
    default:
      return isExact(old, cur);
  }
}

/** The scalar that an 8-byte load of the slot gives, when it is a whole scalar spill or all unknown. */
function scalarOf(env: Env, slot: Slot): Reg | undefined {
  if (slot.kinds[0] === KIND.spill) {
    return slot.reg !== null && slot.reg.type === REG.scalar ? slot.reg : undefined;
  }
  for (const kind of slot.kinds) {
    if (kind !== KIND.misc && !(kind === KIND.invalid && env.isPerfmon)) return undefined;
  }
  return UNKNOWN_REG;
}

/** Compares one slot. */
function isSlotSafe(env: Env, old: Slot, cur: Slot | undefined, exactness: Exactness): boolean {
  if (exactness !== "not exact" && old.kinds !== (cur?.kinds ?? "")) return false;
  if (old === cur && (old.reg === null || isAlone(old.reg))) return true;
  if (old.kinds === EMPTY_SLOT.kinds || (old.kinds === MISC_SLOT.kinds && env.isPerfmon)) return true;
  if (isFullSpill(old) && cur !== undefined && isFullSpill(cur) && old.reg !== null && cur.reg !== null) {
    return isRegSafe(old.reg, cur.reg, exactness);
  }
  const oldScalar = scalarOf(env, old);
  for (let i = 0; i < 8; i++) {
    const kind = old.kinds[i] as string;
    if (kind === KIND.invalid || (kind === KIND.misc && env.isPerfmon)) continue;
    if (cur === undefined) return false;
    const curScalar = oldScalar === undefined ? undefined : scalarOf(env, cur);
    if (oldScalar !== undefined && curScalar !== undefined) return isRegSafe(oldScalar, curScalar, exactness);
    const curKind = cur.kinds[i] as string;
    if (kind === KIND.misc && curKind === KIND.zero) continue;
    if (kind !== curKind) return false;
    if (i === 7) return isObjectSafe(old, cur, exactness);
  }
  return true;
}

function isObjectSafe(old: Slot, cur: Slot, exactness: Exactness): boolean {
  if (old.reg === null || cur.reg === null) return old.reg === cur.reg;
  const a = old.reg;
  const b = cur.reg;
  switch (old.kinds[7]) {
    case KIND.spill:
      return isRegSafe(a, b, exactness);
    case KIND.dynptr:
      return (
        a.x.dynptr?.type === b.x.dynptr?.type &&
        a.x.dynptr?.isFirst === b.x.dynptr?.isFirst &&
        ids.match(a.refObjId, b.refObjId)
      );
    case KIND.iter:
      return (
        a.x.iter?.name === b.x.iter?.name &&
        a.x.iter?.isActive === b.x.iter?.isActive &&
        ids.match(a.refObjId, b.refObjId)
      );
    case KIND.irqFlag:
      return ids.match(a.refObjId, b.refObjId) && a.x.irqClass === b.x.irqClass;
    default:
      return true;
  }
}

function isFrameSafe(env: Env, old: Frame, cur: Frame, insnIdx: number, exactness: Exactness): boolean {
  if (old.callbackDepth > cur.callbackDepth) return false;
  const live = env.isComplete ? -1 : (env.liveRegs[insnIdx] as number);
  for (let i = 0; i < 11; i++) {
    if (((live >> i) & 1) === 0) continue;
    if (!isRegSafe(old.regs[i] as Reg, cur.regs[i] as Reg, exactness)) return false;
  }
  for (let spi = 0; spi < old.stack.length; spi++) {
    const slot = old.stack[spi] ?? EMPTY_SLOT;
    if (!isSlotSafe(env, slot, cur.stack[spi], exactness)) return false;
  }
  return true;
}

function areRefsSafe(old: State, cur: State): boolean {
  if (old.refs.length !== cur.refs.length) return false;
  if (old.activeLocks !== cur.activeLocks || old.preemptLocks !== cur.preemptLocks) return false;
  if (old.isRcu !== cur.isRcu) return false;
  if (!ids.match(old.activeIrqId, cur.activeIrqId) || !ids.match(old.activeLockId, cur.activeLockId))
    return false;
  if (old.activeLockOwner !== cur.activeLockOwner) return false;
  if (old.refs === cur.refs && old.refs.length === 0) return true;
  return old.refs.every((ref, i) => {
    const other = cur.refs[i];
    return (
      other !== undefined &&
      ids.match(ref.id, other.id) &&
      ref.kind === other.kind &&
      (ref.kind === "ptr" || ref.kind === "irq" || ref.owner === other.owner)
    );
  });
}

/** Says whether everything proven from `old` on holds from `cur` on too. */
export function areStatesEqual(env: Env, old: State, cur: State, exactness: Exactness): boolean {
  if (old.frames.length !== cur.frames.length) return false;
  if (old.isSpeculative && !cur.isSpeculative) return false;
  if (old.inSleepable !== cur.inSleepable) return false;
  ids.reset(env.idGen);
  comparesExactly = env.speculation?.comparesExactly ?? false;
  if (!areRefsSafe(old, cur)) return false;
  for (let frameno = 0; frameno < old.frames.length; frameno++) {
    const a = frameAt(old, frameno);
    const b = frameAt(cur, frameno);
    if (a.callsite !== b.callsite) return false;
    if (!isFrameSafe(env, a, b, frameInsnIdx(old, frameno), exactness)) return false;
  }
  return true;
}

/** A cheap look whether the current frame repeats, before the thorough one (X-33e). */
export function mayLoop(old: State, cur: State): boolean {
  if (old.frames.length !== cur.frames.length) return false;
  const a = frameAt(old, old.frames.length - 1);
  const b = frameAt(cur, cur.frames.length - 1);
  for (let i = 0; i < 11; i++) {
    const x = a.regs[i] as Reg;
    const y = b.regs[i] as Reg;
    if (x === y) continue;
    if (!isSameReg(x, y) || scalarId(x) !== scalarId(y) || x.refObjId !== y.refObjId) return false;
  }
  return true;
}

/** Says whether an iterator that is active in both states has advanced between them. */
export function haveIterDepthsChanged(old: State, cur: State): boolean {
  for (let frameno = 0; frameno < old.frames.length; frameno++) {
    const frame = frameAt(old, frameno);
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi] as Slot;
      const iter = slot.kinds[0] === KIND.iter ? slot.reg?.x.iter : undefined;
      if (iter === undefined || !iter.isActive) continue;
      if (frameAt(cur, frameno).stack[spi]?.reg?.x.iter?.depth !== iter.depth) return true;
    }
  }
  return false;
}
