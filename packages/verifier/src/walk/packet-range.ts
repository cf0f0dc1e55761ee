import type { JmpOp } from "@tsbpf/isa";
import { isZero } from "../domain/scalar.ts";
import { REG, type Reg, withRange } from "../state/reg.ts";
import { mapRegs, type State } from "../state/state.ts";

const AT_END = -1;
const BEYOND_END = -2;
const MAX_PACKET_OFF = 0xffff;

export const isAnyPacket = (reg: Reg): boolean =>
  reg.type === REG.pkt || reg.type === REG.pktMeta || reg.type === REG.pktEnd;

/** Decides a compare of a packet pointer with the end from an earlier compare (S-143). */
export function comparePackets(op: JmpOp, dst: Reg, src: Reg): boolean | undefined {
  let pkt = dst;
  let what = op;
  if (src.type === REG.pkt && dst.type === REG.pktEnd) {
    pkt = src;
    what = ({ jgt: "jlt", jlt: "jgt", jge: "jle", jle: "jge" } as Partial<Record<JmpOp, JmpOp>>)[op] ?? op;
  } else if (!(dst.type === REG.pkt && src.type === REG.pktEnd)) return undefined;
  const range = pkt.x.range;
  if (range >= 0) return undefined;
  if (what === "jle" || what === "jgt") {
    if (range !== BEYOND_END) return undefined;
    return what === "jgt";
  }
  if (what === "jlt" || what === "jge") {
    if (range === BEYOND_END || range === AT_END) return what === "jge";
  }
  return undefined;
}

const isPristinePacket = (reg: Reg): boolean =>
  reg.type === REG.pkt && reg.off === 0 && reg.id === 0 && isZero(reg.val);

/** Gives all copies of a packet pointer the range that a compare proved (S-171, S-173). */
function proveRange(state: State, pointer: Reg, isStrict: boolean): void {
  if (pointer.off < 0 || (pointer.off === 0 && isStrict)) return;
  if (pointer.val.umaxNumber + pointer.off > MAX_PACKET_OFF) return;
  const range = pointer.off + (isStrict ? 1 : 0);
  mapRegs(state, (reg) =>
    reg.type === pointer.type && reg.id === pointer.id && reg.x.range < range ? withRange(reg, range) : reg,
  );
}

/** Notes in the branch where the packet ends that it does (S-172). */
function markAtEnd(state: State, regno: number, isBeyond: boolean): void {
  const frame = state.frames[state.frames.length - 1];
  const reg = frame?.regs[regno];
  if (frame === undefined || reg === undefined || reg.type !== REG.pkt) return;
  frame.regs[regno] = withRange(reg, isBeyond ? BEYOND_END : AT_END);
}

/**
 * Learns from a compare of a packet pointer with the end, or of the metadata pointer with the data (S-170).
 *
 * @param here - the fall-through; `other` is the taken side.
 * @returns false when the operands are no such pair.
 */
export function discoverRange(
  op: JmpOp,
  operands: { readonly dst: Reg; readonly dstNo: number; readonly src: Reg; readonly srcNo: number },
  here: State,
  other: State,
): boolean {
  const { dst, src } = operands;
  const isDstFirst =
    (dst.type === REG.pkt && src.type === REG.pktEnd) || (dst.type === REG.pktMeta && isPristinePacket(src));
  const isSrcFirst =
    (src.type === REG.pkt && dst.type === REG.pktEnd) || (src.type === REG.pktMeta && isPristinePacket(dst));
  if (!isDstFirst && !isSrcFirst) return false;
  if (op !== "jgt" && op !== "jlt" && op !== "jge" && op !== "jle") return false;
  const pointer = isDstFirst ? dst : src;
  const regno = isDstFirst ? operands.dstNo : operands.srcNo;
  // With the packet pointer first, `>` and `>=` leave the safe side at the fall-through.
  const isGreater = op === "jgt" || op === "jge";
  const isStrictOp = op === "jgt" || op === "jlt";
  const safe = isGreater === isDstFirst ? here : other;
  const unsafe = safe === here ? other : here;
  // In the safe side `p <= end` holds, or `p < end` when the compare's other side includes equality.
  const isStrict = safe === here ? !isStrictOp : isStrictOp;
  proveRange(safe, pointer, isStrict);
  markAtEnd(unsafe, regno, !isStrict);
  return true;
}
