import { btfError } from "./errors.ts";
import { BTF_KINDS, BTF_LIMITS, BTF_LINKAGES, type BtfKind, TYPE_HEAD_BYTES } from "./kinds.ts";
import { type BtfTable, isNameShort, readHead, type TypeHead } from "./table.ts";

/*
 * Computes: nothing; refuses types whose own fields contradict the format.
 * Assumes: a table whose types lie wholly within their part.
 * Guarantees: every type id and string offset within types exists, counts and numbers are in range, functions
 *   refer to prototypes and sections to variables. Cycles and sizes are left to the queries, which bound them.
 * Cost: one pass over the bytes.
 */

interface TypeCheck {
  readonly table: BtfTable;
  readonly typeId: number;
  readonly head: TypeHead;
  /** Offset within the type part of the bytes after the head. */
  readonly extra: number;
}

const place = (check: TypeCheck, offset: number) => ({
  what: check.table.what,
  typeId: check.typeId,
  offset: (check.table.types.place.baseOffset ?? 0) + offset,
});

function checkTypeId(check: TypeCheck, offset: number): number {
  const id = check.table.types.u32(offset);
  if (id >= check.table.endId) {
    throw btfError(
      "BTF_TYPE_ID",
      `type id ${id}, the last is ${check.table.endId - 1}`,
      place(check, offset),
    );
  }
  return id;
}

function checkName(check: TypeCheck, offset: number): void {
  const name = check.table.types.u32(offset);
  if (name > BTF_LIMITS.nameOffsetLast || (name >= check.table.stringsEnd && name !== 0)) {
    const last = Math.min(BTF_LIMITS.nameOffsetLast, check.table.stringsEnd - 1);
    throw btfError("BTF_NAME_OFFSET", `name offset ${name}, the last is ${last}`, place(check, offset));
  }
  if (check.table.hasLongStrings && !isNameShort(check.table, name)) {
    throw btfError(
      "BTF_NAME_LENGTH",
      `name of more than ${BTF_LIMITS.nameBytes} bytes`,
      place(check, offset),
    );
  }
}

function checkItems(check: TypeCheck, itemBytes: number, each: (offset: number) => void): void {
  for (let i = 0, at = check.extra; i < check.head.vlen; i++, at += itemBytes) each(at);
}

const referTo = (check: TypeCheck): void => {
  checkTypeId(check, check.extra - 4);
};

const INT_SIZES: readonly number[] = [1, 2, 4, 8, 16];
const INT_ENCODINGS: readonly number[] = [0, 1, 2, 4];

function checkInt(check: TypeCheck): void {
  const word = check.table.types.u32(check.extra);
  const bits = word & 0xff;
  const offsetBits = (word >>> 16) & 0xff;
  const { sizeOrType: size } = check.head;
  if (!INT_SIZES.includes(size)) {
    throw btfError(
      "BTF_INT",
      `int of ${size} bytes, 1, 2, 4, 8 or 16 allowed`,
      place(check, check.extra - 4),
    );
  }
  if (bits + offsetBits > size * 8) {
    throw btfError(
      "BTF_INT",
      `int of ${bits} bits from bit ${offsetBits} on, its ${size} bytes hold ${size * 8}`,
      place(check, check.extra),
    );
  }
  if (!INT_ENCODINGS.includes((word >>> 24) & 0xf)) {
    throw btfError(
      "BTF_INT",
      `int encoding ${(word >>> 24) & 0xf}, 0, 1, 2 or 4 allowed`,
      place(check, check.extra),
    );
  }
}

function checkComposite(check: TypeCheck): void {
  checkItems(check, 12, (at) => {
    checkName(check, at);
    checkTypeId(check, at + 4);
  });
}

function checkEnum(check: TypeCheck, itemBytes: number): void {
  const { sizeOrType: size } = check.head;
  if (size > 8 || (size & (size - 1)) !== 0) {
    throw btfError("BTF_ENUM", `enum of ${size} bytes, 1, 2, 4 or 8 allowed`, place(check, check.extra - 4));
  }
  checkItems(check, itemBytes, (at) => checkName(check, at));
}

function checkLinkage(check: TypeCheck, linkage: number, offset: number): void {
  if (linkage < BTF_LINKAGES.length) return;
  throw btfError(
    "BTF_LINKAGE",
    `linkage ${linkage}, 0..${BTF_LINKAGES.length - 1} allowed`,
    place(check, offset),
  );
}

function checkRefKind(check: TypeCheck, offset: number, allowed: readonly BtfKind[]): void {
  const id = checkTypeId(check, offset);
  const kind = kindOf(check.table, id);
  if (allowed.includes(kind)) return;
  throw btfError(
    "BTF_REF_KIND",
    `${check.head.kind} refers to type ${id} of kind ${kind}, ${allowed.join(" or ")} needed`,
    place(check, offset),
  );
}

const CHECKS = {
  void: () => {},
  int: checkInt,
  ptr: referTo,
  array: (check) => {
    checkTypeId(check, check.extra);
    checkTypeId(check, check.extra + 4);
  },
  struct: checkComposite,
  union: checkComposite,
  enum: (check) => checkEnum(check, 8),
  fwd: () => {},
  typedef: referTo,
  volatile: referTo,
  const: referTo,
  restrict: referTo,
  func: (check) => {
    checkLinkage(check, check.head.vlen, check.extra - 8);
    checkRefKind(check, check.extra - 4, ["func_proto"]);
  },
  func_proto: (check) => {
    referTo(check);
    checkItems(check, 8, (at) => {
      checkName(check, at);
      checkTypeId(check, at + 4);
    });
  },
  var: (check) => {
    referTo(check);
    checkLinkage(check, check.table.types.u32(check.extra), check.extra);
  },
  datasec: (check) => checkItems(check, 12, (at) => checkRefKind(check, at, ["var", "func"])),
  float: () => {},
  decl_tag: (check) => {
    referTo(check);
    const component = check.table.types.s32(check.extra);
    if (component < -1) {
      throw btfError(
        "BTF_COMPONENT",
        `component ${component}, -1 or more allowed`,
        place(check, check.extra),
      );
    }
  },
  type_tag: referTo,
  enum64: (check) => checkEnum(check, 12),
} as const satisfies Record<BtfKind, (check: TypeCheck) => void>;

/** Returns the kind of a type, in the table or its base; ids past the end count as void. */
export function kindOf(table: BtfTable, id: number): BtfKind {
  if (id < table.firstId) return table.base === undefined ? "void" : kindOf(table.base, id);
  const offset = table.offsets[id - table.firstId];
  if (offset === undefined) return "void";
  return BTF_KINDS[table.types.u8(offset + (table.endian === "little" ? 7 : 4)) & 0x1f] ?? "void";
}

/**
 * Checks every own type of a table.
 *
 * @throws BTF_TYPE_ID BTF_NAME_OFFSET BTF_NAME_LENGTH BTF_INT BTF_ENUM BTF_LINKAGE BTF_REF_KIND BTF_COMPONENT
 */
export function checkTypes(table: BtfTable): void {
  for (let i = 0; i < table.offsets.length; i++) {
    const offset = table.offsets[i] ?? 0;
    const head = readHead(table.types, offset);
    const check = { table, typeId: table.firstId + i, head, extra: offset + TYPE_HEAD_BYTES };
    checkName(check, offset);
    CHECKS[head.kind](check);
  }
}
