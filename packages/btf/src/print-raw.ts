import type { Btf } from "./btf.ts";
import type { BtfMember, BtfType, BtfTypeOf } from "./types.ts";

const quoteName = (name: string): string => (name === "" ? "'(anon)'" : `'${name}'`);

const INT_ENCODING_TEXT = { unsigned: "(none)", signed: "SIGNED", char: "CHAR", bool: "BOOL" } as const;

const printMember = ({ name, type, offsetBits, bitfieldBits }: BtfMember): string =>
  `\n\t${quoteName(name)} type_id=${type} bits_offset=${offsetBits}${
    bitfieldBits === 0 ? "" : ` bitfield_size=${bitfieldBits}`
  }`;

const printComposite = ({ sizeBytes, members }: BtfTypeOf<"struct" | "union">): string =>
  ` size=${sizeBytes} vlen=${members.length}${members.map(printMember).join("")}`;

function printEnum(type: BtfTypeOf<"enum" | "enum64">): string {
  const suffix = type.kind === "enum" ? "" : type.isSigned ? "LL" : "ULL";
  const values = type.values.map(({ name, value }) => `\n\t${quoteName(name)} val=${value}${suffix}`);
  const encoding = type.isSigned ? "SIGNED" : "UNSIGNED";
  return ` encoding=${encoding} size=${type.sizeBytes} vlen=${type.values.length}${values.join("")}`;
}

function printFuncProto({ returns, params, isVariadic }: BtfTypeOf<"func_proto">): string {
  const all = isVariadic ? [...params, { name: "", type: 0 }] : params;
  const lines = all.map((param) => `\n\t${quoteName(param.name)} type_id=${param.type}`);
  return ` ret_type_id=${returns} vlen=${all.length}${lines.join("")}`;
}

function printDatasec(btf: Btf, { sizeBytes, vars }: BtfTypeOf<"datasec">): string {
  const lines = vars.map(({ type, offset, sizeBytes: size }) => {
    const { kind, name } = btf.type(type);
    return `\n\ttype_id=${type} offset=${offset} size=${size} (${kind.toUpperCase()} ${quoteName(name)})`;
  });
  return ` size=${sizeBytes} vlen=${vars.length}${lines.join("")}`;
}

function printDetails(btf: Btf, type: BtfType): string {
  switch (type.kind) {
    case "void":
      return "";
    case "int":
      return ` size=${type.sizeBytes} bits_offset=${type.offsetBits} nr_bits=${type.sizeBits} encoding=${INT_ENCODING_TEXT[type.encoding]}`;
    case "ptr":
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "type_tag":
      return ` type_id=${type.type}`;
    case "array":
      return ` type_id=${type.elem} index_type_id=${type.index} nr_elems=${type.count}`;
    case "struct":
    case "union":
      return printComposite(type);
    case "enum":
    case "enum64":
      return printEnum(type);
    case "fwd":
      return ` fwd_kind=${type.isUnion ? "union" : "struct"}`;
    case "func":
      return ` type_id=${type.type} linkage=${type.linkage}`;
    case "func_proto":
      return printFuncProto(type);
    case "var":
      return ` type_id=${type.type}, linkage=${type.linkage}`;
    case "datasec":
      return printDatasec(btf, type);
    case "float":
      return ` size=${type.sizeBytes}`;
    case "decl_tag":
      return ` type_id=${type.type} component_idx=${type.component}`;
  }
}

/** Prints one type as `bpftool btf dump` does: a line, and one more for each member. */
export const printRawType = (btf: Btf, type: BtfType): string =>
  `[${type.id}] ${type.kind.toUpperCase()} ${quoteName(type.name)}${printDetails(btf, type)}`;

/** Prints all own types of a table in the format of `bpftool btf dump`, each line with its newline. */
export function printRawBtf(btf: Btf): string {
  const parts: string[] = [];
  for (const type of btf.types()) parts.push(printRawType(btf, type), "\n");
  return parts.join("");
}
