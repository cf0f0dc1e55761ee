import { ERRNO } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelKfunc, shape } from "./kfunc-define.ts";
import { R1, R2, R3, setS32, u32, u64 } from "./regs.ts";

/** Longest string that is looked at. @source linux uapi/linux/limits.h XATTR_SIZE_MAX */
const TEXT_BYTES_MAX = 65_536;
const BYTE_MASK = 255;
/** High half of the lowest kernel address on x86-64. */
const KERNEL_HI = 0xffff_8000;
const UPPER_A = 65;
const UPPER_Z = 90;
const CASE_BIT = 32;
const ABSENT = -ERRNO.ENOENT;
const TOO_LONG = -ERRNO.E2BIG;
const UNREADABLE = -ERRNO.EFAULT;

/** A string somewhere in memory, read byte by byte. Negative numbers are error numbers. */
interface Text {
  readonly env: HelperEnv;
  readonly address: number;
  /** Why nothing of it can be read, or 0. */
  readonly fault: number;
}

function textAt(env: HelperEnv, regs: Int32Array, at: number): Text {
  const address = u32(regs, at);
  const hi = u32(regs, at + 1);
  const isReadable = hi === 0 && canAccess(env.memory, address, 1, PERM.read);
  // The kernel's readers do not even try addresses below the kernel's.
  const fault = isReadable ? 0 : hi < KERNEL_HI ? -ERRNO.ERANGE : UNREADABLE;
  return { env, address, fault };
}

/** Returns a byte, or a negative error number. */
const byteOf = ({ env: { memory }, address }: Text, idx: number): number =>
  canAccess(memory, address + idx, 1, PERM.read) ? (memory.u8[address + idx] as number) : UNREADABLE;

/** Makes a function of one string. */
const ofText =
  (answer: (text: Text, regs: Int32Array) => number): RawHelper =>
  (regs, env) => {
    const text = textAt(env, regs, R1);
    setS32(regs, text.fault !== 0 ? text.fault : answer(text, regs));
  };

/** Makes a function of two strings. */
const ofTexts =
  (answer: (one: Text, other: Text, regs: Int32Array) => number): RawHelper =>
  (regs, env) => {
    const one = textAt(env, regs, R1);
    const other = textAt(env, regs, R2);
    const fault = one.fault !== 0 ? one.fault : other.fault;
    setS32(regs, fault !== 0 ? fault : answer(one, other, regs));
  };

const lower = (byte: number): number => (byte >= UPPER_A && byte <= UPPER_Z ? byte | CASE_BIT : byte);

function compare(one: Text, other: Text, isCaseless: boolean): number {
  for (let i = 0; i < TEXT_BYTES_MAX; i++) {
    const a = byteOf(one, i);
    const b = byteOf(other, i);
    if (a < 0 || b < 0) return UNREADABLE;
    const [x, y] = isCaseless ? [lower(a), lower(b)] : [a, b];
    if (x !== y) return x < y ? -1 : 1;
    if (a === 0) return 0;
  }
  return TOO_LONG;
}

/** Reads a count of 64 bits, cut to the longest string. */
const countOf = (regs: Int32Array, at: number): number => Math.min(Number(u64(regs, at)), TEXT_BYTES_MAX);

const charOf = (regs: Int32Array, at: number): number => u32(regs, at) & BYTE_MASK;

function find(text: Text, byte: number, count: number): number {
  for (let i = 0; i < count; i++) {
    const found = byteOf(text, i);
    if (found < 0) return found;
    if (found === byte) return i;
    if (found === 0) return ABSENT;
  }
  return count === TEXT_BYTES_MAX ? TOO_LONG : ABSENT;
}

function findOrEnd(text: Text, byte: number): number {
  for (let i = 0; i < TEXT_BYTES_MAX; i++) {
    const found = byteOf(text, i);
    if (found < 0) return found;
    if (found === 0 || found === byte) return i;
  }
  return TOO_LONG;
}

function findLast(text: Text, byte: number): number {
  let last = ABSENT;
  for (let i = 0; i < TEXT_BYTES_MAX; i++) {
    const found = byteOf(text, i);
    if (found < 0) return found;
    if (found === byte) last = i;
    if (found === 0) return last;
  }
  return TOO_LONG;
}

