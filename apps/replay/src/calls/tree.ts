import type { Machine, RunHooks } from "@tsbpf/runtime";
import { type Call, type CallEnd, CallFollower, type CallListener } from "./follow.ts";
import { nameOf, resultOf, textOf } from "./text.ts";

/** A call of a run, and what it called. */
export interface CallNode {
  readonly kind: Call["kind"];
  /** What is called, with its arguments. */
  readonly text: string;
  /** Name alone. */
  readonly name: string;
  /** Undefined while it runs, and after a trap; empty for what returns nothing. */
  result: string | undefined;
  /** Instructions executed in it and in all that it called; functions only. */
  insnCount: number;
  readonly children: CallNode[];
  /** Children that were not kept. */
  hiddenCount: number;
}

const NODES_MAX = 10_000;

/** Builds the tree of a run's calls; of a run with very many only the first are kept. */
export class CallTree {
  root: CallNode | undefined;
  private readonly stack: CallNode[] = [];
  private nodeCount = 0;
  /** Calls above the innermost node that were not kept and are still open. */
  private hiddenDepth = 0;
  /** Instructions executed when each open node began. */
  private readonly begins: number[] = [];
  private readonly follower: CallFollower;

  constructor() {
    const listener: CallListener = {
      open: (call, machine, regs) => this.open(call, machine, regs),
      close: (call, end, machine, regs) => this.close(call, end, machine, regs),
    };
    this.follower = new CallFollower(listener);
  }

  hooks(): RunHooks {
    return this.follower.hooks();
  }

  private open(call: Call, machine: Machine, regs: Int32Array): void {
    const parent = this.stack.at(-1);
    if (this.nodeCount >= NODES_MAX && parent !== undefined) {
      if (this.hiddenDepth === 0) parent.hiddenCount++;
      this.hiddenDepth++;
      return;
    }
    const node: CallNode = {
      kind: call.kind,
      name: nameOf(call),
      text: textOf(call, machine, regs),
      result: undefined,
      insnCount: 0,
      children: [],
      hiddenCount: 0,
    };
    this.nodeCount++;
    if (parent === undefined) this.root ??= node;
    else parent.children.push(node);
    this.stack.push(node);
    this.begins.push(machine.insnCount);
  }

  private close(call: Call, end: CallEnd, machine: Machine, regs: Int32Array): void {
    if (this.hiddenDepth > 0) {
      this.hiddenDepth--;
      return;
    }
    const node = this.stack.pop();
    const begin = this.begins.pop() ?? 0;
    if (node === undefined) return;
    node.insnCount = machine.insnCount - begin;
    node.result = resultOf(call, end, { machine, regs, isRoot: this.stack.length === 0 });
  }
}

/** Children of one helper that are shown when it calls back very often. */
const REPEATS_SHOWN = 6;

/**
 * Prints a tree as lines.
 *
 * @param ending - what stands at calls that never returned, e.g. the code of the trap that ended the run.
 */
export function printCallTree(root: CallNode, ending = "did not return"): string[] {
  const lines: string[] = [];
  const open = openPath(root);
  const visit = (node: CallNode, head: string, indent: string): void => {
    lines.push(`${head}${printNode(node, open.at(-1) === node ? ending : undefined)}`);
    const shown = shownChildren(node);
    shown.forEach((child, idx) => {
      const isLast = idx === shown.length - 1;
      if (typeof child === "string") lines.push(`${indent}${isLast ? "└─" : "├─"} ${child}`);
      else visit(child, `${indent}${isLast ? "└─" : "├─"} `, `${indent}${isLast ? "   " : "│  "}`);
    });
  };
  visit(root, "", "");
  return lines;
}

/** The calls that stood open when the run ended, outermost first. */
function openPath(root: CallNode): CallNode[] {
  const path: CallNode[] = [];
  for (let node: CallNode | undefined = root; node?.result === undefined && node !== undefined; ) {
    path.push(node);
    node = node.children.at(-1);
  }
  return path;
}

function printNode(node: CallNode, ending: string | undefined): string {
  const insns = node.kind === "func" && node.result !== undefined ? ` [${node.insnCount}]` : "";
  if (ending !== undefined) return `${node.text} ! ${ending}`;
  const result = node.result ?? "";
  if (node.kind === "tail_call" && result !== "") return `${node.text}: ${result}`;
  return `${node.text}${insns}${result === "" ? "" : ` = ${result}`}`;
}

/** Leaves out most of many like calls in a row, and says how many. */
function shownChildren(node: CallNode): (CallNode | string)[] {
  const shown: (CallNode | string)[] = [];
  const { children } = node;
  for (let from = 0; from < children.length; ) {
    const first = children[from] as CallNode;
    let to = from + 1;
    while (to < children.length && children[to]?.name === first.name) to++;
    const hasRest = to - from > REPEATS_SHOWN + 1 && first.kind === "func";
    if (hasRest) {
      shown.push(...children.slice(from, from + REPEATS_SHOWN - 1));
      const left = to - from - REPEATS_SHOWN;
      const insnCount = children
        .slice(from + REPEATS_SHOWN - 1, to - 1)
        .reduce((sum, one) => sum + one.insnCount, 0);
      shown.push(`… ${left} more calls of ${first.name} [${insnCount}]`, children[to - 1] as CallNode);
    } else shown.push(...children.slice(from, to));
    from = to;
  }
  if (node.hiddenCount > 0) shown.push(`… ${node.hiddenCount} more calls, which were not kept`);
  return shown;
}

/** A tree as plain JSON. */
export function callTreeToJson(node: CallNode): unknown {
  return {
    call: node.text,
    ...(node.result === undefined || node.result === "" ? {} : { result: node.result }),
    ...(node.kind === "func" ? { insns: node.insnCount } : {}),
    ...(node.children.length === 0 ? {} : { calls: node.children.map(callTreeToJson) }),
    ...(node.hiddenCount === 0 ? {} : { hidden: node.hiddenCount }),
  };
}
