import type { Kfunc } from "@tsbpf/abi";

/** One parameter of a kernel function. */
export interface KfuncParam {
  readonly name: string;
  readonly isPointer: boolean;
  readonly isCallback: boolean;
  /** Struct or union name behind a pointer, or empty. */
  readonly struct: string;
  /** Base type without const and stars, e.g. `u32`, `void`. */
  readonly base: string;
  /** Whether it takes the context of any program type. */
  readonly isCtx?: boolean;
  /** Bytes of plain memory behind a pointer, where the type does not say. */
  readonly sizeBytes?: number;
}

/** A kernel function's C prototype, taken apart. */
export interface KfuncSig {
  readonly params: readonly KfuncParam[];
  readonly returns: Omit<KfuncParam, "name">;
}

const cache = new Map<string, KfuncSig>();

function typeOf(text: string): Omit<KfuncParam, "name"> {
  const base = text
    .replace(/\*/g, " ")
    .replace(/\b(const|volatile|restrict)\b/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  const struct = /^(?:struct|union) (\w+)$/.exec(base)?.[1] ?? "";
  return { isPointer: text.includes("*"), isCallback: false, struct, base };
}

function paramOf(text: string): KfuncParam {
  const callback = /\(\s*\*\s*(\w+)\s*\)/.exec(text);
  if (callback !== null) {
    return { name: callback[1] ?? "", isPointer: true, isCallback: true, struct: "", base: "" };
  }
  // A type of its own for a callback is a pointer to a function, too.
  const named = /^\w+_callback_t\s+(\w+)$/.exec(text.trim());
  if (named !== null)
    return { name: named[1] ?? "", isPointer: true, isCallback: true, struct: "", base: "" };
  const at = text.search(/\w+\s*(\[\d*\])?\s*$/);
  const name = text.slice(at).replace(/\[.*$/, "").trim();
  const type = typeOf(text.slice(0, at));
  return { ...type, name, isPointer: type.isPointer || text.includes("[") };
}

/** Splits at commas outside parentheses. */
function splitParams(list: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const letter of list) {
    if (letter === "(") depth++;
    if (letter === ")") depth--;
    if (letter === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += letter;
  }
  if (part.trim() !== "" && part.trim() !== "void") parts.push(part.trim());
  return parts;
}

/** Takes a kernel function's prototype apart. */
export function sigOf(kfunc: Kfunc): KfuncSig {
  const known = cache.get(kfunc.name);
  if (known !== undefined) return known;
  const at = kfunc.signature.indexOf(`${kfunc.name}(`);
  const list = kfunc.signature.slice(at + kfunc.name.length + 1, kfunc.signature.lastIndexOf(")"));
  const sig = {
    params: splitParams(list).map(paramOf),
    returns: typeOf(kfunc.signature.slice(0, at)),
  };
  cache.set(kfunc.name, sig);
  return sig;
}

/** Says whether a parameter name carries a suffix such as `__sz` (H-137). */
export const hasSuffix = (param: KfuncParam | undefined, suffix: string): boolean =>
  param?.name.endsWith(suffix) ?? false;

const SCALAR_BYTES: Readonly<Record<string, number>> = {
  bool: 1,
  char: 1,
  u8: 1,
  s8: 1,
  __u8: 1,
  u16: 2,
  s16: 2,
  __u16: 2,
  __be16: 2,
  "short unsigned int": 2,
  int: 4,
  u32: 4,
  s32: 4,
  __u32: 4,
  __be32: 4,
  __s32: 4,
  "unsigned int": 4,
  u64: 8,
  s64: 8,
  __u64: 8,
  __s64: 8,
  "long int": 8,
  "long unsigned int": 8,
  "unsigned long": 8,
  long: 8,
};

/** Structs made of numbers alone that kernel functions take by pointer, with their bytes. */
const SCALAR_STRUCTS: Readonly<Record<string, number>> = {
  bpf_sock_tuple: 36,
  bpf_tcp_req_attrs: 20,
  bpf_ct_opts: 16,
  bpf_fou_encap: 4,
  bpf_crypto_params: 408,
  bpf_xfrm_info: 8,
  bpf_xfrm_state_opts: 36,
  nf_inet_addr: 16,
  prog_test_member: 8,
  rate_sample: 72,
  ack_sample: 12,
  in6_addr: 16,
  bpf_flowtable_opts: 4,
  cpumask: 1024,
};

/** Bytes of memory behind a pointer parameter that is plain data; undefined when it is none (H-140). */
export function plainBytes(param: Omit<KfuncParam, "name">): number | undefined {
  if (param.sizeBytes !== undefined) return param.sizeBytes;
  if (param.base.startsWith("enum ")) return 4;
  if (param.struct !== "") return SCALAR_STRUCTS[param.struct];
  return SCALAR_BYTES[param.base];
}
