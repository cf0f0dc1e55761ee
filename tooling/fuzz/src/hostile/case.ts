import { ATTACH_TYPES, KFUNCS, MAP_TYPES, PROG_FLAGS, PROG_TYPES } from "@tsbpf/abi";
import { parseHexBytes, printHexBytes } from "@tsbpf/base";
import { decodeInsns, encodeInsns, type Insn } from "@tsbpf/isa";
import type { KernelCase, KernelMap } from "@tsbpf/kernel";
import type { Random } from "../random.ts";
import { verifierCase } from "../verifier-prog.ts";
import type { Code } from "./edit.ts";
import { mutateCode, nudgeCode, randomInsn } from "./mutate.ts";

/** How a hostile program comes about. */
export type HostileKind = "bytes" | "mutated" | "grammar";
export const HOSTILE_KINDS: readonly HostileKind[] = ["bytes", "mutated", "grammar"];

const TYPES = Object.values(PROG_TYPES);
const ATTACHES = Object.values(ATTACH_TYPES);
const FLAGS = Object.values(PROG_FLAGS);
const MAPS = Object.values(MAP_TYPES);
const MAP_SIZES = [0, 1, 3, 4, 8, 16, 48, 64, 4096];
const TRACED = ["bpf_fentry_test1", "task_newtask", "tcp_v4_connect", "file_open", "no_such_function", ""];
const RECORD_BYTES = 8;

function decodeFuncs(hex: string | undefined): Code["funcs"] {
  if (hex === undefined) return [];
  const bytes = parseHexBytes(hex);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / RECORD_BYTES) }, (_, i) => ({
    slot: view.getUint32(i * RECORD_BYTES, true),
    typeId: view.getUint32(i * RECORD_BYTES + 4, true),
  }));
}

