import { defsOf, type Insn, usesOf } from "@tsbpf/isa";
import { paramCountOf } from "../calls/call-kinds.ts";
import type { Env } from "../env.ts";
import { printInsn } from "../log/print-insn.ts";
import { successorsOf } from "./successors.ts";

const ALL = 0xffff;
const SCRATCHED = 0x3f;

interface Flow {
  /** Registers that an instruction reads. */
  readonly use: Uint16Array;
  /** Registers that it writes. */
  readonly def: Uint16Array;
  /** Room for the successors of a slot. */
  readonly out: number[];
}

function noteUsesAndDefs(env: Env, slot: number, { use, def }: Flow): void {
  const insn = env.insns[slot] as Insn;
  const action = env.rows[slot]?.action;
  if (action === undefined) noteByClass(insn, slot, use, def);
  else if (action.kind === "packet") use[slot] = ALL;
  else if (action.kind === "call") {
    const count = action.callKind === "subprog" ? 5 : (paramCountOf(env, slot) ?? 5);
    use[slot] = ((1 << count) - 1) << 1;
    def[slot] = SCRATCHED;
  } else {
    use[slot] = usesOf(insn);
    def[slot] = defsOf(insn);
  }
}

/** Instructions whose fields name no operation are refused when walked; until then their class tells. */
function noteByClass(insn: Insn, slot: number, use: Uint16Array, def: Uint16Array): void {
  const src = 1 << insn.src;
  const dst = 1 << insn.dst;
  const operation = insn.op & 0xf0;
  const operands = (insn.op & 0x08) !== 0 ? dst | src : dst;
  switch (insn.op & 0x07) {
    case 0x01:
      use[slot] = src;
      def[slot] = dst;
      return;
    case 0x02:
      use[slot] = dst;
      return;
    case 0x03:
      use[slot] = dst | src;
      if ((insn.imm & 1) !== 0 && (insn.op & 0xe0) === 0xc0) def[slot] = src;
      return;
    case 0x04:
    case 0x07:
      def[slot] = dst;
      if (operation === 0xd0 || operation === 0x80) use[slot] = dst;
      else if (operation === 0xb0) use[slot] = (insn.op & 0x08) !== 0 ? src : 0;
      else use[slot] = operands;
      return;
    case 0x05:
    case 0x06:
      if (operation === 0x80) {
        use[slot] = SCRATCHED & ~1;
        def[slot] = SCRATCHED;
      } else use[slot] = operation === 0x90 ? 1 : operands;
      return;
    default:
      use[slot] = ALL;
  }
}

/** Says whether more is known of a slot than before. */
function update(env: Env, slot: number, { use, def, out }: Flow): boolean {
  let after = 0;
  const count = successorsOf(env, slot, out);
  for (let i = 0; i < count; i++) after |= env.liveRegs[out[i] as number] as number;
  const before = (after & ~(def[slot] as number)) | (use[slot] as number);
  if (before === env.liveRegs[slot]) return false;
  env.liveRegs[slot] = before;
  return true;
}

function sweep(env: Env, postorder: readonly number[], flow: Flow): boolean {
  let hasChanged = false;
  for (let i = 0; i < postorder.length; i++) {
    if (update(env, postorder[i] as number, flow)) hasChanged = true;
  }
  return hasChanged;
}

/** Sweeps over a function, nearly always enough; loops that lead back one by one would need one each. */
const SWEEPS = 8;

/** Brings a function to its end by looking only at what precedes a change: at most once for each slot and register. */
function settle(env: Env, slots: readonly number[], flow: Flow): void {
  const before = new Map<number, number[]>();
  for (const slot of slots) {
    const count = successorsOf(env, slot, flow.out);
    for (let i = 0; i < count; i++) {
      const next = flow.out[i] as number;
      const known = before.get(next);
      if (known === undefined) before.set(next, [slot]);
      else known.push(slot);
    }
  }
  const todo = [...slots].reverse();
  for (let slot = todo.pop(); slot !== undefined; slot = todo.pop()) {
    if (!update(env, slot, flow)) continue;
    const more = before.get(slot);
    if (more !== undefined) for (const one of more) todo.push(one);
  }
}

/** Computes which registers are live before each instruction, by backward data flow inside functions. */
export function computeLiveRegs(env: Env): void {
  const flow: Flow = { use: new Uint16Array(env.len), def: new Uint16Array(env.len), out: [0, 0] };
  for (let slot = 0; slot < env.len; slot++) {
    noteUsesAndDefs(env, slot, flow);
    if (env.insns[slot]?.op === 0x18) slot++;
  }
  for (const subprog of env.subprogs) {
    const { postorder, leadsBack } = subprog;
    // Where nothing leads back, one sweep finds everything.
    const most = leadsBack ? SWEEPS : 1;
    let hasChanged = true;
    for (let sweeps = 0; hasChanged && sweeps < most; sweeps++) hasChanged = sweep(env, postorder, flow);
    if (hasChanged && leadsBack) settle(env, postorder, flow);
  }
  if (env.log.isVerbose) logLiveRegs(env);
}

function logLiveRegs(env: Env): void {
  env.log.write("Live regs before insn:\n");
  for (let slot = 0; slot < env.len; slot++) {
    const loop = env.scc[slot] as number;
    let text = loop === 0 ? "    " : `${String(loop).padStart(3)} `;
    text += `${String(slot).padStart(3)}: `;
    for (let reg = 0; reg < 10; reg++) text += ((env.liveRegs[slot] as number) >> reg) & 1 ? reg : ".";
    env.log.write(`${text} ${printInsn(env, slot)}`);
    if (env.insns[slot]?.op === 0x18) slot++;
  }
}
