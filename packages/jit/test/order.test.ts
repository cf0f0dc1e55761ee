import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FlowGraph, orderOf } from "../src/ir/order.ts";

/** Graphs of up to 14 nodes with at most two successors each. */
const graphs: fc.Arbitrary<FlowGraph> = fc
  .integer({ min: 1, max: 14 })
  .chain((size) =>
    fc
      .array(fc.integer({ min: -1, max: size - 1 }), { minLength: 2 * size, maxLength: 2 * size })
      .map((succ) => ({ size, succ: Int32Array.from(succ) })),
  );

const successors = ({ succ }: FlowGraph, node: number): number[] =>
  [succ[2 * node]!, succ[2 * node + 1]!].filter((to) => to >= 0);

/** Nodes that the entry reaches when one node may not be passed. */
function reached(graph: FlowGraph, without: number): Set<number> {
  const seen = new Set<number>();
  const stack = without === 0 ? [] : [0];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const to of successors(graph, node)) if (to !== without) stack.push(to);
  }
  return seen;
}

const dominates = (graph: FlowGraph, above: number, node: number): boolean =>
  above === node || !reached(graph, above).has(node);

describe("the order of a flow graph", () => {
  it("holds the reachable nodes, once", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { nodes, position } = orderOf(graph);
        expect([...nodes].sort((a, b) => a - b)).toEqual([...reached(graph, -1)].sort((a, b) => a - b));
        for (const [i, node] of nodes.entries()) expect(position[node]).toBe(i);
      }),
    );
  });

  it("says reducible exactly when every edge against it leads to a dominator", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { nodes, position, isReducible } = orderOf(graph);
        const back = [...nodes].flatMap((from) =>
          successors(graph, from)
            .filter((to) => position[to]! <= position[from]!)
            .map((to) => [from, to] as const),
        );
        expect(isReducible).toBe(back.every(([from, to]) => dominates(graph, to, from)));
      }),
      { numRuns: 500 },
    );
  });

  it("has the immediate dominators of reducible graphs", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { nodes, idom, isReducible } = orderOf(graph);
        fc.pre(isReducible);
        for (const node of nodes) {
          if (node === 0) continue;
          const above = [...nodes].filter((one) => one !== node && dominates(graph, one, node));
          // The immediate dominator is the one that all others dominate.
          const nearest = above.find((one) => above.every((other) => dominates(graph, other, one)));
          expect(idom[node]).toBe(nearest);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("takes chains of any length", () => {
    const size = 200_000;
    const succ = new Int32Array(2 * size);
    for (let i = 0; i < size; i++) {
      // Every node may leave to the last one.
      succ[2 * i] = i === size - 1 ? -1 : size - 1;
      succ[2 * i + 1] = i === size - 1 ? -1 : i + 1;
    }
    const { nodes, idom, isMerge } = orderOf({ size, succ });
    expect(nodes.length).toBe(size);
    expect(idom[size - 1]).toBe(0);
    expect(isMerge[size - 1]).toBe(1);
  });
});
