import { type BtfTypeInput, encodeBtf, parseBtf } from "@tsbpf/btf";
import { describe, expect, it } from "vitest";
import { inspectObject } from "../src/index.ts";
import { readOwnObject } from "./objects.ts";

const POISON = { op: 0x85, dst: 0, src: 0, off: 0, imm: 195_896_080 };

const int = (
  name: string,
  sizeBytes: number,
  encoding: "signed" | "unsigned" = "unsigned",
): BtfTypeInput => ({
  kind: "int",
  name,
  sizeBytes,
  encoding,
  offsetBits: 0,
  sizeBits: 8 * sizeBytes,
});
const member = (name: string, type: number, offsetBytes: number, bitfieldBits = 0, extraBits = 0) => ({
  name,
  type,
  offsetBits: 8 * offsetBytes + extraBits,
  bitfieldBits,
});

/** A kernel that has the types of core.bpf.c elsewhere. */
const TARGET: readonly BtfTypeInput[] = [
  int("unsigned long", 8), // 1
  int("int", 4, "signed"), // 2
  int("char", 1, "signed"), // 3
  int("unsigned char", 1), // 4
  int("unsigned short", 2), // 5
  int("unsigned int", 4), // 6
  { kind: "array", name: "", elem: 3, index: 6, count: 16 }, // 7
  {
    kind: "struct",
    name: "list_head",
    sizeBytes: 16,
    hasBitfields: false,
    members: [member("next", 9, 0), member("prev", 9, 8)],
  }, // 8
  { kind: "ptr", name: "", type: 8 }, // 9
  { kind: "ptr", name: "", type: 11 }, // 10
  {
    kind: "struct",
    name: "task_struct",
    sizeBytes: 4096,
    hasBitfields: false,
    members: [
      member("", 12, 1000),
      member("comm", 7, 100),
      member("tasks", 8, 200),
      member("parent", 10, 300),
    ],
  }, // 11
  {
    kind: "struct",
    name: "",
    sizeBytes: 16,
    hasBitfields: false,
    members: [member("pid", 2, 0), member("start_time", 1, 8)],
  }, // 12
  {
    kind: "struct",
    name: "sk_buff",
    sizeBytes: 200,
    hasBitfields: true,
    members: [member("len", 6, 112), member("cloned", 4, 126, 1, 0), member("pkt_type", 4, 128, 3, 2)],
  }, // 13
  {
    kind: "struct",
    name: "iphdr",
    sizeBytes: 20,
    hasBitfields: false,
    members: [member("id", 5, 4), member("protocol", 4, 9)],
  }, // 14
  {
    kind: "enum",
    name: "pid_type",
    sizeBytes: 4,
    isSigned: false,
    values: [{ name: "PIDTYPE_PID", value: 5n }],
  }, // 15
];

const load = (target?: readonly BtfTypeInput[]) =>
  inspectObject(
    readOwnObject("core.bpf.o"),
    target === undefined ? {} : { targetBtf: parseBtf(encodeBtf(target)) },
  );

const progOf = (name: string, inspection = load(TARGET)) => {
  const prog = inspection.spec.progs.find((candidate) => candidate.name === name);
  if (prog === undefined) throw new Error(`no program ${name}`);
  return prog;
};
const answers = (name: string, target?: readonly BtfTypeInput[]) => {
  const { coreReport } = load(target);
  return coreReport
    .filter(({ section }) => section.endsWith(`/${name}`))
    .map(({ kind, local, target: value }) => [kind, local, value]);
};

describe("CO-RE", () => {
  it("moves members, also into anonymous ones (L-92, L-98)", () => {
    const loads = progOf("offsets").insns.filter(({ op }) => (op & 7) === 1);
    // task, start_time, pid (in the anonymous member), tasks.next, parent->parent, comm[3]
    expect(loads.map(({ off }) => off).sort((a, b) => a - b)).toEqual([0, 103, 200, 300, 300, 1000, 1008]);
  });

  it("answers questions about members (L-90..L-99)", () => {
    expect(answers("questions", TARGET)).toEqual(
      expect.arrayContaining([
        ["field_exists", 1n, 1n],
        ["field_exists", 1n, 0n],
        ["field_byte_size", 16n, 16n],
        ["field_signed", 1n, 1n],
        ["field_signed", 0n, 0n],
        ["field_byte_offset", 14n, 102n],
        // pkt_type lies at bit 2 of byte 128: its unit is that byte.
        ["field_byte_offset", 0n, 128n],
        ["field_lshift_u64", 60n, 59n],
        ["field_rshift_u64", 61n, 61n],
      ]),
    );
  });

  it("answers questions about types and enumerators (L-94..L-97)", () => {
    expect(answers("types", TARGET)).toEqual([
      ["type_exists", 1n, 1n],
      ["type_exists", 1n, 0n],
      ["type_size", expect.any(BigInt), 4096n],
      ["type_size", 4n, 0n],
      ["type_matches", 1n, 1n],
      ["type_matches", 1n, 1n],
      ["type_matches", 1n, 0n],
      ["type_id_local", expect.any(BigInt), expect.any(BigInt)],
      ["type_id_target", expect.any(BigInt), 11n],
      ["type_id_target", expect.any(BigInt), 0n],
      ["enumval_exists", 1n, 1n],
      ["enumval_exists", 1n, 0n],
      ["enumval_value", 7n, 5n],
    ]);
  });

  it("makes what has no answer fail when it is reached, and adapts widths where that is right (L-97, L-98)", () => {
    const { insns, defect } = progOf("lost");
    expect(defect).toBeUndefined();
    // old->no_such_member, none->x, sign->protocol (signed, of another width), and the lost enumerator's wide load.
    expect(insns.filter((insn) => insn.imm === POISON.imm)).toEqual(Array.from({ length: 5 }, () => POISON));
    // wide->protocol and wide->id read as many bytes as the target has.
    expect(insns.filter(({ op, off }) => op === 0x71 && off === 9)).toHaveLength(1);
    expect(insns.filter(({ op, off }) => op === 0x69 && off === 4)).toHaveLength(1);
  });

  it("takes the object's own types where no target is given (L-100)", () => {
    const { spec, coreReport } = load();
    expect(coreReport.length).toBeGreaterThan(30);
    for (const { local, target } of coreReport) expect(target).toBe(local);
    for (const prog of spec.progs) expect(prog.defect).toBeUndefined();
    expect(progOf("lost", load()).insns).not.toContainEqual(POISON);
  });

  it("makes ambiguous answers a defect of the programs that ask (L-93)", () => {
    const second: BtfTypeInput = {
      kind: "struct",
      name: "task_struct___other",
      sizeBytes: 8,
      hasBitfields: false,
      members: [member("start_time", 1, 0)],
    };
    const inspection = load([...TARGET, second]);
    expect(progOf("offsets", inspection).defect).toMatchObject({ code: "BTF_CORE_AMBIGUOUS" });
    expect(progOf("lost", inspection).defect).toBeUndefined();
  });

  it("refuses an offset that does not fit the instruction (L-98)", () => {
    const far = TARGET.map((type) =>
      type.name === "task_struct" && type.kind === "struct"
        ? { ...type, sizeBytes: 100_000, members: [member("", 12, 40_000), ...type.members.slice(1)] }
        : type,
    );
    expect(progOf("offsets", load(far)).defect).toMatchObject({
      code: "BTF_CORE_INSN",
      text: expect.stringContaining("does not fit 16 bits"),
    });
  });
});
