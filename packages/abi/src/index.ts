export type { CtxField, CtxLayout } from "./ctx-layout.ts";
export type { ErrnoName } from "./errno.ts";
export { ERRNO, errnoName } from "./errno.ts";
export type { RegionKind, VerifiedFacts } from "./facts.ts";
export { MAP_ELEMENT, MAP_HEADER } from "./map-layout.ts";
export type { MapTypeName } from "./map-types.ts";
export { MAP_FLAGS, MAP_TYPES, mapTypeName, UPDATE_FLAGS } from "./map-types.ts";
export type { AttachTypeName, ProgTypeName } from "./prog-types.ts";
export { ATTACH_TYPES, isGplCompatible, PROG_FLAGS, PROG_TYPES, progTypeName } from "./prog-types.ts";
export type { ArgKind, ArgSpec, HelperProto, RetKind, RetSpec } from "./proto.ts";
export { ARG_KINDS, CUSTOM_HELPER_ID_FIRST, RET_KINDS } from "./proto.ts";
export type {
  FuncSpec,
  KernelRef,
  LineSpec,
  MapEntry,
  MapRef,
  MapSpec,
  ObjectSpec,
  ProgSpec,
} from "./spec.ts";
