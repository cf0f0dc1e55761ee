import type { AtomicOp, InsnRow, Role, SizeBytes } from "../row.ts";

const SIZE_BITS: Readonly<Record<SizeBytes, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };
const STX_ATOMIC = 0xc3;

/** The immediate that selects the operation. @source RFC 9669 §5.3, linux uapi/linux/bpf.h BPF_LOAD_ACQ */
export const ATOMIC_IMM: Readonly<Record<AtomicOp, number>> = {
  add: 0x00,
  or: 0x40,
  and: 0x50,
  xor: 0xa0,
  fetch_add: 0x01,
  fetch_or: 0x41,
  fetch_and: 0x51,
  fetch_xor: 0xa1,
  xchg: 0xe1,
  cmpxchg: 0xf1,
  load_acquire: 0x100,
  store_release: 0x110,
};

interface Registers {
  readonly uses: readonly Role[];
  readonly defs: readonly Role[];
}

const PLAIN: Registers = { uses: ["dst", "src"], defs: [] };
const FETCH: Registers = { uses: ["dst", "src"], defs: ["src"] };

const REGISTERS: Readonly<Record<AtomicOp, Registers>> = {
  add: PLAIN,
  or: PLAIN,
  and: PLAIN,
  xor: PLAIN,
  fetch_add: FETCH,
  fetch_or: FETCH,
  fetch_and: FETCH,
  fetch_xor: FETCH,
  xchg: FETCH,
  cmpxchg: { uses: ["dst", "src", "r0"], defs: ["r0"] },
  load_acquire: { uses: ["src"], defs: ["dst"] },
  store_release: PLAIN,
};

function atomicRow(atomicOp: AtomicOp, size: SizeBytes): InsnRow {
  const isOrdered = atomicOp === "load_acquire" || atomicOp === "store_release";
  return {
    id: `atomic${size * 8}.${atomicOp}`,
    op: STX_ATOMIC | SIZE_BITS[size],
    action: { kind: "atomic", atomicOp, size },
    dst: "reg",
    src: "reg",
    off: "any",
    imm: [ATOMIC_IMM[atomicOp]],
    ...REGISTERS[atomicOp],
    group: isOrdered ? "acqrel" : size === 8 ? "atomic64" : "atomic32",
    cpu: isOrdered ? 4 : atomicOp === "add" ? 1 : 3,
    since: isOrdered ? "6.15" : atomicOp === "add" ? "3.18" : "5.12",
    source: isOrdered ? "linux uapi/linux/bpf.h BPF_LOAD_ACQ" : "RFC 9669 §5.3",
  };
}

const READ_MODIFY_WRITE = (Object.keys(ATOMIC_IMM) as AtomicOp[]).filter(
  (atomicOp) => atomicOp !== "load_acquire" && atomicOp !== "store_release",
);

export const ATOMIC_ROWS: readonly InsnRow[] = [
  ...READ_MODIFY_WRITE.flatMap((atomicOp) => [atomicRow(atomicOp, 4), atomicRow(atomicOp, 8)]),
  ...(["load_acquire", "store_release"] as const).flatMap((atomicOp) =>
    ([1, 2, 4, 8] as const).map((size) => atomicRow(atomicOp, size)),
  ),
];
