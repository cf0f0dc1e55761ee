import { isDeepStrictEqual } from "node:util";
import type { ProgTypeName } from "@tsbpf/abi";
import { interpreter } from "@tsbpf/interpreter";
import type { Insn } from "@tsbpf/isa";
import { createJit } from "@tsbpf/jit";
import type { EngineProg } from "@tsbpf/runtime";
import { verifyProg } from "@tsbpf/verifier";
import type { ProgSource } from "@tsbpf/vm";
import { ENGINE_MAPS, EngineSide, type Way } from "./engine-side.ts";
import { Random } from "./random.ts";
import { randomProg } from "./random-prog.ts";
import { verifierCase } from "./verifier-prog.ts";

/** Programs that a session runs in a row on the same two machines. */
export const SESSION_PROGS = 60;

/** What sessions ran, by kind. */
export interface Tally {
  programs: number;
  checked: number;
  proven: number;
  verified: number;
  runs: number;
  insns: number;
  readonly ways: Record<string, number>;
  readonly traps: Record<string, number>;
}

export const newTally = (): Tally => ({
  programs: 0,
  checked: 0,
  proven: 0,
  verified: 0,
  runs: 0,
  insns: 0,
  ways: {},
  traps: {},
});

/** A program on which the engines do not agree. */
export interface Difference {
  readonly seed: number;
  /** Which program of the session. */
  readonly index: number;
  readonly what: string;
  readonly interpreter: unknown;
  readonly jit: unknown;
  readonly insns: readonly Insn[];
}

const jit = createJit();
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** Instructions that the verifier walks; programs that need more run with checks. */
const VERIFY_INSNS = 4000;

interface Loaded {
  readonly progType: ProgTypeName;
  readonly kind: "checked" | "proven" | "verified";
  readonly onInterpreter: EngineProg;
  readonly onJit: EngineProg;
}

/**
 * Runs a session: random programs one after the other on two machines, one for each engine, that see the same. What a
 * program leaves in maps and memory is what the next one finds; tail calls lead to programs of the session.
 *
 * @returns the first difference, if there is one.
 */
export function runSession(seed: number, tally: Tally, onlyUntil = SESSION_PROGS): Difference | undefined {
  return new Session(seed, tally).run(onlyUntil);
}

class Session {
  private readonly seed: number;
  private readonly random: Random;
  private readonly tally: Tally;
  private readonly interpreted: EngineSide;
  private readonly compiled: EngineSide;
  private readonly loaded: Loaded[] = [];

  constructor(seed: number, tally: Tally) {
    this.seed = seed;
    this.tally = tally;
    this.random = new Random(seed);
    const options = { isShared: this.random.chance(15), recordEffects: this.random.chance(70) };
    this.interpreted = new EngineSide(interpreter, options);
    this.compiled = new EngineSide(jit, options);
  }

  run(count: number): Difference | undefined {
    for (let index = 0; index < count; index++) {
      const one = this.load();
      this.loaded.push(one);
      this.arrange();
      const found = this.compare(one);
      if (found !== undefined) return { seed: this.seed, index, insns: one.onJit.prog.spec.insns, ...found };
    }
    return undefined;
  }

  private load(): Loaded {
    const { random } = this;
    const roll = random.below(100);
    this.tally.programs++;
    if (roll < 8) {
      const verified = this.loadVerified();
      if (verified !== undefined) return verified;
    }
    const isSafe = roll < 56;
    this.tally[isSafe ? "proven" : "checked"]++;
    const progType = random.pick(["xdp", "xdp", "xdp", "sched_cls", "socket_filter"] as const);
    const source = randomProg({
      seed: random.u32(),
      maps: ENGINE_MAPS,
      progType,
      isSafe,
      isWide: random.chance(75),
      insnsMax: random.pick([12, 24, 24, 60]),
    });
    return this.loadBoth(source, progType, isSafe ? "proven" : "checked");
  }

  /** Loads a program of the other generator; undefined when not even checks make it one that can run. */
  private loadVerified(): Loaded | undefined {
    const { text, prog_type } = verifierCase(this.random.u32());
    const progType = prog_type as ProgTypeName;
    const [spec] = this.interpreted.vm.readSource(text, { progType }).progs;
    if (spec === undefined) throw new Error("the text has no program");
    const verdict = verifyProg(spec, { insnLimit: VERIFY_INSNS });
    const how = { isProven: false, verdict };
    if (!this.interpreted.links(spec)) return undefined;
    this.tally[verdict.isAccepted ? "verified" : "checked"]++;
    return {
      progType,
      kind: verdict.isAccepted ? "verified" : "checked",
      onInterpreter: this.interpreted.load(spec, progType, how),
      onJit: this.compiled.load(spec, progType, how),
    };
  }

