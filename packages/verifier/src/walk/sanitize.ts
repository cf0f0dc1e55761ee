import { LIMITS } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import { checkMapBounds } from "../access/map-value.ts";
import { unboundLow } from "../domain/bounds.ts";
import { isConst, type Scalar } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { Rejection, reject } from "../reject.ts";
import { REG, type Reg, withVal } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { pushSpeculative, type Speculation } from "./speculation.ts";

/** Addition or subtraction of a register to or from a pointer. */
export interface PointerMove {
  readonly insn: Insn;
  readonly op: "add" | "sub";
  readonly pointer: Reg;
  readonly by: Scalar;
  /** Whether the destination held the pointer. */
  readonly isPointerFirst: boolean;
}

/** How far a pointer could move before the arithmetic, for comparison with how far it moved. */
export interface MaskPlan {
  readonly kind: number;
  readonly limit: number;
  readonly isLeft: boolean;
}

const MASK = { source: 1, destination: 2, negative: 4, scalar: 8, immediate: 16 } as const;
const SUFFIX = "pointer arithmetic with it prohibited for !root";

type Reason = "bounds" | "type" | "paths" | "limit";

function refuse(env: Env, insn: Insn, op: "add" | "sub", reason: Reason, isPointerFirst: boolean): never {
  const [pointerNo, offNo] = isPointerFirst ? [insn.dst, insn.src] : [insn.src, insn.dst];
  const text = {
    bounds: `R${offNo} has unknown scalar with mixed signed bounds`,
    type: `R${pointerNo} has pointer with unsupported alu operation`,
    paths: `R${insn.dst} tried to ${op} from different maps, paths or scalars`,
    limit: `R${insn.dst} tried to ${op} beyond pointer bounds`,
  }[reason];
  return reject(env, "REG_POINTER_ARITHMETIC", "EACCES", `${text}, ${SUFFIX}`);
}

/** Masks that the kernel could not place twice: whether this one is the instruction's. */
function takeMask(speculation: Speculation, slot: number, kind: number, limit: number): boolean {
  const known = speculation.maskKind[slot] as number;
  if (known !== 0 && (known !== kind || speculation.maskLimit[slot] !== limit)) return false;
  speculation.maskKind[slot] = kind;
  speculation.maskLimit[slot] = limit;
  return true;
}

/** Sums of numbers: they need no mask, but the instruction may not have one either. */
export function sanitizeScalar(env: Env, insn: Insn, op: "add" | "sub", isRegister: boolean): void {
  const { speculation, insnIdx: slot } = env;
  if (speculation === undefined || !isRegister || speculation.barrierBefore[slot] === 1) return;
  if (!takeMask(speculation, slot, MASK.scalar, 0)) refuse(env, insn, op, "paths", true);
}

/** Room between a pointer and the end of its object in the direction of the move. */
function roomOf(reg: Reg, isLeft: boolean): number | Reason {
  let max: number;
  let room: bigint;
  if (reg.type === REG.stack) {
    max = LIMITS.stackBytes + (isLeft ? 1 : 0);
    room = -(reg.val.tnum.value + BigInt(reg.off));
  } else if (reg.type === REG.mapValue) {
    max = reg.x.map?.valueBytes ?? 0;
    room = (isLeft ? reg.val.smin : reg.val.umax) + BigInt(reg.off);
  } else return "type";
  const limit = Number(BigInt.asUintN(32, room));
  return limit >= max ? "limit" : limit;
}

/**
 * Checks before a pointer moves by a register that its register can be masked, and queues the path on which the mask
 * made the number 0 (S-191).
 *
 * @returns undefined where no mask is needed.
 * @source linux 6.18 kernel/bpf/verifier.c sanitize_ptr_alu
 */
export function beginMove(env: Env, move: PointerMove, isRegister: boolean): MaskPlan | undefined {
  const { speculation, insnIdx: slot } = env;
  if (speculation === undefined || !isRegister || speculation.barrierBefore[slot] === 1) return undefined;
  const isImmediate = isConst(move.by);
  let plan: MaskPlan | undefined;
  if (!env.cur.isSpeculative) plan = planMask(env, move, speculation, isImmediate);
  if (isImmediate) return plan;
  const { pointer, insn, isPointerFirst } = move;
  const state = pushSpeculative(env, slot + 1);
  curFrame(state).regs[insn.dst] = isPointerFirst ? withVal(pointer, unboundLow(pointer.val)) : pointer;
  return plan;
}

function planMask(env: Env, move: PointerMove, speculation: Speculation, isImmediate: boolean): MaskPlan {
  const { op, by, insn, isPointerFirst } = move;
  const isNegative = by.smin < 0n;
  if (!isImmediate && isNegative !== by.smax < 0n) refuse(env, insn, op, "bounds", isPointerFirst);
  const isLeft = (op === "add") === isNegative;
  const limit = roomOf(move.pointer, isLeft);
  if (typeof limit === "string") return refuse(env, insn, op, limit, isPointerFirst);
  const kind =
    (isNegative ? MASK.negative : 0) |
    (isImmediate ? MASK.immediate : 0) |
    (isPointerFirst ? MASK.source : MASK.destination);
  if (!isImmediate) speculation.comparesExactly = true;
  return { kind, limit, isLeft };
}

/** Narrows the mask to how far the pointer moved; all paths to the instruction must agree on it. */
export function endMove(env: Env, move: PointerMove, plan: MaskPlan, moved: Reg): void {
  const { speculation } = env;
  if (speculation === undefined || env.cur.isSpeculative) return;
  const { insn, op, isPointerFirst } = move;
  const room = roomOf(moved, plan.isLeft);
  if (typeof room === "string") refuse(env, insn, op, room, isPointerFirst);
  const limit = Math.abs((plan.limit - room) | 0);
  if (!takeMask(speculation, env.insnIdx, plan.kind, limit)) refuse(env, insn, op, "paths", isPointerFirst);
}

/**
 * Without CAP_PERFMON even a pointer that is not used yet must stay inside its object (S-191, S-192).
 *
 * @source linux 6.18 kernel/bpf/verifier.c sanitize_check_bounds
 */
export function checkMoved(env: Env, regno: number, moved: Reg): void {
  const bad = (text: string): never => reject(env, "REG_POINTER_ARITHMETIC", "EACCES", text);
  if (moved.type === REG.stack) {
    const off = moved.off + Number(BigInt.asIntN(32, moved.val.tnum.value));
    if (!isConst(moved.val)) {
      const tnum = printTnum(moved.val.tnum);
      bad(`R${regno} variable stack access prohibited for !root, var_off=${tnum} off=${off}`);
    }
    if (off >= 0 || off < -LIMITS.stackBytes) {
      bad(`R${regno} stack pointer arithmetic goes out of range, prohibited for !root; off=${off}`);
    }
  }
  if (moved.type !== REG.mapValue) return;
  try {
    checkMapBounds(
      env,
      { reg: moved, regno, off: moved.off, size: 1, isWrite: false, allowZero: false },
      true,
    );
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    bad(`R${regno} pointer arithmetic of map value goes out of range, prohibited for !root`);
  }
}
