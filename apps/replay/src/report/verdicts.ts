import { printTable } from "./table.ts";

export interface VerdictCount {
  packets: number;
  bytes: number;
}

/** Counts packets by what the program decided. */
export class VerdictTally {
  readonly byVerdict = new Map<string, VerdictCount>();
  packets = 0;
  bytes = 0;
  /** Counts of results that have no name yet, by number: counting them must be cheap. */
  private readonly byResult = new Map<number, VerdictCount>();
  private readonly nameOf: (retval: number) => string;

  constructor(nameOf: (retval: number) => string) {
    this.nameOf = nameOf;
  }

  /** Counts a packet by the program's result. */
  addResult(retval: number, bytes: number): void {
    const count = this.byResult.get(retval);
    if (count === undefined) {
      const fresh = this.add(this.nameOf(retval), bytes);
      this.byResult.set(retval, fresh);
      return;
    }
    this.packets += 1;
    this.bytes += bytes;
    count.packets += 1;
    count.bytes += bytes;
  }

  /** Counts packets with one result. */
  addResults(retval: number, packets: number, bytes: number): void {
    if (packets === 0) return;
    this.addResult(retval, bytes);
    const count = this.byResult.get(retval) as VerdictCount;
    count.packets += packets - 1;
    this.packets += packets - 1;
  }

  /** Counts packets that another has counted. */
  addMany(verdict: string, packets: number, bytes: number): void {
    if (packets === 0) return;
    const count = this.add(verdict, bytes);
    count.packets += packets - 1;
    this.packets += packets - 1;
  }

  add(verdict: string, bytes: number): VerdictCount {
    this.packets += 1;
    this.bytes += bytes;
    let count = this.byVerdict.get(verdict);
    if (count === undefined) {
      count = { packets: 0, bytes: 0 };
      this.byVerdict.set(verdict, count);
    }
    count.packets += 1;
    count.bytes += bytes;
    return count;
  }

  /**
   * Prints the table, the most frequent verdict first; of equals that with more bytes, then by name, so that it does not
   * depend on which CPU was first.
   *
   * @param paint - colours a verdict; its text must stay the same.
   */
  print(paint: (verdict: string) => string): string {
    const rows = [...this.byVerdict]
      .sort(([x, a], [y, b]) => b.packets - a.packets || b.bytes - a.bytes || (x < y ? -1 : 1))
      .map(([verdict, count]) => [
        paint(verdict),
        `${count.packets}`,
        `${count.bytes}`,
        this.percent(count.packets),
      ]);
    return printTable(
      [
        { title: "verdict" },
        { title: "packets", align: "right" },
        { title: "bytes", align: "right" },
        { title: "%", align: "right" },
      ],
      [...rows, ["total", `${this.packets}`, `${this.bytes}`, this.packets === 0 ? "0.0" : "100.0"]],
    );
  }

  private percent(packets: number): string {
    return ((100 * packets) / this.packets).toFixed(1);
  }
}
