import { InputError, TrapError } from "@tsbpf/base";
import { PACKET_DESC, runBatch } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import type { Prog } from "@tsbpf/vm";
import { canBatch } from "../run/can-batch.ts";
import { Scanner } from "../scan/scanner.ts";
import { originFields } from "../trace/run-input.ts";
import { type Lanes, SLOT_PACKETS_MAX } from "./lanes.ts";
import { addResults, type CpuTotals } from "./totals.ts";

const WORDS = PACKET_DESC.bytes / 4;

export interface RunnerParts {
  readonly prog: Prog;
  readonly cpu: number;
  readonly lanes: Lanes;
  /** Where results are counted. */
  readonly totals: CpuTotals;
  /** Sets the program's clock. */
  readonly setNs: (ns: number) => void;
}

/** Runs the packets of one CPU, slot by slot. */
export class Runner {
  /** Whether packets run many in one call. */
  readonly isBatched: boolean;
  private readonly totals: CpuTotals;
  private readonly lanes: Lanes;
  private readonly scanner: Scanner;
  private readonly prog: Prog;
  private readonly cpu: number;
  private readonly setNs: (ns: number) => void;
  private readonly memory: LinearMemory;

  /** Allocates some memory, so nothing may run on it meanwhile. */
  constructor({ prog, cpu, lanes, totals, setNs }: RunnerParts) {
    this.prog = prog;
    this.totals = totals;
    this.cpu = cpu;
    this.lanes = lanes;
    this.setNs = setNs;
    this.memory = prog.memory;
    this.scanner = new Scanner(prog.memory);
    this.isBatched = canBatch(prog, cpu);
  }

  /** @throws what is neither a trap nor a refusal of a packet. */
  run(seq: number): void {
    const { lanes, cpu } = this;
    const start = lanes.startOf(seq, cpu);
    const end = lanes.startOf(seq, cpu + 1);
    if (this.isBatched && !lanes.isOdd(seq)) this.runTogether(seq, start, end);
    else this.runEach(seq, start, end);
  }

  private runTogether(seq: number, start: number, end: number): void {
    const { prog, cpu, totals, scanner } = this;
    if (start === end) return;
    const descAddress = this.lanes.descAddress(seq) + start * PACKET_DESC.bytes;
    const count = end - start;
    runBatch(prog.engineProg, {
      machine: prog.machine(cpu),
      ctxAddress: prog.context(cpu).address,
      budget: prog.budget,
      descAddress,
      count,
    });
    const words = this.memory.i32;
    scanner.tally(
      descAddress,
      descAddress + count * PACKET_DESC.bytes,
      (verdict, packets, bytes) => addResults(totals, verdict, packets, bytes),
      (desc) => {
        const at = desc >>> 2;
        // A batch never moves the bounds.
        const bytes = (words[at + 1] as number) - (words[at] as number);
        if (words[at + PACKET_DESC.isTrap / 4] === 0) {
          addResults(totals, (words[at + PACKET_DESC.verdict / 4] as number) >>> 0, 1, bytes);
        } else {
          totals.trapped += 1;
          totals.trappedBytes += bytes;
        }
      },
    );
  }

  private runEach(seq: number, start: number, end: number): void {
    const { memory, lanes } = this;
    const words = memory.i32;
    const first = lanes.descAddress(seq) >>> 2;
    const times = new Float64Array(memory.u8.buffer, lanes.timesAddress(seq), SLOT_PACKETS_MAX);
    for (let idx = start; idx < end; idx++) {
      const at = first + idx * WORDS;
      const address = (words[at] as number) >>> 0;
      const packet = memory.u8.subarray(address, (words[at + 1] as number) >>> 0);
      this.setNs(times[idx] as number);
      this.runOne(packet, (words[at + 3] as number) >>> 0, (words[at + 4] as number) >>> 0);
    }
  }

  private runOne(packet: Uint8Array, ifindex: number, queue: number): void {
    const { totals } = this;
    const { length } = packet;
    try {
      addResults(totals, this.execute(packet, ifindex, queue), 1, length);
    } catch (error) {
      if (error instanceof TrapError) {
        totals.trapped += 1;
        totals.trappedBytes += length;
      } else if (error instanceof InputError && error.code === "RUN_INPUT") {
        totals.refused += 1;
        totals.refusedBytes += length;
        if (totals.refusal === "") totals.refusal = error.message;
      } else throw error;
    }
  }

  private execute(packet: Uint8Array, ifindex: number, queue: number): number {
    const { prog, cpu } = this;
    const fields = originFields(prog.linked.progType, { ifindex, queue });
    if (fields === undefined) return prog.executePacket(packet, cpu);
    const { retval, trap } = prog.execute({ packet, fields }, { cpu });
    if (trap !== undefined) throw trap;
    return retval;
  }
}
