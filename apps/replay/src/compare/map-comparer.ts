import { MachineSide, type MapSpan } from "./machine-side.ts";
import type { Side, SideMap } from "./side.ts";

/** An element that began to differ. */
export interface MapFinding {
  readonly map: string;
  readonly key: string;
  readonly a: Uint8Array | undefined;
  readonly b: Uint8Array | undefined;
  /** Packets after which it may have begun, counted over all files: more than `after`, at most `until`. */
  readonly after: number;
  readonly until: number;
}

interface Pair {
  readonly name: string;
  readonly a: SideMap;
  readonly b: SideMap;
}

/** Bytes of maps that are compared after every packet. */
const SPAN_BYTES_MAX = 1024 * 1024;
/** Elements that may differ at a time before maps are compared no further. */
const KNOWN_MAX = 10_000;
/** Spans of bytes that are known to differ, at most. */
const MASKS_MAX = 4096;
/** Elements read for each packet that passes between two looks at all maps. */
const ENTRIES_PER_PACKET = 64;
const INTERVAL_MAX = 10_000;

/** Whether both sides hold the same element, or both none. */
export const isSameElement = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

/**
 * Finds elements of maps that differ between two sides.
 *
 * Where both sides lay their maps out alike, their memory is compared after every packet, and elements only when a byte
 * differs that did not before. Elsewhere all elements are read from time to time, so that a difference is found later than
 * it began, and one that is gone by then is not found at all.
 */
export class MapComparer {
  /** What could not be compared, for people. */
  readonly notes: string[] = [];
  /** Whether no difference can be missed. */
  readonly isExact: boolean;
  private readonly pairs: Pair[] = [];
  private readonly spans: { readonly a: MachineSide; readonly b: MachineSide } | undefined;
  /** Elements that differ. */
  private readonly known = new Map<string, true>();
  /** Spans of memory that differ, in order; what lies in them says nothing new. */
  private masks: (readonly [start: number, end: number])[] = [];
  private checkedAt = 0;
  private nextCheck = 1;
  private isOver = false;
  private usesMemory: boolean;

  constructor(a: Side, b: Side) {
    for (const side of [a, b]) if (side.mapsNote !== undefined) this.notes.push(side.mapsNote);
    this.pair(a, b);
    this.spans = spansOf(a, b);
    this.usesMemory = this.spans !== undefined;
    this.isExact = this.usesMemory || this.pairs.length === 0;
  }

  /** Notes what differs before the first packet, which no packet shows. */
  start(): void {
    const before = this.findAll(0);
    const names = new Set(before.map((one) => one.map));
    for (const name of names) {
      const count = before.filter((one) => one.map === name).length;
      this.notes.push(`map ${name} differs before the first packet, in ${count} elements`);
    }
    if (this.usesMemory) this.mask();
  }

  /** Looks for what differs since packet number `packet`, counted over all files from 1. */
  afterPacket(packet: number): readonly MapFinding[] {
    if (this.pairs.length === 0 || this.isOver) return NONE;
    if (this.usesMemory) {
      if (this.isMemorySame()) return NONE;
      const findings = this.findAll(packet);
      this.mask();
      this.checkedAt = packet;
      return findings.map((one) => ({ ...one, after: packet - 1 }));
    }
    return packet < this.nextCheck ? NONE : this.checkAll(packet);
  }

  /** Looks for what differs in the end. */
  finish(packet: number): readonly MapFinding[] {
    if (this.pairs.length === 0 || this.isOver || this.checkedAt === packet) return NONE;
    return this.usesMemory ? this.afterPacket(packet) : this.checkAll(packet);
  }

  private checkAll(packet: number): readonly MapFinding[] {
    const findings = this.findAll(packet);
    this.checkedAt = packet;
    const entries = this.pairs.reduce((sum, pair) => sum + pair.a.read().size, 0);
    this.nextCheck = packet + Math.min(INTERVAL_MAX, Math.max(1, Math.ceil(entries / ENTRIES_PER_PACKET)));
    return findings;
  }

