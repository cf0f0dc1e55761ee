import { LIMITS } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import { PERM } from "@tsbpf/memory";
import { FRAME_STRIDE_BYTES } from "@tsbpf/runtime";
import { PACKET_DESC } from "../batch-layout.ts";
import { buildGraph } from "../ir/graph.ts";
import type { Lowered } from "../ir/lowered.ts";
import { type FuncPlan, liveInOf, type Plan } from "../ir/plan.ts";
import { BOUNDS, BOUNDS_OF, CELL } from "../run/cell.ts";
import { BULK, OP, TYPE, type ValueType } from "../wasm/opcodes.ts";
import { startCount } from "./count-code.ts";
import { endsWithCall } from "./counting.ts";
import { BATCH_LOCAL, type Emitter } from "./emitter.ts";
import { inliningOf, type Mode } from "./mode.ts";
import { emitStructured } from "./structure.ts";

/** Parameters of a batch: context, frame, first descriptor, one past the last. */
export const BATCH_TYPE: readonly [readonly ValueType[], readonly ValueType[]] = [
  [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32],
  [],
];

const { ctx: CTX, at: AT, end: END } = BATCH_LOCAL;

/** Where the context of a program type has what a descriptor says. */
interface Fields {
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number;
  readonly ifindex: number;
  readonly rxQueue: number;
}

function fieldsOf({ prog }: Plan): Fields | undefined {
  const { struct, fields } = prog.progType.ctx;
  if (struct !== "xdp_md") return undefined;
  const at = (name: string): number => fields.find((field) => field.name === name)?.offset ?? -1;
  const found: Fields = {
    data: at("data"),
    dataEnd: at("data_end"),
    dataMeta: at("data_meta"),
    ifindex: at("ingress_ifindex"),
    rxQueue: at("rx_queue_index"),
  };
  return Object.values(found).every((offset) => offset >= 0) ? found : undefined;
}

/**
 * Says whether a program may run over a batch inside generated code: it has an `xdp_md`, and every call that it makes
 * is code of its own, so that nothing outside needs to know which packet is being run.
 */
export function canBatch(plan: Plan, mode: Mode): boolean {
  if (
    !mode.isBatch ||
    mode.isDeep ||
    mode.isHooked ||
    // What the context says of the packet must be true, and what tail calls reach may be of any form.
    (mode.isChecked && mode.ctxPerm !== PERM.read) ||
    ((mode.isChecked || mode.hasFuel) && plan.funcs.some(({ mayTailCall }) => mayTailCall)) ||
    fieldsOf(plan) === undefined
  )
    return false;
  // Exits of a batch are jumps out of structured code.
  if (!buildGraph(plan, plan.funcs[0] as FuncPlan, inliningOf(mode)).order.isReducible) return false;
  return staysInside(plan);
}

/** Whether nothing outside generated code needs to know which packet a program runs on. */
export function staysInside(plan: Plan): boolean {
  for (const [slot, target] of plan.prog.targets) {
    if (target.kind === "subprog") continue;
    const lowered = plan.lowered.get(slot);
    if (lowered === undefined || looksAtPacket(lowered)) return false;
  }
  return true;
}

/** Whether a helper outside generated code needs to know which packet is being run. */
const looksAtPacket = (lowered: Lowered): boolean =>
  lowered.kind === "words" && lowered.helper.proto.args.some(({ kind }) => kind === "ctx");

/** Says whether a load of the context may read one of its words. */
function reads({ prog, actions, insns }: Plan, offset: number): boolean {
  return actions.some((action, slot) => {
    if (action?.kind !== "load") return false;
    const region = prog.facts?.accessRegion.get(slot);
    const { off } = insns[slot] as Insn;
    const isCtx = region === undefined || region === "ctx" || region === "unknown";
    return isCtx && off < offset + 4 && off + action.size > offset;
  });
}

/** Whether calls bring the count in the exchange block up to date, so that it must be added at the end. */
export const hasFlushes = (e: Emitter): boolean =>
  e.graph.nodes.some((node) => {
    if (!endsWithCall(node)) return false;
    const kind = e.plan.lowered.get(node.block.last)?.kind;
    return kind === undefined || kind === "words" || kind === "loop" || kind === "tail";
  });

const hasTails = ({ plan }: Emitter): boolean => plan.funcs.some(({ mayTailCall }) => mayTailCall);

/**
 * Writes the loop over the descriptors of a batch, with the program as its body: exits store the verdict and leave
 * the body.
 */
