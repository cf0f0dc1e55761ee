/** The kinds of BTF types, in the order of their numbers; `void` is type id 0 and never encoded. */
export const BTF_KINDS = [
  "void",
  "int",
  "ptr",
  "array",
  "struct",
  "union",
  "enum",
  "fwd",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "func",
  "func_proto",
  "var",
  "datasec",
  "float",
  "decl_tag",
  "type_tag",
  "enum64",
] as const;

/** Names a kind of BTF type. */
export type BtfKind = (typeof BTF_KINDS)[number];

/** Kind numbers as stored in bits 24..28 of a type's info word. @source linux uapi/linux/btf.h BTF_KIND_INT */
export const KIND_NUMBER = Object.fromEntries(BTF_KINDS.map((kind, number) => [kind, number])) as Readonly<
  Record<BtfKind, number>
>;

/** How functions and variables are linked; position is the stored number. */
export const BTF_LINKAGES = ["static", "global", "extern"] as const;
export type BtfLinkage = (typeof BTF_LINKAGES)[number];

/** Limits of the format and of our walks over it. */
export const BTF_LIMITS = {
  /** Largest type id. @source linux uapi/linux/btf.h BTF_MAX_TYPE */
  typeIdLast: 0xf_ffff,
  /** Largest offset of a name. @source linux uapi/linux/btf.h BTF_MAX_NAME_OFFSET */
  nameOffsetLast: 0xff_ffff,
  /** Bytes of a name; Linux takes fewer than 512. @source linux include/linux/kallsyms.h KSYM_NAME_LEN */
  nameBytes: 1024,
  /** Bytes of any other string, such as a source line. */
  stringBytes: 0x1_0000,
  /** Most members, parameters, enumerators or variables of one type. @source linux uapi/linux/btf.h BTF_MAX_VLEN */
  vlenLast: 0xffff,
  /** Longest chain of modifiers, typedefs, arrays or nested members that a query follows. @source linux tools/lib/bpf/btf.c MAX_RESOLVE_DEPTH */
  depth: 32,
  /** Largest size in bytes that a query returns. */
  sizeLast: 0xffff_ffff,
} as const;

/** Magic number of .BTF and .BTF.ext; its byte order tells that of the rest. */
export const BTF_MAGIC = 0xeb9f;
/** Bytes of the common part of a type. */
export const TYPE_HEAD_BYTES = 12;
