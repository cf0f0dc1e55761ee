import { parseArgs } from "node:util";
import type { ProgSpec } from "@tsbpf/abi";
import { verifyProg } from "@tsbpf/verifier";
import { createVm, prepareProg, type Vm } from "@tsbpf/vm";
import { describeMachine } from "./all.ts";
import { median } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "15" },
    only: { type: "string" },
  },
});

/** Milliseconds from a program's instructions to the result of its first run in the jit. */
interface Latency {
  readonly insns: number;
  /** The verifier's share, which Linux's programs pay as well. */
  readonly verifyMs: number;
  /** Linking, compiling and the first run. */
  readonly firstResultMs: number;
  /** The next run, in the code of the first compiler. */
  readonly nextRunMs: number;
}

const PACKET = new Uint8Array(64);
/** Instructions of a step of a chain. */
const STEP = 4;

/**
 * Makes a program whose control flow is one long chain: every step may leave out a part of it. Each has another salt,
 * since engines keep what they compiled by its bytes.
 */
function chain(insns: number, salt: number): string {
  const lines = ["r0 = *(u32 *)(r1 + 0)", "r2 = 1", `r3 = ${salt}`];
  const end = (insns - lines.length - 2) / STEP;
  for (let i = 0; i < end; i++) {
    lines.push(`if r0 == ${i} goto s${i}`, `r2 += ${i & 0xff}`, "r2 ^= r3", "r3 = r2", `s${i}:`);
  }
  return [...lines, "r0 = 2", "exit"].join("\n");
}

function timeOnce(vm: Vm, spec: ProgSpec): Latency {
  const start = performance.now();
  const verdict = verifyProg(spec);
  const verified = performance.now();
  const prog = prepareProg(vm, spec, { engine: "jit", verdict });
  const { retval } = prog.run({ packet: PACKET });
  const first = performance.now();
  prog.run({ packet: PACKET });
  if (!verdict.isAccepted || retval !== 2) throw new Error(`${spec.name}: ${verdict.message}, ${retval}`);
  return {
    insns: spec.insns.length,
    verifyMs: verified - start,
    firstResultMs: first - verified,
    nextRunMs: performance.now() - first,
  };
}

let salt = 1;

/** Times fresh programs of one size, the compilers warm. */
function measure(insns: number, rounds: number): Latency {
  const vm = createVm({ budget: Number.MAX_SAFE_INTEGER });
  const all: Latency[] = [];
  for (let round = 0; round < rounds; round++) {
    const [spec] = vm.readSource(chain(insns, salt++), { name: `chain${insns}` }).progs;
    if (spec !== undefined) all.push(timeOnce(vm, spec));
  }
  const of = (name: keyof Latency): number => median(all.map((one) => one[name]));
  return {
    insns: of("insns"),
    verifyMs: of("verifyMs"),
    firstResultMs: of("firstResultMs"),
    nextRunMs: of("nextRunMs"),
  };
}

const SIZES = [224, 4096, 32_000] as const;
/** The largest takes the verifier long. */
const ROUNDS_MAX: Readonly<Record<(typeof SIZES)[number], number>> = { 224: 1000, 4096: 15, 32000: 5 };
const WARM_ROUNDS = 60;

measure(SIZES[0], WARM_ROUNDS);
const rows = SIZES.filter(
  (size) => values.only === undefined || values.only.split(",").includes(`${size}`),
).map((size) => measure(size, Math.min(Number(values.rounds), ROUNDS_MAX[size])));
if (values.json) process.stdout.write(`${JSON.stringify({ latencies: rows, machine: describeMachine() })}\n`);
else {
  for (const { insns, verifyMs, firstResultMs, nextRunMs } of rows) {
    process.stdout.write(
      `${insns} insns: first result ${firstResultMs.toFixed(2)} ms after verification (${verifyMs.toFixed(2)} ms), next run ${nextRunMs.toFixed(3)} ms\n`,
    );
  }
}
