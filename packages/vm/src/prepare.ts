import type { MapSpec, ProgSpec } from "@tsbpf/abi";
import { InputError, RejectError } from "@tsbpf/base";
import { interpreter } from "@tsbpf/interpreter";
import type { BpfMap } from "@tsbpf/plugin";
import { type Engine, type LinkedProg, linkProg } from "@tsbpf/runtime";
import { type Verdict, verifyProg } from "@tsbpf/verifier";
import { Background, isLargeProg, jit } from "./background.ts";
import type { EngineName, ProgOptions } from "./options.ts";
import { Prog } from "./prog.ts";
import type { Vm } from "./vm.ts";

export interface PrepareOptions extends ProgOptions {
  /** What the verifier has said already; it is not asked again. */
  readonly verdict?: Verdict;
}

/**
 * Verifies, links and prepares one program whose maps are live.
 *
 * @throws LINK_…, CALL_…, MAP_MISSING (InputError); RejectError when the verifier refuses it and `verify` is "strict".
 */
export function prepareProg(vm: Vm, spec: ProgSpec, options: PrepareOptions): Prog {
  if (spec.defect !== undefined) {
    throw new InputError(spec.defect.code, `program ${spec.name}: ${spec.defect.text}`);
  }
  const verdict = options.verdict ?? verifyAs(vm, spec, options);
  const linked = link(vm, spec, verdict);
  const engineOptions = { isChecked: verdict?.isAccepted !== true };
  const name = options.engine ?? "interpreter";
  const { engine, isLate } = chooseEngine(name, spec);
  return new Prog({
    engineProg: engine.prepare(linked, engineOptions),
    verdict,
    machines: vm.machines,
    limits: vm.limits,
    ...(name === "auto" ? { makeStepper: () => interpreter.prepare(linked, engineOptions) } : {}),
    ...(isLate ? { background: new Background(linked, engineOptions) } : {}),
  });
}

function verifyAs(vm: Vm, spec: ProgSpec, options: ProgOptions): Verdict | undefined {
  const mode = options.verify ?? "strict";
  if (mode === "off") return undefined;
  const verdict = verifyProg(spec, vm.verifyOptions());
  if (verdict.isAccepted || mode === "warn") return verdict;
  throw new RejectError(verdict.code, `program ${spec.name} is refused: ${verdict.message}`, {
    details: { verdict },
  });
}

function link(vm: Vm, spec: ProgSpec, verdict: Verdict | undefined): LinkedProg {
  const { registry } = vm;
  return linkProg(spec, {
    maps: spec.maps.map((map) => liveMap(vm, map)),
    helpers: registry.helpersById,
    kfuncs: registry.kfuncsByName,
    progType: registry.progType(spec.type),
    ...(verdict?.facts === undefined ? {} : { facts: verdict.facts }),
  });
}

function liveMap(vm: Vm, spec: MapSpec): BpfMap {
  const map = vm.maps.get(spec.name);
  if (map === undefined) throw new InputError("MAP_MISSING", `map ${spec.name} does not exist in the VM`);
  return map;
}

/** The engine that a program begins with, and whether the jit takes over from it later. */
interface Choice {
  readonly engine: Engine;
  readonly isLate: boolean;
}

function chooseEngine(name: EngineName, { insns }: ProgSpec): Choice {
  const isLate = name === "auto" && isLargeProg(insns.length);
  return { engine: name === "interpreter" || isLate ? interpreter : jit, isLate };
}
