import { KFUNCS, MAP_TYPES } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import type { KernelCase, KernelMap } from "@tsbpf/kernel";

/** A program at one of Linux's limits or one beyond it. */
export interface LimitCase {
  readonly question: KernelCase & { readonly name: string };
  /** Positive error number, 0 where the program is accepted. */
  readonly errno: number;
  /** The kernel's last line that says why; undefined where the system call refuses without a word. */
  readonly message: string | undefined;
}

const E2BIG = 7;
const EACCES = 13;
const EINVAL = 22;
const EFAULT = 14;
const EBUSY = 16;
const EPROTO = 71;
/** Kernel functions but those of a device. */
const CALLABLE = KFUNCS.filter(({ name }) => !name.startsWith("bpf_xdp_metadata_rx_"));
/** Statistics alone: a million instructions need no log. */
const STATS = 4;

const times = (count: number, lineOf: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => lineOf(i)).join("\n");

function caseOf(name: string, text: string, more: Partial<KernelCase> = {}): LimitCase["question"] {
  const prog = assemble(text, { symbols: { kfuncOf: () => ({ btfId: 1 }) } });
  return {
    name,
    prog_type: "sched_cls",
    insns: printHexBytes(encodeInsns(prog.insns)),
    fixups: prog.mapRefs.map((ref) => ({ insn: ref.slot, map: Number(ref.name.slice(1)) })),
    kfuncs: prog.kernelRefs.map((ref) => ({ insn: ref.slot, name: ref.name })),
    log_level: STATS,
    ...more,
  };
}

const accepted = (question: LimitCase["question"]): LimitCase => ({ question, errno: 0, message: "" });
const refused = (question: LimitCase["question"], errno: number, message?: string): LimitCase => ({
  question,
  errno,
  message,
});

const OUT = "r0 = 0\nexit";
const ARRAY: KernelMap = { type: MAP_TYPES.array, key_size: 4, value_size: 8, max_entries: 1 };
const loadMaps = (count: number): string => `${times(count, (i) => `r1 = map[m${i}] ll`)}\n${OUT}`;
const arrays = (count: number): Partial<KernelCase> => ({ maps: Array.from({ length: count }, () => ARRAY) });

/** A chain of functions that call each other, `count` of them with the entry. */
const chain = (count: number): string =>
  `call f1\nexit\n${times(count - 1, (i) => `f${i + 1}: ${i + 2 < count ? `call f${i + 2}\n` : ""}r0 = 0\nexit`)}`;
/** Functions that the entry calls one after the other, `count` of them with the entry. */
const fan = (count: number): string =>
  `${times(count - 1, (i) => `call f${i}`)}\n${OUT}\n${times(count - 1, (i) => `f${i}: ${OUT}`)}`;
/** Branches on a number that stays unknown; each leaves a path that waits. */
const waiting = (count: number): string =>
  `r6 = *(u32 *)(r1 + 0)\n${times(count, (i) => `if r6 == ${i} goto e`)}\nr0 = 0\ne: r0 = 0\nexit`;
/** Paths that double with each bit, and differ in the end. */
const doubling = (bits: number): string =>
  `r6 = *(u32 *)(r1 + 0)\nr7 = 0\n${times(bits, (i) => `r7 <<= 1\nif r6 & ${2 ** i} goto b${i}\nr7 |= 1\nb${i}:`)}\n*(u64 *)(r10 - 8) = 0\nr8 = r10\nr8 += -8\nr7 &= 0\nr8 += r7\nr0 = *(u8 *)(r8 + 0)\nexit`;
const frame = (bytes: number): string => `*(u64 *)(r10 - ${bytes}) = 0`;

const KFUNC_CALL = "8520";
/** A call of a kernel function by its number, with an offset for the types of a module. */
const kfuncCall = (id: number, off: number): string => {
  const bytes = new Uint8Array(6);
  new DataView(bytes.buffer).setInt16(0, off, true);
  new DataView(bytes.buffer).setInt32(2, id, true);
  return KFUNC_CALL + printHexBytes(bytes);
};

/** Puts calls of kernel functions where no path comes. */
function deadCalls(name: string, calls: string, more: Partial<KernelCase> = {}): LimitCase["question"] {
  const count = calls.length / 16;
  const entry = encodeInsns(assemble(`r0 = 0\nif r0 == 0 goto +${count}\nexit`).insns);
  const exit = printHexBytes(entry).slice(32);
  return caseOf(name, OUT, { insns: printHexBytes(entry).slice(0, 32) + calls + exit, ...more });
}

