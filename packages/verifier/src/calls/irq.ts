import { touchMemory } from "../access/access.ts";
import { frameOfPointer, spiOf } from "../access/stack-bounds.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { scratchSlot } from "../log/print-state.ts";
import { markStackRead, markStackWrite } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { pointerReg, REG, type Reg } from "../state/reg.ts";
import { EMPTY_SLOT, KIND, makeSlot } from "../state/slot.ts";
import { curFrame, slotAt } from "../state/state.ts";
import { acquireRef, dropRef } from "./refs.ts";

type IrqClass = "native" | "lock";
const FLAG_KINDS = KIND.irqFlag.repeat(8);

/** The flags word of an IRQ section on the stack: saved by one kfunc, given back by its partner (H-87). */
export function checkIrqFlag(env: Env, regno: number, isSave: boolean, irqClass: IrqClass): void {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  const bad = (text: string, errno: "EINVAL" | "EACCES" = "EINVAL"): never =>
    reject(env, "REF_IRQ", errno, text);
  if (reg.type !== REG.stack) bad(`arg#${regno - 1} doesn't point to an irq flag on stack`);
  const spi = placeOf(env, reg);
  const frame = frameOfPointer(env, reg);
  if (isSave) {
    if (spi === undefined || slotAt(frame, spi).kinds.includes(KIND.irqFlag)) {
      bad(`expected uninitialized irq flag as arg#${regno - 1}`);
      return;
    }
    touchMemory(env, { regno, off: 0, size: 8, isWrite: true });
    const id = acquireRef(env, "irq");
    env.cur.activeIrqId = id;
    frame.stack[spi] = makeSlot(FLAG_KINDS, pointerReg(REG.stack, { refObjId: id, x: { irqClass } }));
    scratchSlot(env, spi);
    markStackWrite(env, frame.frameno, spi);
    return;
  }
  const slot = spi === undefined ? EMPTY_SLOT : slotAt(frame, spi);
  if (spi === undefined || slot.kinds !== FLAG_KINDS || slot.reg === null) {
    bad(`expected an initialized irq flag as arg#${regno - 1}`);
    return;
  }
  markStackRead(env, frame.frameno, spi);
  scratchSlot(env, spi);
  const saved = slot.reg.x.irqClass ?? "native";
  if (saved !== irqClass) {
    bad(`irq flag acquired by ${saved} kfuncs cannot be restored with ${irqClass} kfuncs`);
  }
  restore(env, slot.reg.refObjId, bad);
  frame.stack[spi] = EMPTY_SLOT;
  markStackWrite(env, frame.frameno, spi);
}

function restore(env: Env, id: number, bad: (text: string, errno: "EACCES") => never): void {
  const state = env.cur;
  if (id !== state.activeIrqId) {
    const expected = state.refs.find((ref) => ref.kind === "irq" && ref.id === state.activeIrqId);
    bad(
      `cannot restore irq state out of order, expected id=${state.activeIrqId} acquired at insn_idx=${expected?.insnIdx ?? 0}`,
      "EACCES",
    );
  }
  dropRef(state, id, "irq");
  state.activeIrqId = state.refs.filter((ref) => ref.kind === "irq").at(-1)?.id ?? 0;
}

function placeOf(env: Env, reg: Reg): number | undefined {
  if (!isConst(reg.val)) {
    env.log.write("irq_flag has to be at a constant offset\n");
    return undefined;
  }
  const off = reg.off + Number(reg.val.smin);
  if (off % 8 !== 0 || off > -8 || off < -512) {
    env.log.write(`cannot pass in irq_flag at an offset=${off}\n`);
    return undefined;
  }
  return spiOf(off);
}
