import type { ProgSpec, VerifiedFacts } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { FRAME_POINTER } from "@tsbpf/isa";
import type { BpfMap, HelperPlugin, ProgTypePlugin } from "@tsbpf/plugin";
import { isFuncStart, type LinkedProg } from "../linked-prog.ts";
import { findFunctions } from "./functions.ts";
import { refuse } from "./refuse.ts";
import { checkControl, checkInsns } from "./structure.ts";
import { resolveTargets } from "./targets.ts";
import { arenaUserHi, resolveWideLoads } from "./wide.ts";

/** What a program is linked with. */
export interface LinkOptions {
  /** The live maps of `spec.maps`, in the same order. */
  readonly maps: readonly BpfMap[];
  /** Helpers by id; see `indexHelpers`. */
  readonly helpers: ReadonlyMap<number, HelperPlugin>;
  readonly progType: ProgTypePlugin;
  /** What the verifier proved; without it engines check every access and helper argument. */
  readonly facts?: VerifiedFacts;
  /** Kernel functions by name; `bpf_throw` needs no plugin. */
  readonly kfuncs?: ReadonlyMap<string, HelperPlugin>;
  /** Values of kernel symbols by name. */
  readonly ksyms?: ReadonlyMap<string, bigint>;
  /** Start of the function that takes over when the program throws. */
  readonly exceptionCallbackSlot?: number;
}

const NO_KFUNCS: ReadonlyMap<string, HelperPlugin> = new Map();
const NO_KSYMS: ReadonlyMap<string, bigint> = new Map();

/**
 * Resolves every call site and wide load of a program, once.
 *
 * Programs that no verifier saw link as long as an engine can run them safely; {@link LinkedProg} lists what engines
 * may assume afterwards. Needs time linear in the slots.
 *
 * @throws LINK_… or CALL_… (InputError) naming the slot, or the code of the program's own defect.
 * @source linux Documentation/bpf/standardization/instruction-set.rst "Jump instructions"; reference calls.md §1-3
 */
export function linkProg(spec: ProgSpec, options: LinkOptions): LinkedProg {
  if (spec.defect !== undefined) {
    throw new InputError(spec.defect.code, `program ${spec.name}: ${spec.defect.text}`, {
      details: { prog: spec.name },
    });
  }
  checkInsns(spec);
  const funcs = findFunctions(spec);
  checkControl(spec, funcs);
  const { exceptionCallbackSlot } = options;
  if (exceptionCallbackSlot !== undefined && !isFuncStart({ funcs }, exceptionCallbackSlot)) {
    throw refuse(
      "LINK_FUNC",
      spec,
      exceptionCallbackSlot,
      "the exception callback is no function of the program",
    );
  }
  const kernelRefs = new Map(spec.kernelRefs.map((ref) => [ref.slot, ref]));
  const targets = resolveTargets({
    spec,
    funcs,
    helpers: options.helpers,
    kfuncs: options.kfuncs ?? NO_KFUNCS,
    kernelRefs,
    exceptionCallbackSlot,
  });
  const insns = resolveWideLoads({
    spec,
    maps: options.maps,
    mapRefs: new Map(spec.mapRefs.map((ref) => [ref.slot, ref.mapIdx])),
    kernelRefs,
    ksyms: options.ksyms ?? NO_KSYMS,
  });
  return {
    spec,
    progType: options.progType,
    insns,
    targets,
    maps: options.maps,
    funcs,
    helpersById: options.helpers,
    arenaUserHi: arenaUserHi(spec, options.maps),
    usesStack: insns.some(({ dst, src }) => dst === FRAME_POINTER || src === FRAME_POINTER),
    ...(options.facts === undefined ? {} : { facts: options.facts }),
  };
}
