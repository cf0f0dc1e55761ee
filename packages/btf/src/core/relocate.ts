import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import type { CoreKind } from "../ext.ts";
import { createCoreBudget } from "./budget.ts";
import { areKindsCompatible } from "./compat.ts";
import { matchCoreSpec } from "./match.ts";
import { essentialName } from "./names.ts";
import { type CoreSpec, parseCoreSpec } from "./spec.ts";
import { type CoreValue, coreValue } from "./value.ts";

/** The question of one relocation. */
export interface CoreQuestion {
  readonly kind: CoreKind;
  /** Root type among the object's types. */
  readonly typeId: number;
  /** Access string such as `0:1:2`. */
  readonly access: string;
}

/** The answer to one relocation. */
export interface CoreAnswer {
  /** What the instruction holds as compiled; undefined only for relocations that never are in it. */
  readonly local: CoreValue;
  /** What it must hold for the target; undefined when the target has nothing that fits and code needs it. */
  readonly target: CoreValue | undefined;
  /** What was found in the target; undefined when nothing fits. */
  readonly spec: CoreSpec | undefined;
}

/** Answers the relocations of one object for one target. */
export interface CoreResolver {
  /**
   * @throws BTF_CORE_SPEC when the question does not fit the object's types.
   * @throws BTF_CORE_AMBIGUOUS when candidates give different answers (L-93).
   * @throws BTF_CORE_LIMIT BTF_CORE_BITFIELD BTF_UNSIZED BTF_SIZE BTF_DEPTH
   */
  resolve(question: CoreQuestion): CoreAnswer;
}

function indexEssentialNames(target: Btf): Map<string, number[]> {
  const index = target.base === undefined ? new Map<string, number[]>() : indexEssentialNames(target.base);
  for (const [name, ids] of target.names()) {
    const essential = essentialName(name);
    const known = index.get(essential);
    if (known === undefined) index.set(essential, [...ids]);
    else known.push(...ids);
  }
  for (const ids of index.values()) ids.sort((a, b) => a - b);
  return index;
}

// Targets are big and shared by many objects.
const essentialIndexes = new WeakMap<Btf, ReadonlyMap<string, readonly number[]>>();

function candidatesIn(target: Btf, local: Btf, typeId: number): readonly number[] {
  let index = essentialIndexes.get(target);
  if (index === undefined) {
    index = indexEssentialNames(target);
    essentialIndexes.set(target, index);
  }
  const type = local.type(typeId);
  const ids = index.get(essentialName(type.name)) ?? [];
  return ids.filter((id) => areKindsCompatible(type, target.type(id)));
}

const isSameAnswer = (a: CoreValue | undefined, b: CoreValue | undefined): boolean => a?.value === b?.value;

/**
 * Creates a resolver of CO-RE relocations.
 *
 * @param target - types of the kernel to run on. Without it every type of the object stands for itself, so that
 *   programs run on data laid out as they were compiled (L-100).
 * @source linux tools/lib/bpf/relo_core.c bpf_core_calc_relo_insn
 */
export function createCoreResolver(local: Btf, target: Btf | undefined): CoreResolver {
  const candidates = new Map<number, readonly number[]>();
  const pair = { local, target: target ?? local, budget: createCoreBudget() };
  const refuse = (code: string, text: string, typeId: number) =>
    btfError(code, text, { what: local.what, typeId });

  const findCandidates = (typeId: number): readonly number[] => {
    if (target === undefined) return [typeId];
    const known = candidates.get(typeId);
    if (known !== undefined) return known;
    if (local.type(typeId).name === "") {
      throw refuse("BTF_CORE_SPEC", "CO-RE relocation of an anonymous type", typeId);
    }
    return candidatesIn(target, local, typeId);
  };

  return {
    resolve({ kind, typeId, access }) {
      const localSpec = parseCoreSpec(local, kind, typeId, access);
      const localValue = coreValue(kind, localSpec);
      if (localValue === undefined) throw refuse("BTF_CORE_SPEC", `${kind} has no local value`, typeId);
      if (kind === "type_id_local") return { local: localValue, target: localValue, spec: localSpec };
      const fitting: number[] = [];
      let first: { readonly spec: CoreSpec; readonly value: CoreValue | undefined } | undefined;
      for (const id of findCandidates(typeId)) {
        const spec = matchCoreSpec(pair, kind, localSpec, id);
        if (spec === undefined) continue;
        const value = coreValue(kind, spec);
        fitting.push(id);
        first ??= { spec, value };
        if (first.spec.offsetBits !== spec.offsetBits || !isSameAnswer(first.value, value)) {
          throw refuse(
            "BTF_CORE_AMBIGUOUS",
            `CO-RE relocation ${kind} of ${local.type(typeId).name}: types ${first.spec.rootId} and ${id} of the target answer ${first.value?.value} and ${value?.value}`,
            typeId,
          );
        }
      }
      // What did not fit once is no candidate for later questions about the same type (L-93).
      if (fitting.length > 0) candidates.set(typeId, fitting);
      return {
        local: localValue,
        target: first === undefined ? coreValue(kind, undefined) : first.value,
        spec: first?.spec,
      };
    },
  };
}
