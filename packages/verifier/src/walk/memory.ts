import type { Action, Insn } from "@tsbpf/isa";
import { accessMemory } from "../access/access.ts";
import type { Env } from "../env.ts";
import { noteAccess } from "../facts.ts";
import { regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { isPacketPointer, REG, type Reg, type RegBase, UNKNOWN_REG } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { checkWritable, isLeak, readReg, writeReg } from "./regs.ts";

type Load = Extract<Action, { kind: "load" }>;
type Store = Extract<Action, { kind: "store" }>;
type Atomic = Extract<Action, { kind: "atomic" }>;

/** Kinds of base whose loads and stores are rewritten: one instruction serves one kind. */
const REWRITTEN: ReadonlySet<RegBase> = new Set<RegBase>([
  REG.ctx,
  REG.sock,
  REG.sockCommon,
  REG.tcpSock,
  REG.xdpSock,
  REG.btfId,
  REG.arena,
]);

/** Types of base pointers are kept as type and flags in one number. */
const typeKey = (reg: Reg): number => reg.type | (reg.flags << 8);

/** Remembers the kind of pointer an instruction was reached with and refuses bad mixtures. */
function checkSameKind(env: Env, base: Reg): void {
  noteAccess(env, env.insnIdx, base);
  const known = env.ptrTypes[env.insnIdx] as number;
  const key = typeKey(base);
  if (known === -1) {
    env.ptrTypes[env.insnIdx] = key;
    return;
  }
  if (known === key) return;
  const before = (known & 0xff) as RegBase;
  const isMixed = (type: RegBase): boolean => REWRITTEN.has(type);
  const isMergeable = (type: RegBase): boolean => type === REG.btfId || type === REG.mem;
  if (isMergeable(before) && isMergeable(base.type)) return;
  if (before === base.type && before !== REG.btfId) return;
  if (!isMixed(before) && !isMixed(base.type)) return;
  reject(env, "MEM_MIXED_POINTERS", "EINVAL", "same insn cannot be used with different pointers");
}

/** LDX. */
export function walkLoad(env: Env, insn: Insn, action: Load): void {
  const base = readReg(env, insn.src);
  checkWritable(env, insn.dst);
  const loaded = accessMemory(env, {
    reg: base,
    regno: insn.src,
    off: insn.off + base.off,
    size: action.size,
    isWrite: false,
    allowZero: false,
    valueRegno: insn.dst,
    imm: undefined,
    isStrict: false,
    isSigned: action.isSigned,
  });
  writeReg(env, insn.dst, loaded);
  checkSameKind(env, base);
}

/** STX and ST. */
export function walkStore(env: Env, insn: Insn, action: Store): void {
  if (action.source === "x") {
    if (insn.imm !== 0) reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_STX uses reserved fields");
    readReg(env, insn.src);
  } else if (insn.src !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_ST uses reserved fields");
  }
  const base = readReg(env, insn.dst);
  const isX = action.source === "x";
  accessMemory(env, {
    reg: base,
    regno: insn.dst,
    off: insn.off + base.off,
    size: action.size,
    isWrite: true,
    allowZero: false,
    valueRegno: isX ? insn.src : -1,
    imm: isX ? undefined : insn.imm,
    isStrict: false,
    isSigned: false,
  });
  checkSameKind(env, base);
}

const isAtomicBase = (reg: Reg): boolean =>
  reg.type !== REG.ctx &&
  !isPacketPointer(reg) &&
  reg.type !== REG.flowKeys &&
  reg.type !== REG.sock &&
  reg.type !== REG.sockCommon &&
  reg.type !== REG.tcpSock &&
  reg.type !== REG.xdpSock;

function rejectBase(env: Env, regno: number, reg: Reg, what: string): never {
  return reject(
    env,
    "MEM_ATOMIC_BASE",
    "EACCES",
    `BPF_ATOMIC ${what} R${regno} ${regTypeName(reg)} is not allowed`,
  );
}

/** Atomics (A-130..A-136). */
export function walkAtomic(env: Env, insn: Insn, action: Atomic): void {
  if (action.atomicOp === "load_acquire") {
    const base = readReg(env, insn.src);
    walkLoad(env, insn, { kind: "load", size: action.size, isSigned: false });
    if (!isAtomicBase(base)) rejectBase(env, insn.src, base, "loads from");
    return;
  }
  if (action.atomicOp === "store_release") {
    const base = curFrame(env.cur).regs[insn.dst];
    walkStore(env, { ...insn, imm: 0 }, { kind: "store", size: action.size, source: "x" });
    if (base !== undefined && !isAtomicBase(base)) rejectBase(env, insn.dst, base, "stores into");
    return;
  }
  walkReadModifyWrite(env, insn, action);
}

function walkReadModifyWrite(env: Env, insn: Insn, action: Atomic): void {
  if (action.size !== 4 && action.size !== 8) {
    reject(env, "MEM_ATOMIC_SIZE", "EINVAL", "invalid atomic operand size");
  }
  const src = readReg(env, insn.src);
  const base = readReg(env, insn.dst);
  if (action.atomicOp === "cmpxchg") {
    const compared = readReg(env, 0);
    if (isLeak(env, compared)) reject(env, "REG_LEAK", "EACCES", "R0 leaks addr into mem");
  }
  if (isLeak(env, src)) reject(env, "REG_LEAK", "EACCES", `R${insn.src} leaks addr into mem`);
  if (!isAtomicBase(base)) rejectBase(env, insn.dst, base, "stores into");
  const isFetch =
    action.atomicOp === "cmpxchg" || action.atomicOp === "xchg" || action.atomicOp.startsWith("fetch_");
  const fetchReg = action.atomicOp === "cmpxchg" ? 0 : insn.src;
  if (isFetch) {
    checkWritable(env, fetchReg);
    writeReg(env, fetchReg, UNKNOWN_REG);
  }
  // What is fetched may be the base itself.
  const reg = curFrame(env.cur).regs[insn.dst] as Reg;
  const use = {
    reg,
    regno: insn.dst,
    off: insn.off + reg.off,
    size: action.size,
    allowZero: false,
    valueRegno: -1,
    imm: undefined,
    isStrict: true,
    isSigned: false,
  };
  const loaded = accessMemory(env, { ...use, isWrite: false });
  accessMemory(env, { ...use, isWrite: true });
  checkSameKind(env, base);
  if (isFetch) writeReg(env, fetchReg, loaded);
}
