import {
  type Machine,
  type RecordedServices,
  restoreMachine,
  type SavedMachine,
  saveMachine,
} from "@tsbpf/runtime";
import type { Cursor } from "../execute.ts";
import type { Prepared } from "../prepared.ts";

/** A place that the execution can go back to. */
interface Checkpoint {
  readonly machine: SavedMachine;
  readonly prog: Prepared;
  readonly p: number;
  readonly answers: number;
  /** Whether registers or memory were changed from outside just before. */
  readonly isEdited: boolean;
}

const CHECKPOINTS_MAX = 64;
const FIRST_INTERVAL = 4096;

/**
 * Checkpoints of one execution: states between two instructions outside callbacks, in order of their counts.
 *
 * Any earlier state is the nearest checkpoint before it and a number of instructions executed again. When there are
 * too many checkpoints every second one is dropped and their distance doubles, so memory stays bounded and going back
 * takes at most about a 64th of the run.
 */
export class History {
  private readonly machine: Machine;
  private readonly services: RecordedServices;
  private readonly points: Checkpoint[] = [];
  private interval = FIRST_INTERVAL;

  constructor(machine: Machine, services: RecordedServices) {
    this.machine = machine;
    this.services = services;
  }

  /** The count from which on the next checkpoint is due. */
  get dueCount(): number {
    return (this.points.at(-1)?.machine.insnCount ?? 0) + this.interval;
  }

  /** Remembers the present state if a checkpoint is due. */
  add(cursor: Cursor): void {
    if (this.points.length > 0 && this.machine.insnCount < this.dueCount) return;
    this.push(cursor, false);
    if (this.points.length > CHECKPOINTS_MAX) this.thin();
  }

  /** Remembers a state that was changed from outside; what was recorded after it is no longer true. */
  addEdited(cursor: Cursor): void {
    const { insnCount } = this.machine;
    while (this.points.length > 0 && this.countAt(this.points.length - 1) >= insnCount) this.points.pop();
    this.services.forgetFrom(this.services.position());
    this.push(cursor, true);
  }

  /** Goes to the nearest checkpoint at or before a count. */
  restore(count: number, cursor: Cursor): void {
    let idx = this.points.length - 1;
    while (idx > 0 && this.countAt(idx) > count) idx--;
    const point = this.points[idx] as Checkpoint;
    restoreMachine(this.machine, point.machine);
    this.services.rewind(point.answers);
    cursor.prog = point.prog;
    cursor.p = point.p;
  }

  /** Forgets the changes that were made after a count, and all that followed from them. */
  undoEditsAfter(count: number): void {
    const idx = this.points.findIndex((point) => point.isEdited && point.machine.insnCount > count);
    if (idx < 0) return;
    this.services.forgetFrom((this.points[idx] as Checkpoint).answers);
    this.points.length = idx;
  }

  /** Counts of the checkpoints at or before a count, the latest first. */
  countsBefore(count: number): number[] {
    return this.points
      .map((point) => point.machine.insnCount)
      .filter((one) => one <= count)
      .reverse();
  }

  private countAt(idx: number): number {
    return this.points[idx]?.machine.insnCount ?? 0;
  }

  private push(cursor: Cursor, isEdited: boolean): void {
    this.points.push({
      machine: saveMachine(this.machine, this.points.at(-1)?.machine),
      prog: cursor.prog,
      p: cursor.p,
      answers: this.services.position(),
      isEdited,
    });
  }

  private thin(): void {
    const kept = this.points.filter((point, idx) => idx % 2 === 0 || point.isEdited);
    this.points.length = 0;
    this.points.push(...kept);
    this.interval *= 2;
  }
}
