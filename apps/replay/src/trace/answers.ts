import { TrapError } from "@tsbpf/base";
import type { HelperPlugin } from "@tsbpf/plugin";
import type { HelperQuestion, TraceEvent } from "@tsbpf/trace";
import { isSameQuestion, printQuestion } from "./asked.ts";

/** What a program learned from outside, as a trace holds it. */
export type Answer = Extract<TraceEvent, { kind: "clock" | "random" | "call" }>;
export type CallAnswer = Extract<TraceEvent, { kind: "call" }>;

const isAnswer = (event: TraceEvent): event is Answer =>
  event.phase === "during" && (event.kind === "clock" || event.kind === "random" || event.kind === "call");

/** Helpers that read the clocks a trace names. */
const CLOCK_HELPERS: Readonly<Record<string, string>> = {
  mono: "bpf_ktime_get_ns",
  boot: "bpf_ktime_get_boot_ns",
  coarse: "bpf_ktime_get_coarse_ns",
  tai: "bpf_ktime_get_tai_ns",
  jiffies: "bpf_jiffies64",
};

const clockText = (clock: string): string => CLOCK_HELPERS[clock] ?? `clock ${clock}`;

function answerText(answer: Answer): string {
  switch (answer.kind) {
    case "clock":
      return clockText(answer.clock);
    case "random":
      return "bpf_get_prandom_u32";
    case "call":
      return answer.name;
  }
}

/** The code of runs that ask for something else than was recorded. */
export const DIVERGED = "REPLAY_DIVERGED";

/**
 * Hands out a run's answers strictly in the order in which they were recorded.
 *
 * A program that asks for something else ends its run with REPLAY_DIVERGED (TrapError), which says what was recorded and
 * what is asked.
 */
export class AnswerQueue {
  private answers: readonly Answer[] = [];
  private next = 0;
  private run = 0;
  private isOpen = false;
  /** Runs that asked for something else than was recorded, and what the first of them asked. */
  diverged = 0;
  firstDiverged = "";
  /** Calls of live helpers that are under way: what they ask themselves is not the program's question. */
  private suspended = 0;

  /** Whether answers come from the trace now. */
  get isOn(): boolean {
    return this.isOpen && this.suspended === 0;
  }

  /** Takes the answers of a run. @param run - its number from 1, for texts. */
  begin(events: readonly TraceEvent[], run: number): void {
    this.answers = events.filter(isAnswer);
    this.next = 0;
    this.run = run;
    this.isOpen = true;
    this.suspended = 0;
  }

  /** Ends a run; returns what was recorded and not asked for, for people. */
  end(): string | undefined {
    this.isOpen = false;
    const answer = this.answers[this.next];
    return answer === undefined ? undefined : answerText(answer);
  }

  clock(name: string): bigint {
    const answer = this.take(clockText(name));
    if (answer.kind === "clock" && answer.clock === name) return answer.value;
    throw this.otherThan(answer, clockText(name));
  }

  random(): number {
    const answer = this.take("bpf_get_prandom_u32");
    if (answer.kind === "random") return Number(answer.value & 0xffff_ffffn);
    throw this.otherThan(answer, "bpf_get_prandom_u32");
  }

  call(helper: HelperPlugin, asked: HelperQuestion): CallAnswer {
    const { name } = helper.proto;
    const answer = this.take(name);
    if (answer.kind !== "call" || answer.name !== name) throw this.otherThan(answer, name);
    if (answer.asked !== undefined && !isSameQuestion(answer.asked, asked)) {
      throw this.divergence(
        `${name} was asked with ${printQuestion(helper, answer.asked)} when it was recorded, the program asks with ${printQuestion(helper, asked)}`,
      );
    }
    return answer;
  }

  /** Runs a live helper in the place of its recorded answer, which is passed over. */
  live(helper: HelperPlugin, asked: HelperQuestion, run: () => void): void {
    if (this.isOn) this.call(helper, asked);
    this.suspended++;
    try {
      run();
    } finally {
      this.suspended--;
    }
  }

  /** Makes the end of a run that calls a helper which is neither loaded nor answered for. */
  missing(name: string): TrapError {
    const message = `${name} is not loaded, and this input holds no answers of it: load it with --plugin`;
    this.diverged += 1;
    if (this.diverged === 1) this.firstDiverged = message;
    return new TrapError(DIVERGED, message, { details: { name } });
  }

  /** Makes the end of a run whose answer cannot be given. */
  divergence(text: string): TrapError {
    const { run } = this;
    const question = Math.max(1, this.next);
    const message = `run ${run}, question ${question}: ${text}`;
    this.diverged += 1;
    if (this.diverged === 1) this.firstDiverged = message;
    return new TrapError(DIVERGED, message, { details: { run, question } });
  }

  private take(what: string): Answer {
    const answer = this.answers[this.next++];
    if (answer !== undefined) return answer;
    throw this.divergence(`nothing more was asked when it was recorded, the program asks ${what}`);
  }

  private otherThan(answer: Answer, what: string): TrapError {
    return this.divergence(`${answerText(answer)} was asked when it was recorded, the program asks ${what}`);
  }
}
