import type { Insn } from "@tsbpf/isa";
import type { Node } from "./graph.ts";
import type { Plan } from "./plan.ts";

/**
 * Joins lookups with the comparison of their result with null that follows at once, so that finding nothing is a jump.
 * Such a node ends with the comparison, whose slot is `test`. The node of the comparison alone, to which nothing else
 * leads, is not reached any more.
 */
export function joinTests({ lowered, actions, insns }: Plan, nodes: readonly Node[]): void {
  const preds = new Uint8Array(nodes.length);
  for (const { taken, fall } of nodes) {
    if (taken >= 0) preds[taken] = Math.min(2, (preds[taken] as number) + 1);
    if (fall >= 0) preds[fall] = Math.min(2, (preds[fall] as number) + 1);
  }
  for (const node of nodes) {
    if (node.block.kind !== "call" || node.fall <= 0 || preds[node.fall] !== 1) continue;
    if (lowered.get(node.block.last)?.kind !== "lookup") continue;
    const next = nodes[node.fall] as Node;
    const slot = next.block.last;
    const action = actions[slot];
    const insn = insns[slot] as Insn;
    const isTest =
      next.block.kind === "branch" &&
      next.block.count === 1 &&
      action?.kind === "branch" &&
      action.width === 64 &&
      action.source === "k" &&
      insn.imm === 0 &&
      insn.dst === 0 &&
      (action.jmpOp === "jeq" || action.jmpOp === "jne");
    if (!isTest || next.taken < 0 || next.fall < 0) continue;
    node.block = { ...node.block, count: node.block.count + 1, kind: "lookup" };
    node.test = slot;
    node.taken = next.taken;
    node.fall = next.fall;
  }
}

/** Whether the jump of a lookup that is joined with its test is taken when nothing was found. */
export function jumpsOnNull({ actions }: Plan, { test }: Node): boolean {
  const action = actions[test];
  return action?.kind === "branch" && action.jmpOp === "jeq";
}
