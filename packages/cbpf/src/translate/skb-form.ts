import { UnsupportedError } from "@tsbpf/base";
import { ANCILLARIES, type AncillaryName, ancillaryOf } from "../ancillary.ts";
import { HEADER_LENGTH_MASK } from "../insn.ts";
import { cbpfRowOf } from "../rows.ts";
import type { Assembler } from "./assembler.ts";
import type { Form } from "./form.ts";
import { A, CTX, SAVED, TEMP, X } from "./registers.ts";

/** Offsets in `struct __sk_buff`. @source linux uapi/linux/bpf.h */
const SK_BUFF = {
  len: 0,
  pktType: 4,
  mark: 8,
  queueMapping: 12,
  protocol: 16,
  vlanPresent: 20,
  vlanTci: 24,
  vlanProto: 28,
  ifindex: 40,
  hash: 68,
} as const;

const HELPER = { prandomU32: 7, smpProcessorId: 8 } as const;

const BITS_PER_BYTE = 8;

const field =
  (off: number, isBig = false) =>
  (out: Assembler): void => {
    out.emit("ldx32", { dst: A, src: CTX, off });
    if (isBig) out.emit("be16", { dst: A });
  };

const call =
  (imm: number) =>
  (out: Assembler): void =>
    out.emit("call.helper", { imm });

/** How each fact is read; undefined where a socket filter of today cannot. */
const FACTS: Readonly<Record<AncillaryName, ((out: Assembler) => void) | undefined>> = {
  protocol: field(SK_BUFF.protocol, true),
  packetType: field(SK_BUFF.pktType),
  ifindex: field(SK_BUFF.ifindex),
  mark: field(SK_BUFF.mark),
  queue: field(SK_BUFF.queueMapping),
  hash: field(SK_BUFF.hash),
  vlanTag: field(SK_BUFF.vlanTci),
  vlanPresent: field(SK_BUFF.vlanPresent),
  vlanProtocol: field(SK_BUFF.vlanProto, true),
  cpu: call(HELPER.smpProcessorId),
  random: call(HELPER.prandomU32),
  xorX: (out) => out.emit("xor32.x", { dst: A, src: X }),
  netlinkAttribute: undefined,
  netlinkNested: undefined,
  hardwareType: undefined,
  payload: undefined,
};

/**
 * Programs on socket buffers, run as `socket_filter`: they load the packet with the instructions that eBPF kept from
 * classic BPF, as Linux's own translation does in effect.
 *
 * @source linux net/core/filter.c bpf_convert_filter, convert_bpf_extensions
 */
export const skbForm: Form = {
  shiftsOut: false,
  canLoad: () => true,
  begin(out) {
    out.emit("mov64.x", { dst: CTX, src: TEMP });
  },
  load(out, { code, k }) {
    const action = cbpfRowOf(code)?.action;
    if (action?.kind !== "packet") return;
    const fact = action.mode === "abs" ? ancillaryOf(k) : undefined;
    if (fact === undefined) {
      const row = `ld${action.mode}${BITS_PER_BYTE * action.bytes}`;
      out.emit(row, { imm: k | 0, ...(action.mode === "ind" ? { src: X } : {}) });
      return;
    }
    const read = FACTS[fact];
    if (read === undefined) {
      throw new UnsupportedError(
        "UNSUPPORTED_CBPF_LOAD",
        `ld ${ANCILLARIES[fact].assembly} found, which no eBPF program can read`,
      );
    }
    read(out);
  },
  loadHeaderLength(out, k) {
    out.emit("mov64.x", { dst: SAVED, src: A });
    out.emit("ldabs8", { imm: k | 0 });
    out.emit("and32.k", { dst: A, imm: HEADER_LENGTH_MASK });
    out.emit("lsh32.k", { dst: A, imm: 2 });
    out.emit("mov32.x", { dst: X, src: A });
    out.emit("mov64.x", { dst: A, src: SAVED });
  },
  loadLength(out, to) {
    out.emit("ldx32", { dst: to === "a" ? A : X, src: CTX, off: SK_BUFF.len });
  },
};
