import { MAP_HEADER } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { AllocOptions, LinearMemory } from "@tsbpf/memory";

export interface PoolOptions {
  /** Address of the map's header, whose `freeHead`, `fresh` and `freshEnd` the pool keeps. */
  readonly header: number;
  readonly stride: number;
  /** Elements that may ever be in use at once. */
  readonly capacity: number;
  /** Whether all of them are allocated at the start, as they always are in memory that threads share. */
  readonly isPrealloc: boolean;
  readonly region: AllocOptions;
}

/**
 * What a pool without preallocation takes at the start. Pages that nobody writes cost nothing, so this is generous:
 * later chunks can only be had while a program runs if the memory need not grow for them, which the VM sees to with
 * `ensureHeadroom` between runs.
 */
const FIRST_CHUNK_BYTES = 16 * 1024 * 1024;
const NEXT_CHUNK_BYTES = 1024 * 1024;

/**
 * Elements of one size at stable addresses. A given back element keeps its bytes, but for its first word, until it is
 * taken again; the one given back last is taken first, then those that were never used, in order of address.
 */
export class Pool {
  private readonly memory: LinearMemory;
  private readonly options: PoolOptions;

  /** @throws MEM_EXHAUSTED (InputError) when the memory has no room for a pool that is allocated at the start. */
  constructor(memory: LinearMemory, options: PoolOptions) {
    this.memory = memory;
    this.options = options;
    const { capacity, stride, isPrealloc } = options;
    // Threads that share the memory cannot tell each other of regions that come later.
    const isWhole = isPrealloc || memory.isShared;
    const most = isWhole ? capacity : Math.max(1, Math.floor(FIRST_CHUNK_BYTES / stride));
    this.openFirstChunk(Math.min(capacity, most), isWhole);
  }

  /** Takes an element, or 0 when none is left; never grows the memory. */
  take(): number {
    const { i32 } = this.memory;
    const { header, stride } = this.options;
    const free = i32[(header + MAP_HEADER.freeHead) >>> 2] as number;
    if (free !== 0) {
      i32[(header + MAP_HEADER.freeHead) >>> 2] = i32[free >>> 2] as number;
      return free >>> 0;
    }
    const fresh = i32[(header + MAP_HEADER.fresh) >>> 2] as number;
    if (fresh === (i32[(header + MAP_HEADER.freshEnd) >>> 2] as number)) {
      return this.addChunk() ? this.take() : 0;
    }
    i32[(header + MAP_HEADER.fresh) >>> 2] = fresh + stride;
    return fresh >>> 0;
  }

  give(element: number): void {
    const { i32 } = this.memory;
    const { header } = this.options;
    i32[element >>> 2] = i32[(header + MAP_HEADER.freeHead) >>> 2] as number;
    i32[(header + MAP_HEADER.freeHead) >>> 2] = element;
  }

  private addChunk(): boolean {
    const { capacity, stride, region } = this.options;
    const missing = capacity - this.memory.view.getUint32(this.options.header + MAP_HEADER.allocated, true);
    if (missing <= 0) return false;
    const count = Math.min(missing, Math.max(1, Math.floor(NEXT_CHUNK_BYTES / stride)));
    return this.openChunk(count, (bytes) => this.memory.tryAlloc(bytes, region));
  }

  private openChunk(count: number, alloc: (bytes: number) => number): boolean {
    const { header, stride } = this.options;
    const start = alloc(count * stride);
    if (start === 0) return false;
    const { view } = this.memory;
    const allocated = view.getUint32(header + MAP_HEADER.allocated, true);
    view.setUint32(header + MAP_HEADER.allocated, allocated + count, true);
    if (view.getUint32(header + MAP_HEADER.data, true) === 0)
      view.setUint32(header + MAP_HEADER.data, start, true);
    view.setUint32(header + MAP_HEADER.fresh, start, true);
    view.setUint32(header + MAP_HEADER.freshEnd, start + count * stride, true);
    return true;
  }

  /** Opens a chunk of `count` elements, or where not all are needed now the largest half, quarter, … that fits. */
  private openFirstChunk(count: number, isWhole: boolean): void {
    const { region } = this.options;
    try {
      this.openChunk(count, (bytes) => this.memory.alloc(bytes, region));
    } catch (error) {
      if (isWhole || count === 1 || !(error instanceof InputError)) throw error;
      this.openFirstChunk(Math.ceil(count / 2), false);
    }
  }
}
