import { MAP_TYPES } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { parseHexBytes, printHexBytes } from "@tsbpf/base";
import { type BtfTypeInput, encodeBtf, parseBtf, specialFieldsOf } from "@tsbpf/btf";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import { kernelHost } from "../src/answers.ts";
import type { Case } from "../src/cases.ts";

/** Types with names to refer to them by. */
class Types {
  readonly list: BtfTypeInput[] = [];

  add(type: BtfTypeInput): number {
    return this.list.push(type);
  }
  int(): number {
    return this.add({
      kind: "int",
      name: "int",
      sizeBytes: 4,
      encoding: "signed",
      offsetBits: 0,
      sizeBits: 32,
    });
  }
  struct(name: string, sizeBytes: number, members: readonly (readonly [number, number])[] = []): number {
    return this.add({
      kind: "struct",
      name,
      sizeBytes,
      hasBitfields: false,
      members: members.map(([type, offset], i) => ({
        name: `m${i}`,
        type,
        offsetBits: offset * 8,
        bitfieldBits: 0,
      })),
    });
  }
  array(elem: number, count: number): number {
    return this.add({ kind: "array", name: "", elem, index: 1, count });
  }
  tagged(tag: string, type: number): number {
    const id = this.add({ kind: "type_tag", name: tag, type, isAttribute: false });
    return this.add({ kind: "ptr", name: "", type: id });
  }
  wrap(kind: "const" | "volatile", type: number): number {
    return this.add({ kind, name: "", type });
  }
  contains(text: string, type: number, component: number): void {
    this.add({ kind: "decl_tag", name: `contains:${text}`, type, component, isAttribute: false });
  }
}

/** Lays out a value and returns its type id and size. */
type Layout = (types: Types) => readonly [typeId: number, sizeBytes: number];

const node = (t: Types, kind: string, bytes: number, more: readonly (readonly [string, number])[] = []) =>
  t.struct("node", 64, [
    [t.struct(kind, bytes), 0],
    ...more.map(([name, size], i) => [t.struct(name, size), 32 + 8 * i] as const),
  ]);

const LAYOUTS: Readonly<Record<string, Layout>> = {
  plain: (t) => [t.struct("v", 16, [[1, 0]]), 16],
  lock: (t) => [t.struct("v", 16, [[t.struct("bpf_spin_lock", 4), 4]]), 16],
  "lock at 2": (t) => [t.struct("v", 16, [[t.struct("bpf_spin_lock", 4), 2]]), 16],
  "lock of 8 bytes": (t) => [t.struct("v", 16, [[t.struct("bpf_spin_lock", 8), 0]]), 16],
  "lock in a struct in a struct": (t) => {
    const inner = t.struct("in", 8, [[t.struct("bpf_spin_lock", 4), 4]]);
    return [t.struct("v", 24, [[t.struct("mid", 16, [[inner, 8]]), 8]]), 24];
  },
  "lock in a union": (t) => {
    const type = t.struct("bpf_spin_lock", 4);
    const members = [{ name: "u", type, offsetBits: 0, bitfieldBits: 0 }];
    const union = t.add({ kind: "union", name: "u", sizeBytes: 8, hasBitfields: false, members });
    return [t.struct("v", 16, [[union, 8]]), 16];
  },
  "a typedef of a lock": (t) => {
    const type = t.add({ kind: "typedef", name: "lock_t", type: t.struct("bpf_spin_lock", 4) });
    return [t.struct("v", 16, [[type, 4]]), 16];
  },
  "a const lock": (t) => [t.struct("v", 16, [[t.wrap("const", t.struct("bpf_spin_lock", 4)), 4]]), 16],
  "a typedef of the value": (t) => {
    const type = t.struct("v", 16, [[t.struct("bpf_spin_lock", 4), 4]]);
    return [t.add({ kind: "typedef", name: "v_t", type }), 16];
  },
  "both locks": (t) => {
    const members = [
      [t.struct("bpf_spin_lock", 4), 0] as const,
      [t.struct("bpf_res_spin_lock", 4), 4] as const,
    ];
    return [t.struct("v", 16, members), 16];
  },
  "a lock twice": (t) => {
    const lock = t.struct("bpf_spin_lock", 4);
    return [
      t.struct("v", 16, [
        [lock, 0],
        [lock, 8],
      ]),
      16,
    ];
  },
  timer: (t) => [t.struct("v", 32, [[t.struct("bpf_timer", 16, [[1, 0]]), 8]]), 32],
  "an array of one timer": (t) => [t.struct("v", 32, [[t.array(t.struct("bpf_timer", 16), 1), 8]]), 32],
  "an array of two timers": (t) => [t.struct("v", 40, [[t.array(t.struct("bpf_timer", 16), 2), 8]]), 40],
  "an array of no timers": (t) => [t.struct("v", 40, [[t.array(t.struct("bpf_timer", 16), 0), 8]]), 40],
  work: (t) => [t.struct("v", 32, [[t.struct("bpf_wq", 16), 0]]), 32],
  "task work": (t) => [t.struct("v", 16, [[t.struct("bpf_task_work", 8), 8]]), 16],
  refcount: (t) => [t.struct("v", 16, [[t.struct("bpf_refcount", 4), 4]]), 16],
  "a list node": (t) => [t.struct("v", 32, [[t.struct("bpf_list_node", 24), 0]]), 32],
  "a tree node": (t) => [t.struct("v", 40, [[t.struct("bpf_rb_node", 32), 0]]), 40],
  kptrs: (t) => {
    const task = t.struct("task_struct", 8);
    const tags = ["kptr", "kptr_untrusted"].map((tag, i) => [t.tagged(tag, task), 8 * i] as const);
    return [t.struct("v", 24, tags), 24];
  },
  "a volatile kptr": (t) => [
    t.struct("v", 16, [[t.wrap("volatile", t.tagged("kptr", t.struct("task_struct", 8))), 0]]),
    16,
  ],
  "a kptr at 4": (t) => [t.struct("v", 16, [[t.tagged("kptr", t.struct("task_struct", 8)), 4]]), 16],
  "kptrs in an array": (t) => [
    t.struct("v", 40, [[t.array(t.tagged("kptr", t.struct("task_struct", 8)), 3), 8]]),
    40,
  ],
  "twelve kptrs": (t) => [
    t.struct("v", 96, [[t.array(t.tagged("kptr", t.struct("task_struct", 8)), 12), 0]]),
    96,
  ],
  "eleven kptrs": (t) => [
    t.struct("v", 96, [[t.array(t.tagged("kptr", t.struct("task_struct", 8)), 11), 0]]),
    96,
  ],
  "kptrs in structs in an array": (t) => {
    const elem = t.struct("e", 16, [[t.tagged("kptr_untrusted", t.struct("task_struct", 8)), 8]]);
    return [t.struct("v", 48, [[t.array(elem, 3), 0]]), 48];
  },
  "a pointer with another tag": (t) => {
    const task = t.struct("task_struct", 8);
    return [
      t.struct("v", 16, [
        [t.tagged("kptr", task), 0],
        [t.tagged("user", task), 8],
      ]),
      16,
    ];
  },
  "a tagged pointer to an integer": (t) => [t.struct("v", 16, [[t.tagged("kptr", 1), 0]]), 16],
  "a list with a lock": (t) => {
    const type = node(t, "bpf_list_node", 24);
    const v = t.struct("v", 32, [
      [t.struct("bpf_spin_lock", 4), 0],
      [t.struct("bpf_list_head", 16), 8],
    ]);
    t.contains("node:m0", v, 1);
    expect(type).toBeGreaterThan(0);
    return [v, 32];
  },
  "a tree with a lock": (t) => {
    node(t, "bpf_rb_node", 32);
    const v = t.struct("v", 32, [
      [t.struct("bpf_res_spin_lock", 4), 0],
      [t.struct("bpf_rb_root", 16), 16],
    ]);
    t.contains("node:m0", v, 1);
    return [v, 32];
  },
  "a section with a lock": (t) => {
    const lock = t.struct("bpf_spin_lock", 4);
    const first = t.add({ kind: "var", name: "a", type: 1, linkage: "global" });
    const second = t.add({ kind: "var", name: "b", type: lock, linkage: "global" });
    const vars = [
      { type: first, offset: 0, sizeBytes: 4 },
      { type: second, offset: 4, sizeBytes: 4 },
    ];
    return [t.add({ kind: "datasec", name: ".data", sizeBytes: 16, vars }), 16];
  },
};

