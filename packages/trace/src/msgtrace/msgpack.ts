import { InputError, printHex } from "@tsbpf/base";
import { Packr, Unpackr } from "msgpackr";

/*
 * msgpack through msgpackr, plain: no records, no extensions, 64-bit integers as bigint, so that any msgpack library
 * reads a trace. What comes from a file is walked once before it is decoded, because a list that claims millions of
 * entries inside a list that does so too would be allocated level by level.
 */

const OPTIONS = {
  useRecords: false,
  int64AsType: "bigint",
  variableMapSize: true,
  encodeUndefinedAsNil: true,
} as const;

/** Values, keys included, in one block. */
export const VALUES_MAX = 1 << 20;
const DEPTH_MAX = 8;

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

export type MsgpackMap = Readonly<Record<string, unknown>>;

/**
 * Encodes a map whose values are null, booleans, numbers, bigints, texts, bytes, lists and maps of texts.
 *
 * @throws TRACE_ENCODE (InputError) when a bigint in it needs more than 64 bits.
 */
export function packMap(map: MsgpackMap): Uint8Array {
  try {
    return packr.pack(map);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError("TRACE_ENCODE", `a value cannot be written as msgpack: ${reason}`, { cause });
  }
}

/**
 * Decodes a payload that must be one map; byte strings in it alias `bytes`.
 *
 * @param what - names the block in error texts.
 * @throws TRACE_PAYLOAD (InputError) when it is not msgpack of the plain kind, or too deep or too rich.
 */
export function unpackMap(bytes: Uint8Array, what: string, offset: number): MsgpackMap {
  const problem = findProblem(bytes);
  if (problem !== undefined) {
    throw new InputError("TRACE_PAYLOAD", `${what} has ${problem.text}, at offset ${offset + problem.at}`, {
      details: { offset: offset + problem.at },
    });
  }
  const value: unknown = unpackr.unpack(bytes);
  if (isMap(value)) return value;
  throw new InputError("TRACE_PAYLOAD_KIND", `${what} is no map, at offset ${offset}`, {
    details: { offset },
  });
}

export const isMap = (value: unknown): value is MsgpackMap =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

interface Problem {
  readonly at: number;
  readonly text: string;
}

/** What a first byte says: how many bytes of length follow, and what the length counts. @source msgpack spec.md "Formats" */
type Token =
  | { readonly kind: "bytes"; readonly lengthBytes: 0 | 1 | 2 | 4; readonly fixed: number }
  | {
      readonly kind: "items";
      readonly lengthBytes: 0 | 2 | 4;
      readonly fixed: number;
      readonly perItem: 1 | 2;
    };

function tokenOf(first: number): Token | undefined {
  const bytes = (fixed: number, lengthBytes: 0 | 1 | 2 | 4 = 0): Token => ({
    kind: "bytes",
    lengthBytes,
    fixed,
  });
  const items = (perItem: 1 | 2, fixed: number, lengthBytes: 0 | 2 | 4 = 0): Token => ({
    kind: "items",
    lengthBytes,
    fixed,
    perItem,
  });
  if (first < 0x80 || first >= 0xe0) return bytes(0);
  if (first < 0x90) return items(2, first & 0x0f);
  if (first < 0xa0) return items(1, first & 0x0f);
  if (first < 0xc0) return bytes(first & 0x1f);
  switch (first) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return bytes(0);
    case 0xc4:
    case 0xd9:
      return bytes(0, 1);
    case 0xc5:
    case 0xda:
      return bytes(0, 2);
    case 0xc6:
    case 0xdb:
      return bytes(0, 4);
    case 0xcc:
    case 0xd0:
      return bytes(1);
    case 0xcd:
    case 0xd1:
      return bytes(2);
    case 0xca:
    case 0xce:
    case 0xd2:
      return bytes(4);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return bytes(8);
    case 0xdc:
      return items(1, 0, 2);
    case 0xdd:
      return items(1, 0, 4);
    case 0xde:
      return items(2, 0, 2);
    case 0xdf:
      return items(2, 0, 4);
    default:
      return undefined;
  }
}

const TOKENS = Array.from({ length: 256 }, (_, first) => tokenOf(first));

/** Walks the tokens once, without allocating for what they claim. */
function findProblem(bytes: Uint8Array): Problem | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  /** Values still expected on every open level. */
  const open = [1];
  let values = 0;
  let at = 0;
  while (open.length > 0) {
    const rest = open[open.length - 1] ?? 0;
    if (rest === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = rest - 1;
    if (at >= end) return { at, text: "an end within a value" };
    const first = view.getUint8(at);
    const token = TOKENS[first];
    if (token === undefined)
      return { at, text: `byte ${printHex(first)}, which starts no plain msgpack value` };
    const bodyAt = at + 1 + token.lengthBytes;
    if (bodyAt > end) return { at, text: "an end within a length" };
    const length = token.fixed + readLength(view, at + 1, token.lengthBytes);
    if (++values > VALUES_MAX) return { at, text: `more than ${VALUES_MAX} values` };
    if (token.kind === "bytes") {
      if (length > end - bodyAt)
        return { at, text: `a value of ${length} bytes where ${end - bodyAt} are left` };
      at = bodyAt + length;
      continue;
    }
    const count = length * token.perItem;
    if (count > end - bodyAt)
      return { at, text: `a list or map of ${length} where ${end - bodyAt} bytes are left` };
    if (open.length >= DEPTH_MAX) return { at, text: `more than ${DEPTH_MAX} levels of lists and maps` };
    open.push(count);
    at = bodyAt;
  }
  return at === end ? undefined : { at, text: `${end - at} bytes after its map` };
}

function readLength(view: DataView, at: number, lengthBytes: 0 | 1 | 2 | 4): number {
  if (lengthBytes === 0) return 0;
  if (lengthBytes === 1) return view.getUint8(at);
  return lengthBytes === 2 ? view.getUint16(at, false) : view.getUint32(at, false);
}
