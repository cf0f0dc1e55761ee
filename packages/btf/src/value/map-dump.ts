import type { Btf } from "../btf.ts";
import { formatValue } from "./format.ts";
import { type JsonValue, printValue, toJson, type ValueNode } from "./node.ts";

/** An element of a map; a per-CPU map has one value for each CPU. */
export interface MapElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array | readonly Uint8Array[];
}

/** Types of a map's keys and values; 0 or absent where there is none. */
export interface MapTypes {
  readonly keyTypeId?: number | undefined;
  readonly valueTypeId?: number | undefined;
}

/** All elements of a map, formatted. */
export interface FormattedMap {
  /** As `bpftool map dump` prints them; without types in hex. */
  readonly text: string;
  /** As `bpftool -j map dump` has them: bytes, and beside them `formatted` where there are types. */
  readonly json: JsonValue;
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0");
const bytesNode = (bytes: Uint8Array): ValueNode => ({
  kind: "array",
  items: Array.from(bytes, (byte) => ({
    kind: "scalar",
    text: `"0x${hexByte(byte)}"`,
    json: `0x${hexByte(byte)}`,
  })),
});

/** Makes the fields of one element from a way to show its bytes. */
function elementFields(
  element: MapElement,
  showKey: ((bytes: Uint8Array) => ValueNode) | undefined,
  showValue: (bytes: Uint8Array) => ValueNode,
): (readonly [string, ValueNode])[] {
  const fields: (readonly [string, ValueNode])[] =
    showKey === undefined ? [] : [["key", showKey(element.key)]];
  if (element.value instanceof Uint8Array) return [...fields, ["value", showValue(element.value)]];
  const items = element.value.map((value, cpu): ValueNode => {
    const number: ValueNode = { kind: "scalar", text: String(cpu), json: cpu };
    return {
      kind: "object",
      fields: [
        ["cpu", number],
        ["value", showValue(value)],
      ],
    };
  });
  return [...fields, ["values", { kind: "array", items }]];
}

const spacedHex = (bytes: Uint8Array): string => Array.from(bytes, hexByte).join(" ");

const LONG_BYTES = 16;
const LINE_BYTES = 24;

/** Prints an element in hex: on one line when it is short, else with a line for each part. */
function printHexElement({ key, value }: MapElement): string {
  if (value instanceof Uint8Array) {
    const isLong = key.length > LONG_BYTES || value.length > LONG_BYTES;
    const isShort = key.length + value.length <= LINE_BYTES && !isLong;
    const gap = isLong ? "\n" : " ";
    const keyText = key.length === 0 ? "" : `key:${gap}${spacedHex(key)}${isShort ? "  " : "\n"}`;
    return `${keyText}${value.length === 0 ? "" : `value:${gap}${spacedHex(value)}`}\n`;
  }
  const values = value.map((bytes, cpu) => {
    const gap = bytes.length > LONG_BYTES ? "\n" : " ";
    return `value (CPU ${String(cpu).padStart(2, "0")}):${gap}${spacedHex(bytes)}\n`;
  });
  return `${key.length === 0 ? "" : `key:\n${spacedHex(key)}\n`}${values.join("")}`;
}

const printHexElements = (elements: readonly MapElement[]): string =>
  `${elements.map(printHexElement).join("")}Found ${elements.length} element${elements.length === 1 ? "" : "s"}\n`;

/**
 * Formats the elements of a map by its types.
 *
 * @throws as {@link formatValue}
 */
export function formatMap(
  btf: Btf | undefined,
  types: MapTypes,
  elements: readonly MapElement[],
): FormattedMap {
  const { keyTypeId = 0, valueTypeId = 0 } = types;
  const hasTypes = btf !== undefined && valueTypeId !== 0;
  const typed = (element: MapElement): ValueNode | undefined => {
    if (!hasTypes) return undefined;
    const show = (typeId: number) => (bytes: Uint8Array) => formatValue(btf, typeId, bytes).node;
    const showKey = keyTypeId === 0 ? undefined : show(keyTypeId);
    return { kind: "object", fields: elementFields(element, showKey, show(valueTypeId)) };
  };
  const nodes = elements.map((element) => {
    const fields = elementFields(element, bytesNode, bytesNode);
    const formatted = typed(element);
    return {
      formatted,
      raw: formatted === undefined ? fields : [...fields, ["formatted", formatted] as const],
    };
  });
  const text = hasTypes
    ? `${printValue({ kind: "array", items: nodes.flatMap(({ formatted }) => formatted ?? []) })}\n`
    : printHexElements(elements);
  return {
    text,
    json: toJson({ kind: "array", items: nodes.map(({ raw }) => ({ kind: "object", fields: raw })) }),
  };
}
