import { PROG_TYPES } from "@tsbpf/abi";
import { touchMemory } from "../access/access.ts";
import { accessBtf } from "../access/btf-ptr.ts";
import { checkMapBounds, checkMapFlags } from "../access/map-value.ts";
import { checkPacketBounds, mayAccessPacket } from "../access/packet.ts";
import { type Access, checkRegion } from "../access/sized.ts";
import { checkStackRange } from "../access/stack-read.ts";
import type { Env } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { FLAG, isMaybeNull, isNullReg, REG, type Reg } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";

/** How a helper uses the memory behind an argument. */
export interface MemArg {
  readonly regno: number;
  readonly size: number;
  readonly isWrite: boolean;
  readonly allowZero: boolean;
  /** Whether the memory may be uninitialised because the helper fills it. */
  readonly isRaw: boolean;
}

/** Checks the memory behind a pointer argument. True when it is stack that the helper will fill. */
export function checkMemArg(env: Env, arg: MemArg): boolean {
  const reg = curFrame(env.cur).regs[arg.regno] as Reg;
  const { regno, size, isWrite, allowZero } = arg;
  const access: Access = { reg, regno, off: reg.off, size, isWrite, allowZero };
  switch (reg.type) {
    case REG.pkt:
    case REG.pktMeta:
      if (isWrite && !mayAccessPacket(env, true)) {
        reject(env, "MEM_PACKET_WRITE", "EACCES", "cannot write into packet");
      }
      checkPacketBounds(env, access);
      return false;
    case REG.mapKey:
      if (isWrite) cannotWrite(env, regno, reg);
      checkRegion(env, { ...access, allowZero: false }, reg.x.map?.keyBytes ?? 0);
      return false;
    case REG.mapValue:
      if (isMaybeNull(reg)) break;
      checkMapFlags(env, access);
      checkMapBounds(env, access, true);
      return false;
    case REG.mem:
      if (isMaybeNull(reg)) break;
      if (isWrite && (reg.flags & FLAG.rdonly) !== 0) cannotWrite(env, regno, reg);
      checkRegion(env, access, reg.x.memBytes);
      return false;
    case REG.buf:
      if (isWrite && (reg.flags & FLAG.rdonly) !== 0) cannotWrite(env, regno, reg);
      if (reg.off < 0) {
        reject(
          env,
          "MEM_BUFFER",
          "EACCES",
          `R${regno} invalid ${(reg.flags & FLAG.rdonly) !== 0 ? "rdonly" : "rdwr"} buffer access: off=${reg.off}, size=${size}`,
        );
      }
      return false;
    case REG.btfId:
      if (isMaybeNull(reg)) break;
      accessBtf(env, { ...access, isWrite: false });
      return false;
    case REG.stack:
      return checkStackRange(env, { reg, regno, off: reg.off, size, isWrite, allowZero, isRaw: arg.isRaw })
        .isRawUsed;
    case REG.ctx:
      if (env.progType !== PROG_TYPES.syscall) break;
      if (size > 0) {
        touchMemory(env, { regno, off: size - 1, size: 1, isWrite });
      }
      return false;
    default:
      break;
  }
  if (allowZero && size === 0 && isNullReg(reg)) return false;
  return reject(env, "CALL_ARG_TYPE", "EACCES", `R${regno} type=${regTypeName(reg)} expected=fp`);
}

function cannotWrite(env: Env, regno: number, reg: Reg): never {
  return reject(env, "MEM_READ_ONLY", "EACCES", `R${regno} cannot write into ${regTypeName(reg)}`);
}
