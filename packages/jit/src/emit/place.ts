import type { Node } from "../ir/graph.ts";

/** Where an instruction stands in the graph. */
export interface Place {
  readonly node: Node;
  readonly slot: number;
  /** Instructions of the node up to it, itself included. */
  readonly ordinal: number;
}
