import { isAbove } from "./numbers.ts";
import { type Facts, isSameValue, meetSpans, type Spans, UNKNOWN, type Value } from "./value.ts";

/** What holds at the entry of each node: what holds on all ways to it. */
export class Entries {
  private readonly entry: (Facts | undefined)[];
  private readonly regCount: number;
  /** By node: 1 where a back edge leads. */
  private readonly isLoop: Uint8Array;

  constructor(isLoop: Uint8Array, regCount: number) {
    this.entry = new Array(isLoop.length).fill(undefined);
    this.isLoop = isLoop;
    this.regCount = regCount;
  }

  at(node: number): Facts | undefined {
    return this.entry[node];
  }

  begin(node: number, facts: Facts): void {
    this.entry[node] = facts;
  }

  /** Merges facts into the entry of a node; returns whether it knows less than before. */
  flow(to: number, facts: Facts): boolean {
    const known = this.entry[to];
    if (known === undefined) {
      this.entry[to] = { regs: facts.regs.map((value, i) => this.own(to, i, value)), spans: facts.spans };
      return true;
    }
    let isChanged = false;
    for (let i = 0; i < this.regCount; i++) {
      const before = known.regs[i];
      if (before === undefined) continue;
      if (this.isPhi(to, before)) {
        if (!isAbove(before) || isAbove(facts.regs[i])) continue;
        known.regs[i] = { ...before, isAbove: false } as Value;
        isChanged = true;
        continue;
      }
      const value = this.own(to, i, facts.regs[i]);
      if (isSameValue(before, value)) continue;
      const isPacket = before.kind === "sym" && before.isPacket;
      // Rounds of a loop could add up to more than 64 bits.
      const stays = this.isLoop[to] !== 1 && isAbove(before) && isAbove(value);
      known.regs[i] =
        before.kind === "sym" || value?.kind === "sym"
          ? { kind: "sym", id: this.phi(to, i), off: 0, ...UNKNOWN, isAbove: stays, isPacket }
          : undefined;
      isChanged = true;
    }
    for (const [id, spans] of known.spans) {
      const kept: Spans = meetSpans(spans, facts.spans.get(id));
      if (kept.length === spans.length) continue;
      if (kept.length === 0) known.spans.delete(id);
      else known.spans.set(id, kept);
      isChanged = true;
    }
    return isChanged;
  }

  private phi(node: number, index: number): number {
    return -(node * this.regCount + index + 1);
  }

  private isPhi(node: number, value: Value): boolean {
    if (value.kind !== "sym" || value.id >= 0) return false;
    return Math.floor((-value.id - 1) / this.regCount) === node;
  }

  /** Gives a number that the node itself joined, and that comes round a loop, a name that is not an old one's. */
  private own(node: number, index: number, value: Value | undefined): Value | undefined {
    if (value === undefined || !this.isPhi(node, value)) return value;
    return value.kind === "sym"
      ? { ...value, ...UNKNOWN, id: this.phi(node, index), off: 0, isPacket: value.isPacket }
      : value;
  }
}
