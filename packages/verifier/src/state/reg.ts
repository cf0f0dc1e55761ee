import { constScalar, isZero, type Scalar, UNKNOWN_SCALAR, ZERO_SCALAR } from "../domain/scalar.ts";
import type { MapInfo } from "../maps.ts";

/** Base types of a register's value, in the kernel's order (S-15). */
export const REG = {
  notInit: 0,
  scalar: 1,
  ctx: 2,
  mapPtr: 3,
  mapValue: 4,
  mapKey: 5,
  stack: 6,
  pktMeta: 7,
  pkt: 8,
  pktEnd: 9,
  flowKeys: 10,
  sock: 11,
  sockCommon: 12,
  tcpSock: 13,
  tpBuffer: 14,
  xdpSock: 15,
  btfId: 16,
  mem: 17,
  arena: 18,
  buf: 19,
  func: 20,
  dynptr: 21,
} as const;
export type RegBase = (typeof REG)[keyof typeof REG];

/** Modifiers of a base type (S-10). */
export const FLAG = {
  maybeNull: 1 << 0,
  rdonly: 1 << 1,
  ringbuf: 1 << 2,
  user: 1 << 3,
  percpu: 1 << 4,
  untrusted: 1 << 5,
  alloc: 1 << 6,
  trusted: 1 << 7,
  rcu: 1 << 8,
  nonOwnRef: 1 << 9,
} as const;

/** A typed struct that a pointer leads to. */
export interface BtfTarget {
  /** Struct name as logs print it. */
  readonly name: string;
  /** Kernel types are known by name alone; types of the program by their id. */
  readonly isKernel: boolean;
  readonly typeId: number;
}

/** What only some types carry; shared between the registers of one origin. All have the same fields, as V8 likes it. */
export interface RegExtra {
  readonly map: MapInfo | undefined;
  /** Id of the outer lookup that gave an inner map (S-24). */
  readonly mapUid: number;
  /** Bytes checked from the packet's start; -1 at the end, -2 beyond (S-20). */
  readonly range: number;
  readonly frameno: number;
  readonly memBytes: number;
  /** Dynptr that a slice belongs to, or the identity of a dynptr itself. */
  readonly dynptrId: number;
  readonly btf: BtfTarget | undefined;
  readonly subprog: number;
  readonly dynptr: { readonly type: DynptrType; readonly isFirst: boolean } | undefined;
  readonly iter: { readonly name: string; readonly isActive: boolean; readonly depth: number } | undefined;
  readonly irqClass: "native" | "lock" | undefined;
}
export type DynptrType = "local" | "ringbuf" | "skb" | "xdp" | "skb_meta";

/** The abstract value of one register; immutable, shared between states. */
export interface Reg {
  readonly type: RegBase;
  readonly flags: number;
  /** Fixed offset of a pointer; the constant delta of a linked scalar. */
  readonly off: number;
  /** The number, or the variable part of the offset. */
  readonly val: Scalar;
  readonly id: number;
  /** Whether `off` is the delta to the group of `id`, and at which width it was added; 0 when not (S-134). */
  readonly deltaBits: 0 | 32 | 64;
  readonly refObjId: number;
  readonly isPrecise: boolean;
  readonly x: RegExtra;
}

const makeExtra = (x: Partial<RegExtra>): RegExtra => ({
  map: x.map,
  mapUid: x.mapUid ?? 0,
  range: x.range ?? 0,
  frameno: x.frameno ?? 0,
  memBytes: x.memBytes ?? 0,
  dynptrId: x.dynptrId ?? 0,
  btf: x.btf,
  subprog: x.subprog ?? 0,
  dynptr: x.dynptr,
  iter: x.iter,
  irqClass: x.irqClass,
});
const NO_EXTRA: RegExtra = makeExtra({});

/** Makes a scalar register without id. */
export const scalarReg = (val: Scalar, isPrecise = false): Reg => ({
  type: REG.scalar,
  flags: 0,
  off: 0,
  val,
  id: 0,
  deltaBits: 0,
  refObjId: 0,
  isPrecise,
  x: NO_EXTRA,
});

export const NOT_INIT: Reg = { ...scalarReg(UNKNOWN_SCALAR), type: REG.notInit };
export const UNKNOWN_REG: Reg = scalarReg(UNKNOWN_SCALAR);
export const ZERO_REG: Reg = scalarReg(ZERO_SCALAR);
export const constReg = (value: bigint | number): Reg => scalarReg(constScalar(value));

/** What makes a pointer beyond its type. */
export interface PointerFields {
  readonly flags?: number;
  readonly off?: number;
  readonly id?: number;
  readonly refObjId?: number;
  readonly x?: Partial<RegExtra>;
}

