import { InputError } from "@tsbpf/base";
import { createBtfBuilder, parseBtf } from "@tsbpf/btf";
import { describe, expect, it } from "vitest";
import { loadObject, objectName, parseKconfig, readElf, sectionMeaning } from "../src/index.ts";
import { installedObjects, readObject, readOwnObject, sampleObjects, shortName } from "./objects.ts";

const KCONFIG = parseKconfig(`
# CONFIG_OTHER is not set
CONFIG_BPF=y
CONFIG_TEST_TRISTATE=m
CONFIG_TEST_CHAR=n
CONFIG_TEST_WIDE=0x123456789
CONFIG_TEST_TEXT="abcdefghijk"
`);

const linkage = (kconfig: Readonly<Record<string, string>> = KCONFIG) =>
  loadObject(readOwnObject("linkage.bpf.o"), {
    name: "dir/linkage.bpf.o",
    kconfig,
    kernelVersion: [6, 18, 44],
  });

const progOf = (name: string, spec = linkage()) => {
  const prog = spec.progs.find((candidate) => candidate.name === name);
  if (prog === undefined) throw new Error(`no program ${name}`);
  return prog;
};

const layoutOf = (name: string): string[] =>
  progOf(name).funcs.map((func) => `${func.name}@${func.slot} ${func.linkage}`);

describe("subprograms", () => {
  it("appends what a program needs once, in the order a depth-first walk meets it (L-40, C-220, L-157)", () => {
    expect(layoutOf("chain")).toEqual([
      "chain@0 global",
      "weak@7 global",
      "hidden@15 static",
      "middle@19 static",
      "leaf@28 static",
      "visible@31 global",
    ]);
    expect(layoutOf("only_leaf")).toEqual(["only_leaf@0 global", "leaf@3 static"]);
  });

  it("keeps the records themselves, rebased (C-223)", () => {
    const { funcs, funcInfo, lines, lineInfo } = progOf("chain");
    const words = (raw: { readonly bytes: Uint8Array } | undefined, step: number) => {
      const view = new DataView(raw!.bytes.buffer);
      return Array.from({ length: view.byteLength / step }, (_, i) => view.getUint32(i * step, true));
    };
    expect(words(funcInfo, 8)).toEqual(funcs.map(({ slot }) => slot));
    expect(words(lineInfo, 16)).toEqual(lines.map(({ slot }) => slot));
  });

  it("calls each by its distance (C-220, C-221)", () => {
    const { insns } = progOf("chain");
    const calls = insns.flatMap((insn, slot) =>
      insn.op === 0x85 && insn.src === 1 ? [slot + 1 + insn.imm] : [],
    );
    // chain: weak, leaf; weak: hidden, visible; hidden: middle; middle: leaf twice; visible: middle.
    expect(calls).toEqual([7, 28, 15, 31, 19, 28, 28, 19]);
  });

  it("turns hidden functions into static ones, in the functions and in the types (C-224, L-21)", () => {
    const spec = linkage();
    const btf = parseBtf(spec.btf!);
    const linkageOf = (name: string) => btf.typeOfKind(btf.idsOf(name, "func")[0]!, "func").linkage;
    expect(linkageOf("hidden")).toBe("static");
    expect(linkageOf("visible")).toBe("global");
  });

  it("appends callbacks and refers to them by distance (C-222, L-34)", () => {
    expect(layoutOf("loops")).toEqual([
      "loops@0 global",
      "callback@18 static",
      "leaf@31 static",
      "other_callback@34 global",
    ]);
    const { insns } = progOf("loops");
    const addresses = insns.flatMap((insn, slot) =>
      insn.op === 0x18 && insn.src === 4 ? [slot + 1 + insn.imm] : [],
    );
    expect(addresses).toEqual([18, 34]);
  });

  it("rebases line records (C-223, L-159)", () => {
    const { lines, funcs, insns } = progOf("chain");
    const slots = lines.map(({ slot }) => slot);
    expect(slots).toEqual([...slots].sort((a, b) => a - b));
    expect(slots.at(-1)).toBeLessThan(insns.length);
    for (const func of funcs) expect(slots).toContain(func.slot);
    const leaf = lines.find(({ slot }) => slot === 30);
    expect(leaf).toMatchObject({ text: expect.stringContaining("return x + 1"), line: expect.any(Number) });
    expect(leaf?.fileName).toMatch(/linkage\.bpf\.c$/);
  });
});

