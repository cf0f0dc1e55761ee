import type { FuncPlan } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { OP } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";

/** Keeps where the program began, before a call in which a tail call may start another one. */
export function keepBase(e: Emitter, callee: FuncPlan): void {
  if (!callee.mayTailCall) return;
  e.pushCell();
  e.code.memory(OP.i32Load, CELL.base);
  e.code.set(e.base);
}

/** Makes the module's program the running one again after such a call. */
export function takeBack(e: Emitter, callee: FuncPlan): void {
  if (!callee.mayTailCall) return;
  e.pushCell();
  e.code.get(e.base);
  e.code.memory(OP.i32Store, CELL.base);
}
