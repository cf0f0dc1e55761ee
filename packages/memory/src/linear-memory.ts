import { alignUp, InputError, invariant } from "@tsbpf/base";
import { FreeLists } from "./free-lists.ts";
import { type MemoryRegionKind, PERM, type Region } from "./region.ts";
import { RegionTable } from "./region-table.ts";

/** Bytes of a WebAssembly page; page 0 is never handed out, so that null and small offsets from it trap. */
export const WASM_PAGE_BYTES = 65_536;

export interface LinearMemoryOptions {
  /** Bytes available at once; rounded up to pages. Default 16 MiB. */
  readonly initialBytes?: number;
  /** Bytes the memory may grow to. Default 1 GiB; at most 4 GiB - 64 KiB. */
  readonly maxBytes?: number;
  /** Whether workers may share it. Default false. */
  readonly isShared?: boolean;
}

export interface AllocOptions {
  readonly kind: MemoryRegionKind;
  readonly name: string;
  /** Bits of {@link PERM}; default read and write. */
  readonly perm?: number;
  /** A power of two; default 8. */
  readonly align?: number;
}

const DEFAULT_INITIAL_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;

/**
 * The one memory that programs of a VM can touch. A BPF pointer is an offset into it, zero-extended to 64 bits.
 *
 * It grows only while something is allocated, and nothing is allocated while a program runs; so a run may keep the
 * views it took at its start.
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
  private readonly maxBytes: number;
  private readonly free = new FreeLists();

  constructor(options: LinearMemoryOptions = {}) {
    this.isShared = options.isShared ?? false;
    const initialPages = Math.ceil((options.initialBytes ?? DEFAULT_INITIAL_BYTES) / WASM_PAGE_BYTES) + 1;
    const maxPages = Math.max(
      initialPages,
      Math.ceil((options.maxBytes ?? DEFAULT_MAX_BYTES) / WASM_PAGE_BYTES),
    );
    this.maxBytes = maxPages * WASM_PAGE_BYTES;
    this.wasm = new WebAssembly.Memory({ initial: initialPages, maximum: maxPages, shared: this.isShared });
    this.u8 = new Uint8Array(this.wasm.buffer);
    this.i32 = new Int32Array(this.wasm.buffer);
    this.view = new DataView(this.wasm.buffer);
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
    this.regions.add({
      start: address,
      end: address + bytes,
      perm: options.perm ?? PERM.readWrite,
      kind: options.kind,
      name: options.name,
    });
    return address;
  }

  /** Takes zeroed bytes that no region covers: programs run with checks cannot reach them. */
  allocRaw(bytes: number, align = 8): number {
    invariant(bytes >= 0 && Number.isInteger(bytes), "allocation size must be a whole number", { bytes });
    const reused = this.free.take(bytes, align);
    if (reused !== undefined) {
      this.u8.fill(0, reused, reused + bytes);
      return reused;
    }
    const address = alignUp(this.nextAddress, align);
    this.reserve(address + bytes);
    this.nextAddress = address + bytes;
    return address;
  }

  /** Gives bytes back and forgets the region that starts there. */
  release(address: number, bytes: number): void {
    this.regions.remove(address);
    this.free.give(address, bytes);
  }

  /** Returns a view (not a copy) of bytes that tsbpf itself allocated. */
  bytesAt(address: number, bytes: number): Uint8Array {
    return this.u8.subarray(address, address + bytes);
  }

  private reserve(end: number): void {
    if (end <= this.u8.byteLength) return;
    if (end > this.maxBytes) {
      throw new InputError(
        "MEM_EXHAUSTED",
        `memory of ${end} bytes needed, ${this.maxBytes} allowed by maxBytes`,
        {
          details: { neededBytes: end, maxBytes: this.maxBytes },
        },
      );
    }
    // Doubling keeps the number of view replacements small.
    const wanted = Math.min(this.maxBytes, Math.max(end, this.u8.byteLength * 2));
    this.wasm.grow(Math.ceil((wanted - this.u8.byteLength) / WASM_PAGE_BYTES));
    this.u8 = new Uint8Array(this.wasm.buffer);
    this.i32 = new Int32Array(this.wasm.buffer);
    this.view = new DataView(this.wasm.buffer);
  }
}
