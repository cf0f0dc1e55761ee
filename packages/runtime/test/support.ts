import { makeProgSpec, type ProgSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { type Insn, makeInsn } from "@tsbpf/isa";
import { LinearMemory, PERM } from "@tsbpf/memory";
import type { BpfMap, HelperPlugin, ProgTypePlugin, Services } from "@tsbpf/plugin";
import {
  createMachine,
  type EngineProg,
  indexHelpers,
  type LinkedProg,
  type LinkOptions,
  linkProg,
  type Machine,
} from "../src/index.ts";

export const EXIT = makeInsn(0x95);
export const MOV = (dst: number, imm: number): Insn => makeInsn(0xb7, { dst, imm });
export const CALL = (distance: number): Insn => makeInsn(0x85, { src: 1, imm: distance });
export const HELPER = (id: number): Insn => makeInsn(0x85, { imm: id });

export const specOf = (insns: readonly Insn[], extra: Partial<ProgSpec> = {}): ProgSpec =>
  makeProgSpec(insns, { name: "test", ...extra });

export const link = (spec: ProgSpec, options: Partial<LinkOptions> = {}): LinkedProg =>
  linkProg(spec, { maps: [], helpers: new Map(), progType: {} as ProgTypePlugin, ...options });

/** Links and returns the refusal as `CODE: text`. */
export function refusal(spec: ProgSpec, options: Partial<LinkOptions> = {}): string {
  try {
    link(spec, options);
  } catch (error) {
    if (error instanceof InputError) return error.summary();
    throw error;
  }
  throw new Error("linked");
}

export interface TestWorld {
  readonly memory: LinearMemory;
  readonly machine: Machine;
  readonly maps: BpfMap[];
  readonly regs: Int32Array;
  /** Takes bytes that programs may touch as `perm` says. */
  alloc(bytes: number, name: string, perm?: number): number;
}

export function createWorld(): TestWorld {
  const memory = new LinearMemory({ initialBytes: 1 << 18 });
  const maps: BpfMap[] = [];
  const machine = createMachine({
    memory,
    services: {} as Services,
    mapAt: (address) => maps.find((map) => map.address === address),
  });
  return {
    memory,
    machine,
    maps,
    regs: machine.regs,
    alloc: (bytes, name, perm = PERM.readWrite) => memory.alloc(bytes, { kind: "scratch", name, perm }),
  };
}

/** A hash map of one element, with its key and value in memory. */
export function addMap(world: TestWorld, name: string, keyBytes: number, valueBytes: number): BpfMap {
  const address = world.alloc(16, `map ${name} header`, PERM.read);
  const value = world.alloc(valueBytes, `map ${name} value`);
  const map = {
    spec: { name, type: "hash", keyBytes, valueBytes, maxEntries: 1, flags: 0 },
    address,
    lookup: (key: number) => (world.memory.u8[key] === 1 ? value : 0),
  } as Partial<BpfMap> as BpfMap;
  world.maps.push(map);
  return map;
}

export function setReg(regs: Int32Array, reg: number, value: number | bigint): void {
  const bits = BigInt.asUintN(64, BigInt(value));
  regs[2 * reg] = Number(BigInt.asIntN(32, bits));
  regs[2 * reg + 1] = Number(BigInt.asIntN(32, bits >> 32n));
}

export const getReg = (regs: Int32Array, reg: number): bigint =>
  (BigInt(regs[2 * reg + 1]! >>> 0) << 32n) | BigInt(regs[2 * reg]! >>> 0);

/** An engine's program that runs functions with the given code of the test's own. */
export const fakeProg = (
  prog: LinkedProg,
  runFunc: (machine: Machine, slot: number) => void,
): EngineProg => ({
  prog,
  engine: "interpreter",
  run: () => {},
  runFunc,
});

export const linkHelper = (helper: HelperPlugin): LinkedProg =>
  link(specOf([HELPER(helper.proto.id), EXIT]), { helpers: indexHelpers([helper]) });
