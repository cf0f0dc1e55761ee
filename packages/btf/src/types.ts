import type { BtfKind, BtfLinkage } from "./kinds.ts";

interface TypeBase<K extends BtfKind> {
  readonly kind: K;
  readonly id: number;
  /** Empty when anonymous. */
  readonly name: string;
}
interface Refers<K extends BtfKind> extends TypeBase<K> {
  /** Id of the type it refers to; 0 is void. */
  readonly type: number;
}

export type BtfIntEncoding = "unsigned" | "signed" | "char" | "bool";

export interface BtfVoid extends TypeBase<"void"> {}
export interface BtfInt extends TypeBase<"int"> {
  readonly sizeBytes: number;
  readonly encoding: BtfIntEncoding;
  /** Bits before the value; non-zero only in old encodings of bit-fields. */
  readonly offsetBits: number;
  readonly sizeBits: number;
}
export interface BtfPtr extends Refers<"ptr"> {}
export interface BtfArray extends TypeBase<"array"> {
  readonly elem: number;
  readonly index: number;
  readonly count: number;
}

/** One member of a struct or union as encoded. */
export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly offsetBits: number;
  /** Bits of a bit-field; 0 for a plain member. */
  readonly bitfieldBits: number;
}
interface Composite<K extends "struct" | "union"> extends TypeBase<K> {
  readonly sizeBytes: number;
  readonly members: readonly BtfMember[];
  /** Whether members carry bit-field sizes; without it a bit-field's size is that of its int type. */
  readonly hasBitfields: boolean;
}
export interface BtfStruct extends Composite<"struct"> {}
export interface BtfUnion extends Composite<"union"> {}

export interface BtfEnumerator {
  readonly name: string;
  readonly value: bigint;
}
interface Enumeration<K extends "enum" | "enum64"> extends TypeBase<K> {
  readonly sizeBytes: number;
  readonly isSigned: boolean;
  readonly values: readonly BtfEnumerator[];
}
export interface BtfEnum extends Enumeration<"enum"> {}
export interface BtfEnum64 extends Enumeration<"enum64"> {}

export interface BtfFwd extends TypeBase<"fwd"> {
  readonly isUnion: boolean;
}
export interface BtfTypedef extends Refers<"typedef"> {}
export interface BtfVolatile extends Refers<"volatile"> {}
export interface BtfConst extends Refers<"const"> {}
export interface BtfRestrict extends Refers<"restrict"> {}
export interface BtfFunc extends Refers<"func"> {
  readonly linkage: BtfLinkage;
}
export interface BtfParam {
  readonly name: string;
  readonly type: number;
}
export interface BtfFuncProto extends TypeBase<"func_proto"> {
  /** Id of the return type; 0 is void. */
  readonly returns: number;
  readonly params: readonly BtfParam[];
  /** Whether the parameters end in `...`. */
  readonly isVariadic: boolean;
}
export interface BtfVar extends Refers<"var"> {
  readonly linkage: BtfLinkage;
}
/** One variable of a section; compilers leave the offset 0 for the loader to fill in. */
export interface BtfSectionVar {
  readonly type: number;
  readonly offset: number;
  readonly sizeBytes: number;
}
export interface BtfDatasec extends TypeBase<"datasec"> {
  readonly sizeBytes: number;
  readonly vars: readonly BtfSectionVar[];
}
export interface BtfFloat extends TypeBase<"float"> {
  readonly sizeBytes: number;
}
export interface BtfDeclTag extends Refers<"decl_tag"> {
  /** Member or parameter the tag is on; -1 for the whole type. */
  readonly component: number;
  readonly isAttribute: boolean;
}
export interface BtfTypeTag extends Refers<"type_tag"> {
  readonly isAttribute: boolean;
}

/** One type of a BTF table. */
export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfPtr
  | BtfArray
  | BtfStruct
  | BtfUnion
  | BtfEnum
  | BtfFwd
  | BtfTypedef
  | BtfVolatile
  | BtfConst
  | BtfRestrict
  | BtfFunc
  | BtfFuncProto
  | BtfVar
  | BtfDatasec
  | BtfFloat
  | BtfDeclTag
  | BtfTypeTag
  | BtfEnum64;

/** A type of a given kind. */
export type BtfTypeOf<K extends BtfKind> = Extract<BtfType, { readonly kind: K }>;
