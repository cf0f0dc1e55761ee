import type { Predicate, Stepper, StepView, WatchTarget } from "@tsbpf/interpreter";
import type { EngineProg } from "@tsbpf/runtime";

/** A stop that the user asked for; it outlives runs and edits of the program. */
export interface Point {
  readonly id: number;
  readonly what: BreakPlace | WatchTarget;
  /** Condition as it was typed. */
  readonly conditionText: string | undefined;
  readonly condition: Predicate | undefined;
  /** How the user named the place. */
  readonly text: string;
  /** Whether it goes away when it is hit. */
  readonly isTemporary: boolean;
  hits: number;
}

export interface BreakPlace {
  readonly kind: "break";
  /** Name of the program that the slot belongs to. */
  readonly progName: string;
  readonly slot: number;
  /** The program, when it is not the one being debugged. */
  readonly prog: EngineProg | undefined;
}

/** The break- and watchpoints of a session, and their numbers within the stepper of the moment. */
export class Points {
  private readonly byId = new Map<number, Point>();
  private readonly inStepper = new Map<number, Point>();
  private nextId = 1;

  get all(): readonly Point[] {
    return [...this.byId.values()];
  }
  get hasWatch(): boolean {
    return this.all.some(({ what }) => what.kind !== "break");
  }
  /** Whether the stepper must look at every instruction. */
  get isSlow(): boolean {
    return this.all.some(({ what, condition }) => what.kind !== "break" || condition !== undefined);
  }

  /** Adds a point; the caller installs it. */
  add(point: Omit<Point, "id" | "hits">): Point {
    const added = { ...point, id: this.nextId++, hits: 0 };
    this.byId.set(added.id, added);
    return added;
  }

  delete(id: number): boolean {
    return this.byId.delete(id);
  }

  clear(): void {
    this.byId.clear();
  }

  /** Tells a stepper of all points; those of the program that runs are placed in the code it has now. */
  install(stepper: Stepper, current: EngineProg): void {
    this.suspend(stepper);
    for (const point of this.byId.values()) {
      try {
        this.inStepper.set(place(stepper, point, current), point);
      } catch {
        // The code changed and no instruction starts there any more; the point waits for code where one does.
      }
    }
  }

  /** Takes all points out of a stepper. */
  suspend(stepper: Stepper): void {
    for (const id of this.inStepper.keys()) stepper.remove(id);
    this.inStepper.clear();
  }

  /** Finds the point behind a number of the stepper. */
  ofStepper(id: number): Point | undefined {
    return this.inStepper.get(id);
  }

  /** Says whether the condition of a watchpoint that was hit holds. */
  holds(id: number, stepper: Stepper): boolean {
    const condition = this.inStepper.get(id)?.condition;
    if (condition === undefined || stepper.isOver) return true;
    const { machine, prog, slot, insnCount } = stepper;
    const view: StepView = {
      machine,
      prog,
      slot,
      depth: machine.depth,
      insnCount,
      reg: (n) => stepper.reg(n),
    };
    return condition(view);
  }
}

function place(stepper: Stepper, { what, condition }: Point, current: EngineProg): number {
  if (what.kind !== "break") return stepper.addWatchpoint(what).id;
  const isCurrent = what.progName === current.prog.spec.name;
  const prog = isCurrent ? current : (what.prog ?? current);
  return stepper.addBreakpoint({ prog, slot: what.slot, ...(condition === undefined ? {} : { condition }) })
    .id;
}