export function emitBatch(e: Emitter): void {
  const { code, plan } = e;
  const fields = fieldsOf(plan);
  if (fields === undefined) return;
  const copyIn = (from: number, to: number): void => {
    // What a tail call reaches may read anything.
    if (!e.mode.isChecked && !hasTails(e) && !reads(plan, to)) return;
    code.get(CTX);
    code.get(AT);
    code.memory(OP.i32Load, from);
    code.memory(OP.i32Store, to);
  };
  code.block();
  code.loop();
  code.get(AT);
  code.get(END);
  code.op(OP.i32Eq);
  code.brIf(1);
  copyIn(PACKET_DESC.data, fields.data);
  copyIn(PACKET_DESC.dataEnd, fields.dataEnd);
  copyIn(PACKET_DESC.dataMeta, fields.dataMeta);
  copyIn(PACKET_DESC.ifindex, fields.ifindex);
  copyIn(PACKET_DESC.rxQueue, fields.rxQueue);
  // A trap leaves the descriptor here, so that the engine knows where to go on.
  e.pushCell();
  code.get(AT);
  code.memory(OP.i32Store, CELL.batchAt);
  if (hasTails(e)) startTails(e);
  startBatchCount(e);
  code.i32(0);
  code.set(e.loops);
  if (e.mode.isChecked) startChecked(e);
  code.get(CTX);
  e.popLow({ plan: e.func, level: 0 }, 1);
  code.block();
  emitStructured(e);
  code.op(OP.unreachable);
  code.end();
  if (!e.mode.hasFuel && hasFlushes(e)) addFlushed(e);
  code.get(AT);
  code.i32(PACKET_DESC.bytes);
  code.op(OP.i32Add);
  code.set(AT);
  code.br(0);
  code.end();
  code.end();
}

/** Begins a packet's count, or its budget. */
function startBatchCount(e: Emitter): void {
  const { code } = e;
  if (!e.mode.hasFuel) {
    code.i64(0, 0);
    code.set(e.count);
    return;
  }
  e.pushCell();
  e.pushCell();
  code.memory(OP.i64Load, CELL.budget);
  code.memory(OP.i64Store, CELL.count);
  startCount(e);
}

const CONTEXT = 0b10;
const SIZES = [1, 2, 4, 8] as const;

/** Gives a program without proofs what it finds at the start of a run: no registers, no stack, the packet's bounds. */
function startChecked(e: Emitter): void {
  const { code, plan } = e;
  e.clear({ plan: e.func, level: 0 }, liveInOf(e.func) & ~CONTEXT);
  if (plan.prog.usesStack) {
    const frames = plan.prog.funcs.length > 1 ? LIMITS.callFrames : 1;
    e.pushFrame({ plan: e.func, level: 0 });
    code.i32(0);
    code.i32((frames - 1) * FRAME_STRIDE_BYTES + LIMITS.stackBytes);
    code.op(OP.prefixBulk);
    code.u32(BULK.memoryFill);
    code.u8(0);
  }
  const pushDesc = (offset: number): void => {
    code.get(AT);
    code.memory(OP.i32Load, offset);
  };
  pushDesc(PACKET_DESC.dataMeta);
  pushDesc(PACKET_DESC.data);
  pushDesc(PACKET_DESC.dataMeta);
  pushDesc(PACKET_DESC.data);
  code.op(OP.i32LtU);
  code.op(OP.select);
  code.op(OP.i64ExtendI32U);
  code.set(e.wide);
  const bounds = CELL.bounds + BOUNDS.bytes * BOUNDS_OF.packet;
  e.pushCell();
  code.get(e.wide);
  code.memory(OP.i64Store, bounds + BOUNDS.start);
  for (const [i, size] of SIZES.entries()) {
    pushDesc(PACKET_DESC.dataEnd);
    code.op(OP.i64ExtendI32U);
    code.get(e.wide);
    code.op(OP.i64Sub);
    code.i64(size - 1, 0);
    code.op(OP.i64Sub);
    code.set(e.wide2);
    e.pushCell();
    code.get(e.wide2);
    code.i64(0, 0);
    code.get(e.wide2);
    code.i64(0, 0);
    code.op(OP.i64GtS);
    code.op(OP.select);
    code.memory(OP.i64Store, bounds + BOUNDS.places + 8 * i);
  }
}

/** Begins a packet's run where tail calls may happen: none has, and the program begins in the first frame. */
function startTails(e: Emitter): void {
  const { code } = e;
  e.pushCell();
  code.i32(0);
  code.memory(OP.i32Store, CELL.tailCalls);
  e.pushCell();
  e.pushFrame({ plan: e.func, level: 0 });
  code.memory(OP.i32Store, CELL.base);
}

/** Adds what calls counted to the packet's count. */
function addFlushed(e: Emitter): void {
  const { code } = e;
  code.get(AT);
  code.get(AT);
  code.memory(OP.i32Load, PACKET_DESC.insnCount);
  e.pushCell();
  code.memory(OP.i32Load, CELL.count);
  code.op(OP.i32Add);
  code.memory(OP.i32Store, PACKET_DESC.insnCount);
  e.pushCell();
  code.i64(0, 0);
  code.memory(OP.i64Store, CELL.count);
}
