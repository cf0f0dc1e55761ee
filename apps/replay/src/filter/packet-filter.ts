import { FilterError, FRAME_REACH_BYTES, runCbpf } from "@tsbpf/cbpf";
import { canRunBatch, PACKET_DESC, runBatch } from "@tsbpf/jit";
import { LINK_TYPE_ETHERNET, type PacketCursor } from "@tsbpf/trace";
import { createVm, type Prog, type Vm } from "@tsbpf/vm";
import { type CompiledFilter, compileForLink, type FilterSource } from "./compiled.ts";

/** Instructions that one run of a filter may execute: `protocolchain` may walk in a circle. */
const BUDGET = 100_000;

/** Codes of errors that do not depend on the link type, so that they can be told before any packet is read. */
const TEXT_CODES: ReadonlySet<string> = new Set([
  "FILTER_CHARACTER",
  "FILTER_SYNTAX",
  "FILTER_DEPTH",
  "FILTER_LENGTH",
  "FILTER_NUMBER",
]);

/** A filter that is ready to run on packets of one link type. */
interface ReadyFilter {
  readonly compiled: CompiledFilter;
  readonly prog: Prog;
  /** Whether Linux's verifier takes it, so that it runs where its packet lies. */
  readonly isFast: boolean;
}

/** Keeps the packets that a filter expression takes; compiles it for each link type that it meets. */
export class PacketFilter {
  private readonly source: FilterSource;
  private readonly vm: Vm;
  private readonly ready = new Map<number, ReadyFilter>();
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly descAddress: number;
  private readonly packetAddress: number;
  private lastKey = -1;
  private last: ReadyFilter | undefined;

  /** @throws FILTER_… (FilterError) for a text that fits no link type. */
  constructor(source: FilterSource) {
    this.source = source;
    this.vm = createVm({ budget: BUDGET, recordEffects: false });
    const { memory } = this.vm;
    this.descAddress = memory.allocRaw(PACKET_DESC.bytes, 64);
    this.packetAddress = memory.allocRaw(FRAME_REACH_BYTES, 64);
    this.words = memory.i32;
    this.bytes = memory.u8;
    try {
      compileForLink(source, { linkType: LINK_TYPE_ETHERNET, isSwapped: false });
    } catch (error) {
      if (error instanceof FilterError && TEXT_CODES.has(error.code)) throw error;
    }
  }

  /**
   * Says whether the filter takes the packet under a cursor.
   *
   * @throws FILTER_… (FilterError), UNSUPPORTED_LINK_TYPE (UnsupportedError) for a link type that it does not fit.
   */
  accepts(cursor: PacketCursor): boolean {
    const { compiled, prog, isFast } = this.filterFor(cursor);
    const { capturedBytes, originalBytes } = cursor;
    if (capturedBytes > FRAME_REACH_BYTES) {
      return runCbpf(compiled.classic, { bytes: cursor.data(), originalBytes }, { budget: BUDGET }) !== 0;
    }
    if (!isFast) return this.runChecked(prog, cursor);
    const { bytes, words, packetAddress, descAddress } = this;
    const copied = Math.min(capturedBytes, compiled.reachBytes);
    bytes.set(cursor.bytes.subarray(cursor.dataOffset, cursor.dataOffset + copied), packetAddress);
    const at = descAddress / 4;
    words[at] = packetAddress;
    words[at + 1] = packetAddress + capturedBytes;
    words[at + 2] = packetAddress;
    words[at + 3] = 0;
    words[at + 4] = originalBytes;
    runBatch(prog.engineProg, {
      machine: prog.machine(),
      ctxAddress: prog.context().address,
      descAddress,
      count: 1,
    });
    return words[at + 5] !== 0;
  }

  /** Runs a filter that the verifier does not take; one that does not end by itself takes no packet. */
  private runChecked(prog: Prog, cursor: PacketCursor): boolean {
    const packet = cursor.data();
    const { trap, retval } = prog.execute({ packet, fields: { rx_queue_index: cursor.originalBytes } });
    return trap === undefined && retval !== 0;
  }

  private filterFor({ linkType, isLittle }: PacketCursor): ReadyFilter {
    const key = linkType * 2 + (isLittle ? 0 : 1);
    if (key === this.lastKey && this.last !== undefined) return this.last;
    const found = this.ready.get(key) ?? this.prepare(linkType, !isLittle);
    this.ready.set(key, found);
    this.lastKey = key;
    this.last = found;
    return found;
  }

  private prepare(linkType: number, isSwapped: boolean): ReadyFilter {
    const compiled = compileForLink(this.source, { linkType, isSwapped });
    const prog = this.vm.load(compiled.spec, { engine: "jit", verify: "warn" });
    return { compiled, prog, isFast: canRunBatch(prog.engineProg, prog.machine()) };
  }
}
