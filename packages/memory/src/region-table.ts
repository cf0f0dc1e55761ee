import { InputError } from "@tsbpf/base";
import { type ChangeCount, LiveRegion, type Region } from "./region.ts";

/** Slots of the cache in front of the binary search; one holds a region per 512 bytes of address, by hash. */
const CACHE_SLOTS = 64;
const CACHE_SHIFT = 9;

/** Regions as they were: the very objects, with the ends and rights they had. */
export type SavedRegions = readonly {
  readonly region: LiveRegion;
  readonly start: number;
  readonly end: number;
  readonly perm: number;
}[];

/** The regions of a memory, found by address; regions never overlap. */
export class RegionTable {
  /** Counts moves and removals; who remembers bounds of regions compares it. */
  readonly changes: ChangeCount = { count: 0 };
  private readonly sorted: LiveRegion[] = [];
  private readonly cache: (LiveRegion | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);

  get all(): readonly Region[] {
    return this.sorted;
  }

  /**
   * Adds a region and returns it as the table holds it.
   *
   * @throws MEM_OVERLAP (InputError) when another region holds one of the bytes.
   */
  add(region: Region): LiveRegion {
    const live = new LiveRegion(region, this.changes);
    const idx = this.upperBound(region.start);
    const before = this.sorted[idx - 1];
    const after = this.sorted[idx];
    const clash =
      before !== undefined && before.spanEnd > region.start
        ? before
        : after !== undefined && after.spanStart < region.end
          ? after
          : undefined;
    if (clash !== undefined) {
      throw new InputError("MEM_OVERLAP", `region ${region.name} overlaps ${clash.name}`, {
        details: { region, clash },
      });
    }
    this.sorted.splice(idx, 0, live);
    return live;
  }

  /** Forgets the region whose span starts at `start`; does nothing when there is none. */
  remove(start: number): void {
    const idx = this.upperBound(start) - 1;
    const region = this.sorted[idx];
    if (region?.spanStart !== start) return;
    region.isListed = false;
    this.changes.count++;
    this.sorted.splice(idx, 1);
    this.cache.fill(undefined);
  }

  /** Changes where the region that starts at `start` ends or what a program may do with it. */
  replace(start: number, next: Region): void {
    this.remove(start);
    this.add(next);
  }

  /** Returns the region that holds an address, or the nearest one below it when none does. */
  nearest(address: number): Region | undefined {
    const idx = this.upperBound(address) - 1;
    const region = this.sorted[idx];
    // The region may have moved up within its span, past the address.
    return region !== undefined && region.start > address ? this.sorted[idx - 1] : region;
  }

  /** Returns the region that holds an address; the way of every checked access, so it allocates nothing. */
  at(address: number): LiveRegion | undefined {
    const slot = (address >>> CACHE_SHIFT) % CACHE_SLOTS;
    const cached = this.cache[slot];
    if (cached !== undefined && address >= cached.start && address < cached.end) return cached;
    const region = this.sorted[this.upperBound(address) - 1];
    if (region === undefined || address < region.start || address >= region.end) return undefined;
    this.cache[slot] = region;
    return region;
  }

  save(): SavedRegions {
    return this.sorted.map((region) => ({ region, start: region.start, end: region.end, perm: region.perm }));
  }

  restore(saved: SavedRegions): void {
    for (const region of this.sorted) region.isListed = false;
    this.sorted.length = 0;
    for (const { region, start, end, perm } of saved) {
      region.isListed = true;
      region.move(start, end);
      region.perm = perm;
      this.sorted.push(region);
    }
    this.cache.fill(undefined);
    this.changes.count++;
  }

  private upperBound(address: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sorted[middle] as LiveRegion).spanStart <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
