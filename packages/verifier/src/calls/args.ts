import type { ArgSpec, HelperProto } from "@tsbpf/abi";
import { checkAlignment } from "../access/align.ts";
import { checkKptrValue } from "../access/kptr.ts";
import { mayAccessPacket } from "../access/packet.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { noteCallback, noteCallMap, notePreciseArg } from "../facts.ts";
import type { MapInfo, SpecialField } from "../maps.ts";
import { markPrecise } from "../precise/mark.ts";
import { reject, rejectUnterminated } from "../reject.ts";
import { type BtfTarget, type DynptrType, isNullReg, isPacketPointer, REG, type Reg } from "../state/reg.ts";
import { isLeak, readReg } from "../walk/regs.ts";
import { checkArgOffset } from "./arg-offset.ts";
import { checkArgType } from "./arg-types.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { constantKey } from "./const-key.ts";
import { checkConstStr } from "./const-str.ts";
import { checkDynptrArg } from "./dynptr.ts";
import { checkKptrDest } from "./kptr-arg.ts";
import { checkMemArg } from "./mem-arg.ts";
import { checkSpinLock } from "./spin-lock.ts";
import { checkTimer } from "./timer.ts";

/** What the checks of the arguments found out; later steps of the call use it. */
export interface CallMeta {
  readonly proto: HelperProto;
  map: MapInfo | undefined;
  mapUid: number;
  /** Constant key of an array lookup (H-26). */
  constKey: bigint | undefined;
  /** Stack memory that the helper fills. */
  rawRegno: number;
  rawSize: number;
  releaseRegno: number;
  releasesDynptr: boolean;
  refObjId: number;
  /** Constant size that the helper allocates. */
  memBytes: number;
  /** Largest value of the size argument. */
  sizeMax: bigint;
  subprog: number;
  dynptrId: number;
  dynptrType: DynptrType | undefined;
  /** Type of the object that a kptr field holds. */
  kptrTarget: BtfTarget | undefined;
  kptrField: SpecialField | undefined;
  clonedRefId: number;
  newDynptrType: DynptrType | undefined;
  keepsPacket: boolean;
  clearsPacket: boolean;
}

export const newCallMeta = (proto: HelperProto): CallMeta => ({
  proto,
  map: undefined,
  mapUid: 0,
  constKey: undefined,
  rawRegno: 0,
  rawSize: 0,
  releaseRegno: 0,
  releasesDynptr: false,
  refObjId: 0,
  memBytes: 0,
  sizeMax: 0n,
  subprog: -1,
  dynptrId: 0,
  dynptrType: undefined,
  kptrTarget: undefined,
  kptrField: undefined,
  clonedRefId: 0,
  newDynptrType: undefined,
  keepsPacket: false,
  clearsPacket: false,
});

/** Largest size of helper memory. */
const MAX_SIZE = 1n << 29n;

/** Checks r1..r5 in order (H-20..H-36). */
export function checkArgs(env: Env, proto: HelperProto, meta: CallMeta): void {
  proto.args.forEach((arg, i) => {
    checkArg(env, arg, i, meta);
  });
}

/** Register of the pointer that bpf_kptr_xchg puts into a field. */
const KPTR_REGNO = 2;

/** Values of socket maps are sockets, not bytes. */
function resolveArg(arg: ArgSpec, meta: CallMeta): ArgSpec {
  const type = meta.map?.spec.type;
  if (arg.kind !== "map_value" || (type !== "sockmap" && type !== "sockhash")) return arg;
  return { name: arg.name, kind: "btf_id_sock_common", btfTypes: ["sock_common"] };
}

function checkArg(env: Env, declared: ArgSpec, i: number, meta: CallMeta): void {
  const arg = resolveArg(declared, meta);
  const regno = i + 1;
  const reg = readReg(env, regno);
  if (arg.kind === "scalar") {
    checkAnything(env, arg, reg, regno);
    return;
  }
  if (isPacketPointer(reg) && !isPacketAllowed(env, meta)) {
    reject(env, "CALL_ARG_PACKET", "EACCES", "helper access to the packet is not allowed");
  }
  const isNull = isNullReg(reg) && arg.nullable === true;
  if (!isNull) {
    checkArgType(env, meta.proto, arg, reg, regno);
    const isNewKptr = meta.proto.id === HELPER_ID.kptrXchg && regno === KPTR_REGNO;
    if (isNewKptr && meta.kptrField !== undefined) checkKptrValue(env, meta.kptrField, regno);
    checkArgOffset(env, arg, reg, regno);
  }
  if (arg.releases === true) noteRelease(env, arg, reg, regno, meta);
  if (reg.refObjId !== 0 && arg.kind !== "kptr") {
    if (meta.refObjId !== 0) {
      rejectUnterminated(
        env,
        "CALL_ARG_REFS",
        "EACCES",
        `more than one arg with ref_obj_id R${regno} ${reg.refObjId} ${meta.refObjId}`,
      );
    }
    meta.refObjId = reg.refObjId;
  }
  checkContent(env, arg, { i, regno, reg, isNull }, meta);
}

