import { InputError, UnsupportedError } from "@tsbpf/base";
import { encodeInsns, type Insn, makeInsn, makeWide } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { loadObject, readElf } from "../src/index.ts";
import { buildElf, type ElfInput } from "./build-elf.ts";
import { readOwnObject } from "./objects.ts";

const EXIT = makeInsn(0x95);
const MOV0 = makeInsn(0xb7);
const code = (...insns: Insn[]) => encodeInsns(insns);
const EXEC = 6;

const XDP: ElfInput = {
  sections: [{ name: "xdp", flags: EXEC, bytes: code(MOV0, EXIT) }],
  symbols: [{ name: "prog", binding: 1, type: 2, section: "xdp", sizeBytes: 16 }],
};

const errorOf = (run: () => unknown): InputError => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error("no error");
};

const patched = (at: number, value: number, size = 1): Uint8Array => {
  const bytes = buildElf(XDP);
  const view = new DataView(bytes.buffer);
  if (size === 1) view.setUint8(at, value);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return bytes;
};
const tableOf = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(40, true);
/** A field of a section header: section 1 is xdp, 2 .symtab, 3 .strtab, 4 .shstrtab. */
const header = (section: number, field: number): number => tableOf(buildElf(XDP)) + 64 * section + field;

describe("readElf", () => {
  it.each(["little", "big"] as const)("reads a %s-endian object (L-1, L-2)", (endian) => {
    const elf = readElf(buildElf({ ...XDP, endian }));
    expect(elf.endian).toBe(endian);
    expect(elf.sections.map(({ name }) => name)).toEqual(["", "xdp", ".symtab", ".strtab", ".shstrtab"]);
    expect(elf.symbols[1]).toMatchObject({
      name: "prog",
      binding: "global",
      type: "func",
      visibility: "default",
      section: 1,
      value: 0,
      sizeBytes: 16,
    });
  });

  it("reads REL and RELA relocations alike", () => {
    const call = makeInsn(0x85, { src: 1, imm: -1 });
    const object = (addend?: number): ElfInput => ({
      sections: [
        { name: ".text", flags: EXEC, bytes: code(MOV0, EXIT) },
        { name: "xdp", flags: EXEC, bytes: code(call, EXIT) },
      ],
      symbols: [
        { name: "sub", binding: 1, type: 2, section: ".text", sizeBytes: 16 },
        { name: "prog", binding: 1, type: 2, section: "xdp", sizeBytes: 16 },
      ],
      relocations: [
        { section: "xdp", offset: 0, symbol: "sub", type: 10, ...(addend === undefined ? {} : { addend }) },
      ],
    });
    const rel = loadObject(buildElf(object()));
    expect(rel.progs[0]?.insns).toEqual([{ ...call, imm: 1 }, EXIT, MOV0, EXIT]);
    expect(loadObject(buildElf(object(0)))).toEqual(rel);
  });

  it("accepts machine 0 (L-1)", () => {
    expect(readElf(buildElf({ ...XDP, machine: 0 })).machine).toBe(0);
  });

  // L-3
  it.each<[string, string, Uint8Array, string]>([
    ["no ELF file", "ELF_MAGIC", patched(0, 0), "ELF header"],
    ["empty file", "ELF_MAGIC", new Uint8Array(0), "ELF header"],
    ["short file", "ELF_TRUNCATED", buildElf(XDP).subarray(0, 63), "ELF header"],
    ["32-bit", "ELF_CLASS", patched(4, 1), "ELF header"],
    ["byte order", "ELF_DATA", patched(5, 3), "ELF header"],
    ["version", "ELF_VERSION", patched(6, 2), "ELF header"],
    ["type", "ELF_TYPE", patched(16, 2, 2), "ELF header"],
    ["machine", "ELF_MACHINE", patched(18, 62, 2), "ELF header"],
    ["section header size", "ELF_SECTION_TABLE", patched(58, 40, 2), "ELF header"],
    ["section table offset", "ELF_SECTION_TABLE", patched(44, 1, 4), "ELF header"],
    ["section count", "ELF_SECTION_TABLE", patched(60, 0xffff, 2), "ELF header"],
    ["section count 0", "ELF_SECTION_TABLE", patched(60, 0, 2), "ELF header"],
    ["names index", "ELF_LINK", patched(62, 9, 2), "ELF header"],
    ["section past the end", "ELF_TRUNCATED", patched(header(1, 32), 0xffff, 4), "section headers"],
    ["section at 2^63", "ELF_TRUNCATED", patched(header(1, 31), 0x80), "section headers"],
    ["section name", "ELF_NAME", patched(header(1, 0), 999, 4), "section headers"],
    ["overlap", "ELF_OVERLAP", patched(header(1, 24), tableOf(buildElf(XDP)), 4), "xdp"],
    ["overlap with the header", "ELF_OVERLAP", patched(header(1, 24), 8, 4), "xdp"],
    ["symbol names", "ELF_LINK", patched(header(2, 40), 1, 4), ".symtab"],
    ["symbol size", "ELF_SYMTAB", patched(header(2, 56), 16, 4), ".symtab"],
    ["no symbols", "ELF_SYMTAB", patched(header(2, 4), 1, 4), "section headers"],
    ["two symbol tables", "ELF_SYMTAB", patched(header(3, 4), 2, 4), "section headers"],
  ])("refuses a wrong %s with %s", (_what, expected, bytes, section) => {
    const error = errorOf(() => readElf(bytes));
    expect(error.code).toBe(expected);
    expect(error.details.section).toBe(section);
    expect(error.message).toContain(section);
  });

  it.each<[string, ElfInput["symbols"], string]>([
    ["section index", [{ name: "x", section: 77 }], "ELF_SYMBOL"],
    ["extended index", [{ name: "x", section: 0xffff }], "ELF_SYMBOL"],
    ["binding", [{ name: "x", binding: 10 }], "ELF_SYMBOL"],
    ["type", [{ name: "x", type: 10 }], "ELF_SYMBOL"],
    ["name length", [{ name: "x".repeat(1025) }], "ELF_NAME"],
  ])("refuses a symbol with a wrong %s", (_what, symbols = [], expected) => {
    expect(errorOf(() => readElf(buildElf({ ...XDP, symbols }))).code).toBe(expected);
  });

  it("names section and offset", () => {
    expect(errorOf(() => readElf(patched(18, 62, 2))).message).toBe(
      "machine 62, 247 (BPF) needed, in ELF header at offset 18",
    );
  });

  it("reads only the relocations that are asked for", () => {
    const object: ElfInput = {
      ...XDP,
      sections: [...XDP.sections, { name: ".debug_info", bytes: new Uint8Array(8) }],
      relocations: [{ section: ".debug_info", offset: 0, symbol: "prog", type: 99 }],
    };
    expect(loadObject(buildElf(object)).progs).toHaveLength(1);
    const elf = readElf(buildElf(object));
    const debug = elf.sectionNamed(".debug_info");
    expect(() => elf.relocationsOf(debug!)).toThrowError(UnsupportedError);
  });

  it.each<[string, Partial<ElfInput["relocations"]>, string]>([
    ["type", [{ section: "xdp", offset: 0, symbol: "prog", type: 5 }], "ELF_RELOC_TYPE"],
    ["offset", [{ section: "xdp", offset: 16, symbol: "prog", type: 1 }], "ELF_RELOC"],
    ["instruction", [{ section: "xdp", offset: 0, symbol: "prog", type: 1 }], "ELF_RELOC"],
    ["alignment", [{ section: "xdp", offset: 4, symbol: "prog", type: 1 }], "ELF_RELOC"],
  ])("refuses a relocation with a wrong %s (L-38)", (_what, relocations, expected) => {
    const object = { ...XDP, relocations: relocations as ElfInput["relocations"] & {} };
    expect(errorOf(() => loadObject(buildElf(object))).code).toBe(expected);
  });

  it("refuses two relocations for one slot", () => {
    const wide = { section: "xdp", offset: 0, symbol: "var", type: 1 };
    const object: ElfInput = {
      sections: [
        { name: "xdp", flags: EXEC, bytes: code(...makeWide(1, 0, 0n), EXIT) },
        { name: ".data", flags: 3, bytes: new Uint8Array(4) },
      ],
      symbols: [
        { name: "prog", binding: 1, type: 2, section: "xdp", sizeBytes: 24 },
        { name: "var", binding: 1, type: 1, section: ".data", sizeBytes: 4 },
      ],
      relocations: [wide, wide],
    };
    expect(errorOf(() => loadObject(buildElf(object))).message).toContain("two relocations for slot 0");
    expect(loadObject(buildElf({ ...object, relocations: [wide] })).progs[0]?.mapRefs).toEqual([
      { slot: 0, mapIdx: 0 },
    ]);
  });
});

