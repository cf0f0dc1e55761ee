import type { LinearMemory, LiveRegion } from "@tsbpf/memory";
import { FRAME_STRIDE_BYTES, type Machine } from "@tsbpf/runtime";
import { Bounds } from "./bounds.ts";
import { CELL } from "./cell.ts";
import { Tails } from "./tails.ts";

const REGISTER_WORDS = 22;
const TWO_32 = 2 ** 32;

/**
 * What the engine keeps for a machine: the block of linear memory that it shares with generated code. Made when a
 * machine first runs a program of this engine, so while nothing runs.
 */
export class MachineState {
  readonly machine: Machine;
  readonly cell: number;
  readonly bounds: Bounds;
  readonly tails: Tails;
  /** Runs and callbacks of generated code under way, one inside the other. */
  activeCount = 0;
  /** Depths at which callbacks began. */
  readonly callbacks: number[] = [];
  /** Main functions of the programs that tail calls reached. */
  readonly table: WebAssembly.Table;
  /** Count at the access that ended the run; taken by who ends it. */
  accessTrapCount = Number.NaN;
  private ctx: LiveRegion | undefined;
  private tableCount = 0;
  /** View of the registers in the block. */
  regs: Int32Array;
  private words: Int32Array;
  private doubles: Float64Array;
  private lastLeft = 0;
  private lastBits = 0;
  private readonly countAt: number;
  private readonly at: number;
  private readonly memory: LinearMemory;

  constructor(machine: Machine) {
    this.machine = machine;
    const { memory } = machine.env;
    this.memory = memory;
    this.cell = memory.allocRaw(CELL.bytes, 64);
    this.at = this.cell >>> 2;
    this.words = memory.i32;
    this.doubles = doublesOf(memory);
    this.countAt = (this.cell + CELL.count) >>> 3;
    this.regs = this.words.subarray(this.at, this.at + REGISTER_WORDS);
    this.bounds = new Bounds(memory, this.cell + CELL.bounds);
    this.tails = new Tails(machine, this.cell);
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: 8 });
    this.words[this.at + (CELL.cpu >>> 2)] = machine.cpu;
  }

  /** Rights on the context of the run as bits of `PERM`; 0 where it is not one region of at least so many bytes, or the packet is not. */
  ctxPerm(bytes: number): number {
    const { ctxAddress } = this.machine.env;
    if (this.ctx?.start !== ctxAddress || !this.ctx.isListed) {
      this.ctx = this.memory.regions.at(ctxAddress) as LiveRegion | undefined;
    }
    const { ctx } = this;
    const isPlain =
      ctx !== undefined &&
      ctx.start === ctxAddress &&
      ctx.end - ctx.start >= bytes &&
      ctx.cells === undefined;
    const { packet } = this.machine.env;
    // What the context says of the packet is then true as well.
    return isPlain && (packet === undefined || this.bounds.holdsPacket(packet)) ? ctx.perm : 0;
  }

  /** Whether the views are those of the memory. */
  isFresh(): boolean {
    return this.words === this.memory.i32;
  }

  /** Takes over the views of a memory that has grown. */
  refresh(): void {
    if (this.isFresh()) return;
    this.words = this.memory.i32;
    this.doubles = doublesOf(this.memory);
    this.regs = this.words.subarray(this.at, this.at + REGISTER_WORDS);
  }

  /** Says at which depth the running program began. */
  setBase(depth: number): void {
    this.machine.progBase = depth;
    this.words[this.at + (CELL.base >>> 2)] = this.machine.stackBase + (depth - 1) * FRAME_STRIDE_BYTES;
  }

  /** Depth at which generated code says the running program began. */
  get baseDepth(): number {
    const base = (this.words[this.at + (CELL.base >>> 2)] as number) >>> 0;
    return (base - this.machine.stackBase) / FRAME_STRIDE_BYTES + 1;
  }

  /** High half of r0 after a run. */
  get resultHigh(): number {
    return this.words[this.at + 1] as number;
  }

  /**
   * Sets what is left of the budget. It is stored as the double with the same bits, in one piece: generated code
   * would have to wait for two halves, and storing a BigInt is slow. Budgets repeat, so the last double is kept.
   */
  setLeft(value: number): void {
    this.doubles[this.countAt] = this.bitsOf(value);
  }

  /** Sets the budget that each of several runs begins with. */
  setBudget(value: number): void {
    this.doubles[(this.cell + CELL.budget) >>> 3] = this.bitsOf(value);
  }

  private bitsOf(value: number): number {
    if (value !== this.lastLeft) {
      this.lastLeft = value;
      convert.setUint32(0, value % TWO_32, true);
      convert.setUint32(4, Math.floor(value / TWO_32), true);
      this.lastBits = convert.getFloat64(0, true);
    }
    return this.lastBits;
  }

  clearCount(): void {
    // One store of 8 bytes: generated code loads them as one, and would have to wait for two halves.
    this.doubles[this.countAt] = 0;
  }

  getCount(): number {
    return this.takeNumber(CELL.count);
  }

  getCountAtAccess(): number {
    return this.takeNumber(CELL.countAtAccess);
  }

  /** Depth of the frame that generated code said it runs in. */
  get depth(): number {
    const frame = (this.words[this.at + (CELL.frame >>> 2)] as number) >>> 0;
    return (frame - this.machine.stackBase) / FRAME_STRIDE_BYTES + 1;
  }

  /** Slot of the call that was made last without saying where. */
  get slot(): number {
    return this.words[this.at + (CELL.slot >>> 2)] as number;
  }

  /** Adds a main function to the table, or returns where it is. */
  addMain(main: WebAssembly.ExportValue): number {
    const idx = this.tableCount++;
    if (idx >= this.table.length) this.table.grow(this.table.length);
    this.table.set(idx, main as () => void);
    return idx;
  }

  private takeNumber(offset: number): number {
    const at = this.at + (offset >>> 2);
    const lo = this.words[at] as number;
    const hi = this.words[at + 1] as number;
    return hi === 0 && lo >= 0 ? lo : hi * TWO_32 + (lo >>> 0);
  }
}

const convert = new DataView(new ArrayBuffer(8));

const doublesOf = ({ wasm }: LinearMemory): Float64Array =>
  new Float64Array(wasm.buffer, 0, wasm.buffer.byteLength >>> 3);

const states = new WeakMap<Machine, MachineState>();

/** Returns what the engine keeps for a machine. */
export function stateOf(machine: Machine): MachineState {
  let state = states.get(machine);
  if (state === undefined) {
    state = new MachineState(machine);
    states.set(machine, state);
  }
  return state;
}
