import { SKB_STATE } from "@tsbpf/abi";
import { invariant } from "@tsbpf/base";
import { rowOf, type SizeBytes } from "@tsbpf/isa";
import { type Machine, trap } from "@tsbpf/runtime";
import { registers as r } from "./loop.gen.ts";
import { type Code, SLOT_SHIFT, srcOf, WORD } from "./predecode.ts";

/** Offsets from here on count from the network header. @source linux uapi/linux/filter.h SKF_NET_OFF */
const NET_OFF = -0x10_0000;
/** Offsets from here on, up to {@link NET_OFF}, count from the link-layer header. @source SKF_LL_OFF */
const LINK_OFF = -0x20_0000;

const R1 = 2;
const R6 = 12;

/**
 * Executes the legacy packet load at word index `p`: r0 = big-endian value, r1..r5 hold nothing afterwards.
 *
 * @returns false when the packet does not hold the bytes: the frame then exits with r0 = 0 (ISA-111).
 * @throws RUN_ARGUMENT (TrapError) when r6 does not hold the context.
 */
export function loadPacket(machine: Machine, code: Code, p: number): boolean {
  const insn = code.linked.insns[p >> SLOT_SHIFT];
  const action = insn === undefined ? undefined : rowOf(insn)?.action;
  invariant(action?.kind === "packet", "the slot holds a packet load", { p });
  const { env } = machine;
  if (r[R6 + 1] !== 0 || (r[R6] as number) >>> 0 !== env.ctxAddress) {
    throw trap("RUN_ARGUMENT", "packet load whose r6 does not hold the context", { reg: 6 });
  }
  const word = code.words[p + WORD.op] as number;
  const imm = code.words[p + WORD.imm] as number;
  const offset = action.mode === "ind" ? ((r[srcOf(word)] as number) + imm) | 0 : imm;
  const at = locate(machine, offset, action.size);
  for (let reg = R1; reg < R6; reg++) r[reg] = 0;
  r[0] = at === undefined ? 0 : readBig(env.memory.view, at, action.size);
  r[1] = 0;
  return at !== undefined;
}

/** Finds the address of packet bytes; undefined when the packet does not hold all of them. */
function locate({ env }: Machine, offset: number, size: SizeBytes): number | undefined {
  const { packet, memory, ctxAddress } = env;
  if (packet === undefined) return undefined;
  let at: number;
  let from: number;
  if (offset >= 0) {
    from = packet.dataStart;
    at = from + offset;
  } else if (offset >= NET_OFF) {
    from = packet.start;
    at = memory.view.getUint32(ctxAddress + SKB_STATE.networkHeader, true) + offset - NET_OFF;
  } else if (offset >= LINK_OFF) {
    from = packet.start;
    at = memory.view.getUint32(ctxAddress + SKB_STATE.macHeader, true) + offset - LINK_OFF;
  } else return undefined;
  return at >= from && at + size <= packet.dataEnd ? at : undefined;
}

/** Reads 1, 2 or 4 bytes in network order. */
function readBig(view: DataView, at: number, size: SizeBytes): number {
  if (size === 1) return view.getUint8(at);
  return size === 2 ? view.getUint16(at, false) : view.getInt32(at, false);
}