describe("hostile sizes", () => {
  it("does not allocate what a section without bits claims", () => {
    const object = (sizeBytes: number): Uint8Array =>
      buildElf({ ...XDP, sections: [...XDP.sections, { name: ".bss", type: 8, flags: 3, sizeBytes }] });
    expect(loadObject(object(0x7fff_ffff)).maps[0]).toMatchObject({ valueBytes: 0x7fff_ffff });
    expect(errorOf(() => loadObject(object(2 ** 40))).code).toBe("ELF_SECTION_SIZE");
  });

  it("bounds programs that copy the same functions over and over", () => {
    const count = 1200;
    const text = new Uint8Array(8 * 4000);
    for (let i = 0; i < 4000; i++) text.set(code(i === 3999 ? EXIT : MOV0), 8 * i);
    const progs = Array.from({ length: count }, (_, i) => ({
      name: `prog${i}`,
      binding: 1,
      type: 2,
      section: "xdp",
      value: 16 * i,
      sizeBytes: 16,
    }));
    const bytes = new Uint8Array(16 * count);
    for (let i = 0; i < count; i++) bytes.set(code(makeInsn(0x85, { src: 1, imm: -1 }), EXIT), 16 * i);
    const object = buildElf({
      sections: [
        { name: ".text", flags: EXEC, bytes: text },
        { name: "xdp", flags: EXEC, bytes },
      ],
      symbols: [{ name: "sub", binding: 1, type: 2, section: ".text", sizeBytes: text.length }, ...progs],
      relocations: progs.map(({ value }) => ({ section: "xdp", offset: value, symbol: "sub", type: 10 })),
    });
    expect(errorOf(() => loadObject(object)).code).toBe("LIMIT_SLOTS");
  });

  it("walks a chain of calls as long as the object without recursion", () => {
    const count = 20_000;
    const bytes = new Uint8Array(16 * count);
    for (let i = 0; i < count; i++) {
      bytes.set(code(i === count - 1 ? MOV0 : makeInsn(0x85, { src: 1, imm: 1 }), EXIT), 16 * i);
    }
    const symbols = Array.from({ length: count }, (_, i) => ({
      name: `f${i}`,
      binding: i === 0 ? 1 : 0,
      type: 2,
      section: "xdp",
      value: 16 * i,
      sizeBytes: 16,
    }));
    const spec = loadObject(buildElf({ sections: [{ name: "xdp", flags: EXEC, bytes }], symbols }));
    expect(spec.progs[0]?.insns).toHaveLength(2 * count);
  });
});

