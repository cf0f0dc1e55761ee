import { InputError } from "@tsbpf/base";
import type { Region } from "./region.ts";

/** The regions of a memory, found by address; regions never overlap. */
export class RegionTable {
  private readonly sorted: Region[] = [];

  get all(): readonly Region[] {
    return this.sorted;
  }

  /** @throws MEM_OVERLAP (InputError) when another region holds one of the bytes. */
  add(region: Region): void {
    const idx = this.upperBound(region.start);
    const before = this.sorted[idx - 1];
    const after = this.sorted[idx];
    const clash =
      before !== undefined && before.end > region.start
        ? before
        : after !== undefined && after.start < region.end
          ? after
          : undefined;
    if (clash !== undefined) {
      throw new InputError("MEM_OVERLAP", `region ${region.name} overlaps ${clash.name}`, {
        details: { region, clash },
      });
    }
    this.sorted.splice(idx, 0, region);
  }

  /** Forgets the region that starts at `start`; does nothing when there is none. */
  remove(start: number): void {
    const idx = this.upperBound(start) - 1;
    if (this.sorted[idx]?.start === start) this.sorted.splice(idx, 1);
  }

  /** Changes where the region that starts at `start` ends or what a program may do with it. */
  replace(start: number, next: Region): void {
    this.remove(start);
    this.add(next);
  }

  /** Returns the region that holds an address, or the nearest one below it when none does. */
  nearest(address: number): Region | undefined {
    return this.sorted[this.upperBound(address) - 1];
  }

  /** Returns the region that holds an address. */
  at(address: number): Region | undefined {
    const region = this.nearest(address);
    return region !== undefined && address < region.end ? region : undefined;
  }

  private upperBound(address: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sorted[middle] as Region).start <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
