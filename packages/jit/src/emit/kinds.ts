import type { Graph, Node } from "../ir/graph.ts";
import type { FuncPlan, Plan } from "../ir/plan.ts";

/** What a register probably points to; a guess that only decides which bounds are compared first. */
export type PointerKind = "packet" | "ctx" | "other";

/** Guesses for every access of a function. */
export interface Kinds {
  kindAt(node: Node, slot: number, base: number): PointerKind;
}

/** Guesses what registers point to. */
export function findKinds(_plan: Plan, _func: FuncPlan, _graph: Graph): Kinds {
  return { kindAt: () => "other" };
}
