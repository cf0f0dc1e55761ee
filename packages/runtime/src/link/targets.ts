import { type KernelRef, kfuncByName, type ProgSpec, protoOf } from "@tsbpf/abi";
import { invariant } from "@tsbpf/base";
import { classifyCall, type Insn } from "@tsbpf/isa";
import type { HelperPlugin } from "@tsbpf/plugin";
import { funcAt, type LinkedFunc } from "../linked-prog.ts";
import type { Target } from "../target.ts";
import { mayBe } from "./op-kinds.ts";
import { refuse } from "./refuse.ts";

/** What call sites of a program may name. */
export interface CallSources {
  readonly spec: ProgSpec;
  readonly funcs: readonly LinkedFunc[];
  readonly helpers: ReadonlyMap<number, HelperPlugin>;
  readonly kfuncs: ReadonlyMap<string, HelperPlugin>;
  readonly kernelRefs: ReadonlyMap<number, KernelRef>;
  readonly exceptionCallbackSlot: number | undefined;
}

const TAIL_CALL_ID = 12;

/**
 * Resolves every call site once.
 *
 * A call of the kernel that has a prototype and no implementation becomes a target of kind `missing`.
 *
 * @throws CALL_HELPER, CALL_KFUNC (InputError) for functions that nobody knows.
 */
export function resolveTargets(sources: CallSources): Map<number, Target> {
  const targets = new Map<number, Target>();
  for (const [slot, insn] of sources.spec.insns.entries()) {
    const target = resolveCall(sources, slot, insn);
    if (target !== undefined) targets.set(slot, target);
  }
  return targets;
}

function resolveCall(sources: CallSources, slot: number, insn: Insn): Target | undefined {
  const site = mayBe(insn, "call") ? classifyCall(insn) : undefined;
  if (site === undefined) return undefined;
  switch (site.kind) {
    case "helper":
      return resolveHelper(sources, slot, site.helperId);
    case "subprog":
      return resolveSubprog(sources, slot + 1 + site.distance);
    case "kfunc":
      return resolveKfunc(sources, slot, site.btfId);
    case "indirect":
      return { kind: "indirect", reg: site.reg };
  }
}

function resolveHelper({ spec, helpers }: CallSources, slot: number, id: number): Target {
  const helper = helpers.get(id);
  if (helper !== undefined) return { kind: id === TAIL_CALL_ID ? "tail_call" : "helper", helper };
  const proto = protoOf(id);
  if (proto !== undefined) return { kind: "missing", name: proto.name };
  throw refuse("CALL_HELPER", spec, slot, `call of helper ${id}, which neither Linux nor a plugin defines`, {
    id,
  });
}

/** `findFunctions` has made every target the start of a function. */
function resolveSubprog(sources: CallSources, slot: number): Target {
  const func = funcAt(sources, slot);
  invariant(func?.start === slot, "a pseudo call leads to the start of a function", { slot });
  return { kind: "subprog", slot, funcIdx: func.idx };
}

function resolveKfunc(sources: CallSources, slot: number, btfId: number): Target {
  const { spec, kfuncs, kernelRefs } = sources;
  const ref = kernelRefs.get(slot);
  if (ref === undefined)
    throw refuse(
      "CALL_KFUNC",
      spec,
      slot,
      `call of kernel function with type id ${btfId}, which has no name`,
      { btfId },
    );
  const helper = kfuncs.get(ref.name);
  if (helper !== undefined) return { kind: "kfunc", helper };
  if (ref.name === "bpf_throw") return { kind: "throw", callbackSlot: sources.exceptionCallbackSlot };
  if (ref.isWeak || kfuncByName(ref.name) !== undefined) return { kind: "missing", name: ref.name };
  throw refuse("CALL_KFUNC", spec, slot, `call of ${ref.name}, which neither Linux nor a plugin defines`, {
    name: ref.name,
  });
}
