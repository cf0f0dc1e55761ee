import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import { isComposite } from "../query.ts";
import type { BtfType } from "../types.ts";

/*
 * Computes: the order in which types must be defined in C text.
 * Assumes: a checked table.
 * Guarantees: whatever is embedded by value comes before its container; references through pointers need no
 *   order. A type that contains itself by value is refused.
 * Cost: one visit of each type; a declaration is looked through each time it is met behind a pointer.
 */

const NESTING_LAST = 256;
/** Visits of one table by its size: prototypes within prototypes could otherwise be walked without end. */
const visitsLast = (btf: Btf): number => 100_000 + 100 * btf.endId;

/** Returns whether an anonymous type is defined where another uses it. */
function findReferenced(btf: Btf): ReadonlySet<number> {
  const referenced = new Set<number>();
  for (const type of btf.types()) {
    switch (type.kind) {
      case "volatile":
      case "const":
      case "restrict":
      case "ptr":
      case "typedef":
      case "func":
      case "var":
      case "decl_tag":
      case "type_tag":
        referenced.add(type.type);
        break;
      case "array":
        referenced.add(type.elem).add(type.index);
        break;
      case "struct":
      case "union":
        for (const member of type.members) referenced.add(member.type);
        break;
      case "func_proto":
        for (const param of type.params) referenced.add(param.type);
        break;
      case "datasec":
        for (const entry of type.vars) referenced.add(entry.type);
        break;
    }
  }
  return referenced;
}

/**
 * Returns ids of types with a definition of their own, each after those it contains.
 *
 * @throws BTF_CYCLE when a type contains itself by value; BTF_DEPTH BTF_PRINT_LIMIT
 * @source linux tools/lib/bpf/btf_dump.c btf_dump_order_type
 */
export function orderForC(btf: Btf): readonly number[] {
  const referenced = findReferenced(btf);
  const order: number[] = [];
  const done = new Set<number>();
  const open = new Set<number>();
  let depth = 0;
  let visitsLeft = visitsLast(btf);

  /** Returns whether the type had to be ordered because its size is needed. */
  const visit = (id: number, behindPointer: boolean): boolean => {
    if (done.has(id)) return true;
    if (--visitsLeft < 0) {
      throw btfError("BTF_PRINT_LIMIT", "types refer to each other too often", {
        what: btf.what,
        typeId: id,
      });
    }
    const type = btf.type(id);
    if (open.has(id)) {
      if (isComposite(type) && behindPointer && type.name !== "") return false;
      throw btfError("BTF_CYCLE", `${type.kind} contains itself`, { what: btf.what, typeId: id });
    }
    if (++depth > NESTING_LAST) {
      throw btfError("BTF_DEPTH", `types nest deeper than ${NESTING_LAST}`, { what: btf.what, typeId: id });
    }
    const strong = visitKind(type, behindPointer);
    depth--;
    return strong;
  };

  const finish = (id: number, isDefined: boolean): boolean => {
    if (isDefined) order.push(id);
    done.add(id);
    return true;
  };

  const visitKind = (type: BtfType, behindPointer: boolean): boolean => {
    switch (type.kind) {
      case "void":
      case "int":
      case "float":
      case "func":
      case "var":
      case "datasec":
      case "decl_tag":
        done.add(type.id);
        return false;
      case "ptr": {
        const strong = visit(type.type, true);
        done.add(type.id);
        return strong;
      }
      case "array":
        return visit(type.elem, false);
      case "struct":
      case "union":
        if (behindPointer && type.name !== "") return false;
        open.add(type.id);
        for (const member of type.members) visit(member.type, false);
        open.delete(type.id);
        return finish(type.id, type.name !== "");
      case "enum":
      case "enum64":
      case "fwd":
        return finish(type.id, type.name !== "" || !referenced.has(type.id));
      case "typedef": {
        const strong = visit(type.type, behindPointer);
        return behindPointer && !strong ? false : finish(type.id, true);
      }
      case "volatile":
      case "const":
      case "restrict":
      case "type_tag":
        return visit(type.type, behindPointer);
      case "func_proto": {
        let strong = visit(type.returns, behindPointer);
        for (const param of type.params) strong = visit(param.type, behindPointer) || strong;
        return strong;
      }
    }
  };

  for (let id = 1; id < btf.endId; id++) visit(id, false);
  return order;
}
