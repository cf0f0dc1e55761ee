import { invariant } from "@tsbpf/base";
import { FRAME_POINTER, type Insn } from "@tsbpf/isa";
import { type CbpfCheckOptions, checkCbpf, targetsOf } from "../check.ts";
import { type CbpfInsn, SCRATCH_WORDS, SHIFT_MAX } from "../insn.ts";
import {
  type CbpfAction,
  type CbpfAluOp,
  type CbpfCondition,
  type CbpfRegister,
  cbpfRowOf,
} from "../rows.ts";
import { Assembler } from "./assembler.ts";
import type { Form } from "./form.ts";
import { frameForm } from "./frame-form.ts";
import { A, X } from "./registers.ts";
import { skbForm } from "./skb-form.ts";

/**
 * What the eBPF program runs on:
 *
 * - `skb`: a `socket_filter`, with Linux's behaviour and its facts about packets
 * - `frame`: an `xdp` program on packets of up to 65535 bytes, with libpcap's behaviour; its `rx_queue_index` must be
 *   the number of bytes that the packet had on the wire
 */
export type CbpfForm = "skb" | "frame";

/** What to make of which programs. */
export interface TranslateOptions extends CbpfCheckOptions {
  readonly form: CbpfForm;
}

const FORMS: Readonly<Record<CbpfForm, Form>> = { skb: skbForm, frame: frameForm };

const WORD_BYTES = 4;

/** Where a word of scratch memory lies on the stack. */
const scratchOff = (k: number): number => -WORD_BYTES * (SCRATCH_WORDS - k);

/**
 * Translates a classic program to eBPF that Linux's verifier accepts. Returns of the program are r0's; a load outside
 * the packet and a division by zero return 0.
 *
 * @throws CBPF_… (InputError) for what Linux refuses in a classic program; UNSUPPORTED_CBPF_LOAD (UnsupportedError)
 *   for facts that eBPF cannot read.
 */
export function translateCbpf(insns: readonly CbpfInsn[], options: TranslateOptions): Insn[] {
  const form = FORMS[options.form];
  checkCbpf(insns, options);
  const isLive = findReachable(insns, form);
  const out = new Assembler();
  const usesLength = insns.some(({ code }, at) => isLive[at] === 1 && cbpfRowOf(code)?.action.kind === "len");
  form.begin(out, { length: usesLength });
  // Classic programs start with both registers zero.
  out.emit("mov32.k", { dst: A });
  out.emit("mov32.k", { dst: X });
  insns.forEach((insn, at) => {
    if (isLive[at] === 0) return;
    out.begin(at);
    if (form.canLoad(insn)) translateOne({ out, form, insn, at });
    else out.jump("reject");
  });
  if (out.leadsTo("reject")) {
    out.begin("reject");
    out.emit("mov32.k", { dst: A });
    out.emit("exit");
  }
  return out.finish();
}

/** Finds what control can reach: Linux's verifier takes no code that it cannot. */
function findReachable(insns: readonly CbpfInsn[], form: Form): Uint8Array {
  const isLive = new Uint8Array(insns.length);
  const work = [0];
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (isLive[at] !== 0) continue;
    isLive[at] = 1;
    if (form.canLoad(insns[at] as CbpfInsn)) work.push(...targetsOf(insns, at));
  }
  return isLive;
}

/** What an instruction's translation has to know. */
interface Site {
  readonly out: Assembler;
  readonly form: Form;
  readonly insn: CbpfInsn;
  readonly at: number;
}

function translateOne(site: Site): void {
  const action = cbpfRowOf(site.insn.code)?.action;
  invariant(action !== undefined, "the check takes known opcodes only", { code: site.insn.code });
  translateAction(site, action);
}

function translateAction<K extends CbpfAction["kind"]>(
  site: Site,
  action: Extract<CbpfAction, { kind: K }> & { readonly kind: K },
): void {
  const translate: (site: Site, action: Extract<CbpfAction, { kind: K }>) => void = TRANSLATIONS[action.kind];
  translate(site, action);
}

const DIVISIONS: ReadonlySet<CbpfAluOp> = new Set(["div", "mod"]);
const SHIFTS: ReadonlySet<CbpfAluOp> = new Set(["lsh", "rsh"]);

function translateAlu(
  { out, form, insn }: Site,
  { op, operand }: CbpfAction & { readonly kind: "alu" },
): void {
  if (operand === "k") {
    out.emit(`${op}32.k`, { dst: A, imm: insn.k | 0 });
    return;
  }
  if (DIVISIONS.has(op)) out.jumpIf("jeq32.k", { dst: X }, "reject");
  if (SHIFTS.has(op) && form.shiftsOut) {
    out.emit("jle32.k", { dst: X, imm: SHIFT_MAX, off: 2 });
    out.emit("mov32.k", { dst: A });
    out.emit("ja", { off: 1 });
  }
  out.emit(`${op}32.x`, { dst: A, src: X });
}

/** The opposite of each condition that has one. */
const OPPOSITES: Readonly<Record<CbpfCondition, string | undefined>> = {
  jeq: "jne",
  jgt: "jle",
  jge: "jlt",
  jset: undefined,
};

function translateBranch(
  { out, insn, at }: Site,
  { condition, operand }: CbpfAction & { readonly kind: "branch" },
): void {
  const yes = at + 1 + insn.jt;
  const no = at + 1 + insn.jf;
  const fields = operand === "k" ? { dst: A, imm: insn.k | 0 } : { dst: A, src: X };
  const opposite = OPPOSITES[condition];
  if (yes === no) {
    if (yes !== at + 1) out.jump(yes);
  } else if (yes === at + 1 && opposite !== undefined) {
    out.jumpIf(`${opposite}32.${operand}`, fields, no);
  } else {
    out.jumpIf(`${condition}32.${operand}`, fields, yes);
    if (no !== at + 1) out.jump(no);
  }
}

const registerOf = (name: CbpfRegister): number => (name === "a" ? A : X);

/** How each kind of instruction is translated. */
const TRANSLATIONS: {
  readonly [K in CbpfAction["kind"]]: (site: Site, action: Extract<CbpfAction, { kind: K }>) => void;
} = {
  packet: ({ form, out, insn }) => form.load(out, insn),
  "header-length": ({ form, out, insn }) => form.loadHeaderLength(out, insn.k),
  len: ({ form, out }, { to }) => form.loadLength(out, to),
  imm: ({ out, insn }, { to }) => out.emit("mov32.k", { dst: registerOf(to), imm: insn.k | 0 }),
  mem: ({ out, insn }, { to }) =>
    out.emit("ldx32", { dst: registerOf(to), src: FRAME_POINTER, off: scratchOff(insn.k) }),
  store: ({ out, insn }, { from }) =>
    out.emit("stx32", { dst: FRAME_POINTER, src: registerOf(from), off: scratchOff(insn.k) }),
  alu: translateAlu,
  neg: ({ out }) => out.emit("neg32", { dst: A }),
  move: ({ out }, { to }) =>
    out.emit("mov32.x", { dst: registerOf(to), src: registerOf(to === "a" ? "x" : "a") }),
  jump: ({ out, insn, at }) => out.jump(at + 1 + (insn.k | 0)),
  branch: translateBranch,
  return({ out, insn }, { value }) {
    if (value === "k") out.emit("mov32.k", { dst: A, imm: insn.k | 0 });
    out.emit("exit");
  },
};