const program = (offset: number): string =>
  printHexBytes(
    encodeInsns(
      assemble(`
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = map[m] ll
        call 1
        if r0 == 0 goto +1
        *(u32 *)(r0 + ${offset}) = 0
        r0 = 0
        exit`).insns,
    ),
  );

function questionsOf(name: string, layout: Layout): (Case & KernelCase)[] {
  const types = new Types();
  types.int();
  const [typeId, sizeBytes] = layout(types);
  const btf = printHexBytes(encodeBtf(types.list));
  const isSection = name.includes("section");
  const map = {
    type: MAP_TYPES.array,
    key_size: 4,
    value_size: sizeBytes,
    max_entries: 1,
    btf,
    btf_key_type_id: isSection ? 0 : 1,
    btf_value_type_id: typeId,
  };
  return Array.from({ length: sizeBytes / 4 }, (_, i) => ({
    name: `${name}, offset ${i * 4}`,
    prog_type: "socket_filter",
    log_level: 1,
    insns: program(i * 4),
    maps: [map],
    fixups: [{ insn: 3, map: 0 }],
  })) as unknown as (Case & KernelCase)[];
}

describe.skipIf(!isBpfAllowed())("special fields of values", () => {
  it.each(Object.entries(LAYOUTS))(
    "%s: stores are refused where the kernel refuses them",
    async (name, layout) => {
      const questions = questionsOf(name, layout);
      const answers = await runKernelCases(questions);
      const differing = questions.flatMap((question, i) => {
        const answer = answers[i];
        // Structs that can never be values are refused with the types; then there are no fields.
        if (answer?.error?.startsWith("cannot load the BTF") === true) {
          const map = question.maps?.[0];
          const types = parseBtf(parseHexBytes(map?.btf ?? ""));
          return specialFieldsOf(types, map?.btf_value_type_id ?? 0, "map").map(
            ({ kind }) => `${name}: ${kind}`,
          );
        }
        if (answer?.error !== undefined) return [`${question.name}: ${answer.error}`];
        const one = compareCase(question, answer ?? { loaded: false, errno: 0 }, kernelHost());
        const isSame = one.crash === "" && one.isErrnoSame && one.isMessageSame !== false;
        return isSame ? [] : [`${question.name}: ${answer?.errline} | ${one.message} ${one.crash}`];
      });
      expect(differing).toEqual([]);
    },
  );
});
