import type { Btf, BtfKind } from "@tsbpf/btf";
import { kfuncNames } from "./kernel-types.ts";

const KIND_NAMES: Readonly<Record<BtfKind, string>> = {
  void: "UNKNOWN",
  int: "INT",
  ptr: "PTR",
  array: "ARRAY",
  struct: "STRUCT",
  union: "UNION",
  enum: "ENUM",
  fwd: "FWD",
  typedef: "TYPEDEF",
  volatile: "VOLATILE",
  const: "CONST",
  restrict: "RESTRICT",
  func: "FUNC",
  func_proto: "FUNC_PROTO",
  var: "VAR",
  datasec: "DATASEC",
  float: "FLOAT",
  decl_tag: "DECL_TAG",
  type_tag: "TYPE_TAG",
  enum64: "ENUM64",
};

/** Names a kind as the kernel's messages do. */
export const kindName = (kind: BtfKind): string => KIND_NAMES[kind];

/** Name of the local type without a CO-RE flavour (`task_struct___local`). */
export const essentialName = (name: string): string => {
  const at = name.indexOf("___");
  return at > 0 ? name.slice(0, at) : name;
};

/** Says whether the kernel has a struct of this name, as far as is known here. */
export const isKernelStruct = (name: string): boolean => kfuncNames().has(essentialName(name));

/** Returns the texts of the `arg:` tags of a function's parameter, in order. */
export function argTags(btf: Btf, funcId: number, param: number): readonly string[] {
  const tags: string[] = [];
  for (const type of btf.types()) {
    if (type.kind !== "decl_tag" || type.type !== funcId || type.component !== param) continue;
    if (type.name.startsWith("arg:")) tags.push(type.name.slice(4));
  }
  return tags;
}
