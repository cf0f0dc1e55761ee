import { type TrapError, UnsupportedError } from "@tsbpf/base";
import type { EngineProg, Machine } from "@tsbpf/runtime";
import { PACKET_DESC } from "../batch-layout.ts";
import { CELL } from "./cell.ts";
import { stateOf } from "./machine-state.ts";
import { JitProg } from "./prog.ts";

/** Packets of a batch, and the context that they run in. */
export interface Batch {
  readonly machine: Machine;
  /** Address of the context, which the run fills for every packet. */
  readonly ctxAddress: number;
  /** Address of the first descriptor, laid out as {@link PACKET_DESC} says. */
  readonly descAddress: number;
  readonly count: number;
  /** Told of each packet whose run ended by a trap. */
  readonly onTrap?: (index: number, trap: TrapError) => void;
}

/** Whether packets can be run in batches: else run them one by one. */
export function canRunBatch(prog: EngineProg, machine: Machine): boolean {
  return prog instanceof JitProg && prog.batchInstance(machine) !== undefined;
}

/**
 * Runs a program over packets that lie in linear memory, inside one call of generated code. Verdicts and instruction
 * counts are in the descriptors afterwards. Packets are not moved; what lies around them is the caller's business.
 *
 * @throws UNSUPPORTED_BATCH (UnsupportedError) when {@link canRunBatch} says no.
 */
export function runBatch(prog: EngineProg, batch: Batch): void {
  const { machine, ctxAddress, descAddress, count } = batch;
  const instance = prog instanceof JitProg ? prog.batchInstance(machine) : undefined;
  if (!(prog instanceof JitProg) || instance?.batch === undefined) {
    throw new UnsupportedError(
      "UNSUPPORTED_BATCH",
      `program ${prog.prog.spec.name} cannot run in batches: it needs the jit, proofs, an xdp_md, and calls that are compiled`,
    );
  }
  const state = stateOf(machine);
  state.refresh();
  state.clearCount();
  state.setBase(1);
  const end = descAddress + count * PACKET_DESC.bytes;
  const { view } = machine.env.memory;
  machine.depth = 1;
  machine.tailCallCount = 0;
  machine.current = prog;
  state.tails.start();
  for (let at = descAddress; at < end; ) {
    try {
      instance.batch(ctxAddress, machine.stackBase, at, end);
      return;
    } catch (thrown) {
      const trap = prog.batchTrap(state, instance, thrown);
      at = view.getUint32(state.cell + CELL.batchAt, true);
      view.setUint32(at + PACKET_DESC.isTrap, 1, true);
      view.setUint32(at + PACKET_DESC.insnCount, state.getCount(), true);
      state.clearCount();
      batch.onTrap?.((at - descAddress) / PACKET_DESC.bytes, trap);
      at += PACKET_DESC.bytes;
    }
  }
}
