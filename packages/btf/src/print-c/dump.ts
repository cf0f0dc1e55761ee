import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import type { BtfType, BtfTypedef } from "../types.ts";
import { type CWriter, createCWriter } from "./declare.ts";
import { createCNames } from "./names.ts";
import { orderForC } from "./order.ts";

const NESTING_LAST = 256;

/** Typedef that compilers define themselves. */
const BUILTIN_TYPEDEF = "__builtin_va_list";
/** Base types of vector extensions that compilers know only under another name. */
const MISSING_ALIASES: Readonly<Record<string, string>> = {
  __Poly8_t: "unsigned char",
  __Poly16_t: "unsigned short",
  __Poly64_t: "unsigned long long",
  __Poly128_t: "unsigned __int128",
};

type Stage = "open" | "emitted";

class CDump {
  readonly parts: string[] = [];
  private readonly btf: Btf;
  private readonly writer: CWriter;
  private readonly stages = new Map<number, Stage>();
  private readonly declared = new Set<number>();
  /** For each anonymous type and prototype the container it was last looked through for: once is enough. */
  private readonly seenFor = new Map<number, number>();
  private depth = 0;
  /** By the table's size: containers that share much could otherwise be walked in quadratic time. */
  private stepsLeft: number;

  constructor(btf: Btf) {
    this.btf = btf;
    this.stepsLeft = 100_000 + 100 * btf.endId;
    this.writer = createCWriter({ btf, names: createCNames(), expandAnonymous: true });
  }

  private put(text: string): void {
    this.parts.push(text, ";\n\n");
  }

  /**
   * Writes a type, and before it the declarations that its definition needs.
   *
   * @param container - the type whose definition needs this one; 0 for a definition of its own.
   */
  emit(id: number, container: number): void {
    const stage = this.stages.get(id);
    if (stage === "emitted") return;
    if (--this.stepsLeft < 0) {
      throw btfError("BTF_PRINT_LIMIT", "types refer to each other too often", {
        what: this.btf.what,
        typeId: id,
      });
    }
    const type = this.btf.type(id);
    if (stage === "open") {
      this.emitForward(type, container);
      return;
    }
    if (++this.depth > NESTING_LAST) {
      throw btfError("BTF_DEPTH", `types nest deeper than ${NESTING_LAST}`, {
        what: this.btf.what,
        typeId: id,
      });
    }
    this.emitKind(type, container);
    this.depth--;
  }

  /** Declares a type that is being defined and is needed by what it contains. */
  private emitForward(type: BtfType, container: number): void {
    if (this.declared.has(type.id)) return;
    if (type.kind === "struct" || type.kind === "union") {
      // Within itself a struct needs no declaration; an anonymous one can have none.
      if (type.id === container || type.name === "") return;
      this.put(this.writer.tag(type));
    } else if (type.kind === "typedef") {
      if (type.name !== BUILTIN_TYPEDEF) this.put(this.typedefText(type));
    } else {
      return;
    }
    this.declared.add(type.id);
  }

  private typedefText(type: BtfTypedef): string {
    if (type.type === 0 && type.name === "__gnuc_va_list") return `typedef ${BUILTIN_TYPEDEF} __gnuc_va_list`;
    // The name comes first, so that a clash counts in the order of definition.
    const name = this.writer.typedefName(type);
    return `typedef ${this.writer.declare(type.type, name, 0)}`;
  }

