import { printTable } from "./table.ts";

const BAR_COLUMNS = 40;
/** Numbers up to here have a count of their own, so that percentiles are exact for small programs. */
const EXACT_LAST = 0xffff;

/** How often a run took how many instructions. */
export class InsnHistogram {
  runs = 0;
  total = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  private readonly exact = new Float64Array(EXACT_LAST + 1);
  /** Runs longer than the exact counts reach, by power of two. */
  private readonly powers = new Map<number, number>();

  add(insnCount: number): void {
    this.runs++;
    this.total += insnCount;
    if (insnCount < this.min) this.min = insnCount;
    if (insnCount > this.max) this.max = insnCount;
    if (insnCount <= EXACT_LAST) this.exact[insnCount] = (this.exact[insnCount] as number) + 1;
    else {
      const power = Math.floor(Math.log2(insnCount));
      this.powers.set(power, (this.powers.get(power) ?? 0) + 1);
    }
  }

  /** The smallest number that this share of the runs did not exceed; above 65,535 the end of its power of two. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.runs);
    for (let count = 0; count <= EXACT_LAST; count++) {
      left -= this.exact[count] as number;
      if (left <= 0) return count;
    }
    for (const [power, runs] of [...this.powers].sort(([a], [b]) => a - b)) {
      left -= runs;
      if (left <= 0) return Math.min(this.max, 2 ** (power + 1) - 1);
    }
    return this.max;
  }

  /** Powers of two from the shortest run to the longest, with the runs in each. */
  buckets(): { readonly first: number; readonly last: number; readonly runs: number }[] {
    if (this.runs === 0) return [];
    const byPower = new Map(this.powers);
    for (let count = 0; count <= EXACT_LAST; count++) {
      const runs = this.exact[count] as number;
      if (runs === 0) continue;
      const power = count === 0 ? -1 : Math.floor(Math.log2(count));
      byPower.set(power, (byPower.get(power) ?? 0) + runs);
    }
    const powers = [...byPower.keys()];
    const buckets = [];
    for (let power = Math.min(...powers); power <= Math.max(...powers); power++) {
      const first = power < 0 ? 0 : 2 ** power;
      buckets.push({ first, last: power < 0 ? 0 : 2 ** (power + 1) - 1, runs: byPower.get(power) ?? 0 });
    }
    return buckets;
  }

  /** Prints a bar a power of two, as bpftrace's `hist` does, and what is in between. */
  print(): string {
    if (this.runs === 0) return "instructions: no packet was run\n";
    const buckets = this.buckets();
    const most = Math.max(...buckets.map(({ runs }) => runs));
    const rows = buckets.map(({ first, last, runs }) => [
      first === last ? `${first}` : `${first}-${last}`,
      `${runs}`,
      `|${"@".repeat(Math.round((runs / most) * BAR_COLUMNS)).padEnd(BAR_COLUMNS)}|`,
    ]);
    const table = printTable(
      [{ title: "instructions", align: "right" }, { title: "packets", align: "right" }, { title: "" }],
      rows,
    );
    const mean = (this.total / this.runs).toFixed(1);
    return `${table}\n${this.total} instructions in ${this.runs} runs: min ${this.min}, mean ${mean}, p50 ${this.percentile(0.5)}, p90 ${this.percentile(0.9)}, p99 ${this.percentile(0.99)}, max ${this.max}\n`;
  }

  toJson(): unknown {
    return {
      total: this.total,
      runs: this.runs,
      ...(this.runs === 0
        ? {}
        : {
            min: this.min,
            max: this.max,
            mean: this.total / this.runs,
            p50: this.percentile(0.5),
            p90: this.percentile(0.9),
            p99: this.percentile(0.99),
            buckets: this.buckets(),
          }),
    };
  }
}
