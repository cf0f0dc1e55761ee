import type { Target } from "@tsbpf/runtime";
import type { Node } from "../ir/graph.ts";
import type { Emitter } from "./emitter.ts";

type HelperPlugin = Extract<Target, { kind: "helper" }>["helper"];

/**
 * Writes a helper call as code of its own where that is known to do the same.
 *
 * @returns false when the call must go through the runtime.
 */
export function tryLower(_e: Emitter, _node: Node, _helper: HelperPlugin): boolean {
  return false;
}
