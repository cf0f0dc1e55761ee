import { type TrapError, UnsupportedError } from "@tsbpf/base";
import { type LinearMemory, PERM } from "@tsbpf/memory";
import type { EngineProg, Machine } from "@tsbpf/runtime";
import { PACKET_DESC } from "../batch-layout.ts";
import { CELL } from "./cell.ts";
import type { Instance } from "./instance.ts";
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
  /** Instructions that the run of each packet may execute; programs without proofs need it, others have no limit. */
  readonly budget?: number;
  /** Told of each packet whose run ended by a trap. */
  readonly onTrap?: (index: number, trap: TrapError) => void;
}

/**
 * Whether packets can be run in batches: else run them one by one.
 *
 * @param budget - of the batches, as {@link Batch} has it.
 */
export function canRunBatch(prog: EngineProg, machine: Machine, budget?: number): boolean {
  return prog instanceof JitProg && prog.batchInstance(machine, budget) !== undefined;
}

/**
 * Runs a program over packets that lie in linear memory, inside one call of generated code. Verdicts and instruction
 * counts are in the descriptors afterwards. Packets are not moved; what lies around them is the caller's business. A
 * trap ends the run of its packet, not the batch.
 *
 * @throws UNSUPPORTED_BATCH (UnsupportedError) when {@link canRunBatch} says no, or the context of a program without
 * proofs is no region that programs may only read; MEM_OVERLAP (InputError) when other regions lie between its packets.
 */
export function runBatch(prog: EngineProg, batch: Batch): void {
  const { machine, ctxAddress } = batch;
  const instance = prog instanceof JitProg ? prog.batchInstance(machine, batch.budget) : undefined;
  if (!(prog instanceof JitProg) || instance?.batch === undefined) {
    throw new UnsupportedError(
      "UNSUPPORTED_BATCH",
      `program ${prog.prog.spec.name} cannot run in batches: it needs the jit, proofs or a budget, an xdp_md, and calls that are compiled`,
    );
  }
  const state = stateOf(machine);
  state.refresh();
  machine.depth = 1;
  machine.tailCallCount = 0;
  machine.current = prog;
  state.setBase(1);
  state.tails.start();
  if (batch.count <= 0) return;
  if (!prog.isChecked) {
    runAll(prog, instance, batch);
    return;
  }
  const { env } = machine;
  const { packet } = env;
  // Packets lie where descriptors say, not in the buffer of single runs.
  env.packet = undefined;
  env.ctxAddress = ctxAddress;
  try {
    if (state.ctxPerm(prog.ctxBytes) !== PERM.read) {
      throw new UnsupportedError(
        "UNSUPPORTED_BATCH",
        `program ${prog.prog.spec.name} cannot run in batches on a context that is not read-only`,
      );
    }
    state.bounds.startBatch(spanOf(env.memory, batch));
    runAll(prog, instance, batch);
  } finally {
    state.bounds.endBatch();
    env.packet = packet;
  }
}

/** Where the packets of a batch lie. */
function spanOf({ view }: LinearMemory, { descAddress, count }: Batch): { start: number; end: number } {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let at = descAddress; at < descAddress + count * PACKET_DESC.bytes; at += PACKET_DESC.bytes) {
    const data = view.getUint32(at + PACKET_DESC.data, true);
    start = Math.min(start, data, view.getUint32(at + PACKET_DESC.dataMeta, true));
    end = Math.max(end, data, view.getUint32(at + PACKET_DESC.dataEnd, true));
  }
  return { start, end };
}

function runAll(prog: JitProg, instance: Instance, batch: Batch): void {
  const { machine, ctxAddress, descAddress, count, budget = 0 } = batch;
  const { state, mode } = instance;
  const end = descAddress + count * PACKET_DESC.bytes;
  const { view } = machine.env.memory;
  const begin = (): void => {
    machine.insnCount = 0;
    if (mode.hasFuel) machine.budgetLeft = budget;
    else state.clearCount();
  };
  if (mode.hasFuel) state.setBudget(budget);
  begin();
  for (let at = descAddress; at < end; ) {
    try {
      instance.batch?.(ctxAddress, machine.stackBase, at, end);
      return;
    } catch (thrown) {
      const trap = prog.batchTrap(state, instance, thrown);
      at = view.getUint32(state.cell + CELL.batchAt, true);
      view.setUint32(at + PACKET_DESC.isTrap, 1, true);
      view.setUint32(at + PACKET_DESC.insnCount, machine.insnCount, true);
      begin();
      batch.onTrap?.((at - descAddress) / PACKET_DESC.bytes, trap);
      at += PACKET_DESC.bytes;
    }
  }
}
