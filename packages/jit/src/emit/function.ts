import { findAccesses } from "../ir/access.ts";
import { buildGraph, type Graph } from "../ir/graph.ts";
import type { FuncPlan, Plan } from "../ir/plan.ts";
import type { CodeWriter } from "../wasm/code.ts";
import { OP, type ValueType } from "../wasm/opcodes.ts";
import { emitBatch } from "./batch.ts";
import type { BoundsOrder } from "./bounds-order.ts";
import { loadSpilled, startCount } from "./count-code.ts";
import { planCounting } from "./counting.ts";
import { emitDispatch } from "./dispatch.ts";
import { Emitter, type Role } from "./emitter.ts";
import type { Links } from "./links.ts";
import { inliningOf, type Mode } from "./mode.ts";
import { emitRepeatInside } from "./repeat.ts";
import { structureInSteps } from "./structure.ts";

/** A written function. */
export interface Body {
  readonly locals: readonly (readonly [number, ValueType])[];
  readonly code: CodeWriter;
}

/** What all functions of a module share. */
export interface Context {
  readonly plan: Plan;
  readonly mode: Mode;
  readonly links: Links;
  readonly boundsOrder: BoundsOrder;
  readonly readWord: (address: number) => number;
  readonly isRecording: boolean;
  readonly stackBase: number;
}

/** Writes one BPF function as one WebAssembly function, in steps between which something else may happen. */
export function* emitFunction(context: Context, func: FuncPlan, role: Role): Generator<void, Body> {
  const { plan, mode } = context;
  const graph: Graph = buildGraph(plan, func, inliningOf(mode));
  yield;
  const options = { isMain: role !== "func" && role !== "exact", ctxPerm: mode.ctxPerm };
  const accesses = mode.isChecked ? findAccesses(plan, graph, options) : undefined;
  yield;
  const e = new Emitter({
    ...context,
    func,
    graph,
    role,
    counting: planCounting(plan, graph, mode),
    accesses,
  });
  yield;
  startCount(e);
  if (role === "exact") loadSpilled(e);
  if (role === "main") {
    e.code.get(0);
    e.popLow({ plan: func, level: 0 }, 1);
  }
  if (role === "batch") {
    emitBatch(e);
    return { locals: e.locals, code: e.code };
  }
  if (role === "repeat") {
    emitRepeatInside(e);
    return { locals: e.locals, code: e.code };
  }
  if (role === "exact" || !graph.order.isReducible) emitDispatch(e);
  else yield* structureInSteps(e);
  e.code.op(OP.unreachable);
  return { locals: e.locals, code: e.code };
}