/** Makes a pointer register at a known offset. */
export const pointerReg = (type: RegBase, fields: PointerFields = {}): Reg => ({
  type,
  flags: fields.flags ?? 0,
  off: fields.off ?? 0,
  val: ZERO_SCALAR,
  id: fields.id ?? 0,
  deltaBits: 0,
  refObjId: fields.refObjId ?? 0,
  isPrecise: false,
  x: fields.x === undefined ? NO_EXTRA : makeExtra(fields.x),
});

/** Copies a register with another id and delta. */
export const withId = (reg: Reg, id: number, off = reg.off, deltaBits = reg.deltaBits): Reg => ({
  type: reg.type,
  flags: reg.flags,
  off,
  val: reg.val,
  id,
  deltaBits,
  refObjId: reg.refObjId,
  isPrecise: reg.isPrecise,
  x: reg.x,
});

/** Copies a register with another type, other flags and another id. */
export const withType = (reg: Reg, type: RegBase, flags: number, id: number): Reg => ({
  type,
  flags,
  off: reg.off,
  val: reg.val,
  id,
  deltaBits: reg.deltaBits,
  refObjId: reg.refObjId,
  isPrecise: reg.isPrecise,
  x: reg.x,
});

/** Copies a pointer that was moved. */
export const withMove = (reg: Reg, off: number, val: Scalar, id: number, x: RegExtra): Reg => ({
  type: reg.type,
  flags: reg.flags,
  off,
  val,
  id,
  deltaBits: reg.deltaBits,
  refObjId: reg.refObjId,
  isPrecise: reg.isPrecise,
  x,
});

/** Copies a packet pointer with another checked range. */
export const withRange = (reg: Reg, range: number): Reg =>
  reg.x.range === range ? reg : withMove(reg, reg.off, reg.val, reg.id, { ...reg.x, range });

/** Copies a register with another value. */
export const withVal = (reg: Reg, val: Scalar): Reg => ({
  type: reg.type,
  flags: reg.flags,
  off: reg.off,
  val,
  id: reg.id,
  deltaBits: reg.deltaBits,
  refObjId: reg.refObjId,
  isPrecise: reg.isPrecise,
  x: reg.x,
});

/** Copies a register with another precision mark. */
export const withPrecise = (reg: Reg, isPrecise: boolean): Reg =>
  reg.isPrecise === isPrecise
    ? reg
    : {
        type: reg.type,
        flags: reg.flags,
        off: reg.off,
        val: reg.val,
        id: reg.id,
        deltaBits: reg.deltaBits,
        refObjId: reg.refObjId,
        isPrecise,
        x: reg.x,
      };

export const isNullReg = (reg: Reg): boolean => reg.type === REG.scalar && isZero(reg.val);
export const isMaybeNull = (reg: Reg): boolean => (reg.flags & FLAG.maybeNull) !== 0;
export const isPacketPointer = (reg: Reg): boolean => reg.type === REG.pkt || reg.type === REG.pktMeta;
export const isPointer = (reg: Reg): boolean => reg.type !== REG.scalar && reg.type !== REG.notInit;

const UNSAFE_FLAGS = ~(FLAG.alloc | FLAG.trusted | FLAG.nonOwnRef);
const IMPLICITLY_TRUSTED: ReadonlySet<RegBase> = new Set<RegBase>([
  REG.sock,
  REG.sockCommon,
  REG.tcpSock,
  REG.mapPtr,
]);

/** Says whether a pointer counts as trusted (S-12). */
export function isTrustedReg(reg: Reg): boolean {
  if (reg.refObjId !== 0) return true;
  if (IMPLICITLY_TRUSTED.has(reg.type) && (reg.flags & UNSAFE_FLAGS) === 0) return true;
  return (reg.flags & (FLAG.alloc | FLAG.trusted | FLAG.nonOwnRef)) !== 0 && (reg.flags & UNSAFE_FLAGS) === 0;
}

const NEVER_NULL: ReadonlySet<RegBase> = new Set<RegBase>([
  REG.sock,
  REG.tcpSock,
  REG.mapValue,
  REG.mapKey,
  REG.sockCommon,
  REG.mapPtr,
]);

/** Says whether a pointer is proven non-null (S-13). */
export function isNeverNull(reg: Reg): boolean {
  if (isMaybeNull(reg)) return false;
  if (NEVER_NULL.has(reg.type)) return true;
  if (reg.type === REG.btfId) return isTrustedReg(reg);
  return reg.type === REG.mem && (reg.flags & FLAG.untrusted) === 0;
}

const SPILLABLE: ReadonlySet<RegBase> = new Set<RegBase>([
  REG.mapValue,
  REG.stack,
  REG.ctx,
  REG.pkt,
  REG.pktMeta,
  REG.pktEnd,
  REG.flowKeys,
  REG.mapPtr,
  REG.sock,
  REG.sockCommon,
  REG.tcpSock,
  REG.xdpSock,
  REG.btfId,
  REG.buf,
  REG.mem,
  REG.func,
  REG.mapKey,
  REG.arena,
]);
export const isSpillable = (reg: Reg): boolean => SPILLABLE.has(reg.type);
