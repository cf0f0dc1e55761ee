import { InputError } from "@tsbpf/base";
import type { Clock, Network, RandomSource, Services, Task } from "@tsbpf/plugin";

/** A clock that stands still unless it is told otherwise, or advances with every reading. */
export interface VirtualClock extends Clock {
  /** Sets the time since boot in nanoseconds, e.g. to a packet's time stamp; it may go back. */
  setNs(ns: bigint): void;
  /** Sets the time since boot without making a bigint; exact up to 2^53 ns, about 104 days. */
  setWholeNs(ns: number): void;
  /** Lets time pass. */
  advanceNs(ns: bigint): void;
}

export interface ServicesOptions {
  /** Nanoseconds since boot when the clock starts. Default one second. */
  readonly startNs?: bigint;
  /** Nanoseconds that pass with each reading of a clock. Default 1000, so that no two readings are equal. */
  readonly stepNs?: number;
  /** Nanoseconds between 1970 and boot. Default 2025-01-01. */
  readonly bootEpochNs?: bigint;
  /** Ticks a second. Default 250. */
  readonly ticksPerSecond?: number;
  /** Seed of the random numbers, any 32-bit number. Default 1. */
  readonly seed?: number;
  readonly network?: Network;
  readonly task?: Task;
  readonly numaNode?: number;
  readonly perfReaders?: "all" | "slots";
}

/** Services whose clock the host can set. */
export interface VirtualServices extends Services {
  readonly clock: VirtualClock;
}

const SECOND_NS = 1_000_000_000n;
const DEFAULT_STEP_NS = 1000;
const DEFAULT_BOOT_EPOCH_NS = 1_735_689_600n * SECOND_NS;
const DEFAULT_TICKS = 250;
const STEP_NS_MAX = 0xffff_ffff;
/** Seconds that atomic time is ahead of universal time. */
const TAI_OFFSET_NS = 37n * SECOND_NS;
/** Seconds before the 32-bit tick counter wraps when the kernel boots. @source linux include/linux/jiffies.h INITIAL_JIFFIES */
const TICK_WRAP_SECONDS = 300n;
const U32_SPAN = 2 ** 32;

const IDLE_TASK: Task = { pid: 0, tgid: 0, uid: 0, gid: 0, comm: "swapper/0", cgroupId: 1n };
/** A machine with the loopback interface alone, which does not forward. */
const NO_NETWORK: Network = { devices: [], routes: [], neighbours: [], isForwarding: false };

/** The time since boot in two halves, so that reading it makes no bigint. */
class SteppingClock implements VirtualClock {
  private lo = 0;
  private hi = 0;
  private readonly stepNs: number;
  private readonly bootEpochNs: bigint;
  private readonly ticks: bigint;

  constructor(startNs: bigint, stepNs: number, bootEpochNs: bigint, ticks: number) {
    this.stepNs = stepNs;
    this.bootEpochNs = bootEpochNs;
    this.ticks = BigInt(ticks);
    this.setNs(startNs);
  }

  setNs(ns: bigint): void {
    this.lo = Number(BigInt.asUintN(32, ns));
    this.hi = Number(BigInt.asUintN(32, ns >> 32n));
  }
  setWholeNs(ns: number): void {
    this.lo = ns % U32_SPAN;
    this.hi = Math.floor(ns / U32_SPAN) % U32_SPAN;
  }
  advanceNs(ns: bigint): void {
    this.setNs(this.now() + ns);
  }
  ktimeInto(halves: Int32Array): void {
    halves[0] = this.lo;
    halves[1] = this.hi;
    this.step();
  }
  ktimeNs(): bigint {
    const now = this.now();
    this.step();
    return now;
  }
  bootNs(): bigint {
    return this.ktimeNs();
  }
  coarseNs(): bigint {
    const tickNs = SECOND_NS / this.ticks;
    const now = this.ktimeNs();
    return now - (now % tickNs);
  }
  taiNs(): bigint {
    return this.ktimeNs() + this.bootEpochNs + TAI_OFFSET_NS;
  }
  jiffies(): bigint {
    const start = BigInt.asUintN(32, -TICK_WRAP_SECONDS * this.ticks);
    return start + (this.ktimeNs() * this.ticks) / SECOND_NS;
  }

  private now(): bigint {
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }
  private step(): void {
    const lo = this.lo + this.stepNs;
    this.lo = lo % U32_SPAN;
    if (lo >= U32_SPAN) this.hi = (this.hi + 1) % U32_SPAN;
  }
}

/** Marsaglia's xorshift with 32 bits of state. */
class Xorshift implements RandomSource {
  private state: number;

  constructor(seed: number) {
    // The state must not be 0, which the generator never leaves.
    this.state = seed | 0 || 1;
  }
  u32(): number {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return state >>> 0;
  }
}

/**
 * Makes services that give the same answers in every run.
 *
 * @throws RUN_SERVICES (InputError) when a step or tick rate is out of range.
 */
export function createServices(options: ServicesOptions = {}): VirtualServices {
  const stepNs = options.stepNs ?? DEFAULT_STEP_NS;
  const ticks = options.ticksPerSecond ?? DEFAULT_TICKS;
  if (!Number.isInteger(stepNs) || stepNs < 0 || stepNs > STEP_NS_MAX) {
    throw new InputError("RUN_SERVICES", `stepNs is ${stepNs}, 0..${STEP_NS_MAX} allowed`);
  }
  if (!Number.isInteger(ticks) || ticks < 1 || ticks > Number(SECOND_NS)) {
    throw new InputError("RUN_SERVICES", `ticksPerSecond is ${ticks}, 1..${SECOND_NS} allowed`);
  }
  const bootEpochNs = options.bootEpochNs ?? DEFAULT_BOOT_EPOCH_NS;
  return {
    clock: new SteppingClock(options.startNs ?? SECOND_NS, stepNs, bootEpochNs, ticks),
    random: new Xorshift(options.seed ?? 1),
    network: options.network ?? NO_NETWORK,
    task: options.task ?? IDLE_TASK,
    numaNode: options.numaNode ?? 0,
    perfReaders: options.perfReaders ?? "all",
  };
}
