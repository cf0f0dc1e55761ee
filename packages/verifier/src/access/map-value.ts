import { MAP_TYPES } from "@tsbpf/abi";
import { constScalar, isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { isReadOnlyToProg, isWriteOnlyToProg, type MapInfo, type SpecialField } from "../maps.ts";
import { reject } from "../reject.ts";
import { type Reg, scalarReg, UNKNOWN_REG } from "../state/reg.ts";
import { isKptr, loadKptr, storeKptr } from "./kptr.ts";
import { type Access, checkRegion } from "./sized.ts";

/** Checks the map's access flags. */
export function checkMapFlags(env: Env, access: Access): void {
  const map = access.reg.x.map as MapInfo;
  const isBad = access.isWrite ? isReadOnlyToProg(map) : isWriteOnlyToProg(map);
  if (!isBad) return;
  const what = access.isWrite ? "write into" : "read from";
  reject(
    env,
    "MEM_MAP_FLAGS",
    "EACCES",
    `${what} map forbidden, value_size=${map.valueBytes} off=${access.off} size=${access.size}`,
  );
}

/** Checks bounds and special fields. */
export function checkMapBounds(env: Env, access: Access, isHelper: boolean): void {
  const map = access.reg.x.map as MapInfo;
  checkRegion(env, access, map.valueBytes);
  for (const field of map.fields) checkField(env, access, field, isHelper);
}

function checkField(env: Env, access: Access, field: SpecialField, isHelper: boolean): void {
  const first = access.reg.val.smin + BigInt(access.off);
  const end = access.reg.val.umax + BigInt(access.off + access.size);
  const isTouched = first < BigInt(field.offset + field.sizeBytes) && BigInt(field.offset) < end;
  if (!isTouched) return;
  if (!isKptr(field)) {
    reject(env, "MEM_SPECIAL_FIELD", "EACCES", `${field.kind} cannot be accessed directly by load/store`);
  }
  const name = field.kind === "uptr" ? "uptr" : field.kind === "kptr_percpu" ? "percpu_kptr" : "kptr";
  const bad = (text: string): never => reject(env, "MEM_KPTR", "EACCES", text);
  if (isHelper) bad(`${name} cannot be accessed indirectly by helper`);
  if (!isConst(access.reg.val)) bad(`${name} access cannot have variable offset`);
  if (first !== BigInt(field.offset)) {
    bad(`${name} access misaligned expected=${field.offset} off=${first}`);
  }
  if (access.size !== 8) bad(`${name} access size must be BPF_DW`);
}

/**
 * A load or store of a map value (A-70..A-81).
 *
 * @param valueRegno - the register stored, -1 for an immediate or unknown bytes, or loaded to.
 * @returns what a load gives.
 */
export function accessMapValue(env: Env, access: Access, isSigned: boolean, valueRegno: number): Reg {
  checkMapFlags(env, access);
  checkMapBounds(env, access, false);
  const map = access.reg.x.map as MapInfo;
  const at = access.reg.val.sminNumber + access.off;
  if (isConst(access.reg.val)) {
    const field = map.fields.find((one) => isKptr(one) && one.offset === at);
    if (field !== undefined) {
      if (!access.isWrite) return loadKptr(env, field);
      storeKptr(env, field, valueRegno);
      return UNKNOWN_REG;
    }
    const folded = access.isWrite ? undefined : foldConstant(map, at, access.size, isSigned);
    if (folded !== undefined) return scalarReg(constScalar(folded));
  }
  return UNKNOWN_REG;
}

/** Reads a frozen read-only map at verification time. */
function foldConstant(map: MapInfo, at: number, size: number, isSigned: boolean): bigint | undefined {
  const bytes = frozenBytes(map);
  if (bytes === undefined || at < 0 || at + size > bytes.length) return undefined;
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] as number);
  return isSigned ? BigInt.asIntN(size * 8, value) : value;
}

/** Bytes of frozen maps, collected when a program first reads them. */
const FROZEN = new WeakMap<MapInfo, Uint8Array>();

/** Returns the bytes that a program may count on: array maps, read-only to programs, frozen. */
export function frozenBytes(map: MapInfo): Uint8Array | undefined {
  if (map.type !== MAP_TYPES.array || !isReadOnlyToProg(map) || !map.isFrozen) return undefined;
  const known = FROZEN.get(map);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(map.valueBytes);
  for (const entry of map.spec.contents ?? []) {
    if (entry.key.every((byte) => byte === 0) && entry.value instanceof Uint8Array) {
      bytes.set(entry.value.subarray(0, bytes.length));
    }
  }
  FROZEN.set(map, bytes);
  return bytes;
}
