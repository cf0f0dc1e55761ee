import { readFileSync } from "node:fs";
import type { ObjectSpec, ProgSpec } from "@tsbpf/abi";
import { type Verdict, verifyProg } from "@tsbpf/verifier";
import { createVm, type EngineName, LiveObject, type Prog, prepareProg } from "@tsbpf/vm";

/** One program of the benchmark, judged once. */
export interface BenchProgram {
  readonly name: string;
  readonly spec: ProgSpec;
  readonly object: ObjectSpec;
  readonly verdict: Verdict;
  readonly packet: Uint8Array;
  /** Elements to put into maps before the first run: map, key, value. */
  readonly elements: readonly (readonly [map: string, key: Uint8Array, value: Uint8Array])[];
}

const OBJECT = new URL("../programs/bench.bpf.o", import.meta.url);
/** Programs that exist only to be called by others. */
const NOT_MEASURED: ReadonlySet<string> = new Set(["tail_end"]);
/** Programs that go through the packet as a whole. */
const LONG_PACKET: ReadonlySet<string> = new Set(["memory", "crc32"]);

/** An Ethernet frame that holds TCP over IPv4. */
function tcpPacket(bytes: number): Uint8Array {
  const packet = new Uint8Array(bytes);
  packet.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
  packet.set(
    [0x45, 0, (bytes - 14) >> 8, (bytes - 14) & 0xff, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    14,
  );
  packet.set([0xc0, 0x01, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff], 34);
  for (let at = 54; at < bytes; at++) packet[at] = (at * 31) & 0xff;
  return packet;
}

function routes(): BenchProgram["elements"] {
  const elements: (readonly [string, Uint8Array, Uint8Array])[] = [];
  for (let i = 0; i < 64; i++) {
    const prefixBits = 8 + (i % 25);
    const key = new Uint8Array([prefixBits, 0, 0, 0, 10, i & 15, (i * 7) & 0xff, (i * 13) & 0xff]);
    elements.push(["routes", key, new Uint8Array([i, 0, 0, 0])]);
  }
  return elements;
}

/** Reads the programs and asks the verifier about each. */
export function loadPrograms(only: ReadonlySet<string> | undefined): BenchProgram[] {
  const object = createVm().readSource(new Uint8Array(readFileSync(OBJECT)), { name: "bench.bpf.o" });
  return object.progs
    .filter((spec) => !NOT_MEASURED.has(spec.name) && (only === undefined || only.has(spec.name)))
    .map((spec) => ({
      name: spec.name,
      spec,
      object,
      verdict: verifyProg(spec),
      packet: tcpPacket(LONG_PACKET.has(spec.name) ? 1500 : 64),
      elements: spec.name === "lpm_lookup" ? routes() : [],
    }));
}

/** Makes a program ready on one of our engines, in a VM of its own; without proofs it runs with checks. */
export function prepare(program: BenchProgram, engine: EngineName, isProven = true): Prog {
  const vm = createVm({ recordEffects: false, ...(isProven ? { budget: Number.MAX_SAFE_INTEGER } : {}) });
  const object = new LiveObject(vm, program.object, { engine, verify: isProven ? "strict" : "off" });
  for (const [map, key, value] of program.elements) object.maps.get(map)?.set(key, value);
  return prepareProg(
    vm,
    program.spec,
    isProven ? { engine, verdict: program.verdict } : { engine, verify: "off" },
  );
}
