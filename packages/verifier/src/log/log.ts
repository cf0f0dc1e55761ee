/** Bits of `log_level`. @source linux include/linux/bpf_verifier.h BPF_LOG_LEVEL1 */
const LOG_LEVEL1 = 1;
const LOG_LEVEL2 = 2;
export const LOG_STATS = 4;

/** Characters after which the log keeps only its tail, so that a million instructions stay in memory. */
const KEEP_CHARS = 1 << 26;

/**
 * The verifier's text log: an append-only buffer that can be rewound to an earlier position.
 *
 * Level 1 rewinds at every popped branch, so that a refusal shows the failing path alone. Positions count
 * all characters ever written, also those dropped from the front.
 */
export class Log {
  readonly level: number;
  private chunks: string[] = [];
  private text = "";
  private dropped = 0;
  private pending = 0;

  constructor(level: number) {
    this.level = level;
  }

  get isOn(): boolean {
    return this.level !== 0;
  }
  get isVerbose(): boolean {
    return (this.level & LOG_LEVEL2) !== 0;
  }
  /** Whether instructions and states are shown at all. */
  get showsInsns(): boolean {
    return (this.level & (LOG_LEVEL1 | LOG_LEVEL2)) !== 0;
  }
  get position(): number {
    return this.dropped + this.text.length + this.pending;
  }

  write(text: string): void {
    if (this.level === 0 || text.length === 0) return;
    this.chunks.push(text);
    this.pending += text.length;
    if (this.chunks.length > 4096) this.flush();
  }

  rewind(position: number): void {
    if (this.level === 0 || position >= this.position) return;
    while (this.chunks.length > 0) {
      const last = this.chunks[this.chunks.length - 1] ?? "";
      if (this.position - last.length < position) break;
      this.chunks.pop();
      this.pending -= last.length;
    }
    const excess = this.position - position;
    if (excess === 0) return;
    const last = this.chunks.pop();
    if (last === undefined) {
      this.text = this.text.slice(0, Math.max(0, this.text.length - excess));
      return;
    }
    this.pending -= excess;
    this.chunks.push(last.slice(0, last.length - excess));
  }

  private flush(): void {
    this.text += this.chunks.join("");
    this.chunks = [];
    this.pending = 0;
    if (this.text.length > KEEP_CHARS) {
      const cut = this.text.length - KEEP_CHARS / 2;
      this.text = this.text.slice(cut);
      this.dropped += cut;
    }
  }

  toString(): string {
    this.flush();
    return this.text;
  }
}
