import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import { resolveType, sizeOf, skipModifiers } from "../query.ts";
import type { BtfArray, BtfDatasec, BtfStruct, BtfUnion } from "../types.ts";
import { type JsonValue, printValue, toJson, type ValueNode } from "./node.ts";
import {
  enumNode,
  floatNode,
  hexNode,
  intNode,
  NOTHING,
  pointerNode,
  readBits,
  stringNode,
} from "./scalar.ts";

/*
 * Computes: the value that bytes have under a type.
 * Assumes: a checked table.
 * Guarantees: nothing outside the bytes is read, whatever the types say of offsets and sizes; depth and number of
 *   nodes are bounded.
 * Cost: linear in what is printed.
 */

const DEPTH_LAST = 64;
const NODES_LAST = 1 << 20;

class Formatter {
  private readonly btf: Btf;
  private nodesLeft = NODES_LAST;

  constructor(btf: Btf) {
    this.btf = btf;
  }

  private part(bytes: Uint8Array, offset: number, size: number, typeId: number): Uint8Array {
    if (offset + size <= bytes.length) return bytes.subarray(offset, offset + size);
    throw btfError(
      "BTF_VALUE_SIZE",
      `value of ${bytes.length} bytes, its type takes ${size} bytes from offset ${offset} on`,
      { what: this.btf.what, typeId },
    );
  }

  format(typeId: number, bytes: Uint8Array, depth: number): ValueNode {
    if (depth > DEPTH_LAST || --this.nodesLeft < 0) {
      throw btfError("BTF_VALUE_LIMIT", `more than ${NODES_LAST} parts or ${DEPTH_LAST} levels`, {
        what: this.btf.what,
        typeId,
      });
    }
    const type = resolveType(this.btf, typeId);
    const { endian } = this.btf;
    switch (type.kind) {
      case "int":
        return intNode(type, this.part(bytes, 0, type.sizeBytes, typeId), endian);
      case "enum":
      case "enum64":
        return enumNode(type, this.part(bytes, 0, type.sizeBytes, typeId), endian);
      case "ptr":
        return pointerNode(this.part(bytes, 0, 8, typeId), endian);
      case "float":
        return floatNode(this.part(bytes, 0, type.sizeBytes, typeId), endian);
      case "array":
        return this.formatArray(type, bytes, depth);
      case "struct":
      case "union":
        return this.formatComposite(type, bytes, depth);
      case "var":
        return { kind: "object", fields: [[type.name, this.format(type.type, bytes, depth + 1)]] };
      case "datasec":
        return this.formatSection(type, bytes, depth);
      default:
        return NOTHING;
    }
  }

  private formatArray(type: BtfArray, bytes: Uint8Array, depth: number): ValueNode {
    const size = sizeOf(this.btf, type.elem);
    const part = this.part(bytes, 0, size * type.count, type.id);
    const elem = skipModifiers(this.btf, type.elem);
    const isText =
      elem.kind === "int" && elem.sizeBytes === 1 && (elem.encoding === "char" || elem.name === "char");
    const text = isText && type.count > 0 ? stringNode(part) : undefined;
    if (text !== undefined) return text;
    const items: ValueNode[] = [];
    for (let i = 0; i < type.count; i++) {
      items.push(this.format(type.elem, part.subarray(i * size, (i + 1) * size), depth + 1));
    }
    return { kind: "array", items };
  }

  private formatComposite(type: BtfStruct | BtfUnion, bytes: Uint8Array, depth: number): ValueNode {
    const part = this.part(bytes, 0, type.sizeBytes, type.id);
    const fields = type.members.map(({ name, type: memberType, offsetBits, bitfieldBits }) => {
      const resolved = resolveType(this.btf, memberType);
      const isOddInt = resolved.kind === "int" && offsetBits % 8 !== 0;
      if (bitfieldBits === 0 && !isOddInt) {
        const offset = Math.floor(offsetBits / 8);
        if (offset > part.length) this.part(part, offset, 0, type.id);
        return [name, this.format(memberType, part.subarray(offset), depth + 1)] as const;
      }
      // In the older encoding an int type carries size and place of the bit-field.
      const extraBits = bitfieldBits === 0 && resolved.kind === "int" ? resolved.offsetBits : 0;
      const sizeBits = bitfieldBits === 0 && resolved.kind === "int" ? resolved.sizeBits : bitfieldBits;
      const start = offsetBits + extraBits;
      this.part(part, 0, Math.ceil((start + sizeBits) / 8), type.id);
      return [name, hexNode(readBits(part, start, sizeBits, this.btf.endian))] as const;
    });
    return { kind: "object", fields };
  }

  private formatSection(type: BtfDatasec, bytes: Uint8Array, depth: number): ValueNode {
    const items = type.vars.map((variable) =>
      this.format(variable.type, this.part(bytes, variable.offset, variable.sizeBytes, type.id), depth + 1),
    );
    return { kind: "object", fields: [[type.name, { kind: "array", items }]] };
  }
}

/** A formatted value. */
export interface FormattedValue {
  readonly node: ValueNode;
  /**
   * As plain data: enumerators and strings by name, bit-fields, pointers and integers of 64 and 128 bits as hex
   * strings.
   */
  readonly json: JsonValue;
  /** As `bpftool map dump` prints it, indented by a level that the caller chooses. */
  text(level?: number): string;
}

/**
 * Decodes the bytes of a value by its type.
 *
 * @param bytes - at least as many as the type takes, in the byte order of the table.
 * @throws BTF_VALUE_SIZE when the bytes end before the type does; BTF_VALUE_LIMIT BTF_TYPE_ID BTF_DEPTH
 *   BTF_UNSIZED BTF_SIZE
 */
export function formatValue(btf: Btf, typeId: number, bytes: Uint8Array): FormattedValue {
  const node = new Formatter(btf).format(typeId, bytes, 0);
  return { node, json: toJson(node), text: (level = 0) => printValue(node, level) };
}
