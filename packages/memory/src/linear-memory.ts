import { alignUp, InputError, invariant } from "@tsbpf/base";
import { FreeLists } from "./free-lists.ts";
import { restorePages, savePages } from "./page-store.ts";
import { type Cells, type MemoryRegionKind, PERM } from "./region.ts";
import { RegionTable, type SavedRegions } from "./region-table.ts";

/** Bytes of a WebAssembly page; page 0 is never handed out, so that null and small offsets from it trap. */
export const WASM_PAGE_BYTES = 65_536;

/** Bytes of address space that stay unused after each allocation, so that running past an end meets no neighbour. */
export const GUARD_BYTES = 64;

export interface LinearMemoryOptions {
  /** Bytes available at once; rounded up to pages. Default 16 MiB. */
  readonly initialBytes?: number;
  /** Bytes the memory may grow to. Default 1 GiB; at most 4 GiB - 64 KiB. */
  readonly maxBytes?: number;
  /** Whether workers may share it. Default false. */
  readonly isShared?: boolean;
  /**
   * Takes part in the memory of another thread; the other options count for nothing then. Until `enter` the memory
   * rehearses: allocations give the addresses that they gave to its maker, and what is written goes to a copy that is
   * dropped. So whoever sets things up in the same order finds in the memory what the maker has set up there.
   */
  readonly joins?: SharedMemory;
}

export interface AllocOptions {
  readonly kind: MemoryRegionKind;
  readonly name: string;
  /** Bits of {@link PERM}; default read and write. */
  readonly perm?: number;
  /** A power of two; default 8. */
  readonly align?: number;
  /** The parts of it that programs may touch, when these are not all of it. */
  readonly cells?: Cells;
}

/** A memory as it was: contents, regions and what was allocated. Inert; sharing pages with other saves. */
export interface SavedMemory {
  readonly pages: readonly Int32Array[];
  readonly nextAddress: number;
  readonly regions: SavedRegions;
  readonly free: ReadonlyMap<number, readonly number[]>;
}

/** What another thread needs to take part in a memory: structured-cloneable. */
export interface SharedMemory {
  readonly wasm: WebAssembly.Memory;
  /** Where the maker's allocations end: equal in all threads that have allocated alike. */
  readonly allocatedEnd: number;
  /** Memory of each thread's own. */
  readonly spans: readonly MemorySpan[];
}

/** Addresses that one thread may allocate from. */
export interface MemorySpan {
  readonly start: number;
  readonly end: number;
}

const MIB = 1024 * 1024;
const DEFAULT_INITIAL_BYTES = 16 * MIB;
const DEFAULT_MAX_BYTES = 1024 * MIB;
const MEMORY_BYTES_MAX = 2 ** 32 - WASM_PAGE_BYTES;
/** Up to here a loop of words beats the call of `copyWithin`. */
const LOOP_COPY_BYTES_MAX = 64;
/** Threads share no cache line. */
const SPAN_ALIGN = 4096;

/**
 * The one memory that programs of a VM can touch. A BPF pointer is an offset into it, zero-extended to 64 bits.
 *
 * It grows only in `alloc` and `allocRaw`, which nobody calls while a program runs; so a run may keep the views it
 * took at its start.
 */
export class LinearMemory {
  readonly wasm: WebAssembly.Memory;
  readonly isShared: boolean;
  readonly regions = new RegionTable();
  /** Views of the whole memory; replaced when it grows. */
  u8: Uint8Array;
  i32: Int32Array;
  view: DataView;
  private nextAddress = WASM_PAGE_BYTES;
  /** Allocations end below it. */
  private maxBytes: number;
  private readonly free = new FreeLists();

  /**
   * @throws MEM_OPTIONS (InputError) when a size is not a whole number in 1..4 GiB - 64 KiB.
   * @throws MEM_EXHAUSTED (InputError) when the machine does not give that much address space.
   */
  constructor(options: LinearMemoryOptions = {}) {
    const { joins } = options;
    this.isShared = joins !== undefined || (options.isShared ?? false);
    const initialBytes = checkSize("initialBytes", options.initialBytes ?? DEFAULT_INITIAL_BYTES);
    const maxBytes = checkSize("maxBytes", options.maxBytes ?? DEFAULT_MAX_BYTES);
    const initialPages = Math.ceil(initialBytes / WASM_PAGE_BYTES) + 1;
    const maxPages = Math.max(initialPages, Math.ceil(maxBytes / WASM_PAGE_BYTES));
    this.wasm = joins?.wasm ?? createWasmMemory(initialPages, maxPages, this.isShared);
    const { buffer } = this.wasm;
    this.maxBytes = joins === undefined ? maxPages * WASM_PAGE_BYTES : buffer.byteLength;
    // Pages of a rehearsal that nobody touches cost nothing.
    const seen = joins === undefined ? buffer : new ArrayBuffer(buffer.byteLength);
    this.u8 = new Uint8Array(seen);
    this.i32 = new Int32Array(seen, 0, seen.byteLength >>> 2);
    this.view = new DataView(seen);
  }

