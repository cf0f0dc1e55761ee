/** A small seeded generator of numbers: the same seed gives the same program everywhere. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** Returns 32 random bits, unsigned. */
  u32(): number {
    this.state = (this.state + 0x6d2b_79f5) | 0;
    let bits = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return (bits ^ (bits >>> 14)) >>> 0;
  }

  /** Returns a whole number in 0..bound-1. */
  below(bound: number): number {
    return this.u32() % bound;
  }

  /** Returns a whole number in first..last. */
  range(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}