function checkAnything(env: Env, arg: ArgSpec, reg: Reg, regno: number): void {
  if (isLeak(env, reg)) {
    reject(env, "REG_LEAK", "EACCES", `R${regno} leaks addr into helper function`);
  }
  if (arg.min === undefined && arg.max === undefined) return;
  checkDeclaredRange(env, arg, reg, regno);
}

/** What only plugins declare of their arguments: ranges of numbers, sizes that are not 0, types of maps. */
export function checkDeclared(env: Env, arg: ArgSpec, reg: Reg, regno: number): void {
  const isSize = arg.kind === "size" && arg.allowZero !== true;
  if (isSize && arg.min === undefined) checkDeclaredRange(env, { ...arg, min: 1n }, reg, regno);
  else if (arg.min !== undefined || arg.max !== undefined) checkDeclaredRange(env, arg, reg, regno);
  const { map } = reg.x;
  if (arg.kind !== "map" || arg.mapTypes === undefined || map === undefined) return;
  if (arg.mapTypes.includes(map.spec.type)) return;
  const allowed = arg.mapTypes.join(", ");
  reject(
    env,
    "CALL_MAP_TYPE",
    "EINVAL",
    `R${regno} holds a map of type ${map.spec.type}, ${arg.name} takes ${allowed}`,
  );
}

/** A helper defined by a plugin may bound its numbers; Linux has no such arguments. */
function checkDeclaredRange(env: Env, arg: ArgSpec, reg: Reg, regno: number): void {
  const isFine =
    reg.type === REG.scalar &&
    (arg.min === undefined ||
      (arg.min >= 0n ? reg.val.umin >= arg.min && reg.val.smin >= 0n : reg.val.smin >= arg.min)) &&
    (arg.max === undefined ||
      (arg.min !== undefined && arg.min < 0n ? reg.val.smax <= arg.max : reg.val.umax <= arg.max));
  if (isFine) {
    markPrecise(env, regno);
    return;
  }
  const held = reg.type === REG.scalar ? `[${reg.val.umin}, ${reg.val.umax}]` : "a pointer";
  reject(
    env,
    "CALL_ARG_RANGE",
    "EACCES",
    `R${regno} holds ${held}, ${arg.name} must be proven to lie in ${printDeclaredRange(arg)}`,
  );
}

const printDeclaredRange = ({ min, max }: ArgSpec): string =>
  max === undefined ? `${min} and above` : `${min ?? 0n}..${max}`;

/** Packet memory may be passed to helpers that declare it, from programs that read packets directly (H-13). */
const isPacketAllowed = (env: Env, meta: CallMeta): boolean =>
  meta.proto.allowsPacketMem && mayAccessPacket(env, false);

function noteRelease(env: Env, arg: ArgSpec, reg: Reg, regno: number, meta: CallMeta): void {
  meta.releaseRegno = regno;
  if (arg.kind === "dynptr") {
    meta.releasesDynptr = true;
    return;
  }
  if (reg.refObjId === 0 && !isNullReg(reg)) {
    reject(env, "REF_NOT_HELD", "EINVAL", `R${regno} must be referenced when passed to release function`);
  }
}

interface ArgPlace {
  readonly i: number;
  readonly regno: number;
  readonly reg: Reg;
  readonly isNull: boolean;
}

