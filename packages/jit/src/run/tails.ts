import type { LinearMemory } from "@tsbpf/memory";
import type { Machine } from "@tsbpf/runtime";
import type { LiveMap } from "../ir/lowered.ts";
import { CELL, TAIL } from "./cell.ts";

/** What a tail call reached, for the effect that it leaves. */
interface Reached {
  readonly map: string;
  readonly index: number;
  readonly prog: string;
}

/**
 * Tail calls of a machine as generated code makes them by itself: it looks the slot of the program array up in a cache
 * that says which entry of the table runs it. An entry holds the slot's address and its number, so a slot that was
 * filled anew is not found any more. The count lies in the exchange block, and a log of the slots, from which effects
 * are made when somebody looks, and before what a slot leads to is learned anew.
 */
export class Tails {
  private readonly machine: Machine;
  private readonly memory: LinearMemory;
  private readonly cell: number;
  private readonly countAt: number;
  private readonly isRecording: boolean;
  /** By address of the slot. */
  private readonly reached = new Map<number, Reached>();
  /** Entries of the log that are effects already. */
  private reported = 0;
  private isReporting = false;

  constructor(machine: Machine, cell: number) {
    this.machine = machine;
    this.memory = machine.env.memory;
    this.cell = cell;
    this.countAt = (cell + CELL.tailCalls) >>> 2;
    const { effects } = machine.env;
    this.isRecording = effects.isOn;
    // Effects come in the order in which things happened.
    if (effects.isOn) effects.beforeRecord = () => this.report();
  }

  /** Gives generated code the machine's count. */
  start(): void {
    this.count = this.machine.tailCallCount;
    this.reported = this.count;
  }

  /** Brings the machine's count and effects up to date. */
  finish(): void {
    this.machine.tailCallCount = this.count;
    if (this.isRecording) this.report();
  }

  /** Lets generated code find what a slot leads to. */
  remember(
    map: LiveMap,
    index: number,
    slot: { address: number; modeBits: number; isMoved: boolean },
    to: { prog: string; tableIdx: number },
  ): void {
    const { view } = this.memory;
    const { address, modeBits, isMoved } = slot;
    const id = view.getUint32(address, true);
    const cache = isMoved ? CELL.movedTailCache : CELL.tailCache;
    const at = this.cell + cache + ((address << TAIL.shift) & TAIL.mask);
    view.setUint32(at + TAIL.slot, address | modeBits, true);
    view.setUint32(at + TAIL.id, id, true);
    view.setUint32(at + TAIL.target, to.tableIdx, true);
    this.reached.set(address, { map: map.spec.name, index, prog: to.prog });
  }

  private get count(): number {
    return this.memory.i32[this.countAt] as number;
  }
  private set count(value: number) {
    this.memory.i32[this.countAt] = value;
  }

  private report(): void {
    // Each record asks for what came before it, these records too.
    if (this.isReporting) return;
    this.isReporting = true;
    const { count } = this;
    const { effects } = this.machine.env;
    while (this.reported < count) {
      const at = this.cell + CELL.tailLog + 4 * this.reported++;
      const found = this.reached.get(this.memory.view.getUint32(at, true));
      if (found !== undefined) effects.record({ kind: "tail_call", ...found });
    }
    this.isReporting = false;
  }
}
