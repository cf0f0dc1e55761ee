import { type CtxHolds, ctxAccess } from "@tsbpf/abi";
import { tracedFunc } from "../btf/traced-func.ts";
import { type Env, newId } from "../env.ts";
import { logSourceLine } from "../log/print-state.ts";
import { rejectSilently } from "../reject.ts";
import { FLAG, pointerReg, REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { checkUnmoved } from "./offsets.ts";
import type { Access } from "./sized.ts";
import { accessTraced } from "./traced-ctx.ts";

/** Makes what a context load gives. */
function regOf(env: Env, holds: CtxHolds): Reg {
  switch (holds.kind) {
    case "scalar":
      return UNKNOWN_REG;
    case "packet":
      return pointerReg(REG.pkt);
    case "packet_end":
      return pointerReg(REG.pktEnd);
    case "packet_meta":
      return pointerReg(REG.pktMeta);
    case "flow_keys":
      return pointerReg(REG.flowKeys);
    case "tp_buffer":
      return pointerReg(REG.tpBuffer);
    case "sock":
    case "sock_common": {
      const type = holds.kind === "sock" ? REG.sock : REG.sockCommon;
      return holds.nullable ? pointerReg(type, { flags: FLAG.maybeNull, id: newId(env) }) : pointerReg(type);
    }
    case "btf_id":
      return pointerReg(REG.btfId, {
        flags: FLAG.trusted,
        x: { btf: { name: holds.type, isKernel: true, typeId: 0 } },
      });
  }
}

/** Checks a load or store of the context and returns what a load gives (A-30..A-68). */
export function accessCtx(env: Env, access: Access, isSigned: boolean): Reg {
  checkUnmoved(env, access.reg, access.regno);
  const traced = tracedFunc(env);
  if (traced !== undefined) {
    const loaded = accessTraced(env, traced, access);
    if (loaded === undefined || (isSigned && loaded.type !== REG.scalar)) return refuse(env, access);
    return loaded;
  }
  const holds = ctxAccess(env.spec.type, env.attachType, access.off, access.size, access.isWrite);
  if (holds === undefined || (isSigned && holds.kind !== "scalar")) return refuse(env, access);
  return regOf(env, holds);
}

function refuse(env: Env, access: Access): never {
  env.log.write(`invalid bpf_context access off=${access.off} size=${access.size}\n`);
  logSourceLine(env, env.insnIdx);
  const text = `invalid bpf_context access off=${access.off} size=${access.size}`;
  return rejectSilently(env, "MEM_CTX_ACCESS", "EACCES", text);
}