  private emitKind(type: BtfType, container: number): void {
    switch (type.kind) {
      case "int": {
        const alias = Object.hasOwn(MISSING_ALIASES, type.name) ? MISSING_ALIASES[type.name] : undefined;
        if (alias !== undefined) this.put(`typedef ${alias} ${type.name}`);
        this.stages.set(type.id, "emitted");
        return;
      }
      case "enum":
      case "enum64":
        if (container === 0) this.put(this.writer.enumDefinition(type, 0));
        this.stages.set(type.id, "emitted");
        return;
      case "ptr":
      case "volatile":
      case "const":
      case "restrict":
      case "type_tag":
        this.emit(type.type, container);
        return;
      case "array":
        this.emit(type.elem, container);
        return;
      case "fwd":
        this.put(this.writer.tag(type));
        this.stages.set(type.id, "emitted");
        return;
      case "typedef":
        this.stages.set(type.id, "open");
        this.emit(type.type, type.id);
        if (!this.declared.has(type.id) && type.name !== BUILTIN_TYPEDEF) this.put(this.typedefText(type));
        this.stages.set(type.id, "emitted");
        return;
      case "struct":
      case "union":
        this.emitComposite(type, container);
        return;
      case "func_proto":
        if (container !== 0 && this.isSeen(type, container)) return;
        this.emit(type.returns, container);
        for (const param of type.params) this.emit(param.type, container);
        return;
      case "void":
      case "float":
      case "func":
      case "var":
      case "datasec":
      case "decl_tag":
        return;
    }
  }

  /** Says whether all that a type needs has been declared already for a container. */
  private isSeen(type: BtfType, container: number): boolean {
    if (this.seenFor.get(type.id) === container) return true;
    this.seenFor.set(type.id, container);
    return false;
  }

  private emitComposite(type: Extract<BtfType, { kind: "struct" | "union" }>, container: number): void {
    if (container !== 0 && type.name === "" && this.isSeen(type, container)) return;
    this.stages.set(type.id, "open");
    if (container === 0 || type.name === "") {
      const inner = type.name === "" ? container : type.id;
      for (const member of type.members) this.emit(member.type, inner);
    } else if (!this.declared.has(type.id) && type.id !== container) {
      this.put(this.writer.tag(type));
      this.declared.add(type.id);
    }
    if (container === 0) {
      this.put(this.writer.structDefinition(type, 0));
      this.stages.set(type.id, "emitted");
    } else {
      this.stages.delete(type.id);
    }
  }
}

/**
 * Prints all types as C definitions in an order that compiles, as `bpftool btf dump file F format c` does
 * between its header and footer.
 *
 * @throws BTF_CYCLE when a type contains itself by value; BTF_DEPTH BTF_PRINT BTF_PRINT_LIMIT BTF_UNSIZED BTF_SIZE
 * @source linux tools/lib/bpf/btf_dump.c
 */
export function printCBtf(btf: Btf): string {
  const dump = new CDump(btf);
  for (const id of orderForC(btf)) dump.emit(id, 0);
  return dump.parts.join("");
}

/** Prints a type in one line, e.g. `struct flow *` or `int (*)(void *)`; what has no name reads `struct {…}`. */
export function printTypeName(btf: Btf, typeId: number): string {
  return createCWriter({ btf, names: createCNames(), expandAnonymous: false }).declare(typeId, "", 0);
}

/** Prints the declaration of a variable, function or typed name in one line, e.g. `int flow_count[4]`. */
export function printDeclaration(btf: Btf, typeId: number): string {
  const type = btf.type(typeId);
  const writer = createCWriter({ btf, names: createCNames(), expandAnonymous: false });
  switch (type.kind) {
    case "var":
    case "func":
      return writer.declare(type.type, type.name, 0);
    case "typedef":
      return `typedef ${writer.declare(type.type, type.name, 0)}`;
    default:
      return writer.declare(typeId, "", 0);
  }
}

/** Prints the definition of one struct, union or enumeration; undefined for other kinds. */
export function printDefinition(btf: Btf, typeId: number): string | undefined {
  const type = btf.type(typeId);
  const writer = createCWriter({ btf, names: createCNames(), expandAnonymous: true });
  if (type.kind === "struct" || type.kind === "union") return writer.structDefinition(type, 0);
  if (type.kind === "enum" || type.kind === "enum64") return writer.enumDefinition(type, 0);
  return undefined;
}
