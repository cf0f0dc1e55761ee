import { MAP_TYPES } from "@tsbpf/abi";
import { frameOfPointer, spiOf } from "../access/stack-bounds.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import type { MapInfo } from "../maps.ts";
import { forcePreciseSlot } from "../precise/mark.ts";
import { REG, type Reg } from "../state/reg.ts";
import { isSpilled, spilledBytes } from "../state/slot.ts";
import { slotAt } from "../state/state.ts";

/** Returns the key of an array lookup when the stack holds it as a constant (H-26). */
export function constantKey(env: Env, map: MapInfo, reg: Reg): bigint | undefined {
  if (map.type !== MAP_TYPES.array && map.type !== MAP_TYPES.percpu_array) return undefined;
  if (reg.type !== REG.stack || !isConst(reg.val)) return undefined;
  const off = reg.off + Number(reg.val.smin);
  const spi = spiOf(off);
  const frame = frameOfPointer(env, reg);
  const slot = slotAt(frame, spi);
  const firstByte = (-off - 1) % 8;
  const kinds = slot.kinds.slice(Math.max(0, firstByte - map.keyBytes + 1), firstByte + 1);
  if (kinds.length === map.keyBytes && /^0+$/.test(kinds)) return 0n;
  if (!isSpilled(slot) || slot.reg === null || spilledBytes(slot) !== map.keyBytes || off % 8 !== 0) {
    return undefined;
  }
  if (slot.reg.type !== REG.scalar || !isConst(slot.reg.val)) return undefined;
  forcePreciseSlot(env, frame.frameno, spi);
  return slot.reg.val.umin;
}
