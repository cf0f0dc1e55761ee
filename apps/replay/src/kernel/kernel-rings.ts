import type { MapSpec } from "@tsbpf/abi";
import type { Effect } from "@tsbpf/plugin";
import type { MappedMemory, Syscalls } from "./syscalls.ts";

const PAGE_BYTES = 4096;
const HEADER_BYTES = 8;
/** Bits of a record's length. @source linux uapi/linux/bpf.h BPF_RINGBUF_BUSY_BIT */
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
const LENGTH = 0x3fff_ffff;

interface Ring {
  readonly spec: MapSpec;
  readonly memory: MappedMemory;
  position: number;
}

/** Reads what programs put into ring buffers in the kernel. Nothing is consumed: rings fill up, here as there. */
export class KernelRings {
  private readonly calls: Syscalls;
  private readonly rings: Ring[];

  constructor(calls: Syscalls, specs: readonly MapSpec[], fds: ReadonlyMap<string, number>) {
    this.calls = calls;
    this.rings = specs
      .filter((spec) => spec.type === "ringbuf")
      .map((spec) => ({
        spec,
        // The data lies there twice in a row, so that no record wraps.
        memory: calls.map(fds.get(spec.name) ?? -1, PAGE_BYTES, PAGE_BYTES + 2 * spec.maxEntries),
        position: 0,
      }));
  }

  /** Whether there is anything to read. */
  get isEmpty(): boolean {
    return this.rings.length === 0;
  }

  /** Lists the records that were added since the last time, ring by ring. */
  take(): Effect[] {
    return this.rings.flatMap((ring) => takeFrom(ring));
  }

  close(): void {
    for (const { memory } of this.rings.splice(0)) this.calls.unmap(memory);
  }
}

function takeFrom(ring: Ring): Effect[] {
  const { spec, memory } = ring;
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength);
  const produced = Number(view.getBigUint64(0, true));
  const records: Effect[] = [];
  while (ring.position < produced) {
    const at = PAGE_BYTES + (ring.position % spec.maxEntries);
    const header = view.getUint32(at, true);
    if ((header & BUSY) !== 0) break;
    const length = header & LENGTH;
    records.push({
      kind: "ringbuf",
      map: spec.name,
      data: memory.bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + length),
      isDiscarded: (header & DISCARDED) !== 0,
    });
    ring.position += Math.ceil((length + HEADER_BYTES) / 8) * 8;
  }
  return records;
}