describe("externs", () => {
  it("lays out options by alignment, size and name (L-62)", () => {
    const map = linkage().maps.find(({ dataSection }) => dataSection === ".kconfig");
    expect(map).toMatchObject({ name: "linkage.kconfig", valueBytes: 30, flags: 0x480, isFrozen: true });
    const value = map?.contents?.[0]?.value as Uint8Array;
    const view = new DataView(value.buffer);
    expect(view.getBigUint64(0, true)).toBe(0x1_2345_6789n); // CONFIG_TEST_WIDE
    expect(view.getInt32(8, true)).toBe(0); // CONFIG_TEST_STRONG
    expect(view.getUint32(12, true)).toBe(2); // CONFIG_TEST_TRISTATE
    expect(view.getInt32(16, true)).toBe((6 << 16) | (18 << 8) | 44); // LINUX_KERNEL_VERSION
    expect([...value.subarray(20, 22)]).toEqual([1, 0x6e]); // CONFIG_BPF, CONFIG_TEST_CHAR
    expect(new TextDecoder().decode(value.subarray(22))).toBe("abcdefg\0");
  });

  it("reads a weak option without value as 0 and refuses a strong one in the programs that use it (L-22)", () => {
    const spec = linkage({ CONFIG_BPF: "n" });
    expect(progOf("options", spec).defect).toBeUndefined();
    expect(progOf("strong_option", spec).defect).toEqual({
      code: "ELF_UNRESOLVED",
      text: "extern CONFIG_TEST_STRONG (strong) is not resolved: no value in kconfig",
    });
    expect(progOf("chain", spec).defect).toBeUndefined();
    expect(progOf("strong_option", linkage({ CONFIG_TEST_STRONG: "-7" })).defect).toBeUndefined();
  });

  it.each([
    ["CONFIG_BPF", "m", "value m does not fit bool"],
    ["CONFIG_BPF", "1", "value 1 does not fit bool"],
    ["CONFIG_TEST_TRISTATE", "7", "value 7 does not fit tristate"],
    ["CONFIG_TEST_CHAR", "128", "does not fit 1 bytes"],
    ["CONFIG_TEST_STRONG", "2147483648", "does not fit 4 bytes"],
    ["CONFIG_TEST_STRONG", "y", "value y does not fit int"],
    ["CONFIG_TEST_STRONG", "1x", "value 1x is no number"],
    ["CONFIG_TEST_TEXT", "5", "value 5 does not fit text"],
    ["CONFIG_TEST_TEXT", '"open', "has no closing quote"],
    ["CONFIG_TEST_WIDE", '"text"', "does not fit int"],
  ])("refuses %s=%s", (name, value, text) => {
    expect(() => linkage({ ...KCONFIG, [name]: value })).toThrowError(text);
    expect(() => linkage({ ...KCONFIG, [name]: value })).toThrowError(InputError);
  });

  it("names kernel symbols for the runtime to find (L-31, L-36)", () => {
    expect(progOf("kernel_symbols").kernelRefs).toEqual([
      { slot: 0, name: "bpf_no_such_kfunc", kind: "ksym", isWeak: true },
      { slot: 4, name: "bpf_no_such_kfunc", kind: "kfunc", isWeak: true },
      { slot: 5, name: "no_such_variable", kind: "typed_ksym", isWeak: true },
      { slot: 7, name: "bpf_prog_active", kind: "ksym", isWeak: true },
    ]);
    const target = createBtfBuilder();
    const returns = target.addType({
      kind: "int",
      name: "int",
      sizeBytes: 4,
      encoding: "signed",
      offsetBits: 0,
      sizeBits: 32,
    });
    const type = target.addType({ kind: "func_proto", name: "", returns, params: [], isVariadic: false });
    target.addType({ kind: "func", name: "bpf_no_such_kfunc", type, linkage: "static" });
    const known = loadObject(readOwnObject("linkage.bpf.o"), {
      kconfig: KCONFIG,
      targetBtf: parseBtf(target.encode()),
    });
    const found = progOf("kernel_symbols", known);
    expect(found.kernelRefs[0]).toMatchObject({ name: "bpf_no_such_kfunc", kind: "typed_ksym" });
    expect(found.insns[0]).toMatchObject({ src: 3 });
    expect(found.kernelRefs[2]).toMatchObject({ name: "no_such_variable", kind: "ksym" });
    expect(found.insns[5]).toMatchObject({ src: 0, imm: 0 });
    const { kernelRefs, insns } = progOf("strong_kfunc");
    expect(kernelRefs).toEqual([{ slot: 0, name: "bpf_strong_kfunc", kind: "kfunc", isWeak: false }]);
    expect(insns[0]).toMatchObject({ op: 0x85, src: 2, imm: 0, off: 0 });
  });
});