function encodeFuncs(funcs: Code["funcs"]): string {
  const bytes = new Uint8Array(funcs.length * RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  funcs.forEach(({ slot, typeId }, i) => {
    view.setUint32(i * RECORD_BYTES, slot, true);
    view.setUint32(i * RECORD_BYTES + 4, typeId, true);
  });
  return printHexBytes(bytes);
}

const codeOf = (one: KernelCase): Code => ({
  insns: decodeInsns(parseHexBytes(one.insns)),
  fixups: one.fixups ?? [],
  kfuncs: one.kfuncs ?? [],
  ksyms: one.ksyms ?? [],
  funcs:
    one.func_info_rec_size === undefined || one.func_info_rec_size === RECORD_BYTES
      ? decodeFuncs(one.func_info)
      : [],
});

function withCode(one: KernelCase, code: Code): KernelCase {
  const hasRecords = one.func_info !== undefined && code.funcs.length > 0;
  const { func_info: _funcs, ...rest } = one;
  return {
    ...rest,
    insns: printHexBytes(encodeInsns(code.insns)),
    ...(one.fixups === undefined ? {} : { fixups: code.fixups }),
    ...(one.kfuncs === undefined ? {} : { kfuncs: code.kfuncs }),
    ...(one.ksyms === undefined ? {} : { ksyms: code.ksyms }),
    ...(hasRecords ? { func_info: encodeFuncs(code.funcs) } : {}),
  };
}

const randomMap = (random: Random): KernelMap => ({
  type: random.pick(MAPS),
  key_size: random.pick(MAP_SIZES),
  value_size: random.pick(MAP_SIZES),
  max_entries: random.pick([0, 1, 2, 4096]),
  ...(random.chance(30) ? { flags: 1 << random.below(20) } : {}),
  ...(random.chance(10) ? { freeze: true } : {}),
  ...(random.chance(10)
    ? { inner: { type: random.pick(MAPS), key_size: 4, value_size: 8, max_entries: 1 } }
    : {}),
});

/** Changes some bytes of a blob; offsets near the start, where headers lie, more often. */
function spoil(random: Random, hex: string): string {
  const bytes = parseHexBytes(hex);
  if (bytes.length === 0) return hex;
  for (let i = random.range(1, 4); i > 0; i--) {
    const at = random.below(random.chance(20) ? Math.min(24, bytes.length) : bytes.length);
    bytes[at] = random.chance(50) ? random.below(256) : ((bytes[at] ?? 0) + random.range(-3, 3)) & 0xff;
  }
  return printHexBytes(random.chance(4) ? bytes.slice(0, random.below(bytes.length)) : bytes);
}

/** Changes what stands around the instructions. */
function mutateFrame(random: Random, one: KernelCase, len: number): KernelCase {
  switch (random.below(9)) {
    case 0:
      return { ...one, prog_type: random.pick(TYPES) };
    case 1:
      return { ...one, expected_attach_type: random.pick(ATTACHES) };
    case 2:
      return { ...one, flags: (one.flags ?? 0) ^ random.pick(FLAGS) };
    case 3:
      return { ...one, license: random.pick(["GPL", "MIT", "Dual BSD/GPL", ""]) };
    case 4: {
      const maps = one.maps ?? [];
      const at = random.below(maps.length + 1);
      const given = maps[at];
      const put =
        given === undefined || random.chance(40)
          ? randomMap(random)
          : { ...given, value_size: random.pick(MAP_SIZES) };
      return { ...one, maps: [...maps.slice(0, at), put, ...maps.slice(at + 1)] };
    }
    case 5:
      return {
        ...one,
        fixups: [
          ...(one.fixups ?? []),
          { insn: random.below(len + 1), map: random.below((one.maps?.length ?? 0) + 1) },
        ],
      };
    case 6:
      return {
        ...one,
        kfuncs: [...(one.kfuncs ?? []), { insn: random.below(len + 1), name: random.pick(KFUNCS).name }],
      };
    case 7:
      return one.btf === undefined ? one : { ...one, btf: spoil(random, one.btf) };
    default: {
      const key = random.chance(50) ? "func_info" : "line_info";
      const records = one[key];
      return records === undefined
        ? { ...one, attach_btf: { name: random.pick(TRACED), kind: "func" } }
        : { ...one, [key]: spoil(random, records) };
    }
  }
}

const insnsOf = (one: KernelCase | undefined): readonly Insn[] =>
  one === undefined ? [] : decodeInsns(parseHexBytes(one.insns));

/** How mutations are drawn. */
export interface MutationOptions {
  /** Percent of programs whose surroundings change too; 25 when omitted. */
  readonly frameShare?: number;
  /** Whether changes are few and small, so that the walk gets far. */
  readonly isGentle?: boolean;
}

/** Changes a program of `seeds` in one to six places. */
export function mutatedCase(
  random: Random,
  seeds: readonly KernelCase[],
  options: MutationOptions = {},
): KernelCase {
  let one = random.pick(seeds);
  const other = insnsOf(random.pick(seeds));
  let code = codeOf(one);
  const isGentle = options.isGentle === true;
  const changes = random.chance(isGentle ? 75 : 50) ? 1 : random.range(2, isGentle ? 3 : 6);
  for (let i = 0; i < changes; i++) {
    code = isGentle ? nudgeCode(random, code) : mutateCode(random, code, other);
  }
  one = withCode(one, code);
  while (random.chance(options.frameShare ?? 25)) one = mutateFrame(random, one, code.insns.length);
  return one;
}

/** Writes instructions that nobody thought about: bytes alone, or fields that exist. */
function bytesCase(random: Random, seeds: readonly KernelCase[]): KernelCase {
  const around = random.pick(seeds);
  const len = random.chance(90) ? random.range(1, 40) : random.range(1, 600);
  const insns: Insn[] = [];
  const isRaw = random.chance(30);
  for (let i = 0; i < len; i++) {
    if (!isRaw) insns.push(randomInsn(random));
    else {
      const [low, high] = [random.u32(), random.u32()];
      insns.push({
        op: low & 0xff,
        dst: (low >>> 8) & 15,
        src: (low >>> 12) & 15,
        off: low >> 16,
        imm: high | 0,
      });
    }
  }
  if (random.chance(80))
    insns.push({ op: 0xb7, dst: 0, src: 0, off: 0, imm: 0 }, { op: 0x95, dst: 0, src: 0, off: 0, imm: 0 });
  const wide = insns.flatMap((insn, slot) => (insn.op === 0x18 ? [slot] : []));
  const { func_info: _funcs, line_info: _lines, kfuncs: _kfuncs, ksyms: _ksyms, ...frame } = around;
  return {
    ...frame,
    prog_type: random.chance(50) ? around.prog_type : random.pick(TYPES),
    insns: printHexBytes(encodeInsns(insns)),
    fixups:
      (around.maps ?? []).length === 0
        ? []
        : wide.map((insn) => ({ insn, map: random.below(around.maps?.length ?? 1) })),
    ...(random.chance(20) ? { func_info: encodeFuncs([{ slot: 0, typeId: random.below(9) }]) } : {}),
  };
}

function grammarCase(random: Random): KernelCase {
  const { text: _text, ...one } = verifierCase(random.u32() | 0);
  if (random.chance(60)) return one;
  return mutatedCase(random, [one]);
}

/** Makes the hostile program of a seed: the same seed, kind and seed programs give the same one. */
export function hostileCase(kind: HostileKind, random: Random, seeds: readonly KernelCase[]): KernelCase {
  switch (kind) {
    case "bytes":
      return bytesCase(random, seeds);
    case "mutated":
      return mutatedCase(random, seeds);
    case "grammar":
      return grammarCase(random);
  }
}
