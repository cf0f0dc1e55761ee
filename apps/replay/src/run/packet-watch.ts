import type { RunHooks } from "@tsbpf/runtime";
import type { Execution, LiveObject } from "@tsbpf/vm";
import { callTreeToJson } from "../calls/tree.ts";
import type { ReplayOptions } from "../options.ts";
import type { LineCoverage } from "../report/coverage.ts";
import { mapChangesToJson, printMapChanges } from "../report/map-changes.ts";
import { MapWatch } from "../report/map-watch.ts";
import type { StackProfile } from "../report/profile.ts";
import type { StepLog } from "../report/step-log.ts";
import { TraceRecorder } from "../report/trace.ts";
import { combineHooks } from "./hooks.ts";

/** What was seen of one run besides its result. */
export interface PacketDetails {
  /** Lines for people: call tree or instructions. */
  readonly trace: readonly string[];
  /** Call tree for machines, where one was asked for. */
  readonly calls?: unknown;
  /** Lines for people. */
  readonly maps: readonly string[];
  readonly mapChanges?: readonly unknown[];
}

export const NO_DETAILS: PacketDetails = { trace: [], maps: [] };

/** Says whether a run failed as far as a user cares: it trapped, was not run, or the program gave up. */
export const isFailure = ({ trap, verdict }: Pick<Execution, "trap" | "verdict">): boolean =>
  trap !== undefined || verdict === "XDP_ABORTED" || verdict === "not run";

/** Listens to the runs of a session's packets as its options ask. */
export class PacketWatch {
  private readonly options: ReplayOptions;
  private readonly object: LiveObject;
  private readonly maps: MapWatch | undefined;
  private readonly profile: StackProfile | undefined;
  private readonly coverage: LineCoverage | undefined;
  private readonly stepLog: StepLog | undefined;
  private readonly wantsTree: boolean;
  private readonly wantsSteps: boolean;
  private tree: TraceRecorder | undefined;
  private steps: TraceRecorder | undefined;

  constructor(
    options: ReplayOptions,
    object: LiveObject,
    totals: {
      readonly profile: StackProfile | undefined;
      readonly coverage: LineCoverage | undefined;
      readonly stepLog: StepLog | undefined;
    },
  ) {
    const { trace, verbosity } = options;
    this.options = options;
    this.object = object;
    this.profile = totals.profile;
    this.coverage = totals.coverage;
    this.stepLog = totals.stepLog;
    this.maps = verbosity >= 2 ? new MapWatch(object.maps) : undefined;
    this.wantsTree = trace === "calls" || verbosity >= 3;
    this.wantsSteps = trace === "insns" || trace === "mem" || verbosity >= 2;
  }

  /** Listeners for the next run. */
  begin(): RunHooks | undefined {
    const { options } = this;
    this.tree = this.wantsTree ? new TraceRecorder("calls") : undefined;
    this.steps = this.wantsSteps ? new TraceRecorder(options.trace === "mem" ? "mem" : "insns") : undefined;
    const sets = [this.tree, this.steps, this.maps, this.profile, this.coverage, this.stepLog];
    return combineHooks(sets.flatMap((one) => one?.hooks() ?? []));
  }

  /** What the run that began last showed. */
  end(execution: Execution): PacketDetails {
    const { options, tree, steps, maps } = this;
    const showsSteps =
      steps !== undefined &&
      (options.trace === "insns" ||
        options.trace === "mem" ||
        options.verbosity >= 4 ||
        isFailure(execution));
    const stepLines = showsSteps ? steps.lines() : [];
    if (options.json) {
      const root = tree?.tree?.root;
      return {
        trace: stepLines,
        maps: [],
        ...(root === undefined ? {} : { calls: callTreeToJson(root) }),
        ...(maps === undefined ? {} : { mapChanges: mapChangesToJson(maps, this.object) }),
      };
    }
    // Instructions come with the calls between them, so the tree says nothing new.
    const showsTree = tree !== undefined && (stepLines.length === 0 || options.trace === "calls");
    return {
      trace: [...(showsTree ? tree.lines(execution.trap) : []), ...stepLines],
      maps: maps === undefined ? [] : printMapChanges(maps, this.object),
    };
  }
}
