import type { TraceEvent } from "@tsbpf/trace";
import type { Answer } from "../trace/answers.ts";

/** Gathers what one run learns from outside, in order. */
export class AnswerLog {
  private list: Answer[] = [];
  /** Calls of recorded helpers that are under way: what they ask themselves is not the program's question. */
  private suspended = 0;
  private isOpen = false;

  get isOn(): boolean {
    return this.isOpen && this.suspended === 0;
  }

  begin(): void {
    this.list = [];
    this.isOpen = true;
    this.suspended = 0;
  }

  /** Ends the run and returns its answers. */
  end(): readonly TraceEvent[] {
    this.isOpen = false;
    return this.list;
  }

  add(answer: Answer): void {
    if (this.isOn) this.list.push(answer);
  }

  /** Runs a helper whose answer is recorded as a whole. */
  quietly(run: () => void): void {
    this.suspended++;
    try {
      run();
    } finally {
      this.suspended--;
    }
  }
}