describe("functions", () => {
  const withSymbols = (...symbols: NonNullable<ElfInput["symbols"]>): Uint8Array =>
    buildElf({ ...XDP, symbols });
  const func = { binding: 1, type: 2, section: "xdp" };

  it.each<[string, Uint8Array, string]>([
    ["ends past its section", withSymbols({ ...func, name: "f", sizeBytes: 24 }), "ELF_FUNC"],
    ["starts within a slot", withSymbols({ ...func, name: "f", value: 4, sizeBytes: 8 }), "ELF_FUNC"],
    ["starts past its section", withSymbols({ ...func, name: "f", value: 64, sizeBytes: 8 }), "ELF_FUNC"],
    [
      "overlaps another",
      withSymbols({ ...func, name: "f", sizeBytes: 16 }, { ...func, name: "g", value: 8, sizeBytes: 8 }),
      "ELF_FUNC",
    ],
    [
      "lies in code of half a slot",
      buildElf({ ...XDP, sections: [{ name: "xdp", flags: EXEC, bytes: new Uint8Array(12) }] }),
      "ELF_CODE_SIZE",
    ],
  ])("refuses a function that %s (L-20)", (_what, bytes, expected) => {
    expect(errorOf(() => loadObject(bytes)).code).toBe(expected);
  });

  it("takes several names for the same slots", () => {
    const spec = loadObject(
      withSymbols({ ...func, name: "f", sizeBytes: 16 }, { ...func, name: "g", sizeBytes: 16 }),
    );
    expect(spec.progs.map(({ name }) => name)).toEqual(["f", "g"]);
  });

  it("takes labels without type and size from hand-written assembly, with warnings", () => {
    const spec = loadObject(withSymbols({ name: "f", binding: 1, section: "xdp" }));
    expect(spec.progs.map(({ name, type }) => [name, type])).toEqual([["f", "xdp"]]);
    expect(spec.warnings).toHaveLength(2);
  });

  it("loads global functions of an object that has code in .text alone", () => {
    const spec = loadObject(
      buildElf({
        sections: [{ name: ".text", flags: EXEC, bytes: code(MOV0, EXIT) }],
        symbols: [{ name: "main", binding: 1, type: 2, section: ".text", sizeBytes: 16 }],
      }),
    );
    expect(spec.progs).toMatchObject([{ name: "main", type: "unspec" }]);
    expect(spec.warnings[0]).toContain("section .text names no program type");
  });

  it("refuses a call to where no function starts (L-30, L-41)", () => {
    const call = makeInsn(0x85, { src: 1, imm: 0 });
    const bytes = buildElf({
      ...XDP,
      sections: [{ name: "xdp", flags: EXEC, bytes: code(call, EXIT) }],
    });
    const error = errorOf(() => loadObject(bytes));
    expect(error.summary()).toBe(
      "ELF_CALL: call leads to byte 8 of xdp, where no function starts, in xdp at offset 0",
    );
  });

  it("gives two sections that are used names of their own", () => {
    const section = { name: "xdp", flags: EXEC, bytes: code(MOV0, EXIT) };
    expect(errorOf(() => loadObject(buildElf({ sections: [section, section] }))).code).toBe(
      "ELF_SECTION_NAME",
    );
  });
});

