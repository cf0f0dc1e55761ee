import { printHex } from "@tsbpf/base";
import type { Action } from "@tsbpf/isa";
import { canAccess, checkRange, PERM, WASM_PAGE_BYTES } from "@tsbpf/memory";
import { trap } from "@tsbpf/runtime";
import type { Plan } from "../ir/plan.ts";
import { BOUNDS_OF } from "./cell.ts";
import type { MachineState } from "./machine-state.ts";

/** What an instruction does to memory. */
interface Shape {
  readonly size: number;
  readonly perm: number;
  readonly isAtomic: boolean;
}

function shapeOf(action: Action | undefined): Shape | undefined {
  switch (action?.kind) {
    case "load":
      return { size: action.size, perm: PERM.read, isAtomic: false };
    case "store":
      return { size: action.size, perm: PERM.write, isAtomic: false };
    case "atomic": {
      const { atomicOp, size } = action;
      const perm =
        atomicOp === "load_acquire" ? PERM.read : atomicOp === "store_release" ? PERM.write : PERM.readWrite;
      return { size, perm, isAtomic: true };
    }
    default:
      return undefined;
  }
}

/**
 * Checks an access that generated code could not decide by itself.
 *
 * @param idx - in the options: which bounds to remember it in; those of the packet are not for that.
 *
 * @returns 1, or 0 when a load of a kernel object is to give 0 or an access of an arena to be dropped (ISA-65, ISA-66).
 * @throws RUN_BOUNDS and its kin, RUN_UNALIGNED (TrapError) without a place.
 */
export function checkAccess(
  state: MachineState,
  plan: Plan,
  slot: number,
  { lo, hi, isChecked, idx }: { lo: number; hi: number; isChecked: boolean; idx: number },
): number {
  const shape = shapeOf(plan.actions[slot]);
  if (shape === undefined) return 1;
  const { memory } = state.machine.env;
  state.bounds.followBatch();
  const { size, perm, isAtomic } = shape;
  const at = lo >>> 0;
  const isFine = isChecked
    ? hi === 0 && canAccess(memory, at, size, perm)
    : hi === 0 && at >= WASM_PAGE_BYTES && at + size <= memory.sizeBytes;
  if (!isFine) {
    const region = plan.prog.facts?.accessRegion.get(slot);
    if ((region === "btf" && perm === PERM.read) || region === "arena") return 0;
    const fault = checkRange(memory, { lo, hi }, size, perm);
    const where = { lo: at, hi: hi >>> 0, sizeBytes: size, isWrite: (perm & PERM.write) !== 0 };
    if (fault === undefined) {
      throw trap("RUN_BOUNDS", `${size} bytes at ${printHex(at)}, outside the memory`, where);
    }
    throw trap(fault.code, fault.text, {
      ...where,
      ...(fault.region === undefined ? {} : { region: fault.region.name, offset: at - fault.region.start }),
    });
  }
  if (isAtomic && at % size !== 0) {
    throw trap(
      "RUN_UNALIGNED",
      `atomic of ${size} bytes at ${printHex(at)}, a multiple of ${size} is needed`,
      {
        lo: at,
        sizeBytes: size,
      },
    );
  }
  if (isChecked && idx !== BOUNDS_OF.packet) state.bounds.remember(idx, at);
  return 1;
}