/** Calls of kernel functions that are never walked: their numbers are checked all the same. */
const kfuncCases = (): readonly LimitCase[] => [
  accepted(
    deadCalls("every kernel function", kfuncCall(1, 0).repeat(CALLABLE.length), {
      kfuncs: CALLABLE.map(({ name }, i) => ({ insn: i + 2, name })),
    }),
  ),
  accepted(deadCalls("kernel function 0", kfuncCall(0, 0))),
  refused(
    deadCalls("kernel function 0 of a closed program", kfuncCall(0, 0), { license: "none" }),
    EINVAL,
    "cannot call kernel function from non-GPL compatible program",
  ),
  refused(
    deadCalls("a number of a type in place of a function's", kfuncCall(1, 0)),
    EINVAL,
    "kernel btf_id 1 is not a function",
  ),
  refused(
    deadCalls("a kernel function of a module that is not named", kfuncCall(1, 1)),
    EPROTO,
    "failed to find BTF for kernel function",
  ),
  refused(
    deadCalls("kernel function 0 of a module that is not named", kfuncCall(0, 1)),
    EPROTO,
    "failed to find BTF for kernel function",
  ),
  refused(
    deadCalls("a kernel function with an offset below 0", kfuncCall(1, -1)),
    EINVAL,
    "failed to find BTF for kernel function",
  ),
  refused(
    deadCalls("a known kernel function with an offset", kfuncCall(1, 1), {
      kfuncs: [{ insn: 2, name: "bpf_rcu_read_lock" }],
    }),
    EPROTO,
    "failed to find BTF for kernel function",
  ),
];

/** Programs at each of Linux's limits, with what Linux 6.18 says of them; ideas T-29, T-30, T-62, T-63, T-291, T-292. */
export const limitCases = (): readonly LimitCase[] => [
  refused(
    caseOf("a million instructions in a loop", "r0 = 0\nr1 = 2000000\nl: r0 += 1\nif r0 < r1 goto l\nexit"),
    E2BIG,
    "BPF program is too large. Processed 1000001 insn",
  ),
  refused(
    caseOf("paths that double", doubling(20)),
    E2BIG,
    "BPF program is too large. Processed 1000001 insn",
  ),
  accepted(caseOf("8192 paths that wait", waiting(8192))),
  refused(
    caseOf("8193 paths that wait", waiting(8193)),
    EFAULT,
    "The sequence of 8193 jumps is too complex.",
  ),
  accepted(caseOf("8 frames", chain(8))),
  refused(caseOf("9 frames", chain(9)), E2BIG, "the call stack of 9 frames is too deep"),
  refused(
    caseOf("a function that calls itself", `call f\nexit\nf: call f\n${OUT}`),
    E2BIG,
    "the call stack of 9 frames is too deep",
  ),
  accepted(caseOf("256 functions", fan(256))),
  refused(caseOf("257 functions", fan(257)), E2BIG, "too many subprograms"),
  accepted(caseOf("64 maps", loadMaps(64), arrays(64))),
  refused(
    caseOf("65 maps", loadMaps(65), arrays(65)),
    E2BIG,
    "The total number of maps per program has reached the limit of 64",
  ),
  accepted(caseOf("one map, named 100 times", `${times(100, () => "r1 = map[m0] ll")}\n${OUT}`, arrays(1))),
  refused(
    caseOf("two arenas", loadMaps(2), {
      maps: [1, 2].map((at) => ({
        type: MAP_TYPES.arena,
        max_entries: 1,
        flags: 1 << 10,
        map_extra: at * 2 ** 32,
      })),
    }),
    EBUSY,
    "Only one arena per program",
  ),
  refused(
    caseOf("two storages of a cgroup", loadMaps(2), {
      prog_type: "cgroup_skb",
      maps: [1, 2].map(() => ({
        type: MAP_TYPES.cgroup_storage,
        key_size: 8,
        value_size: 8,
        max_entries: 0,
      })),
    }),
    EBUSY,
    "only one cgroup storage of each type is allowed",
  ),
  accepted(caseOf("512 bytes of stack", `${frame(512)}\n${OUT}`)),
  refused(
    caseOf("520 bytes of stack", `${frame(520)}\n${OUT}`),
    EACCES,
    "invalid write to stack R10 off=-520 size=8",
  ),
  accepted(caseOf("512 bytes of stack in a chain", `${frame(256)}\ncall f\nexit\nf: ${frame(256)}\n${OUT}`)),
  refused(
    caseOf("544 bytes of stack in a chain", `${frame(256)}\ncall f\nexit\nf: ${frame(288)}\n${OUT}`),
    EACCES,
    "combined stack size of 2 calls is 544. Too large",
  ),
  refused(
    caseOf("an address of 2^29 bytes into a map", `r1 = map_value[m0+536870912] ll\n${OUT}`, arrays(1)),
    EINVAL,
    "direct value offset of 536870912 is not allowed",
  ),
  refused(
    caseOf("an address of 2^29 bytes into a hash", `r1 = map_value[m0+536870912] ll\n${OUT}`, {
      maps: [{ ...ARRAY, type: MAP_TYPES.hash }],
    }),
    EINVAL,
    "direct value offset of 536870912 is not allowed",
  ),
  refused(caseOf("no instruction", ""), E2BIG),
  ...kfuncCases(),
];