/** Checks what the argument leads to, by kind. */
function checkContent(env: Env, arg: ArgSpec, place: ArgPlace, meta: CallMeta): void {
  const { regno, reg } = place;
  switch (arg.kind) {
    case "map":
      noteMap(env, reg, meta);
      return;
    case "map_key":
      checkKey(env, reg, regno, meta);
      return;
    case "map_value":
      if (place.isNull) return;
      noteRaw(
        meta,
        regno,
        meta.map?.valueBytes ?? 0,
        checkMemArg(env, {
          regno,
          size: meta.map?.valueBytes ?? 0,
          isWrite: arg.access === "write" || arg.access === "readwrite",
          allowZero: false,
          isRaw: arg.access === "write",
        }),
      );
      return;
    case "mem":
      if (arg.sizeBytes === undefined) return;
      if (place.isNull) return;
      checkFixedMem(env, arg, place, arg.sizeBytes, meta);
      return;
    case "size":
      checkSize(env, arg, place, meta);
      return;
    case "alloc_size":
      if (!isConst(reg.val)) {
        reject(env, "CALL_ARG_CONST", "EACCES", `R${regno} is not a known constant'`);
      }
      meta.memBytes = Number(reg.val.umin & 0xffff_ffffn);
      markPrecise(env, regno);
      notePreciseArg(env, env.insnIdx, regno, reg);
      return;
    case "const_str":
      checkConstStr(env, reg, regno);
      return;
    case "func":
      meta.subprog = reg.x.subprog;
      noteCallback(env, env.insnIdx, env.subprogs[reg.x.subprog]?.start ?? -1);
      return;
    case "spin_lock":
      checkSpinLock(env, reg, regno, meta.proto.name === "bpf_spin_lock");
      return;
    case "timer":
      checkTimer(env, reg, regno, meta);
      return;
    case "dynptr":
      checkDynptrArg(env, arg, regno, meta);
      return;
    case "kptr":
      checkKptrDest(env, reg, regno, meta);
      return;
    default:
      return;
  }
}

function noteRaw(meta: CallMeta, regno: number, size: number, isRaw: boolean): void {
  if (!isRaw) return;
  meta.rawRegno = regno;
  meta.rawSize = size;
}

function noteMap(env: Env, reg: Reg, meta: CallMeta): void {
  if (meta.map !== undefined && (meta.map !== reg.x.map || meta.mapUid !== reg.x.mapUid)) {
    reject(
      env,
      "CALL_MAP_MISMATCH",
      "EINVAL",
      `timer pointer in R1 map_uid=${meta.mapUid} doesn't match map pointer in R2 map_uid=${reg.x.mapUid}`,
    );
  }
  meta.map = reg.x.map;
  meta.mapUid = reg.x.mapUid;
  if (reg.x.map !== undefined) noteCallMap(env, env.insnIdx, isInnerMap(env, reg) ? -1 : reg.x.map.idx);
}

/** An inner map stands for any map that its outer one may hold. */
const isInnerMap = (env: Env, reg: Reg): boolean => !env.maps.includes(reg.x.map as MapInfo);

function checkKey(env: Env, reg: Reg, regno: number, meta: CallMeta): void {
  const map = meta.map;
  if (map === undefined) return;
  checkMemArg(env, { regno, size: map.keyBytes, isWrite: false, allowZero: false, isRaw: false });
  meta.constKey = constantKey(env, map, reg);
}

function checkFixedMem(env: Env, arg: ArgSpec, place: ArgPlace, size: number, meta: CallMeta): void {
  const { regno, reg } = place;
  const isRaw = checkMemArg(env, {
    regno,
    size,
    isWrite: arg.access === "write" || arg.access === "readwrite",
    allowZero: false,
    isRaw: arg.access === "write",
  });
  noteRaw(meta, regno, size, isRaw);
  if (arg.isAligned === true) checkAlignment(env, reg, 0, size, true);
}

/** The size of the memory argument before it (H-28). */
function checkSize(env: Env, arg: ArgSpec, place: ArgPlace, meta: CallMeta): void {
  const { regno, reg, i } = place;
  const mem = meta.proto.args[i - 1];
  meta.sizeMax = reg.val.umax;
  const allowZero = arg.allowZero === true;
  const bad = (text: string): never => reject(env, "CALL_ARG_SIZE", "EACCES", `R${regno} ${text}`);
  if (reg.val.smin < 0n) bad("min value is negative, either use unsigned or 'var &= const'");
  if (reg.val.umin === 0n && !allowZero) {
    bad(`invalid zero-sized read: u64=[${reg.val.umin},${reg.val.umax}]`);
  }
  if (reg.val.umax >= MAX_SIZE) {
    bad("unbounded memory access, use 'var &= const' or 'if (var < const)'");
  }
  const size = Number(reg.val.umax);
  const isRaw = checkMemArg(env, {
    regno: regno - 1,
    size,
    isWrite: mem?.access === "write" || mem?.access === "readwrite",
    allowZero,
    isRaw: mem?.access === "write" && isConst(reg.val),
  });
  noteRaw(meta, regno - 1, size, isRaw);
  markPrecise(env, regno);
  notePreciseArg(env, env.insnIdx, regno, reg);
  if (arg.min !== undefined || arg.max !== undefined) checkDeclaredRange(env, arg, reg, regno);
}