function lengthOf(text: Text, count: number): number {
  for (let i = 0; i < count; i++) {
    const found = byteOf(text, i);
    if (found <= 0) return found < 0 ? found : i;
  }
  return count === TEXT_BYTES_MAX ? TOO_LONG : count;
}

/** Counts bytes at the start that are, or are not, among those of another string. */
function span(text: Text, set: Text, wantsMember: boolean): number {
  for (let i = 0; i < TEXT_BYTES_MAX; i++) {
    const byte = byteOf(text, i);
    if (byte <= 0) return byte < 0 ? byte : i;
    const found = find(set, byte, TEXT_BYTES_MAX);
    if (found < 0 && found !== ABSENT) return found;
    if (found >= 0 !== wantsMember) return i;
  }
  return TOO_LONG;
}

/** Says whether a string begins with another at an offset: 1, 0, or a negative answer of the search. */
function matchesAt(text: Text, part: Text, start: number, count: number): number {
  for (let at = 0; at < TEXT_BYTES_MAX; at++) {
    const wanted = byteOf(part, at);
    if (wanted <= 0) return wanted < 0 ? wanted : 1;
    if (start + at >= count) return ABSENT;
    const found = byteOf(text, start + at);
    if (found < 0) return found;
    if (found === 0) return ABSENT;
    if (found !== wanted) return 0;
  }
  return TOO_LONG;
}

/** Finds a string in another of which only so many bytes count. */
function search(text: Text, part: Text, count: number): number {
  for (let start = 0; start < TEXT_BYTES_MAX; start++) {
    const match = matchesAt(text, part, start, count);
    if (match !== 0) return match < 0 ? match : start;
  }
  return TOO_LONG;
}

const { scalar } = shape;
const one = [scalar("s")] as const;
const two = [scalar("s1"), scalar("s2")] as const;
const bounded = [...two, scalar("len")] as const;

/** Kernel functions on strings. */
export const textKfuncs: readonly HelperPlugin[] = [
  kernelKfunc(
    "bpf_strcmp",
    "Compares two strings.",
    two,
    ofTexts((a, b) => compare(a, b, false)),
  ),
  kernelKfunc(
    "bpf_strcasecmp",
    "Compares two strings, letters of either case as equal.",
    two,
    ofTexts((a, b) => compare(a, b, true)),
  ),
  kernelKfunc(
    "bpf_strchr",
    "Finds a byte in a string.",
    two,
    ofText((text, regs) => find(text, charOf(regs, R2), TEXT_BYTES_MAX)),
  ),
  kernelKfunc(
    "bpf_strnchr",
    "Finds a byte among the first bytes of a string.",
    bounded,
    ofText((text, regs) => find(text, charOf(regs, R3), countOf(regs, R2))),
  ),
  kernelKfunc(
    "bpf_strchrnul",
    "Finds a byte in a string, or its end.",
    two,
    ofText((text, regs) => findOrEnd(text, charOf(regs, R2))),
  ),
  kernelKfunc(
    "bpf_strrchr",
    "Finds the last of a byte in a string.",
    two,
    // The only one that does not cut what it looks for to a byte.
    ofText((text, regs) => findLast(text, u32(regs, R2))),
  ),
  kernelKfunc(
    "bpf_strlen",
    "Returns the length of a string.",
    one,
    ofText((text) => lengthOf(text, TEXT_BYTES_MAX)),
  ),
  kernelKfunc(
    "bpf_strnlen",
    "Returns the length of a string, at most so much.",
    two,
    ofText((text, regs) => lengthOf(text, countOf(regs, R2))),
  ),
  kernelKfunc(
    "bpf_strspn",
    "Counts bytes at the start that are in another string.",
    two,
    ofTexts((a, b) => span(a, b, true)),
  ),
  kernelKfunc(
    "bpf_strcspn",
    "Counts bytes at the start that are not in another string.",
    two,
    ofTexts((a, b) => span(a, b, false)),
  ),
  kernelKfunc(
    "bpf_strstr",
    "Finds a string in another.",
    two,
    ofTexts((a, b) => search(a, b, TEXT_BYTES_MAX)),
  ),
  kernelKfunc(
    "bpf_strnstr",
    "Finds a string among the first bytes of another.",
    bounded,
    ofTexts((a, b, regs) => search(a, b, countOf(regs, R3))),
  ),
];
