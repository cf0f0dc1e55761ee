export type { Btf, ParseBtfOptions } from "./btf.ts";
export { parseBtf } from "./btf.ts";
export { essentialName } from "./core/names.ts";
export type { CoreAnswer, CoreQuestion, CoreResolver } from "./core/relocate.ts";
export { createCoreResolver } from "./core/relocate.ts";
export type { CoreAccessor, CoreSpec } from "./core/spec.ts";
export type { CoreValue } from "./core/value.ts";
export type { BtfExt, BtfExtSection, CoreKind, CoreRelo, FuncInfo, LineInfo } from "./ext.ts";
export { CORE_KINDS, parseBtfExt } from "./ext.ts";
export type { BtfKind, BtfLinkage } from "./kinds.ts";
export { BTF_KINDS, BTF_LIMITS, BTF_LINKAGES, BTF_MAGIC } from "./kinds.ts";
export type { BtfField } from "./layout.ts";
export { fieldOf, fieldsOf, findField, findPath } from "./layout.ts";
export { printCBtf, printDeclaration, printDefinition, printTypeName } from "./print-c/dump.ts";
export { printRawBtf, printRawType } from "./print-raw.ts";
export type { SectionVariable } from "./query.ts";
export {
  alignOf,
  declTagsOf,
  findDatasec,
  funcProtoOf,
  isComposite,
  isModifier,
  resolveType,
  sectionVariables,
  sizeOf,
  skipModifiers,
} from "./query.ts";
export type { BtfFieldHolder, BtfSpecialField, BtfSpecialKind } from "./special-fields.ts";
export { BTF_SPECIAL_STRUCTS, specialFieldsOf } from "./special-fields.ts";
export type {
  BtfArray,
  BtfConst,
  BtfDatasec,
  BtfDeclTag,
  BtfEnum,
  BtfEnum64,
  BtfEnumerator,
  BtfFloat,
  BtfFunc,
  BtfFuncProto,
  BtfFwd,
  BtfInt,
  BtfIntEncoding,
  BtfMember,
  BtfParam,
  BtfPtr,
  BtfRestrict,
  BtfSectionVar,
  BtfStruct,
  BtfType,
  BtfTypedef,
  BtfTypeOf,
  BtfTypeTag,
  BtfUnion,
  BtfVar,
  BtfVoid,
  BtfVolatile,
} from "./types.ts";
export type { FormattedValue } from "./value/format.ts";
export { formatValue } from "./value/format.ts";
export type { FormattedMap, MapElement, MapTypes } from "./value/map-dump.ts";
export { formatMap } from "./value/map-dump.ts";
export type { JsonValue, ValueNode } from "./value/node.ts";
export { printValue, toJson } from "./value/node.ts";
export type { BtfBuilder, BtfTypeInput } from "./write.ts";
export { createBtfBuilder, encodeBtf, rewriteBtf } from "./write.ts";