describe("variables", () => {
  it("makes an array map of each section (L-60, L-11)", () => {
    const maps = linkage().maps.map(({ name, type, keyBytes, valueBytes, maxEntries, flags, isFrozen }) => ({
      name,
      shape: [type, keyBytes, valueBytes, maxEntries],
      flags,
      isFrozen,
    }));
    // Only sections with a variable that is not static may be mapped by user space.
    expect(maps).toEqual([
      { name: "linkage.data", shape: ["array", 4, 8, 1], flags: 0, isFrozen: undefined },
      { name: "linkage.rodata", shape: ["array", 4, 4, 1], flags: 0x480, isFrozen: true },
      { name: "linkage.bss", shape: ["array", 4, 32, 1], flags: 0x400, isFrozen: undefined },
      { name: "linkage.kconfig", shape: ["array", 4, 30, 1], flags: 0x480, isFrozen: true },
    ]);
  });

  it("addresses variables by map and offset (L-24, L-33)", () => {
    const { insns, maps, mapRefs } = progOf("variables");
    const refs = mapRefs.map(({ slot, mapIdx }) => [
      maps[mapIdx]?.dataSection,
      insns[slot]?.src,
      insns[slot]?.imm,
      insns[slot + 1]?.imm,
    ]);
    expect(refs).toEqual([
      [".rodata", 2, 0, 0],
      [".bss", 2, 0, 0],
      [".data", 2, 0, 0],
      [".data", 2, 0, 4],
    ]);
  });

  it("completes sections and offsets in the types (L-155)", () => {
    const btf = parseBtf(linkage().btf!);
    const section = btf.typeOfKind(btf.idsOf(".data", "datasec")[0]!, "datasec");
    expect(section.sizeBytes).toBe(8);
    expect(section.vars.map(({ type, offset }) => [btf.type(type).name, offset])).toEqual([
      ["lone_global", 0],
      ["lone_static", 4],
    ]);
  });

  it.each([
    ["my_object_name.bpf.o", ".rodata", "my_objec.rodata"],
    ["my_object_name.bpf.o", ".bss", "my_objec.bss"],
    ["my_object_name.bpf.o", ".kconfig", "my_obje.kconfig"],
    ["my_object_name.bpf.o", ".rodata.abracadabra", ".rodata.abracad"],
    ["a-b.o", ".data", "a_b.data"],
  ])("names the map of %s %s as libbpf does (L-11)", async (file, section, expected) => {
    const { dataMapName } = await import("../src/maps/data-maps.ts");
    expect(dataMapName(objectName(file), section)).toBe(expected);
  });
});

describe("sectionMeaning", () => {
  it.each([
    ["xdp", "xdp", 37, 0, undefined, true],
    ["?xdp", "xdp", 37, 0, undefined, false],
    ["xdp.frags", "xdp", 37, 32, undefined, true],
    ["xdp.frags/devmap", "xdp", 33, 32, undefined, true],
    ["xdp/cpumap", "xdp", 35, 0, undefined, true],
    ["xdp/foo", "unspec", 0, 0, undefined, true],
    ["socket", "socket_filter", 0, 0, undefined, true],
    ["tc", "sched_cls", 0, 0, undefined, true],
    ["tcx/egress", "sched_cls", 47, 0, undefined, true],
    ["kprobe/do_exit+8", "kprobe", 0, 0, "do_exit+8", true],
    ["kprobe", "kprobe", 0, 0, undefined, true],
    ["kprobex", "unspec", 0, 0, undefined, true],
    ["fentry.s/mod:fn", "tracing", 24, 16, "mod:fn", true],
    ["tp/sched/sched_switch", "tracepoint", 0, 0, "sched/sched_switch", true],
    ["cgroup_skb/egress", "cgroup_skb", 1, 0, undefined, true],
    ["struct_ops.s/init", "struct_ops", 0, 16, "init", true],
    ["fentry.multi/x", "unspec", 0, 0, undefined, true],
  ] as const)("reads %s (P-1, P-3)", (section, type, attachType, flags, attachTarget, autoload) => {
    expect(sectionMeaning(section)).toEqual({ type, attachType, flags, attachTarget, autoload });
  });

  it("loads a section of a newer kernel as of no type", () => {
    expect(progOf("variables")).toMatchObject({ type: "sched_cls", attachType: 46, section: "tc/ingress" });
    expect(progOf("strong_option")).toMatchObject({ autoload: false, section: "?tc" });
  });
});

