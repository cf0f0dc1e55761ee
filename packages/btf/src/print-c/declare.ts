import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import { BTF_LIMITS } from "../kinds.ts";
import { alignOf, sizeOf } from "../query.ts";
import type { BtfArray, BtfEnum, BtfEnum64, BtfFuncProto, BtfStruct, BtfType, BtfUnion } from "../types.ts";
import type { CNames } from "./names.ts";
import { padGap } from "./padding.ts";

/** Writes C declarations. */
export interface CWriter {
  /** Declares a name of a type, e.g. `int (*name)(void *)`; an empty name gives the type alone. */
  declare(typeId: number, name: string, level: number): string;
  /** Writes a struct or union with its members. */
  structDefinition(type: BtfStruct | BtfUnion, level: number): string;
  enumDefinition(type: BtfEnum | BtfEnum64, level: number): string;
  /** Writes `struct name`. */
  tag(type: BtfType): string;
  typedefName(type: BtfType): string;
}

export interface CWriterOptions {
  readonly btf: Btf;
  readonly names: CNames;
  /** Whether types without a name are written out; otherwise they read `struct {…}`. */
  readonly expandAnonymous: boolean;
}

/** Characters of all declarations together, far more than any kernel's types need. */
const TEXT_LAST = 1 << 26;
const NESTING_LAST = 64;

const indent = (level: number): string => "\t".repeat(level);

/** A type on the way from a declared name to its base type, without the base. */
type Link = Extract<
  BtfType,
  { kind: "ptr" | "volatile" | "const" | "restrict" | "type_tag" | "array" | "func_proto" }
>;

const isQualifier = (
  type: Link | undefined,
): type is Extract<Link, { kind: "const" | "volatile" | "restrict" }> =>
  type?.kind === "const" || type?.kind === "volatile" || type?.kind === "restrict";

