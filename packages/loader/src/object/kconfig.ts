import { type Endian, encodeUtf8, InputError } from "@tsbpf/base";
import { type Btf, resolveType } from "@tsbpf/btf";

/** Values of kernel configuration options by name, spelled as in a `.config` file: `y`, `250`, `"eth"`. */
export type KconfigValues = Readonly<Record<string, string>>;

/** Kernel release: major, minor, patch. */
export type KernelVersion = readonly [major: number, minor: number, patch: number];

/** What a variable for a configuration option can hold. */
type KconfigType =
  | { readonly kind: "bool" | "tristate" | "char"; readonly sizeBytes: number }
  | { readonly kind: "int"; readonly sizeBytes: number; readonly isSigned: boolean }
  | { readonly kind: "text"; readonly sizeBytes: number };

const refuse = (name: string, text: string) =>
  new InputError("ELF_KCONFIG", `extern ${name}: ${text}, in .kconfig`, {
    details: { symbol: name, section: ".kconfig" },
  });

/** Reads the lines of a `.config` file; comments and options that are not set have no value. */
export function parseKconfig(text: string): KconfigValues {
  const values: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^(CONFIG_[A-Za-z0-9_]+)=(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) values[match[1]] = match[2];
  }
  return values;
}

/** @returns undefined for types that no option fits. @source linux tools/lib/bpf/libbpf.c find_kcfg_type */
function kconfigType(btf: Btf, typeId: number): KconfigType | undefined {
  const type = resolveType(btf, typeId);
  switch (type.kind) {
    case "int": {
      const { sizeBytes } = type;
      if (type.encoding === "bool") return sizeBytes === 1 ? { kind: "bool", sizeBytes } : undefined;
      if (sizeBytes === 1) return { kind: "char", sizeBytes };
      return sizeBytes <= 8 ? { kind: "int", sizeBytes, isSigned: type.encoding === "signed" } : undefined;
    }
    case "enum":
      return type.name === "libbpf_tristate" && type.sizeBytes === 4
        ? { kind: "tristate", sizeBytes: 4 }
        : undefined;
    case "array":
      return type.count > 0 && kconfigType(btf, type.elem)?.kind === "char"
        ? { kind: "text", sizeBytes: type.count }
        : undefined;
    default:
      return undefined;
  }
}

function encodeTristate(name: string, type: KconfigType, value: string): bigint {
  const letter = BigInt(value.charCodeAt(0));
  switch (type.kind) {
    case "bool":
      if (value === "m") throw refuse(name, "value m does not fit bool, y or n needed");
      return value === "y" ? 1n : 0n;
    case "tristate":
      return value === "n" ? 0n : value === "y" ? 1n : 2n;
    case "char":
      return letter;
    default:
      throw refuse(name, `value ${value} does not fit ${type.kind}, bool, tristate or char needed`);
  }
}

function encodeNumber(name: string, type: KconfigType, value: string): bigint {
  if (!/^-?(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(value)) throw refuse(name, `value ${value} is no number`);
  if (type.kind !== "int" && type.kind !== "char") {
    throw refuse(name, `value ${value} does not fit ${type.kind}, an integer needed`);
  }
  const number = value.startsWith("-") ? -BigInt(value.slice(1)) : BigInt(value);
  const bits = BigInt(8 * type.sizeBytes);
  const isSigned = type.kind !== "int" || type.isSigned;
  const min = isSigned ? -(1n << (bits - 1n)) : 0n;
  const last = isSigned ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  if (number < min || number > last) {
    throw refuse(name, `value ${value} does not fit ${type.sizeBytes} bytes, ${min}..${last} allowed`);
  }
  return number;
}

function encodeText(name: string, type: KconfigType, value: string, warnings: string[]): Uint8Array {
  if (type.kind !== "text")
    throw refuse(name, `value ${value} does not fit ${type.kind}, a char array needed`);
  if (value.length < 2 || !value.endsWith('"')) throw refuse(name, `value ${value} has no closing quote`);
  const text = encodeUtf8(value.slice(1, -1));
  const bytes = new Uint8Array(type.sizeBytes);
  if (text.length >= bytes.length)
    warnings.push(`extern ${name}: value ${value} is cut to ${bytes.length - 1} bytes`);
  bytes.set(text.subarray(0, bytes.length - 1));
  return bytes;
}

function integerBytes(value: bigint, sizeBytes: number, endian: Endian): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let rest = BigInt.asUintN(8 * sizeBytes, value);
  for (let i = 0; i < sizeBytes; i++, rest >>= 8n) {
    bytes[endian === "little" ? i : sizeBytes - 1 - i] = Number(rest & 0xffn);
  }
  return bytes;
}

/** Options that are none of the configuration's but answered by the loader (L-62). */
export function virtualValues([major, minor, patch]: KernelVersion): KconfigValues {
  const version = (major << 16) | (minor << 8) | Math.min(patch, 255);
  return {
    LINUX_KERNEL_VERSION: String(version),
    LINUX_HAS_BPF_COOKIE: "1",
    LINUX_HAS_SYSCALL_WRAPPER: "1",
  };
}

/**
 * Encodes the value of a configuration option for a variable.
 *
 * @throws ELF_KCONFIG when value and type do not go together.
 * @source linux tools/lib/bpf/libbpf.c bpf_object__process_kconfig_line
 */
export function encodeKconfig(
  btf: Btf,
  variable: { readonly name: string; readonly typeId: number },
  value: string,
  warnings: string[],
): Uint8Array {
  const { name } = variable;
  const type = kconfigType(btf, variable.typeId);
  if (type === undefined) throw refuse(name, "its type fits no configuration option");
  if (value.startsWith('"')) return encodeText(name, type, value, warnings);
  const number = /^[ynm]$/.test(value) ? encodeTristate(name, type, value) : encodeNumber(name, type, value);
  return integerBytes(number, type.sizeBytes, btf.endian);
}

/** Virtual options are integers: bool takes 1 as yes. */
export const spellVirtual = (btf: Btf, typeId: number, value: string): string =>
  kconfigType(btf, typeId)?.kind === "bool" ? (value === "0" ? "n" : "y") : value;
