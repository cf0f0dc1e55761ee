import type { LinearMemory } from "@tsbpf/memory";
import { RUNS } from "./runs.gen.ts";

/** Packets that lie in a row; addresses. */
export interface PacketRow {
  /** Where their sizes are, as words; 0 where all have `size`. */
  readonly sizesAddress: number;
  readonly size: number;
  readonly count: number;
  readonly address: number;
  readonly end: number;
  readonly descAddress: number;
  readonly ifindex: number;
  readonly queue: number;
}

/** Sizes of frames that may run in a batch. */
export interface FrameSizes {
  readonly min: number;
  readonly max: number;
}

type Describe = (
  sizes: number,
  size: number,
  count: number,
  at: number,
  end: number,
  desc: number,
  min: number,
  max: number,
  ifindex: number,
  queue: number,
) => number;

/** Describes packets of traces in generated code, without a step of JavaScript for each of them. */
export class RunDescriber {
  private readonly run: Describe;

  /** @param memory - a thread's own. */
  constructor(memory: LinearMemory) {
    const bytes = Uint8Array.from(atob(RUNS), (char) => char.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: memory.wasm } });
    this.run = exports.describe as Describe;
  }

  /** Writes descriptors of packets up to the first that is too small, too large or not there, and returns how many. */
  describe(row: PacketRow, { min, max }: FrameSizes): number {
    const { sizesAddress, size, count, address, end, descAddress, ifindex, queue } = row;
    return this.run(sizesAddress, size, count, address, end, descAddress, min, max, ifindex, queue);
  }
}
