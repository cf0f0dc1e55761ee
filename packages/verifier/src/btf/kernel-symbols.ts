import { type Btf, resolveType, sizeOf } from "@tsbpf/btf";
import type { Env } from "../env.ts";
import { type BtfTarget, FLAG, pointerReg, REG, type Reg } from "../state/reg.ts";

/*
 * Variables and functions of the kernel that programs name. Computes: the pointer that a wide load of one gives, and
 * the one to a processor's own part of a variable. Assumes: the kernel's types; without them a symbol is memory of
 * which no byte can be proven.
 */

const UNKNOWN_SYMBOL = pointerReg(REG.mem, { flags: FLAG.rdonly, x: { memBytes: 0 } });
const PERCPU_SECTION = ".data..percpu";

const percpuVars = new WeakMap<Btf, ReadonlySet<number>>();

/** Ids of the variables of which each processor has one. */
function percpuOf(btf: Btf): ReadonlySet<number> {
  const known = percpuVars.get(btf);
  if (known !== undefined) return known;
  const ids = new Set<number>();
  for (const id of btf.idsOf(PERCPU_SECTION, "datasec")) {
    const section = btf.type(id);
    if (section.kind === "datasec") for (const { type } of section.vars) ids.add(type);
  }
  percpuVars.set(btf, ids);
  return ids;
}

/** Structs with names are known by them, so that all ways to one agree. */
function targetOf(btf: Btf, id: number): { readonly target: BtfTarget; readonly isStruct: boolean } {
  const type = resolveType(btf, id);
  const isStruct = type.kind === "struct" || type.kind === "union";
  const isNamed = isStruct && type.name !== "";
  return {
    target: { name: type.name, isKernel: true, typeId: isNamed ? 0 : id },
    isStruct,
  };
}

/**
 * Returns what a wide load of a symbol of the kernel gives.
 *
 * @source linux 6.18 kernel/bpf/verifier.c check_pseudo_btf_id
 */
export function symbolPointer(env: Env, name: string): Reg {
  const btf = env.options.kernelBtf;
  const id = btf?.idsOf(name, "var")[0];
  const symbol = btf === undefined || id === undefined ? undefined : btf.type(id);
  if (btf === undefined || id === undefined || symbol?.kind !== "var") return UNKNOWN_SYMBOL;
  const { target, isStruct } = targetOf(btf, symbol.type);
  if (percpuOf(btf).has(id)) return pointerReg(REG.btfId, { flags: FLAG.percpu, x: { btf: target } });
  if (isStruct) return pointerReg(REG.btfId, { x: { btf: target } });
  return pointerReg(REG.mem, { flags: FLAG.rdonly, x: { memBytes: sizeOf(btf, symbol.type) } });
}

/**
 * Returns the pointer to one processor's part of what a per-CPU pointer leads to (H-61).
 *
 * @param isNullable - when the processor may not exist.
 */
export function partOfCpu(env: Env, percpu: Reg, isNullable: boolean): Reg {
  const { btf: target } = percpu.x;
  // An object of the program: the kernel takes the processor's number as it is.
  if ((percpu.flags & FLAG.rcu) !== 0) {
    return pointerReg(REG.btfId, { flags: FLAG.alloc | FLAG.rcu, x: { btf: target } });
  }
  const nullable = isNullable ? FLAG.maybeNull : 0;
  const btf = env.options.kernelBtf;
  if (target !== undefined && btf !== undefined && target.typeId !== 0) {
    const type = resolveType(btf, target.typeId);
    if (type.kind !== "struct" && type.kind !== "union") {
      const memBytes = sizeOf(btf, target.typeId);
      return pointerReg(REG.mem, { flags: FLAG.rdonly | nullable, x: { memBytes } });
    }
  }
  return pointerReg(REG.btfId, { flags: nullable, x: { btf: target } });
}
