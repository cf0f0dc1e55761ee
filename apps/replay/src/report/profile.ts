import type { RunHooks } from "@tsbpf/runtime";
import { type Call, CallFollower } from "../calls/follow.ts";
import { nameOf } from "../calls/text.ts";

/** A function in the place where it was called, and the instructions it executed itself there. */
interface StackNode {
  readonly name: string;
  readonly parent: StackNode | undefined;
  readonly children: Map<string, StackNode>;
  insnCount: number;
}

const makeNode = (name: string, parent: StackNode | undefined): StackNode => ({
  name,
  parent,
  children: new Map(),
  insnCount: 0,
});

/**
 * Counts instructions by the functions on the stack. A program that a tail call started lies above the one that made
 * it, although the frame is one: that is how it was reached. Callbacks lie above the helper that called them.
 */
export class StackProfile {
  total = 0;
  private readonly top = makeNode("", undefined);
  private node = this.top;

  /** Listeners for a run; each run needs fresh ones, because a trap leaves functions open. */
  hooks(): RunHooks {
    this.node = this.top;
    const follower = new CallFollower({
      open: (call) => {
        if (call.kind === "tail_call") return;
        const name = frameName(call);
        let child = this.node.children.get(name);
        if (child === undefined) {
          child = makeNode(name, this.node);
          this.node.children.set(name, child);
        }
        this.node = child;
      },
      close: (call) => {
        if (call.kind !== "tail_call") this.node = this.node.parent ?? this.top;
      },
    }).hooks();
    return {
      ...follower,
      onStep: (machine, prog, slot, regs) => {
        follower.onStep(machine, prog, slot, regs);
        this.node.insnCount++;
        this.total++;
      },
    };
  }

  /** Prints folded stacks, a line a stack: `main;parse;lookup 1234`, as flame graph tools read them. */
  print(): string {
    const lines: string[] = [];
    const visit = (node: StackNode, path: string): void => {
      if (node.insnCount > 0) lines.push(`${path} ${node.insnCount}`);
      for (const child of node.children.values()) {
        visit(child, path === "" ? child.name : `${path};${child.name}`);
      }
    };
    visit(this.top, "");
    return lines.length === 0 ? "" : `${lines.sort().join("\n")}\n`;
  }
}

/** Names stand between semicolons and before a blank, so they hold neither. */
const frameName = (call: Call): string => nameOf(call).replace(/[;\s]/g, "_");
