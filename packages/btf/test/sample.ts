import { readdirSync, readFileSync } from "node:fs";
import { type BtfTypeInput, encodeBtf } from "../src/index.ts";

/** One type of every kind; ids are positions counted from 1. */
export const EVERY_KIND: readonly BtfTypeInput[] = [
  { kind: "int", name: "int", sizeBytes: 4, encoding: "signed", offsetBits: 0, sizeBits: 32 }, // 1
  { kind: "ptr", name: "", type: 1 }, // 2
  { kind: "array", name: "", elem: 1, index: 1, count: 6 }, // 3
  {
    kind: "struct",
    name: "flow",
    sizeBytes: 48,
    hasBitfields: true,
    members: [
      { name: "a", type: 1, offsetBits: 0, bitfieldBits: 3 },
      { name: "b", type: 1, offsetBits: 3, bitfieldBits: 5 },
      { name: "p", type: 2, offsetBits: 64, bitfieldBits: 0 },
      { name: "list", type: 3, offsetBits: 128, bitfieldBits: 0 },
      { name: "", type: 5, offsetBits: 320, bitfieldBits: 0 },
    ],
  }, // 4
  {
    kind: "union",
    name: "",
    sizeBytes: 4,
    hasBitfields: false,
    members: [
      { name: "u", type: 1, offsetBits: 0, bitfieldBits: 0 },
      { name: "e", type: 6, offsetBits: 0, bitfieldBits: 0 },
    ],
  }, // 5
  {
    kind: "enum",
    name: "verdict",
    sizeBytes: 4,
    isSigned: true,
    values: [
      { name: "NO", value: -1n },
      { name: "YES", value: 1n },
    ],
  }, // 6
  { kind: "fwd", name: "hidden", isUnion: false }, // 7
  { kind: "typedef", name: "flow_t", type: 4 }, // 8
  { kind: "volatile", name: "", type: 8 }, // 9
  { kind: "const", name: "", type: 9 }, // 10
  { kind: "restrict", name: "", type: 2 }, // 11
  { kind: "func", name: "run", type: 13, linkage: "global" }, // 12
  {
    kind: "func_proto",
    name: "",
    returns: 1,
    params: [
      { name: "ctx", type: 2 },
      { name: "n", type: 1 },
    ],
    isVariadic: true,
  }, // 13
  { kind: "var", name: "total", type: 10, linkage: "static" }, // 14
  { kind: "datasec", name: ".data", sizeBytes: 48, vars: [{ type: 14, offset: 0, sizeBytes: 48 }] }, // 15
  { kind: "float", name: "double", sizeBytes: 8 }, // 16
  { kind: "decl_tag", name: "arg:ctx", type: 12, component: 0, isAttribute: false }, // 17
  { kind: "type_tag", name: "kptr", type: 4, isAttribute: false }, // 18
  {
    kind: "enum64",
    name: "wide",
    sizeBytes: 8,
    isSigned: false,
    values: [{ name: "TOP", value: (1n << 64n) - 1n }],
  }, // 19
];

export const everyKindBytes = (endian: "little" | "big" = "little"): Uint8Array =>
  encodeBtf(EVERY_KIND, endian);

export const OBJECT_DIR = "/usr/lib/x86_64-linux-gnu/bpf";

/** Paths of the objects that Debian's XDP packages install; empty where they are absent. */
export function installedObjects(): string[] {
  try {
    return readdirSync(OBJECT_DIR)
      .filter((name) => name.endsWith(".o"))
      .map((name) => `${OBJECT_DIR}/${name}`);
  } catch {
    return [];
  }
}

/** Returns a section of a little-endian ELF64 file; trusts the file. */
export function elfSection(path: string, name: string): Uint8Array | undefined {
  const bytes = new Uint8Array(readFileSync(path));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const table = Number(view.getBigUint64(0x28, true));
  const header = (i: number) => {
    const at = table + 64 * i;
    return {
      name: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  };
  const names = header(view.getUint16(0x3e, true));
  for (let i = 0; i < view.getUint16(0x3c, true); i++) {
    const section = header(i);
    const start = names.offset + section.name;
    const text = new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
    if (text === name) return bytes.slice(section.offset, section.offset + section.size);
  }
  return undefined;
}