  get sizeBytes(): number {
    return this.u8.byteLength;
  }

  /**
   * Takes zeroed bytes and registers them as a region.
   *
   * @returns the first address, never 0.
   * @throws MEM_EXHAUSTED (InputError) when the memory may not grow that far.
   */
  alloc(bytes: number, options: AllocOptions): number {
    const address = this.allocRaw(bytes, options.align ?? 8);
    this.register(address, bytes, options);
    return address;
  }

  /** Takes zeroed bytes that no region covers: programs run with checks cannot reach them. */
  allocRaw(bytes: number, align = 8): number {
    const reused = this.reuse(bytes, align);
    if (reused !== 0) return reused;
    const address = alignUp(this.nextAddress, align);
    this.reserve(address + bytes + GUARD_BYTES);
    this.nextAddress = address + bytes + GUARD_BYTES;
    return address;
  }

  /**
   * Takes zeroed bytes as `alloc` does, but never grows the memory: safe while a program runs.
   *
   * @returns the first address, or 0 when the memory would have to grow.
   */
  tryAlloc(bytes: number, options: AllocOptions): number {
    const address = this.tryAllocRaw(bytes, options.align ?? 8);
    if (address !== 0) this.register(address, bytes, options);
    return address;
  }

  /** Takes zeroed bytes that no region covers, or returns 0 when the memory would have to grow. */
  tryAllocRaw(bytes: number, align = 8): number {
    const reused = this.reuse(bytes, align);
    if (reused !== 0) return reused;
    const address = alignUp(this.nextAddress, align);
    if (address + bytes + GUARD_BYTES > Math.min(this.u8.byteLength, this.maxBytes)) return 0;
    this.nextAddress = address + bytes + GUARD_BYTES;
    return address;
  }

  /**
   * Grows the memory until `tryAlloc` has so many bytes to give, for use between runs: maps that take memory as they
   * fill then find some. A memory that may not grow that far stays as it is.
   */
  ensureHeadroom(bytes: number): void {
    const end = this.nextAddress + bytes;
    if (end > this.u8.byteLength && end <= this.maxBytes) this.reserve(end);
  }

  /** Gives bytes back and forgets the region that starts there. */
  release(address: number, bytes: number): void {
    invariant(
      address >= WASM_PAGE_BYTES && address + bytes <= this.nextAddress,
      "released memory must have been allocated",
      { address, bytes },
    );
    this.regions.remove(address);
    this.free.give(address, bytes);
  }

  /**
   * Lets other threads join, each with so many bytes of its own, as this one has. From here on the memory keeps its
   * size.
   *
   * @throws MEM_SHARE (InputError) when the memory was not made to be shared; MEM_EXHAUSTED as `alloc` does.
   */
  share(threadCount: number, bytesEach: number): SharedMemory {
    if (!this.isShared) {
      throw new InputError("MEM_SHARE", "the memory was made without isShared, other threads cannot join it");
    }
    const { wasm, nextAddress: allocatedEnd } = this;
    const spans = Array.from({ length: threadCount }, () => {
      const start = this.allocRaw(bytesEach, SPAN_ALIGN);
      return { start, end: start + bytesEach };
    });
    this.ensureHeadroom(bytesEach);
    this.maxBytes = this.u8.byteLength;
    return { wasm, allocatedEnd, spans };
  }

  /**
   * Ends the rehearsal of a joined memory: what is written is shared from here on, and allocations come from a span
   * that its maker has set aside.
   */
  enter(span: MemorySpan): void {
    this.look(this.wasm.buffer);
    this.nextAddress = span.start;
    this.maxBytes = span.end;
    this.free.clear();
  }