describe("byte order", () => {
  it("reads the same code from a big-endian object (L-1)", () => {
    const little = linkage();
    const big = loadObject(readOwnObject("linkage.be.bpf.o"), { name: "linkage.be.bpf.o", kconfig: KCONFIG });
    for (const name of ["chain", "only_leaf", "loops", "kernel_symbols"]) {
      expect(progOf(name, big).insns).toEqual(progOf(name, little).insns);
      expect(progOf(name, big).funcs).toEqual(progOf(name, little).funcs);
      expect(progOf(name, big).lines).toEqual(progOf(name, little).lines);
    }
    expect(big.warnings.join()).toContain("big-endian");
  });
});

describe("real objects", () => {
  it.each(sampleObjects().map((path) => [shortName(path), path]))("loads sample %s", (_name, path) => {
    const spec = loadObject(readObject(path), { name: path });
    expect(spec.progs.length).toBeGreaterThan(0);
    for (const prog of spec.progs) {
      expect(prog.defect).toBeUndefined();
      expect(prog.type).not.toBe("unspec");
      for (const { slot, mapIdx } of prog.mapRefs) {
        expect(prog.insns[slot]?.op).toBe(0x18);
        expect(spec.maps).toContain(prog.maps[mapIdx]);
      }
    }
    expect(loadObject(readObject(path), { name: path })).toEqual(spec);
  });

  const installed = installedObjects();
  it.skipIf(installed.length === 0)("loads every installed XDP object", () => {
    for (const path of installed) {
      const spec = loadObject(readObject(path), { name: path });
      expect(spec.progs.length).toBeGreaterThan(0);
      for (const prog of spec.progs) {
        expect(prog.defect).toBeUndefined();
        expect(prog.funcs[0]?.slot).toBe(0);
      }
    }
  });

  it("shows the sections of the worked example's kind (L-150)", () => {
    const elf = readElf(readOwnObject("linkage.bpf.o"));
    expect(elf.sections.map(({ name }) => name)).toEqual(
      expect.arrayContaining([".text", "xdp", "tc", "?tc", ".BTF.ext"]),
    );
  });
});

describe("type information that is broken", () => {
  /** Copy of an object with a byte of a section changed. */
  const broken = (path: string, section: string, at: number): Uint8Array => {
    const bytes = readObject(path);
    const found = readElf(bytes).sectionNamed(section);
    const start = found === undefined ? -1 : Buffer.from(bytes).indexOf(found.bytes);
    if (start < 0) throw new Error(`${path} has no ${section}`);
    bytes[start + at] = 0xff;
    return bytes;
  };
  const sample = (name: string): string => sampleObjects().find((path) => path.endsWith(`/${name}`)) ?? "";

  it("is left out with a warning where nothing rests on it", () => {
    const whole = loadObject(readObject(sample("legacy-maps.bpf.o")));
    const spec = loadObject(broken(sample("legacy-maps.bpf.o"), ".BTF", 0));
    expect(spec.warnings.join()).toMatch(/type information is left out: .*\.BTF/);
    expect(spec.btf).toBeUndefined();
    expect(spec.progs.map(({ insns }) => insns)).toEqual(whole.progs.map(({ insns }) => insns));
  });

  it("is refused where maps are described by it", () => {
    expect(() => loadObject(broken(sample("firewall.bpf.o"), ".BTF", 0))).toThrowError(InputError);
  });

  it("costs the records alone where those are broken", () => {
    const spec = loadObject(broken(sample("firewall.bpf.o"), ".BTF.ext", 0));
    expect(spec.warnings.join()).toMatch(/type information is left out: .*\.BTF\.ext/);
    expect(spec.maps.length).toBeGreaterThan(0);
    expect(spec.btf).toBeDefined();
    expect(spec.progs.every(({ funcs }) => funcs.length === 0)).toBe(true);
  });
});
