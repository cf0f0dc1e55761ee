export type { Endian, ReaderPlace } from "./bytes.ts";
export {
  ByteReader,
  decodeUtf8,
  encodeUtf8,
  equalBytes,
  joinBytes,
  parseHexBytes,
  printHexBytes,
} from "./bytes.ts";
export type { Details, ErrorOptions } from "./errors.ts";
export {
  BugError,
  InputError,
  invariant,
  RejectError,
  TrapError,
  TsbpfError,
  UnsupportedError,
  unreachable,
} from "./errors.ts";
export type { S32, S64, U32, U64 } from "./ints.ts";
export {
  alignUp,
  hiOf,
  joinU64,
  loOf,
  printHex,
  S32_MAX,
  S32_MIN,
  S64_MAX,
  S64_MIN,
  toS64,
  toU64,
  U32_MAX,
  U64_MAX,
} from "./ints.ts";
export { LIMITS } from "./limits.ts";
export { StringTable } from "./string-table.ts";
