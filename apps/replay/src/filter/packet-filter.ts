import { FilterError, FRAME_REACH_BYTES, LINK_LAYERS, runCbpf } from "@tsbpf/cbpf";
import { canRunBatch, PACKET_DESC, runBatch } from "@tsbpf/jit";
import { LINK_TYPE_ETHERNET, type PacketCursor } from "@tsbpf/trace";
import { createVm, type Prog, type Vm } from "@tsbpf/vm";
import {
  type CompiledFilter,
  compileForLink,
  type FilterLink,
  type FilterSource,
  fitsLink,
} from "./compiled.ts";

/** Steps that a filter may take besides one for each of its instructions: `protochain` may walk in a circle. */
const LOOP_STEPS_MAX = 100_000;

const WORD_BYTES = 4;
/** Index of each word of a packet's description. */
const DESC = {
  data: PACKET_DESC.data / WORD_BYTES,
  dataEnd: PACKET_DESC.dataEnd / WORD_BYTES,
  dataMeta: PACKET_DESC.dataMeta / WORD_BYTES,
  rxQueue: PACKET_DESC.rxQueue / WORD_BYTES,
  verdict: PACKET_DESC.verdict / WORD_BYTES,
} as const;

/** A filter that is ready to run on packets of one link type. */
interface ReadyFilter {
  readonly compiled: CompiledFilter;
  /** Runs where its packet lies; undefined for what Linux's verifier does not take, such as loops. */
  readonly prog: Prog | undefined;
}

/** Keeps the packets that a filter expression takes; compiles it for each link type that it meets. */
export class PacketFilter {
  private readonly source: FilterSource;
  private readonly vm: Vm;
  private readonly ready = new Map<number, ReadyFilter>();
  private readonly descAddress: number;
  private readonly packetAddress: number;
  private lastKey = -1;
  private last: ReadyFilter | undefined;

  /**
   * Compiles for Ethernet, and for other link types when their packets come.
   *
   * @throws FILTER_… (FilterError) for a text that fits no link type, as Ethernet has it.
   */
  constructor(source: FilterSource) {
    this.source = source;
    this.vm = createVm({ recordEffects: false });
    const { memory } = this.vm;
    this.descAddress = memory.allocRaw(PACKET_DESC.bytes, 64);
    this.packetAddress = memory.allocRaw(FRAME_REACH_BYTES, 64);
    try {
      this.prepare({ linkType: LINK_TYPE_ETHERNET, isSwapped: false });
    } catch (error) {
      if (!this.mayFitOthers(error)) throw error;
    }
  }

  /**
   * Says whether the filter takes the packet under a cursor.
   *
   * @throws FILTER_… (FilterError), UNSUPPORTED_LINK_TYPE (UnsupportedError) for a link type that it does not fit.
   */
  accepts(cursor: PacketCursor): boolean {
    const { compiled, prog } = this.filterFor(cursor);
    const { capturedBytes, originalBytes } = cursor;
    if (prog === undefined || capturedBytes > FRAME_REACH_BYTES) {
      const budget = compiled.classic.length + LOOP_STEPS_MAX;
      return runCbpf(compiled.classic, { bytes: cursor.data(), originalBytes }, { budget }) !== 0;
    }
    const { packetAddress, descAddress } = this;
    const { u8, i32 } = this.vm.memory;
    const copied = Math.min(capturedBytes, compiled.reachBytes);
    u8.set(cursor.bytes.subarray(cursor.dataOffset, cursor.dataOffset + copied), packetAddress);
    const at = descAddress / WORD_BYTES;
    i32[at + DESC.data] = packetAddress;
    i32[at + DESC.dataEnd] = packetAddress + capturedBytes;
    i32[at + DESC.dataMeta] = packetAddress;
    i32[at + DESC.rxQueue] = originalBytes;
    runBatch(prog.engineProg, {
      machine: prog.machine(),
      ctxAddress: prog.context().address,
      descAddress,
      count: 1,
      onTrap: fail,
    });
    return i32[at + DESC.verdict] !== 0;
  }

  private filterFor({ linkType, isLittle }: PacketCursor): ReadyFilter {
    const link = { linkType, isSwapped: !isLittle };
    const key = keyOf(link);
    if (key === this.lastKey && this.last !== undefined) return this.last;
    this.last = this.ready.get(key) ?? this.prepare(link);
    this.lastKey = key;
    return this.last;
  }

  private prepare(link: FilterLink): ReadyFilter {
    const compiled = compileForLink(this.source, link);
    const prog = this.vm.load(compiled.spec, { engine: "jit", verify: "warn" });
    const isFast = canRunBatch(prog.engineProg, prog.machine());
    const ready = { compiled, prog: isFast ? prog : undefined };
    this.ready.set(keyOf(link), ready);
    return ready;
  }

  /** Whether the error that Ethernet has with the filter is one that another link type has not. */
  private mayFitOthers(error: unknown): boolean {
    const code = error instanceof FilterError ? error.code : "";
    const isQuestion = code === "FILTER_QUALIFIER";
    if (!isQuestion && code !== "FILTER_REJECTS_ALL") return false;
    return LINK_LAYERS.some(({ linkType }) => fitsLink(this.source, linkType, isQuestion));
  }
}

const keyOf = ({ linkType, isSwapped }: FilterLink): number => linkType * 2 + (isSwapped ? 1 : 0);

/** A program that the verifier takes ends by itself, within the packet. */
const fail = (_index: number, trap: unknown): never => {
  throw trap;
};
