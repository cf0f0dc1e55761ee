import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ObjectSpec, ProgSpec } from "@tsbpf/abi";
import { createVm } from "@tsbpf/vm";
import {
  countedLoop,
  deepCalls,
  indexingLoop,
  joiningBranches,
  ladder,
  packetLoops,
  straight,
} from "./generators.ts";

/** One program of the verifier's benchmark. */
export interface VerifyProgram {
  readonly name: string;
  readonly spec: ProgSpec;
  /** The object it comes from; its maps may name other programs. */
  readonly object: ObjectSpec | undefined;
}

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const XDP_TOOLS = "/usr/lib/x86_64-linux-gnu/bpf";

/** Objects and the programs that are taken from them. */
const OBJECTS: readonly (readonly [path: string, progs: readonly string[]])[] = [
  [`${root}samples/plain/plain.bpf.o`, ["plain"]],
  [`${root}samples/calls/calls.bpf.o`, ["calls", "loops"]],
  [`${root}samples/firewall/firewall.bpf.o`, ["firewall"]],
  [`${root}samples/lru/lru.bpf.o`, ["track"]],
  [`${root}samples/parser/parser.bpf.o`, ["parser"]],
  [`${root}tooling/bench/programs/verify.bpf.o`, ["unrolled", "frames", "strings", "headers"]],
  [`${XDP_TOOLS}/xdpfilt_alw_ip.o`, ["xdpfilt_alw_ip"]],
  [`${XDP_TOOLS}/xdpfilt_alw_all.o`, ["xdpfilt_alw_all"]],
];

function fromObject(path: string, names: readonly string[]): VerifyProgram[] {
  if (names.length === 0 || !existsSync(path)) return [];
  const object = createVm().readSource(new Uint8Array(readFileSync(path)), { name: path });
  return names.flatMap((name) => {
    const spec = object.progs.find((one) => one.name === name);
    return spec === undefined ? [] : [{ name, spec, object }];
  });
}

const GENERATED: readonly (readonly [name: string, make: () => ProgSpec])[] = [
  ["straight", () => straight(6_000)],
  ["counted-loop", () => countedLoop(142_000)],
  ["indexing-loop", () => indexingLoop(110_000)],
  ["joining-branches", () => joiningBranches(4_000)],
  ["ladder", () => ladder(20)],
  ["deep-calls", () => deepCalls(5_000)],
  ["packet-loops", () => packetLoops(3_000)],
];

/** Reads and makes the programs whose names are wanted. */
export function verifyPrograms(only: ReadonlySet<string> | undefined): VerifyProgram[] {
  const isWanted = (name: string): boolean => only === undefined || only.has(name);
  return [
    ...OBJECTS.flatMap(([path, names]) => fromObject(path, names.filter(isWanted))),
    ...GENERATED.filter(([name]) => isWanted(name)).map(([name, make]) => ({
      name,
      spec: make(),
      object: undefined,
    })),
  ];
}
