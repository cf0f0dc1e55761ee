import {
  kfuncByName,
  type MapSpec,
  makeProgSpec,
  type ObjectSpec,
  type ProgSpec,
  type ProgTypeName,
  protoByName,
} from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { decodeUtf8, InputError } from "@tsbpf/base";
import { decodeInsns } from "@tsbpf/isa";
import { type LoadOptions as ElfOptions, loadObject } from "@tsbpf/loader";
import type { Registry } from "./registry.ts";

/** What a program may come as: assembly text, an ELF object, raw slots, or a spec. */
export type ProgSource = string | Uint8Array | ObjectSpec | ProgSpec;

export interface SourceOptions {
  /** Type of a program whose source does not say; default `xdp`. */
  readonly progType?: ProgTypeName;
  readonly attachType?: number;
  /** Name for people, e.g. a file name. */
  readonly name?: string;
  /** License of assembled and raw code; default `GPL`, so that every helper may be called. */
  readonly license?: string;
  /** What an ELF object's externs read: kernel configuration and release. */
  readonly elf?: Omit<ElfOptions, "name">;
}

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** Says whether bytes start as an ELF file does. */
export const isElf = (bytes: Uint8Array): boolean => ELF_MAGIC.every((byte, i) => bytes[i] === byte);

const SNIFF_BYTES = 512;

/** What programs in C have and assembly text has not. */
const C_SOURCE = /^\s*#\s*include\s*[<"]|^SEC\s*\(/m;

/**
 * Tells assembly text from objects and raw instructions, which hold zero bytes early on; text comes back decoded.
 *
 * @throws SOURCE_C (InputError) for C, which people hand over before they have compiled it.
 */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  if (isElf(bytes) || bytes.subarray(0, SNIFF_BYTES).includes(0)) return bytes;
  const text = decodeUtf8(bytes);
  if (!C_SOURCE.test(text)) return text;
  throw new InputError(
    "SOURCE_C",
    "C source found, its object needed: clang -O2 -g -target bpf -c prog.bpf.c -o prog.bpf.o compiles it",
  );
}

/**
 * Turns any source into an object spec.
 *
 * @throws ELF_…, BTF_…, ASM_…, ISA_… (InputError) as the reader of the format does.
 */
export function toObjectSpec(
  source: ProgSource,
  context: { readonly registry: Registry; readonly maps: ReadonlyMap<string, MapSpec> },
  options: SourceOptions = {},
): ObjectSpec {
  if (typeof source === "string") return single(assembleProg(source, context, options));
  if (source instanceof Uint8Array) {
    if (isElf(source)) {
      return loadObject(source, {
        ...options.elf,
        ...(options.name === undefined ? {} : { name: options.name }),
      });
    }
    return single(rawProg(source, options));
  }
  return "progs" in source ? source : single(source);
}

const single = (prog: ProgSpec): ObjectSpec => ({
  name: prog.name,
  license: prog.license,
  progs: [prog],
  maps: prog.maps,
  warnings: [],
});

const named = (options: SourceOptions) => ({
  name: options.name ?? "prog",
  type: options.progType ?? ("xdp" as const),
  attachType: options.attachType ?? 0,
  license: options.license ?? "GPL",
});

function rawProg(bytes: Uint8Array, options: SourceOptions): ProgSpec {
  if (bytes.length === 0) {
    throw new InputError("SOURCE_EMPTY", "the program is empty, an ELF object or 8-byte instructions needed");
  }
  return makeProgSpec(decodeInsns(bytes), named(options));
}

function assembleProg(
  text: string,
  context: { readonly registry: Registry; readonly maps: ReadonlyMap<string, MapSpec> },
  options: SourceOptions,
): ProgSpec {
  const { helpersByName, kfuncsByName } = context.registry;
  const made = assemble(text, {
    symbols: {
      helperIdOf: (name) =>
        helpersByName.get(name)?.proto.id ??
        helpersByName.get(`bpf_${name}`)?.proto.id ??
        protoByName(name)?.id,
      // Kernel functions have no numbers here: the linker finds them by name.
      kfuncOf: (name) =>
        kfuncsByName.has(name) || kfuncByName(name) !== undefined ? { btfId: 0 } : undefined,
      callNames: [...helpersByName.keys(), ...kfuncsByName.keys()],
      mapNames: context.maps.keys(),
    },
    ...(options.name === undefined ? {} : { file: options.name }),
  });
  const maps = made.mapNames.flatMap((name) => context.maps.get(name) ?? []);
  return makeProgSpec(made.insns, {
    ...named(options),
    maps,
    mapRefs: made.mapRefs.map((ref) => ({ slot: ref.slot, mapIdx: made.mapNames.indexOf(ref.name) })),
    kernelRefs: made.kernelRefs.map((ref) => ({ ...ref, isWeak: false })),
    labels: new Map(made.funcs.map(({ slot, name }) => [slot, name])),
  });
}
