import { type MapSpec, type ProgSpec, type ProgTypeName, protoByName } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { type Verdict, type VerifyOptions, verifyProg } from "../src/index.ts";

export const ARRAY_8: MapSpec = {
  name: "a8",
  type: "array",
  keyBytes: 4,
  valueBytes: 8,
  maxEntries: 1,
  flags: 0,
};

export interface ProgParts {
  readonly type?: ProgTypeName;
  readonly attachType?: number;
  readonly license?: string;
  readonly flags?: number;
  readonly maps?: readonly MapSpec[];
}

/** Assembles a program for the verifier; maps are named in the text. */
export function progOf(text: string, parts: ProgParts = {}): ProgSpec {
  const asm = assemble(text, {
    symbols: { helperIdOf: (name) => protoByName(name)?.id, kfuncOf: () => ({ btfId: 1 }) },
  });
  const maps = parts.maps ?? [];
  return {
    name: "test",
    type: parts.type ?? "socket_filter",
    attachType: parts.attachType ?? 0,
    flags: parts.flags ?? 0,
    license: parts.license ?? "GPL",
    insns: asm.insns,
    maps,
    mapRefs: asm.mapRefs.map((ref) => ({
      slot: ref.slot,
      mapIdx: maps.findIndex((map) => map.name === ref.name),
    })),
    kernelRefs: asm.kernelRefs.map((ref) => ({ ...ref, isWeak: false })),
    funcs: [],
    lines: [],
    autoload: true,
  };
}

/** Assembles and judges. */
export const judge = (text: string, parts: ProgParts = {}, options: VerifyOptions = {}): Verdict =>
  verifyProg(progOf(text, parts), { logLevel: 2, ...options });
