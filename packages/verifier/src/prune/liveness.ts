import type { Env } from "../env.ts";
import type { State } from "../state/state.ts";

/** Notes that the current instruction may read a stack slot. */
export function markStackRead(_env: Env, _frameno: number, _spi: number): void {}
/** Notes that the current instruction overwrites a whole stack slot. */
export function markStackWrite(_env: Env, _frameno: number, _spi: number): void {}
/** Says whether a slot of a checkpoint may still be read. */
export function isSlotAlive(_env: Env, _state: State, _frameno: number, _spi: number): boolean {
  return true;
}
export function beginInsn(_env: Env, _idx: number): void {}
export function commitInsn(_env: Env): void {}
export function finishPath(_env: Env): void {}
