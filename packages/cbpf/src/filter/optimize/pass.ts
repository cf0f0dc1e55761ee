import type { Graph } from "./graph.ts";
import { ValueTable } from "./values.ts";

/** One walk over the graph, and whether it changed anything. */
export interface Pass {
  readonly graph: Graph;
  readonly values: ValueTable;
  /** Whether statements may change; branches move in passes where they may not. */
  readonly altersStmts: boolean;
  hasChanged: boolean;
  /** Whether anything but edges changed. */
  hasChangedCode: boolean;
}

export const newPass = (graph: Graph, altersStmts: boolean): Pass => ({
  graph,
  values: new ValueTable(),
  altersStmts,
  hasChanged: false,
  hasChangedCode: false,
});

/** Notes that a statement or a test changed. */
export function noteCode(pass: Pass): void {
  pass.hasChanged = true;
  pass.hasChangedCode = true;
}
