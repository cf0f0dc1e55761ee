import { HELPER_PROTOS, HELPER_VARIANTS } from "./helper-protos.gen.ts";
import type { ProgTypeName } from "./prog-types.ts";
import type { HelperProto } from "./proto.ts";

const BY_ID: readonly (HelperProto | undefined)[] = (() => {
  const table: (HelperProto | undefined)[] = [];
  for (const proto of HELPER_PROTOS) table[proto.id] = proto;
  return table;
})();

const BY_NAME: ReadonlyMap<string, HelperProto> = new Map(HELPER_PROTOS.map((proto) => [proto.name, proto]));

/** Returns the prototype of a kernel helper as most program types see it. */
export const protoOf = (id: number): HelperProto | undefined => BY_ID[id];

/** Returns the prototype of a kernel helper by name, with or without the `bpf_` in front. */
export const protoByName = (name: string): HelperProto | undefined =>
  BY_NAME.get(name.startsWith("bpf_") ? name : `bpf_${name}`);

/** Returns the prototype of a kernel helper as one program type sees it; a few helpers take other arguments there. */
export function protoFor(id: number, progType: ProgTypeName): HelperProto | undefined {
  const proto = BY_ID[id];
  if (proto === undefined) return undefined;
  const variant = HELPER_VARIANTS.find(
    (one) =>
      one.id === id &&
      (one.progTypes === undefined || one.progTypes.includes(progType)) &&
      !(one.notProgTypes?.includes(progType) ?? false),
  );
  return variant === undefined ? proto : { ...proto, args: variant.args };
}
