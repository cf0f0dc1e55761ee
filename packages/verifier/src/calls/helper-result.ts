import type { HelperProto } from "@tsbpf/abi";
import { MAP_TYPES } from "@tsbpf/abi";
import { partOfCpu } from "../btf/kernel-symbols.ts";
import { assumeSigned, assumeSignedBoth } from "../domain/bounds.ts";
import { constScalar } from "../domain/scalar.ts";
import { type Env, newId } from "../env.ts";
import { hasLock, type MapInfo } from "../maps.ts";
import { FLAG, NOT_INIT, pointerReg, REG, type Reg, scalarReg, UNKNOWN_REG } from "../state/reg.ts";
import { writeReg } from "../walk/regs.ts";
import type { CallMeta } from "./args.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { acquireRef } from "./refs.ts";

/** Helpers whose result shares the reference of an argument (H-56). */
const CASTS: ReadonlySet<string> = new Set([
  "bpf_tcp_sock",
  "bpf_sk_fullsock",
  "bpf_skc_to_tcp_sock",
  "bpf_skc_to_tcp6_sock",
  "bpf_skc_to_udp6_sock",
  "bpf_skc_to_mptcp_sock",
  "bpf_skc_to_tcp_timewait_sock",
  "bpf_skc_to_tcp_request_sock",
]);

const READ_STRINGS: ReadonlySet<string> = new Set([
  "bpf_get_stack",
  "bpf_get_task_stack",
  "bpf_probe_read_str",
  "bpf_probe_read_kernel_str",
  "bpf_probe_read_user_str",
]);
const MAX_ERRNO = 4095;
const S32_MAX = 0x7fff_ffffn;

/** The value of an integer result, with the bounds the kernel knows (H-55). */
function integerResult(env: Env, proto: HelperProto, meta: CallMeta): Reg {
  if (READ_STRINGS.has(proto.name)) {
    const max = meta.sizeMax > S32_MAX ? S32_MAX : meta.sizeMax;
    return scalarReg(assumeSignedBoth(UNKNOWN_REG.val, -MAX_ERRNO, Number(max)));
  }
  if (proto.name === "bpf_get_smp_processor_id") {
    const last = (env.options.cpuCount ?? 1024) - 1;
    return scalarReg(assumeSignedBoth(UNKNOWN_REG.val, 0, last));
  }
  const { min, max } = proto.ret;
  if (!env.customHelpers.has(proto.id) || min === undefined || max === undefined) return UNKNOWN_REG;
  return scalarReg(min === max ? constScalar(min) : assumeSigned(UNKNOWN_REG.val, min, max));
}

/** An array lookup with a constant key inside the map cannot fail (H-26). */
function isLookupCertain(proto: HelperProto, meta: CallMeta): boolean {
  if (proto.id !== HELPER_ID.mapLookupElem) return false;
  const map = meta.map;
  if (map === undefined || meta.constKey === undefined || map.inner !== undefined) return false;
  if (map.type !== MAP_TYPES.array && map.type !== MAP_TYPES.percpu_array) return false;
  return meta.constKey < BigInt(map.maxEntries);
}

function mapValueResult(env: Env, proto: HelperProto, meta: CallMeta): Reg {
  const map = meta.map as MapInfo;
  const isNullable = proto.ret.nullable === true && !isLookupCertain(proto, meta);
  let id = 0;
  if (isNullable) id = newId(env);
  else if (hasLock(map)) id = newId(env);
  return pointerReg(REG.mapValue, {
    flags: isNullable ? FLAG.maybeNull : 0,
    id,
    x: { map, mapUid: meta.mapUid },
  });
}

function pointerResult(env: Env, proto: HelperProto, meta: CallMeta, first: Reg): Reg {
  const nullable = proto.ret.nullable === true ? FLAG.maybeNull : 0;
  switch (proto.ret.kind) {
    case "socket":
      return pointerReg(REG.sock, { flags: nullable });
    case "sock_common":
      return pointerReg(REG.sockCommon, { flags: nullable });
    case "tcp_sock":
      return pointerReg(REG.tcpSock, { flags: nullable });
    case "alloc_mem":
      return pointerReg(REG.mem, { flags: nullable | FLAG.ringbuf, x: { memBytes: meta.memBytes } });
    case "dynptr_mem":
    case "mem":
      return pointerReg(REG.mem, {
        flags: nullable,
        x: { memBytes: meta.memBytes, dynptrId: proto.ret.kind === "dynptr_mem" ? meta.dynptrId : 0 },
      });
    case "btf_id": {
      const btf =
        proto.id === HELPER_ID.kptrXchg
          ? meta.kptrTarget
          : { name: proto.ret.btfType ?? "", isKernel: true, typeId: 0 };
      const trusted = proto.ret.isTrusted === true ? FLAG.trusted : 0;
      const isPercpu = meta.kptrField?.kind === "kptr_percpu";
      const alloc = btf !== undefined && !btf.isKernel ? FLAG.alloc | (isPercpu ? FLAG.percpu : 0) : 0;
      return pointerReg(REG.btfId, {
        flags: nullable | trusted | alloc,
        x: btf === undefined ? {} : { btf },
      });
    }
    case "mem_or_btf_id":
      return partOfCpu(env, first, proto.ret.nullable === true);
    default:
      return pointerReg(REG.mem, { flags: nullable | FLAG.rdonly, x: { memBytes: 0 } });
  }
}

/**
 * Gives r0 what the helper returns (H-50..H-62).
 *
 * @param first - what r1 held before the call.
 */
export function setResult(env: Env, proto: HelperProto, meta: CallMeta, first: Reg): void {
  if (proto.ret.kind === "int") {
    writeReg(env, 0, integerResult(env, proto, meta));
    return;
  }
  if (proto.ret.kind === "void") {
    writeReg(env, 0, NOT_INIT);
    return;
  }
  if (proto.ret.kind === "map_value") {
    const reg = mapValueResult(env, proto, meta);
    const isSockLookup =
      proto.id === HELPER_ID.mapLookupElem &&
      (meta.map?.type === MAP_TYPES.sockmap || meta.map?.type === MAP_TYPES.sockhash);
    if (!isSockLookup) {
      writeReg(env, 0, reg);
      return;
    }
    const id = acquireRef(env, "ptr");
    writeReg(env, 0, { ...reg, id, refObjId: id });
    return;
  }
  let reg = pointerResult(env, proto, meta, first);
  if ((reg.flags & FLAG.maybeNull) !== 0) reg = { ...reg, id: newId(env) };
  if (CASTS.has(proto.name) || proto.ret.kind === "dynptr_mem") {
    reg = { ...reg, refObjId: meta.refObjId };
  } else if (proto.ret.acquires === true) {
    const id = acquireRef(env, "ptr");
    reg = { ...reg, id, refObjId: id };
  }
  writeReg(env, 0, reg);
}
