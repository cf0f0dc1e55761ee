import { HEADER_LENGTH_MASK } from "../insn.ts";
import { type CbpfLoadBytes, cbpfRowOf } from "../rows.ts";
import type { Assembler } from "./assembler.ts";
import type { Form } from "./form.ts";
import { A, DATA, DATA_END, LENGTH, TEMP, TEMP2, X } from "./registers.ts";

/** Offsets in `struct xdp_md`. @source linux uapi/linux/bpf.h */
const XDP_MD = { data: 0, dataEnd: 4, rxQueueIndex: 16 } as const;

/** Bytes from a packet's start that a verified program can reach. @source linux MAX_PACKET_OFF */
export const FRAME_REACH_BYTES = 0xffff;

const OFF_MAX = 0x7fff;
const BITS_PER_BYTE = 8;

/** Loads bytes at a constant offset into a register, in host order; refuses packets that are too short. */
function loadAt(out: Assembler, k: number, bytes: CbpfLoadBytes, to: number): void {
  out.emit("mov64.x", { dst: TEMP, src: DATA });
  out.emit("add64.k", { dst: TEMP, imm: k + bytes });
  out.jumpIf("jgt64.x", { dst: TEMP, src: DATA_END }, "reject");
  const row = `ldx${BITS_PER_BYTE * bytes}`;
  if (k <= OFF_MAX) out.emit(row, { dst: to, src: DATA, off: k });
  else out.emit(row, { dst: to, src: TEMP, off: -bytes });
  toHostOrder(out, bytes, to);
}

/** Loads bytes at X plus a constant. */
function loadAtX(out: Assembler, k: number, bytes: CbpfLoadBytes): void {
  const end = k + bytes;
  // What the verifier has to know of X, so that it follows the pointer.
  out.jumpIf("jgt64.k", { dst: X, imm: FRAME_REACH_BYTES - end }, "reject");
  out.emit("mov64.x", { dst: TEMP, src: DATA });
  out.emit("add64.x", { dst: TEMP, src: X });
  out.emit("mov64.x", { dst: TEMP2, src: TEMP });
  out.emit("add64.k", { dst: TEMP2, imm: end });
  out.jumpIf("jgt64.x", { dst: TEMP2, src: DATA_END }, "reject");
  const row = `ldx${BITS_PER_BYTE * bytes}`;
  if (k <= OFF_MAX) out.emit(row, { dst: A, src: TEMP, off: k });
  else out.emit(row, { dst: A, src: TEMP2, off: -bytes });
  toHostOrder(out, bytes, A);
}

function toHostOrder(out: Assembler, bytes: CbpfLoadBytes, register: number): void {
  if (bytes > 1) out.emit(`be${BITS_PER_BYTE * bytes}`, { dst: register });
}

/**
 * Programs on frames, run as `xdp`: they read the packet directly, as fast as a program can. Their `rx_queue_index`
 * says how many bytes the packet had on the wire. They behave as libpcap's own interpreter does, on packets of up to
 * {@link FRAME_REACH_BYTES}; loads of facts besides the packet refuse it.
 */
export const frameForm: Form = {
  shiftsOut: true,
  canLoad(insn) {
    const action = cbpfRowOf(insn.code)?.action;
    if (action?.kind === "header-length") return insn.k < FRAME_REACH_BYTES;
    return action?.kind !== "packet" || insn.k + action.bytes <= FRAME_REACH_BYTES;
  },
  begin(out, { length }) {
    out.emit("ldx32", { dst: DATA, src: TEMP, off: XDP_MD.data });
    out.emit("ldx32", { dst: DATA_END, src: TEMP, off: XDP_MD.dataEnd });
    if (length) out.emit("ldx32", { dst: LENGTH, src: TEMP, off: XDP_MD.rxQueueIndex });
  },
  load(out, { code, k }) {
    const action = cbpfRowOf(code)?.action;
    if (action?.kind !== "packet") return;
    if (action.mode === "abs") loadAt(out, k, action.bytes, A);
    else loadAtX(out, k, action.bytes);
  },
  loadHeaderLength(out, k) {
    loadAt(out, k, 1, X);
    out.emit("and32.k", { dst: X, imm: HEADER_LENGTH_MASK });
    out.emit("lsh32.k", { dst: X, imm: 2 });
  },
  loadLength(out, to) {
    out.emit("mov32.x", { dst: to === "a" ? A : X, src: LENGTH });
  },
};