export function createCWriter({ btf, names, expandAnonymous }: CWriterOptions): CWriter {
  let textLeft = TEXT_LAST;
  let nesting = 0;

  const spend = (text: string, typeId: number): string => {
    textLeft -= text.length;
    if (textLeft >= 0) return text;
    throw btfError("BTF_PRINT_LIMIT", `more than ${TEXT_LAST} characters of C text`, {
      what: btf.what,
      typeId,
    });
  };

  const nested = (typeId: number, write: () => string): string => {
    if (nesting >= NESTING_LAST) {
      throw btfError("BTF_DEPTH", `types nest deeper than ${NESTING_LAST}`, { what: btf.what, typeId });
    }
    nesting++;
    try {
      return write();
    } finally {
      nesting--;
    }
  };

  /** Collects the links from a type to its base, outermost first. */
  const chainOf = (typeId: number): { readonly links: Link[]; readonly base: BtfType } => {
    const links: Link[] = [];
    for (let type = btf.type(typeId); ; ) {
      switch (type.kind) {
        case "ptr":
        case "volatile":
        case "const":
        case "restrict":
        case "type_tag":
          links.push(type);
          type = btf.type(type.type);
          break;
        case "array":
          links.push(type);
          type = btf.type(type.elem);
          break;
        case "func_proto":
          links.push(type);
          type = btf.type(type.returns);
          break;
        default:
          return { links, base: type };
      }
      if (links.length > 4 * BTF_LIMITS.depth) {
        throw btfError("BTF_DEPTH", `chain of more than ${4 * BTF_LIMITS.depth} types`, {
          what: btf.what,
          typeId,
        });
      }
    }
  };

  const baseText = (type: BtfType, level: number): string => {
    switch (type.kind) {
      case "void":
        return "void";
      case "int":
      case "float":
        return type.name;
      case "struct":
      case "union":
        if (type.name !== "") return tag(type);
        return expandAnonymous ? structDefinition(type, level) : `${type.kind} {…}`;
      case "enum":
      case "enum64":
        if (type.name !== "") return tag(type);
        return expandAnonymous ? enumDefinition(type, level) : "enum {…}";
      case "typedef":
        return names.typedefName(type);
      case "fwd":
        return tag(type);
      default:
        throw btfError("BTF_PRINT", `${type.kind} is no type of a variable`, {
          what: btf.what,
          typeId: type.id,
        });
    }
  };

  const tag = (type: BtfType): string => {
    if (type.kind === "fwd") return `${type.isUnion ? "union" : "struct"} ${names.typeName(type)}`;
    const keyword = type.kind === "enum64" ? "enum" : type.kind;
    return `${keyword} ${names.typeName(type)}`;
  };

  const popQualifiers = (links: Link[]): string => {
    let text = "";
    for (let last = links.at(-1); isQualifier(last); last = links.at(-1)) {
      links.pop();
      text += `${last.kind} `;
    }
    return text;
  };

  /** Writes the links from the base outwards around the name. */
  const around = (links: Link[], name: string, level: number, afterPointer: boolean): string => {
    let text = "";
    let lastWasPointer = afterPointer;
    for (let link = links.pop(); link !== undefined; link = links.pop()) {
      switch (link.kind) {
        case "ptr":
          text += lastWasPointer ? "*" : " *";
          break;
        case "const":
        case "volatile":
        case "restrict":
          text += ` ${link.kind}`;
          break;
        case "type_tag":
          text += `${popQualifiers(links)} __attribute__((btf_type_tag("${link.name}")))`;
          break;
        case "array":
          return text + arrayText(link, links, name, level, lastWasPointer);
        case "func_proto":
          return text + functionText(link, links, name, level, lastWasPointer);
      }
      lastWasPointer = link.kind === "ptr";
    }
    return text + spaced(name, lastWasPointer);
  };

  const spaced = (name: string, afterPointer: boolean): string =>
    name === "" || afterPointer ? name : ` ${name}`;

  const arrayText = (
    array: BtfArray,
    links: Link[],
    name: string,
    level: number,
    afterPointer: boolean,
  ): string => {
    // Compilers put qualifiers of the element on the array too; C takes them from the element.
    popQualifiers(links);
    const outer = links.at(-1);
    if (outer === undefined) return `${spaced(name, afterPointer)}[${array.count}]`;
    const space = name === "" || afterPointer ? "" : " ";
    const inner = around(links, name, level, true);
    return outer.kind === "array" ? `${space}${inner}[${array.count}]` : `${space}(${inner})[${array.count}]`;
  };

  const functionText = (
    proto: BtfFuncProto,
    links: Link[],
    name: string,
    level: number,
    afterPointer: boolean,
  ): string => {
    popQualifiers(links);
    const declared = links.length > 0 ? ` (${around(links, name, level, true)})` : spaced(name, afterPointer);
    const params = proto.params.map((param) => declare(param.type, param.name, level));
    // `...` alone is how compilers encode a list that C code left open.
    if (params.length === 0 && !proto.isVariadic) params.push("void");
    else if (params.length > 0 && proto.isVariadic) params.push("...");
    return `${declared}(${params.join(", ")})`;
  };

  const declare = (typeId: number, name: string, level: number): string =>
    nested(typeId, () => {
      const { links, base } = chainOf(typeId);
      const qualifiers = popQualifiers(links);
      const text = qualifiers + baseText(base, level);
      return spend(text + around(links, name, level, false), typeId);
    });

  const structDefinition = (type: BtfStruct | BtfUnion, level: number): string =>
    nested(type.id, () => {
      const isStruct = type.kind === "struct";
      const packed = isStruct && isPacked(btf, type);
      const lines: string[] = [];
      const pad = (fromBits: number, toBits: number, nextAlign: number, inBitfield: boolean) => {
        const fields = padGap({ fromBits, toBits, nextAlign, inBitfield });
        if (fields === undefined) lines.push(`/* gap of ${toBits - fromBits} bits */`);
        else for (const field of fields) lines.push(`${field};`);
      };
      let endBits = 0;
      let afterBitfield = false;
      for (const member of type.members) {
        const { bitfieldBits, offsetBits } = member;
        const align = packed ? 1 : alignOf(btf, member.type);
        pad(endBits, offsetBits, align, afterBitfield && bitfieldBits !== 0);
        const width = bitfieldBits === 0 ? "" : `: ${bitfieldBits}`;
        lines.push(`${declare(member.type, member.name, level + 1)}${width};`);
        endBits = offsetBits + (bitfieldBits === 0 ? 8 * sizeOf(btf, member.type) : bitfieldBits);
        afterBitfield = bitfieldBits !== 0;
      }
      if (isStruct) pad(endBits, 8 * type.sizeBytes, alignOf(btf, type.id), false);
      const body = lines.map((line) => `\n${indent(level + 1)}${line}`).join("");
      // `struct empty {}` stays on one line.
      const close = type.members.length > 0 || type.sizeBytes > 0 ? `\n${indent(level)}}` : "}";
      const name = type.name === "" ? type.kind : tag(type);
      return spend(`${name} {${body}${close}${packed ? " __attribute__((packed))" : ""}`, type.id);
    });

  const enumDefinition = (type: BtfEnum | BtfEnum64, level: number): string => {
    const head = type.name === "" ? "enum" : tag(type);
    if (type.values.length === 0) return head;
    const suffix = type.kind === "enum" ? "" : type.isSigned ? "LL" : "ULL";
    const values = type.values.map(
      ({ name, value }) => `\n${indent(level + 1)}${names.enumeratorName(name)} = ${value}${suffix},`,
    );
    return spend(`${head} {${values.join("")}\n${indent(level)}}`, type.id);
  };

  return { declare, structDefinition, enumDefinition, tag, typedefName: names.typedefName };
}

/** Says whether a struct's layout is tighter than the alignment of its members allows. */
function isPacked(btf: Btf, type: BtfStruct | BtfUnion): boolean {
  let largest = 1;
  for (const member of type.members) {
    const align = alignOf(btf, member.type);
    if (member.bitfieldBits === 0 && member.offsetBits % (8 * align) !== 0) return true;
    largest = Math.max(largest, align);
  }
  return type.sizeBytes % largest !== 0;
}