  /** Where the next allocation goes, unless bytes given back fit it. */
  get allocatedEnd(): number {
    return this.nextAddress;
  }

  /** Returns a view (not a copy) of bytes that tsbpf itself allocated. */
  bytesAt(address: number, bytes: number): Uint8Array {
    return this.u8.subarray(address, address + bytes);
  }

  /** Copies bytes within the memory, as memmove does; allocates nothing. */
  copy(to: number, from: number, bytes: number): void {
    if (bytes > LOOP_COPY_BYTES_MAX || (to > from && to < from + bytes)) {
      this.u8.copyWithin(to, from, from + bytes);
      return;
    }
    if (((to | from | bytes) & 3) === 0) {
      const { i32 } = this;
      const end = (from + bytes) >>> 2;
      for (let source = from >>> 2, target = to >>> 2; source < end; source++, target++) {
        i32[target] = i32[source] as number;
      }
      return;
    }
    const { view } = this;
    let at = 0;
    for (; at + 4 <= bytes; at += 4) view.setInt32(to + at, view.getInt32(from + at, true), true);
    for (; at < bytes; at++) view.setUint8(to + at, view.getUint8(from + at));
  }

  /**
   * Copies what was ever allocated, so that {@link restore} can bring it back.
   *
   * @param earlier - a save of the same memory whose unchanged pages are shared, not copied.
   */
  save(earlier?: SavedMemory): SavedMemory {
    return {
      pages: savePages(this.i32, WASM_PAGE_BYTES, this.nextAddress, earlier?.pages),
      nextAddress: this.nextAddress,
      regions: this.regions.save(),
      free: this.free.save(),
    };
  }

  /** Makes the memory what it was at a save. What was allocated since is free again. */
  restore(saved: SavedMemory): void {
    this.u8.fill(0, Math.min(saved.nextAddress, this.nextAddress), this.nextAddress);
    restorePages(this.i32, WASM_PAGE_BYTES, saved.pages);
    this.nextAddress = saved.nextAddress;
    this.regions.restore(saved.regions);
    this.free.restore(saved.free);
  }

  private register(address: number, bytes: number, options: AllocOptions): void {
    this.regions.add({
      start: address,
      end: address + bytes,
      perm: options.perm ?? PERM.readWrite,
      kind: options.kind,
      name: options.name,
      cells: options.cells,
    });
  }

  private reuse(bytes: number, align: number): number {
    invariant(bytes >= 0 && Number.isInteger(bytes), "allocation size must be a whole number", { bytes });
    const reused = this.free.take(bytes, align);
    if (reused === undefined) return 0;
    this.u8.fill(0, reused, reused + bytes);
    return reused;
  }

  private reserve(end: number): void {
    if (end > this.maxBytes) throw exhausted(end, this.maxBytes);
    if (end <= this.u8.byteLength) return;
    // Doubling keeps the number of view replacements small.
    const wanted = Math.min(this.maxBytes, Math.max(end, this.u8.byteLength * 2));
    if (!this.growTo(wanted) && !this.growTo(end)) throw exhausted(end, this.maxBytes);
    this.look(this.wasm.buffer);
  }

  private look(buffer: ArrayBufferLike): void {
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.view = new DataView(buffer);
  }

  private growTo(bytes: number): boolean {
    try {
      this.wasm.grow(Math.ceil((bytes - this.u8.byteLength) / WASM_PAGE_BYTES));
      return true;
    } catch {
      return false;
    }
  }
}

function checkSize(name: string, bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= MEMORY_BYTES_MAX) return bytes;
  throw new InputError("MEM_OPTIONS", `${name} is ${bytes}, 1..${MEMORY_BYTES_MAX} bytes allowed`, {
    details: { name, bytes },
  });
}

function createWasmMemory(initial: number, maximum: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial, maximum, shared });
  } catch (cause) {
    throw new InputError(
      "MEM_EXHAUSTED",
      `the machine gives no memory of ${initial * WASM_PAGE_BYTES} bytes that may grow to ${maximum * WASM_PAGE_BYTES}`,
      { cause },
    );
  }
}

function exhausted(neededBytes: number, maxBytes: number): InputError {
  return new InputError(
    "MEM_EXHAUSTED",
    `memory of ${neededBytes} bytes needed, ${maxBytes} allowed by maxBytes`,
    { details: { neededBytes, maxBytes } },
  );
}
