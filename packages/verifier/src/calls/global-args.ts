import type { ErrnoName } from "@tsbpf/abi";
import { type FuncArg, prepareFuncArgs } from "../btf/func-args.ts";
import { type Env, newId, type Subprog } from "../env.ts";
import { Rejection, reject } from "../reject.ts";
import { FLAG, isMaybeNull, isNullReg, pointerReg, REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { curFrame, type Frame } from "../state/state.ts";
import { dropNull } from "../walk/null-check.ts";
import { checkArgOffset } from "./arg-offset.ts";
import { checkArgType } from "./arg-types.ts";
import { newCallMeta } from "./args.ts";
import { checkDynptrArg } from "./dynptr.ts";
import { checkMemArg } from "./mem-arg.ts";

const NO_CALL = { id: 0, name: "" } as const;
const bad = (env: Env, text: string, errno: ErrnoName = "EINVAL"): never =>
  reject(env, "CALL_GLOBAL_ARG", errno, text);

/**
 * Checks what a caller passes against the callee's BTF prototype (C-89..C-97), logging the kernel's line.
 *
 * @returns the error of the first mismatch, undefined when all arguments fit.
 */
export function checkCallArgs(env: Env, callee: Subprog): ErrnoName | undefined {
  if (env.spec.funcs.length === 0 || callee.isUnreliable) return "EINVAL";
  try {
    prepareFuncArgs(env, callee).forEach((arg, i) => {
      checkPassed(env, arg, i);
    });
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    callee.isUnreliable = true;
    return thrown.errnoName;
  }
}

const PLAIN_ARG = { name: "", kind: "mem" } as const;

function checkPassed(env: Env, arg: FuncArg, i: number): void {
  const regno = i + 1;
  const reg = curFrame(env.cur).regs[regno] as Reg;
  switch (arg.kind) {
    case "anything":
      if (reg.type !== REG.scalar) bad(env, `R${regno} is not a scalar`);
      return;
    case "ctx":
      checkArgOffset(env, PLAIN_ARG, reg, regno);
      if (reg.type !== REG.ctx) bad(env, `arg#${i} expects pointer to ctx`);
      return;
    case "arena":
      if (reg.type !== REG.arena && reg.type !== REG.scalar) {
        bad(env, `R${regno} is not a pointer to arena or scalar.`);
      }
      return;
    case "dynptr":
      checkArgOffset(env, PLAIN_ARG, reg, regno);
      checkDynptrArg(
        env,
        { name: "", kind: "dynptr", access: "read", dynptrKind: "any" },
        regno,
        newCallMeta({ args: [] } as never),
      );
      return;
    case "mem":
      if (arg.isUntrusted) return;
      checkArgOffset(env, PLAIN_ARG, reg, regno);
      checkMemory(env, reg, regno, arg.bytes);
      if (!arg.isNullable && isMaybeNull(reg)) bad(env, `arg#${i} is expected to be non-NULL`);
      return;
    case "btf":
      if (arg.isUntrusted || (isNullReg(reg) && arg.isNullable)) return;
      checkArgType(
        env,
        NO_CALL,
        { name: "", kind: "btf_id", nullable: arg.isNullable, btfTypes: [arg.name] },
        reg,
        regno,
      );
      checkArgOffset(env, { name: "", kind: "btf_id" }, reg, regno);
  }
}

/** Memory for a global function must be readable and writable; NULL passes (C-97). */
export function checkMemory(env: Env, reg: Reg, regno: number, bytes: number): void {
  if (isNullReg(reg)) return;
  const frame = curFrame(env.cur);
  if (isMaybeNull(reg)) frame.regs[regno] = dropNull(reg);
  try {
    const arg = { regno, size: bytes, allowZero: true, isRaw: false };
    checkMemArg(env, { ...arg, isWrite: false });
    checkMemArg(env, { ...arg, isWrite: true });
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    throw new Rejection(thrown.code, "EINVAL", thrown.message, thrown.insnIdx);
  } finally {
    frame.regs[regno] = reg;
  }
}

function entryReg(env: Env, arg: FuncArg): Reg {
  switch (arg.kind) {
    case "ctx":
      return pointerReg(REG.ctx);
    case "anything":
    case "arena":
      return UNKNOWN_REG;
    case "dynptr":
      return pointerReg(REG.dynptr, {
        id: newId(env),
        x: { dynptr: { type: "local", isFirst: true } },
      });
    case "mem":
      return pointerReg(REG.mem, {
        flags: (arg.isNullable ? FLAG.maybeNull : 0) | (arg.isUntrusted ? FLAG.untrusted | FLAG.rdonly : 0),
        id: arg.isNullable ? newId(env) : 0,
        x: { memBytes: arg.bytes },
      });
    case "btf":
      return pointerReg(REG.btfId, {
        flags: (arg.isNullable ? FLAG.maybeNull : 0) | (arg.isUntrusted ? FLAG.untrusted : FLAG.trusted),
        id: newId(env),
        x: { btf: { name: arg.name, isKernel: true, typeId: 0 } },
      });
  }
}

/** Sets r1..r5 of a global function's entry state from its BTF prototype (C-86, C-90, C-153). */
export function setEntryArgs(env: Env, subprog: Subprog, frame: Frame): void {
  const args = prepareFuncArgs(env, subprog);
  if (subprog.isExceptionCallback && (args.length !== 1 || args[0]?.kind !== "anything")) {
    bad(env, "exception cb only supports single integer argument");
  }
  args.forEach((arg, i) => {
    frame.regs[i + 1] = entryReg(env, arg);
  });
}
