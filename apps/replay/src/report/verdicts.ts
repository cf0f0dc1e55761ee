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

  add(verdict: string, bytes: number): void {
    this.packets += 1;
    this.bytes += bytes;
    const count = this.byVerdict.get(verdict);
    if (count === undefined) this.byVerdict.set(verdict, { packets: 1, bytes });
    else {
      count.packets += 1;
      count.bytes += bytes;
    }
  }

  /** Prints the table, the most frequent verdict first. */
  print(): string {
    const rows = [...this.byVerdict]
      .sort(([, a], [, b]) => b.packets - a.packets)
      .map(([verdict, count]) => [
        verdict,
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
