import { type LinearMemory, type LiveRegion, type PacketBuffer, PERM, type Region } from "@tsbpf/memory";
import { PACKET_DESC } from "../batch-layout.ts";
import { BOUNDS, BOUNDS_OF, CELL } from "./cell.ts";

const SIZES = [1, 2, 4, 8] as const;

/** A span within a region that one access may not leave, as an address. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** What an entry stands for: a region as a whole, or one span of its cells. */
interface Remembered {
  readonly region: LiveRegion;
  readonly span: Span | undefined;
}

/**
 * Bounds of regions in linear memory, for the range checks of generated code.
 *
 * Assumes: `refresh` runs before generated code goes on whenever a region may have moved or gone. Guarantees: an
 * entry lets an access through only where `canAccess` would allow it; entries of reads and of writes are apart.
 */
export class Bounds {
  private readonly memory: LinearMemory;
  private readonly base: number;
  private readonly entries: (Remembered | undefined)[] = new Array(BOUNDS_OF.count).fill(undefined);
  private readonly used: number[] = [];
  private seenChanges = -1;
  private packet: PacketBuffer | undefined;
  /** Where the packet lies that a checked batch runs. */
  private batchRegion: LiveRegion | undefined;

  constructor(memory: LinearMemory, base: number) {
    this.memory = memory;
    this.base = base;
  }

  /** Brings all entries up to date, and lets the first stand for the packet of the run. */
  startRun(packet: PacketBuffer | undefined): void {
    if (packet !== this.packet) {
      this.packet = packet;
      this.seenChanges = -1;
      const region = this.memory.regions.all.find((one) => (one as LiveRegion).spanStart === packet?.start);
      this.entries[BOUNDS_OF.packet] = undefined;
      this.close(BOUNDS_OF.packet);
      if (region?.perm === PERM.readWrite && region.cells === undefined) {
        this.entries[BOUNDS_OF.packet] = { region: region as LiveRegion, span: undefined };
        if (!this.used.includes(BOUNDS_OF.packet)) this.used.push(BOUNDS_OF.packet);
      }
    }
    this.refresh();
  }

  /**
   * Lets the first entry stand for the packet of the descriptor that a batch is at, until `endBatch`.
   *
   * @param span - where the batch's packets lie.
   * @throws MEM_OVERLAP (InputError) when another region lies between them.
   */
  startBatch(span: Span): void {
    this.batchRegion = this.memory.regions.add({
      ...span,
      perm: PERM.readWrite,
      kind: "packet",
      name: "packet",
    });
    this.entries[BOUNDS_OF.packet] = { region: this.batchRegion, span: undefined };
    if (!this.used.includes(BOUNDS_OF.packet)) this.used.push(BOUNDS_OF.packet);
    this.refresh();
  }

  /** Moves the region to the packet that the batch is at: generated code knows its bounds already. */
  followBatch(): void {
    const { batchRegion, memory } = this;
    if (batchRegion === undefined) return;
    const at = memory.view.getUint32(this.base - CELL.bounds + CELL.batchAt, true);
    const [start, meta, end] = [PACKET_DESC.data, PACKET_DESC.dataMeta, PACKET_DESC.dataEnd].map((offset) =>
      memory.view.getUint32(at + offset, true),
    ) as [number, number, number];
    batchRegion.move(Math.min(start, meta), end);
  }

  endBatch(): void {
    const { batchRegion } = this;
    if (batchRegion === undefined) return;
    this.memory.regions.remove(batchRegion.spanStart);
    this.batchRegion = undefined;
    this.entries[BOUNDS_OF.packet] = undefined;
    this.close(BOUNDS_OF.packet);
    this.packet = undefined;
    this.seenChanges = -1;
  }

  /** Whether the packet of the run is one region that may be read and written everywhere. */
  holdsPacket(packet: PacketBuffer): boolean {
    this.startRun(packet);
    return this.entries[BOUNDS_OF.packet] !== undefined;
  }

  /** Brings all entries up to date. */
  refresh(): void {
    const { count } = this.memory.regions.changes;
    if (count === this.seenChanges) return;
    this.seenChanges = count;
    for (const idx of this.used) {
      const entry = this.entries[idx];
      if (entry?.region.isListed === true) this.put(idx, entry);
      else this.close(idx);
    }
  }

  /** Lets an entry stand for the region that holds an address, when accesses need no closer look there. */
  remember(idx: number, address: number): void {
    const region = this.memory.regions.at(address) as LiveRegion | undefined;
    if (region === undefined || region === this.batchRegion) return;
    const isRead = idx >= BOUNDS_OF.first && (idx - BOUNDS_OF.first) % 2 === 0;
    const found = spanAt(region, address);
    const needed = isRead ? PERM.read : PERM.readWrite;
    if (found === undefined || (found.perm & needed) !== needed) return;
    const entry: Remembered = { region, span: region.cells === undefined ? undefined : found };
    if (this.entries[idx] === undefined) this.used.push(idx);
    this.entries[idx] = entry;
    this.put(idx, entry);
  }

  private put(idx: number, { region, span }: Remembered): void {
    const { view } = this.memory;
    const at = this.base + idx * BOUNDS.bytes;
    const { start, end } = span ?? region;
    view.setUint32(at + BOUNDS.start, start, true);
    for (const [i, size] of SIZES.entries()) {
      view.setUint32(at + BOUNDS.places + 8 * i, Math.max(0, end - start - size + 1), true);
    }
  }

  /** Makes an entry one that holds nothing. */
  private close(idx: number): void {
    const at = this.base + idx * BOUNDS.bytes;
    for (const i of SIZES.keys()) this.memory.view.setUint32(at + BOUNDS.places + 8 * i, 0, true);
  }
}

/** Finds the span around an address that an access may not leave, with the rights on it. */
function spanAt(region: Region, address: number): (Span & { readonly perm: number }) | undefined {
  const { cells } = region;
  if (cells === undefined) return { start: region.start, end: region.end, perm: region.perm };
  const within = (address - region.start) % cells.stride;
  for (const window of cells.windows) {
    const from = within - window.offset;
    if (from < 0) continue;
    const stride = window.stride ?? window.bytes;
    const inside = from % stride;
    if (from - inside >= (window.count ?? 1) * stride || inside >= window.bytes) continue;
    const start = address - inside;
    return { start, end: Math.min(start + window.bytes, region.end), perm: window.perm };
  }
  return undefined;
}
