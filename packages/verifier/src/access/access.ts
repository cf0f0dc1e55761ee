import type { SizeBytes } from "@tsbpf/isa";
import { signExtendScalar, truncateScalar } from "../domain/cast.ts";
import { isConst, isZero } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum, regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { FLAG, isMaybeNull, REG, type Reg, UNKNOWN_REG, withVal } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { isLeak } from "../walk/regs.ts";
import { checkAlignment } from "./align.ts";
import { accessBtf, accessMapPtr } from "./btf-ptr.ts";
import { accessCtx } from "./ctx.ts";
import { accessMapValue } from "./map-value.ts";
import { checkPacketBounds, mayAccessPacket } from "./packet.ts";
import { type Access, checkRegion } from "./sized.ts";
import { checkSock } from "./sock.ts";
import { checkStackBounds, frameOfPointer, rangeOf } from "./stack-bounds.ts";
import { readStackFixed, readStackVariable } from "./stack-read.ts";
import { writeStackFixed, writeStackVariable } from "./stack-write.ts";

/** A load or store as an instruction does it. */
export interface MemoryUse extends Access {
  readonly size: SizeBytes;
  /** Register stored; -1 for an immediate or unknown bytes. */
  readonly valueRegno: number;
  /** Immediate stored by ST. */
  readonly imm: number | undefined;
  readonly isStrict: boolean;
  readonly isSigned: boolean;
}

/** A load or store of unknown bytes that a helper or kernel function does on its own. */
export interface Touch {
  readonly regno: number;
  /** From where the register points to. */
  readonly off: number;
  readonly size: SizeBytes;
  readonly isWrite: boolean;
}

const FLOW_KEYS_BYTES = 56;

function checkLeak(env: Env, use: MemoryUse, where: string): void {
  if (!use.isWrite || use.valueRegno < 0) return;
  const value = curFrame(env.cur).regs[use.valueRegno];
  if (value === undefined || !isLeak(env, value)) return;
  reject(env, "REG_LEAK", "EACCES", `R${use.valueRegno} leaks addr into ${where}`);
}

/**
 * Checks one memory access (A-1..A-8) and performs it on the abstract stack.
 *
 * @returns what a load gives, narrowed to its size; meaningless for stores.
 */
export function accessMemory(env: Env, use: MemoryUse): Reg {
  checkAlignment(env, use.reg, use.off - use.reg.off, use.size, use.isStrict);
  const loaded = dispatch(env, use);
  if (use.isWrite || use.size === 8 || loaded.type !== REG.scalar) return loaded;
  const val = use.isSigned
    ? signExtendScalar(loaded.val, (use.size * 8) as 8 | 16 | 32, 64)
    : truncateScalar(loaded.val, use.size);
  return val === loaded.val ? loaded : withVal(loaded, val);
}

/** Checks an access of a helper or kernel function (A-1..A-8) and performs it on the abstract stack. */
export function touchMemory(env: Env, { regno, off, size, isWrite }: Touch): void {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  accessMemory(env, {
    reg,
    regno,
    off: off + reg.off,
    size,
    isWrite,
    allowZero: false,
    valueRegno: -1,
    imm: undefined,
    isStrict: false,
    isSigned: false,
  });
}