  private pair(a: Side, b: Side): void {
    if (a.maps === undefined || b.maps === undefined) return;
    for (const [name, one] of a.maps) {
      const other = b.maps.get(name);
      if (other === undefined) {
        const isThere = b.unreadable?.has(name) === true;
        this.notes.push(
          `map ${name} ${isThere ? "is not compared: it cannot be read on side B" : "is on side A only"}`,
        );
      } else if (one.keyBytes !== other.keyBytes || one.valueBytes !== other.valueBytes)
        this.notes.push(`map ${name} is not compared: its keys or values have other sizes on side B`);
      else this.pairs.push({ name, a: one, b: other });
    }
    for (const name of b.maps.keys()) if (!a.maps.has(name)) this.notes.push(`map ${name} is on side B only`);
  }

  private findAll(packet: number): MapFinding[] {
    const findings: MapFinding[] = [];
    for (const { name, a, b } of this.pairs) {
      const left = a.read();
      const right = b.read();
      for (const key of new Set([...left.keys(), ...right.keys()])) {
        const id = `${name}/${key}`;
        const [one, other] = [left.get(key), right.get(key)];
        if (isSameElement(one, other)) this.known.delete(id);
        else if (!this.known.has(id)) {
          this.known.set(id, true);
          findings.push({ map: name, key, a: one, b: other, after: this.checkedAt, until: packet });
        }
      }
    }
    // Elements that neither side has any more are equal again.
    if (this.known.size > KNOWN_MAX) {
      this.isOver = true;
      this.notes.push(`more than ${KNOWN_MAX} elements of maps differ, they are compared no further`);
    }
    return findings;
  }

  private isMemorySame(): boolean {
    const { a, b } = this.memory();
    let from = 0;
    for (const [start, end] of this.masks) {
      if (Buffer.compare(a.subarray(from, start), b.subarray(from, start)) !== 0) return false;
      from = end;
    }
    return Buffer.compare(a.subarray(from), b.subarray(from)) === 0;
  }

  /** Remembers every span that differs now. */
  private mask(): void {
    const { a, b } = this.memory();
    const masks: (readonly [number, number])[] = [];
    const old = this.masks;
    let next = 0;
    for (let at = 0; at < a.length; ) {
      const known = old[next];
      if (known !== undefined && at >= known[0]) {
        push(masks, known[0], known[1]);
        at = Math.max(at, known[1]);
        next++;
        continue;
      }
      if (a[at] === b[at]) {
        at++;
        continue;
      }
      push(masks, at, at + 1);
      at++;
    }
    this.masks = masks;
    if (masks.length > MASKS_MAX) this.usesMemory = false;
  }

  private memory(): { readonly a: Uint8Array; readonly b: Uint8Array } {
    const { spans } = this;
    const none = new Uint8Array(0);
    return { a: spans?.a.mapSpan().bytes ?? none, b: spans?.b.mapSpan().bytes ?? none };
  }
}

const NONE: readonly MapFinding[] = [];

function push(masks: (readonly [number, number])[], start: number, end: number): void {
  const last = masks.at(-1);
  if (last !== undefined && last[1] >= start) masks[masks.length - 1] = [last[0], Math.max(last[1], end)];
  else masks.push([start, end]);
}

/** Returns the sides when the memory of their maps can be compared byte by byte. */
function spansOf(a: Side, b: Side): { readonly a: MachineSide; readonly b: MachineSide } | undefined {
  if (!(a instanceof MachineSide) || !(b instanceof MachineSide)) return undefined;
  const [one, other]: readonly MapSpan[] = [a.mapSpan(), b.mapSpan()];
  if (one === undefined || other === undefined) return undefined;
  const isAlike = one.start === other.start && one.bytes.length === other.bytes.length;
  return isAlike && one.bytes.length <= SPAN_BYTES_MAX && isLaidOutAlike(a, b) ? { a, b } : undefined;
}

/** Maps of the same names and sizes in the same order lie at the same places. */
function isLaidOutAlike(a: MachineSide, b: MachineSide): boolean {
  const [one, other] = [a, b].map((side) =>
    JSON.stringify(
      [...side.loaded.object.maps.values()].map(({ spec, address }) => [
        spec.name,
        spec.type,
        spec.keyBytes,
        spec.valueBytes,
        spec.maxEntries,
        address,
      ]),
    ),
  );
  return one === other;
}