describe("special relocation targets", () => {
  const load = (symbol: NonNullable<ElfInput["symbols"]>[number]): Uint8Array =>
    buildElf({
      sections: [
        { name: "xdp", flags: EXEC, bytes: code(...makeWide(1, 0, 0n), EXIT) },
        { name: ".other", bytes: new Uint8Array(8) },
      ],
      symbols: [{ name: "prog", binding: 1, type: 2, section: "xdp", sizeBytes: 24 }, symbol],
      relocations: [{ section: "xdp", offset: 0, symbol: symbol.name, type: 1 }],
    });

  it("refuses common symbols as libbpf does (L-38)", () => {
    const error = errorOf(() => loadObject(load({ name: "v", binding: 1, section: 0xfff2 })));
    expect(error.message).toContain("forgot to initialize a global variable?");
  });

  it("refuses a section that holds no variables", () => {
    expect(errorOf(() => loadObject(load({ name: "v", binding: 1, section: ".other" }))).code).toBe(
      "ELF_RELOC",
    );
  });

  it("says that addresses in variables are not filled in", () => {
    const object = buildElf({
      sections: [...XDP.sections, { name: ".data.rel.ro", flags: 3, bytes: new Uint8Array(16) }],
      symbols: XDP.symbols ?? [],
      relocations: [0, 8].map((offset) => ({ section: ".data.rel.ro", offset, symbol: "prog", type: 2 })),
    });
    expect(loadObject(object).warnings).toEqual([
      "section .data.rel.ro: 2 initial addresses are not filled in",
    ]);
  });

  it("leaves names to the runtime where the object has no types", () => {
    const spec = loadObject(load({ name: "jiffies", binding: 2 }));
    expect(spec.progs[0]?.kernelRefs).toEqual([{ slot: 0, name: "jiffies", kind: "ksym", isWeak: true }]);
  });
});

describe("shared memory", () => {
  it.each([
    ["array", readOwnObject("linkage.bpf.o")],
    ["Buffer", Buffer.from(readOwnObject("linkage.bpf.o"))],
  ])("does not keep the bytes of the caller's %s", (_kind, bytes) => {
    const spec = loadObject(bytes);
    const before = structuredClone(spec);
    bytes.fill(0xaa);
    expect(spec).toEqual(before);
    expect(spec.btf?.buffer.byteLength).toBe(spec.btf?.byteLength);
  });
});