function dispatch(env: Env, access: MemoryUse): Reg {
  const { reg, regno } = access;
  if (reg.type !== REG.btfId && isMaybeNull(reg)) return badBase(env, reg, regno);
  switch (reg.type) {
    case REG.stack:
      return accessStack(env, access);
    case REG.mapValue:
      checkLeak(env, access, "map");
      return accessMapValue(env, access, access.isSigned, access.valueRegno);
    case REG.ctx:
      checkLeak(env, access, "ctx");
      return accessCtx(env, access, access.isSigned);
    case REG.pkt:
    case REG.pktMeta:
      if (access.isWrite && !mayAccessPacket(env, true)) {
        reject(env, "MEM_PACKET_WRITE", "EACCES", "cannot write into packet");
      }
      checkLeak(env, access, "packet");
      checkPacketBounds(env, access);
      return UNKNOWN_REG;
    case REG.mem:
      return accessMem(env, access);
    case REG.mapKey:
      if (access.isWrite) {
        reject(env, "MEM_READ_ONLY", "EACCES", `write to change key R${regno} not allowed`);
      }
      checkRegion(env, access, reg.x.map?.keyBytes ?? 0);
      return UNKNOWN_REG;
    case REG.flowKeys:
      checkLeak(env, access, "flow keys");
      if (access.off < 0 || access.off + access.size > FLOW_KEYS_BYTES) {
        reject(
          env,
          "MEM_FLOW_KEYS",
          "EACCES",
          `invalid access to flow keys off=${access.off} size=${access.size}`,
        );
      }
      return UNKNOWN_REG;
    case REG.sock:
    case REG.sockCommon:
    case REG.tcpSock:
    case REG.xdpSock:
      checkSock(env, access);
      return UNKNOWN_REG;
    case REG.tpBuffer:
      return accessBuffer(env, access, "tracepoint");
    case REG.buf:
      if (access.isWrite && (reg.flags & FLAG.rdonly) !== 0) {
        reject(env, "MEM_READ_ONLY", "EACCES", `R${regno} cannot write into ${regTypeName(reg)}`);
      }
      return accessBuffer(env, access, (reg.flags & FLAG.rdonly) !== 0 ? "rdonly" : "rdwr");
    case REG.btfId:
      if (isMaybeNull(reg)) return badBase(env, reg, regno);
      return accessBtf(env, access);
    case REG.mapPtr:
      return accessMapPtr(env, access);
    case REG.arena:
      if (access.isSigned) {
        reject(env, "MEM_ARENA", "EOPNOTSUPP", "sign extending loads from arena are not supported yet");
      }
      return UNKNOWN_REG;
    default:
      return badBase(env, reg, regno);
  }
}

function badBase(env: Env, reg: Reg, regno: number): never {
  return reject(env, "MEM_BASE", "EACCES", `R${regno} invalid mem access '${regTypeName(reg)}'`);
}

function accessStack(env: Env, access: MemoryUse): Reg {
  const { reg, regno, off, size } = access;
  const min = checkStackBounds(env, access, access.isWrite);
  const frame = frameOfPointer(env, reg);
  const isFixed = isConst(reg.val);
  if (!access.isWrite) {
    return isFixed
      ? readStackFixed(env, frame, min, size, access.valueRegno < 0)
      : readStackVariable(env, reg, regno, off, size);
  }
  if (isFixed) writeStackFixed(env, frame, min, access);
  else writeStackVariable(env, frame, rangeOf(access, min), access);
  return UNKNOWN_REG;
}

function accessMem(env: Env, access: MemoryUse): Reg {
  const { reg, regno } = access;
  const isReadOnly = (reg.flags & FLAG.rdonly) !== 0;
  if (access.isWrite && isReadOnly) {
    reject(env, "MEM_READ_ONLY", "EACCES", `R${regno} cannot write into ${regTypeName(reg)}`);
  }
  checkLeak(env, access, "mem");
  if (!(isReadOnly && (reg.flags & FLAG.untrusted) !== 0)) checkRegion(env, access, reg.x.memBytes);
  return UNKNOWN_REG;
}

function accessBuffer(env: Env, access: Access, name: string): Reg {
  const { reg, regno, off, size } = access;
  if (off < 0) {
    reject(env, "MEM_BUFFER", "EACCES", `R${regno} invalid ${name} buffer access: off=${off}, size=${size}`);
  }
  if (!isZero(reg.val)) {
    reject(
      env,
      "MEM_BUFFER",
      "EACCES",
      `R${regno} invalid variable buffer offset: off=${off}, var_off=${printTnum(reg.val.tnum)}`,
    );
  }
  return UNKNOWN_REG;
}
