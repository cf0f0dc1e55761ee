export type { CtxAccessTable } from "./ctx-access.gen.ts";
export { CTX_ACCESS_TABLES } from "./ctx-access.gen.ts";
export type { CtxHolds, CtxShape } from "./ctx-access.ts";
export { ctxAccess, ctxLayout, ctxShape } from "./ctx-access.ts";
export type { CtxField, CtxLayout } from "./ctx-layout.ts";
export type { ErrnoName } from "./errno.ts";
export { ERRNO, errnoName } from "./errno.ts";
export type { ExitRange } from "./exit-range.ts";
export { exitRange, LSM_EXIT_RANGES } from "./exit-range.ts";
export type { RegionKind, VerifiedFacts } from "./facts.ts";
export type { HelperAvailabilityRow } from "./helper-availability.gen.ts";
export { HELPER_AVAILABILITY } from "./helper-availability.gen.ts";
export { helpersOf, isHelperAvailable, progTypesOf } from "./helper-availability.ts";
export type { HelperVariant } from "./helper-protos.gen.ts";
export { HELPER_PROTOS, HELPER_VARIANTS } from "./helper-protos.gen.ts";
export { protoByName, protoFor, protoOf } from "./helpers.ts";
export { KFUNCS } from "./kfuncs.gen.ts";
export type { Kfunc, KfuncFlag } from "./kfuncs.ts";
export { isKfuncAvailable, kfuncByName } from "./kfuncs.ts";
export { FOR_EACH_MAP_TYPES, isMapAllowedForHelper, mapTypesOfHelper, maySetSockMap } from "./map-helpers.ts";
export { MAP_ELEMENT, MAP_HEADER, RING_BUSY, RING_DISCARD, RING_RECORD } from "./map-layout.ts";
export type { MapRule, SizeRule } from "./map-rules.ts";
export { MAP_RULES, PERCPU_VALUE_BYTES_MAX } from "./map-rules.ts";
export type { MapTypeName } from "./map-types.ts";
export { MAP_FLAGS, MAP_TYPES, mapTypeName, UPDATE_FLAGS } from "./map-types.ts";
export {
  CSUM_STATE,
  FRAME_TAILROOM_BYTES,
  SKB_STATE,
  XDP_FRAG_BYTES,
  XDP_FRAGS_MAX,
  XDP_FRAME_HEADER_BYTES,
  XDP_STATE,
} from "./packet-state.ts";
export type { FormatConversion, FormatPart, FormatSpec } from "./printf-format.ts";
export { isKernelSpace, parseFormat } from "./printf-format.ts";
export type { AttachTypeName, ProgTypeName } from "./prog-types.ts";
export { ATTACH_TYPES, isGplCompatible, PROG_FLAGS, PROG_TYPES, progTypeName } from "./prog-types.ts";
export type { ArgKind, ArgSpec, HelperProto, RetKind, RetSpec } from "./proto.ts";
export { ARG_KINDS, CUSTOM_HELPER_ID_FIRST, RET_KINDS } from "./proto.ts";
export { SECTIONS } from "./sections.gen.ts";
export type { SectionMatch, SectionRule } from "./sections.ts";
export { sectionNamesOf, sectionRule } from "./sections.ts";
export type {
  FuncSpec,
  KernelRef,
  LineSpec,
  MapEntry,
  MapRef,
  MapSpec,
  ObjectSpec,
  ProgSpec,
  RawRecords,
  ValueField,
  ValueFieldKind,
} from "./spec.ts";
export { makeProgSpec } from "./spec.ts";
export { STRUCT_LAYOUTS } from "./struct-layouts.gen.ts";
