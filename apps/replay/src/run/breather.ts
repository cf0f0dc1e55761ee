import type { Prog } from "@tsbpf/vm";

/** Milliseconds that packets run between two slices of a compilation; as long as a slice. */
const RUN_MS = 4;

/** Says whether the jit may yet take over from the interpreter. */
export const isToCome = ({ compiling }: Prog): boolean =>
  compiling?.state === "waiting" || compiling?.state === "compiling";

/** Lets go of the thread between packets as long as the jit compiles the program beside them. */
export class Breather {
  private readonly prog: Prog;
  private breathedMs = performance.now();
  /** Whether there is nothing to let go for; looked at when the thread was let go of. */
  isOver: boolean;

  constructor(prog: Prog) {
    this.prog = prog;
    this.isOver = !isToCome(prog);
  }

  /** Whether it is time to let go of the thread. */
  get isDue(): boolean {
    return !this.isOver && performance.now() - this.breathedMs >= RUN_MS;
  }

  /** Lets go of the thread for a moment. @returns whether the jit has taken over, or refused to, since then. */
  async breathe(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.breathedMs = performance.now();
    this.isOver = !isToCome(this.prog);
    return this.isOver;
  }
}
