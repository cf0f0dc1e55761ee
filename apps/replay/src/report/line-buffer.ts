/** Keeps the first and the last lines of a text that may be very long. */
export class LineBuffer {
  private readonly head: string[] = [];
  private readonly tail: string[] = [];
  private readonly headMax: number;
  private readonly tailMax: number;
  private count = 0;

  /** @param linesMax - how many lines are kept, 2 or more. */
  constructor(linesMax: number) {
    this.headMax = linesMax >> 1;
    this.tailMax = linesMax - this.headMax;
  }

  push(line: string): void {
    if (this.head.length < this.headMax) this.head.push(line);
    else if (this.tail.length < this.tailMax) this.tail.push(line);
    else this.tail[(this.count - this.headMax) % this.tailMax] = line;
    this.count++;
  }

  /** Returns the lines, with one in the place of those that were left out. */
  lines(): string[] {
    const left = this.count - this.head.length - this.tail.length;
    if (left === 0) return [...this.head, ...this.tail];
    const start = (this.count - this.headMax) % this.tailMax;
    return [
      ...this.head,
      `… ${left} lines left out`,
      ...this.tail.slice(start),
      ...this.tail.slice(0, start),
    ];
  }
}