  private loadBoth(source: ProgSource, progType: ProgTypeName, kind: "checked" | "proven"): Loaded {
    const how = { isProven: kind === "proven" };
    return {
      progType,
      kind,
      onInterpreter: this.interpreted.load(source, progType, how),
      onJit: this.compiled.load(source, progType, how),
    };
  }

  /** Puts programs of the session where tail calls find them; now and then one of the other engine. */
  private arrange(): void {
    const { random, loaded } = this;
    const slot = random.below(4);
    const newest = loaded.at(-1) as Loaded;
    const fit = loaded.filter((one) => one.progType === newest.progType && one.kind === newest.kind);
    for (let i = 0; i < 4; i++) {
      if (slot !== i && this.random.chance(60)) continue;
      const one = random.pick(fit);
      this.interpreted.place(i, one.onInterpreter);
      this.compiled.place(i, one.onJit);
    }
  }

  private compare({
    progType,
    kind,
    onInterpreter,
    onJit,
  }: Loaded): Omit<Difference, "seed" | "index" | "insns"> | undefined {
    const { random } = this;
    const budget = random.pick([30, 200, 1000, 3000]);
    const isUnlimited = kind !== "checked" && random.chance(70);
    // Each way is a form that the jit compiles by itself, which is most of what a program costs.
    const way = random.chance(60) ? "execute" : random.pick<Way>(["repeat", "hooks", "packet", "batch"]);
    for (let i = 0; i < 2; i++) {
      const length = random.range(14, 90);
      const packet =
        progType === "tracepoint" ? undefined : Uint8Array.from({ length }, () => random.below(256));
      const expected = this.interpreted.run(onInterpreter, { way, packet, budget });
      this.note(way, expected);
      // Batches have no budget, so only what ended without one may run in them.
      const isEnded = trapOf(expected) !== "RUN_BUDGET";
      const order = {
        way: isEnded || way !== "batch" ? way : "execute",
        packet,
        budget: isUnlimited && isEnded ? UNLIMITED : budget,
      } as const;
      const found = this.compiled.run(onJit, order);
      const what = this.differs(way, expected, found);
      if (what !== undefined) return { what: `${what} (${kind}, ${way})`, interpreter: expected, jit: found };
    }
    return undefined;
  }

  private differs(way: Way, expected: unknown, found: unknown): string | undefined {
    const isBatch = way === "batch" && !("effects" in (found as object));
    const wanted = isBatch ? batchView(expected) : expected;
    if (!isDeepStrictEqual(found, wanted)) return "result";
    const map = this.compiled.mapThatDiffers(this.interpreted);
    if (map !== undefined) return `map ${map}`;
    const others = this.interpreted.pieces();
    for (const [i, piece] of this.compiled.pieces().entries()) {
      const other = others[i] as Uint8Array;
      if (Buffer.compare(piece, other) === 0) continue;
      const at = piece.findIndex((byte, idx) => byte !== other[idx]) + piece.byteOffset;
      return `memory at 0x${at.toString(16)} in ${this.compiled.vm.memory.regions.at(at)?.name ?? "no region"}`;
    }
    return undefined;
  }

  private note(way: Way, outcome: unknown): void {
    const { tally } = this;
    tally.runs++;
    tally.insns += (outcome as { insnCount: number }).insnCount;
    tally.ways[way] = (tally.ways[way] ?? 0) + 1;
    const code = trapOf(outcome) ?? "none";
    tally.traps[code] = (tally.traps[code] ?? 0) + 1;
  }
}

const trapOf = (outcome: unknown): string | undefined => (outcome as { trap?: { code: string } }).trap?.code;

/** What a batch tells of a run. */
function batchView(outcome: unknown): unknown {
  const { r0, insnCount, trap } = outcome as { r0?: bigint; insnCount: number; trap: unknown };
  return { low: r0 === undefined ? undefined : Number(BigInt.asUintN(32, r0)), insnCount, trap };
}
