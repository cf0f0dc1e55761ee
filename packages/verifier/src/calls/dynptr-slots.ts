import type { Env } from "../env.ts";
import { markStackWrite } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { REG } from "../state/reg.ts";
import { EMPTY_SLOT, isDynptrSlot } from "../state/slot.ts";
import { type Frame, mapRegs, slotAt } from "../state/state.ts";
import { invalidated } from "./refs.ts";

/** Ends a dynptr whose slot is about to be overwritten; one that holds a reference refuses (S-45). */
export function destroyDynptrAt(env: Env, frame: Frame, spi: number): void {
  const slot = slotAt(frame, spi);
  if (!isDynptrSlot(slot) || slot.reg === null) return;
  const isFirst = slot.reg.x.dynptr?.isFirst ?? false;
  const first = isFirst ? spi : spi + 1;
  const main = slotAt(frame, first).reg ?? slot.reg;
  const type = main.x.dynptr?.type;
  if (type === "ringbuf") {
    reject(env, "MEM_DYNPTR_OVERWRITE", "EINVAL", "cannot overwrite referenced dynptr");
  }
  const id = main.id;
  frame.stack[first] = EMPTY_SLOT;
  frame.stack[first - 1] = EMPTY_SLOT;
  markStackWrite(env, frame.frameno, first);
  markStackWrite(env, frame.frameno, first - 1);
  const gone = invalidated(env);
  mapRegs(env.cur, (reg) => (reg.type === REG.mem && reg.x.dynptrId === id && id !== 0 ? gone : reg));
}
