import { S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32_MAX, U64_MAX } from "@tsbpf/base";
import { isConst, type Scalar, type Tnum } from "../domain/scalar.ts";
import { FLAG, REG, type Reg, type RegBase } from "../state/reg.ts";

const BASE_NAMES: Readonly<Record<RegBase, string>> = {
  [REG.notInit]: "?",
  [REG.scalar]: "scalar",
  [REG.ctx]: "ctx",
  [REG.mapPtr]: "map_ptr",
  [REG.mapValue]: "map_value",
  [REG.mapKey]: "map_key",
  [REG.stack]: "fp",
  [REG.pktMeta]: "pkt_meta",
  [REG.pkt]: "pkt",
  [REG.pktEnd]: "pkt_end",
  [REG.flowKeys]: "flow_keys",
  [REG.sock]: "sock",
  [REG.sockCommon]: "sock_common",
  [REG.tcpSock]: "tcp_sock",
  [REG.tpBuffer]: "tp_buffer",
  [REG.xdpSock]: "xdp_sock",
  [REG.btfId]: "ptr_",
  [REG.mem]: "mem",
  [REG.arena]: "arena",
  [REG.buf]: "buf",
  [REG.func]: "func",
  [REG.dynptr]: "dynptr_ptr",
};

const PREFIXES: readonly (readonly [number, string])[] = [
  [FLAG.rdonly, "rdonly_"],
  [FLAG.ringbuf, "ringbuf_"],
  [FLAG.user, "user_"],
  [FLAG.percpu, "percpu_"],
  [FLAG.rcu, "rcu_"],
  [FLAG.untrusted, "untrusted_"],
  [FLAG.trusted, "trusted_"],
];

/** Names a register type as messages do (S-11). */
export function typeName(type: RegBase, flags: number): string {
  let prefix = "";
  if (flags !== 0) for (const [flag, text] of PREFIXES) if ((flags & flag) !== 0) prefix += text;
  const isNullable = (flags & FLAG.maybeNull) !== 0;
  const suffix = isNullable ? (type === REG.btfId ? "or_null_" : "_or_null") : "";
  return prefix + BASE_NAMES[type] + suffix;
}
export const regTypeName = (reg: Reg): string => typeName(reg.type, reg.flags);

/** `%#llx`: hex with prefix, except zero. */
const hex = (value: bigint): string => (value === 0n ? "0" : `0x${value.toString(16)}`);
const printUnsigned = (value: bigint): string => (value <= 65535n ? value.toString() : hex(value));
/** Signed values in the 16-bit window are decimal, others the hex of 64 bits. */
const printSigned = (value: bigint): string =>
  value >= -32768n && value <= 32767n ? value.toString() : hex(BigInt.asUintN(64, value));

/** Prints a tnum (S-92). */
export const printTnum = (a: Tnum): string => {
  if (a.mask === 0n) return printUnsigned(a.value);
  return `(${printTnumHalf(a.value)}; ${printTnumHalf(a.mask)})`;
};
const printTnumHalf = (value: bigint): string => `0x${value.toString(16)}`;

interface Bound {
  readonly name: string;
  readonly value: bigint;
  isOmitted: boolean;
}

const shown32 = (value: number): bigint =>
  value >= -32768 && value <= 32767 ? BigInt(value) : BigInt(value >>> 0);

/** Prints the eight bounds, merged where equal. */
function printRanges(val: Scalar): string[] {
  const bounds: Bound[] = [
    { name: "smin", value: val.smin, isOmitted: val.smin === S64_MIN },
    { name: "smax", value: val.smax, isOmitted: val.smax === S64_MAX },
    { name: "umin", value: val.umin, isOmitted: val.umin === 0n },
    { name: "umax", value: val.umax, isOmitted: val.umax === U64_MAX },
    { name: "smin32", value: shown32(val.s32min), isOmitted: val.s32min === S32_MIN },
    { name: "smax32", value: shown32(val.s32max), isOmitted: val.s32max === S32_MAX },
    { name: "umin32", value: BigInt(val.u32min), isOmitted: val.u32min === 0 },
    { name: "umax32", value: BigInt(val.u32max), isOmitted: val.u32max === U32_MAX },
  ];
  const items: string[] = [];
  bounds.forEach((bound, i) => {
    if (bound.isOmitted) return;
    let text = `${bound.name}=`;
    const isSigned = bound.name.startsWith("s");
    const isNegative = isSigned && bound.value < 0n;
    for (let j = i + 2; j < bounds.length; j += 2) {
      const other = bounds[j] as Bound;
      if (other.isOmitted || BigInt.asUintN(64, other.value) !== BigInt.asUintN(64, bound.value)) continue;
      const isOtherNegative = other.name.startsWith("s") && other.value < 0n;
      if (isOtherNegative !== isNegative) continue;
      other.isOmitted = true;
      text += `${other.name}=`;
    }
    items.push(text + (isSigned ? printSigned(bound.value) : printUnsigned(bound.value)));
  });
  return items;
}

function printFields(reg: Reg): string[] {
  const items: string[] = [];
  if (reg.id !== 0) {
    const delta = reg.deltaBits === 0 ? "" : `${reg.off < 0 ? "" : "+"}${reg.off}`;
    items.push(`id=${reg.id}${delta}`);
  }
  if (reg.refObjId !== 0) items.push(`ref_obj_id=${reg.refObjId}`);
  if ((reg.flags & FLAG.nonOwnRef) !== 0) items.push("non_own_ref");
  const map = reg.x.map;
  if (
    map !== undefined &&
    (reg.type === REG.mapPtr || reg.type === REG.mapKey || reg.type === REG.mapValue)
  ) {
    if (map.name !== "") items.push(`map=${map.name}`);
    items.push(`ks=${map.keyBytes},vs=${map.valueBytes}`);
  }
  if (reg.type !== REG.scalar && reg.off !== 0) items.push(`off=${printSigned(BigInt(reg.off))}`);
  if (reg.type === REG.pkt || reg.type === REG.pktMeta) {
    items.push(`r=${printUnsigned(BigInt.asUintN(64, BigInt(reg.x.range)))}`);
  }
  if (reg.type === REG.mem) items.push(`sz=${printUnsigned(BigInt(reg.x.memBytes))}`);
  if (reg.type === REG.dynptr) items.push(`type=${reg.x.dynptr?.type ?? "<invalid>"}`);
  return items;
}

/** Prints a register's state (X-91..X-93); `frameno` is the frame of the printed state. */
export function printReg(reg: Reg, frameno: number): string {
  const isScalar = reg.type === REG.scalar;
  const prefix = isScalar && reg.isPrecise ? "P" : "";
  if (isScalar && isConst(reg.val)) return prefix + printSigned(reg.val.smin);
  let text = prefix + regTypeName(reg);
  if (reg.type === REG.arena) return text;
  if (reg.type === REG.stack) {
    if (frameno !== reg.x.frameno) text += `[${reg.x.frameno}]`;
    if (isConst(reg.val)) return text + printSigned(reg.val.smin + BigInt(reg.off));
  }
  if (reg.type === REG.btfId) text += reg.x.btf?.name ?? "";
  const items = printFields(reg);
  if (isConst(reg.val)) {
    if (reg.val.umin !== 0n) items.push(`imm=${printSigned(reg.val.smin)}`);
  } else {
    items.push(...printRanges(reg.val));
    if (reg.val.tnum.mask !== U64_MAX) items.push(`var_off=${printTnum(reg.val.tnum)}`);
  }
  return `${text}(${items.join(",")})`;
}
