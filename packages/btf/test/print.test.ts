import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import {
  type BtfTypeInput,
  encodeBtf,
  parseBtf,
  printCBtf,
  printDeclaration,
  printDefinition,
  printRawBtf,
  printTypeName,
} from "../src/index.ts";
import { EVERY_KIND, elfSection, everyKindBytes, installedObjects } from "./sample.ts";

const btf = parseBtf(everyKindBytes());
const of = (...types: BtfTypeInput[]) => parseBtf(encodeBtf(types));
const INT = EVERY_KIND[0]!;

/** Runs bpftool; undefined where it is missing or fails. */
function bpftool(...args: string[]): string | undefined {
  const result = spawnSync("bpftool", args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return result.status === 0 ? result.stdout : undefined;
}
const hasBpftool = bpftool("version") !== undefined;

/** What bpftool puts around the types. */
const C_HEADER = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`;
const C_FOOTER = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`;

describe("C text", () => {
  it("defines types after those they contain", () => {
    expect(printCBtf(btf)).toBe(`enum verdict {
	NO = -1,
	YES = 1,
};

struct flow {
	int a: 3;
	int b: 5;
	int *p;
	int list[6];
	union {
		int u;
		enum verdict e;
	};
};

struct hidden;

typedef struct flow flow_t;

enum wide {
	TOP = 18446744073709551615ULL,
};

`);
  });

  it.each([
    [1, "int"],
    [2, "int *"],
    [3, "int[6]"],
    [4, "struct flow"],
    [5, "union {…}"],
    [7, "struct hidden"],
    [10, "volatile const flow_t"],
    [11, "int * restrict"],
    [13, "int(int *, int, ...)"],
    [0, "void"],
  ])("names type %i %s", (id, text) => {
    expect(printTypeName(btf, id)).toBe(text.replace("(int *, int, ...)", "(int *ctx, int n, ...)"));
  });

  it("declares variables, functions and typedefs", () => {
    expect(printDeclaration(btf, 14)).toBe("volatile const flow_t total");
    expect(printDeclaration(btf, 12)).toBe("int run(int *ctx, int n, ...)");
    expect(printDeclaration(btf, 8)).toBe("typedef struct flow flow_t");
    expect(printDefinition(btf, 6)).toBe("enum verdict {\n\tNO = -1,\n\tYES = 1,\n}");
    expect(printDefinition(btf, 1)).toBeUndefined();
  });

  it("declares pointers to arrays and functions around the name", () => {
    const table = of(
      INT,
      { kind: "array", name: "", elem: 1, index: 1, count: 3 },
      { kind: "ptr", name: "", type: 2 },
      { kind: "array", name: "", elem: 3, index: 1, count: 2 },
      { kind: "func_proto", name: "", returns: 3, params: [], isVariadic: false },
      { kind: "ptr", name: "", type: 5 },
      { kind: "var", name: "v", type: 6, linkage: "global" },
      { kind: "var", name: "w", type: 4, linkage: "global" },
    );
    expect(printDeclaration(table, 7)).toBe("int (* (*v)(void))[3]");
    expect(printDeclaration(table, 8)).toBe("int (*w[2])[3]");
  });

  it("tells types of one name apart by a suffix", () => {
    const member = [{ name: "m", type: 1, offsetBits: 0, bitfieldBits: 0 }];
    const struct: BtfTypeInput = {
      kind: "struct",
      name: "s",
      sizeBytes: 4,
      hasBitfields: false,
      members: member,
    };
    expect(printCBtf(of(INT, struct, struct))).toBe(
      "struct s {\n\tint m;\n};\n\nstruct s___2 {\n\tint m;\n};\n\n",
    );
  });

  it("refuses types that contain themselves, nest without end or print without end", () => {
    const codeOf = (table: ReturnType<typeof of>) => {
      try {
        return printCBtf(table).slice(0, 10);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        return (error as InputError).code;
      }
    };
    const struct = (name: string, members: number[]): BtfTypeInput => ({
      kind: "struct",
      name,
      sizeBytes: 4,
      hasBitfields: false,
      members: members.map((type, i) => ({ name: `m${i}`, type, offsetBits: 0, bitfieldBits: 0 })),
    });
    expect(codeOf(of(struct("s", [1])))).toBe("BTF_CYCLE");
    expect(codeOf(of({ kind: "const", name: "", type: 1 }))).toBe("BTF_DEPTH");
    const deep = Array.from({ length: 300 }, (_, i) => struct("", [i + 2]));
    expect(codeOf(of(...deep, INT))).toBe("BTF_DEPTH");
    const doubling = Array.from({ length: 30 }, (_, i) => struct("", [i + 1, i + 1]));
    expect(codeOf(of(INT, ...doubling, struct("top", [31])))).toMatch(/BTF_(PRINT_LIMIT|DEPTH)/);
    const protos = Array.from({ length: 40 }, (_, i): BtfTypeInput => {
      const params = [i + 2, i + 2].map((type) => ({ name: "", type }));
      return { kind: "func_proto", name: "", returns: 0, params, isVariadic: false };
    });
    expect(codeOf(of(...protos, INT))).toBe("BTF_PRINT_LIMIT");
    const gap = printCBtf(of(INT, { ...struct("g", []), sizeBytes: 0x1fff_ffff } as BtfTypeInput));
    expect(gap).toContain("gap of");
  });
});

describe("as bpftool prints", () => {
  it.skipIf(!hasBpftool)("prints every kind", () => {
    const folder = mkdtempSync(join(tmpdir(), "tsbpf-btf-"));
    try {
      const file = join(folder, "every.btf");
      writeFileSync(file, everyKindBytes());
      expect(printRawBtf(btf)).toBe(bpftool("btf", "dump", "file", file));
      expect(C_HEADER + printCBtf(btf) + C_FOOTER).toBe(bpftool("btf", "dump", "file", file, "format", "c"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const objects = installedObjects();
  it.skipIf(!hasBpftool || objects.length === 0)("prints the types of installed objects", () => {
    for (const path of objects) {
      const bytes = elfSection(path, ".BTF");
      if (bytes === undefined) continue;
      const table = parseBtf(bytes);
      expect(printRawBtf(table)).toBe(bpftool("btf", "dump", "file", path));
      expect(C_HEADER + printCBtf(table) + C_FOOTER).toBe(
        bpftool("btf", "dump", "file", path, "format", "c"),
      );
    }
  });

  const KERNEL = "/sys/kernel/btf/vmlinux";
  it.skipIf(!existsSync(KERNEL))("prints the running kernel's types", () => {
    const table = parseBtf(new Uint8Array(readFileSync(KERNEL)), { what: KERNEL });
    expect(table.idsOf("task_struct", "struct")).toHaveLength(1);
    const raw = printRawBtf(table);
    if (hasBpftool) expect(raw === bpftool("btf", "dump", "file", KERNEL)).toBe(true);
    const again = parseBtf(encodeBtf(table.types()));
    expect(again.endId).toBe(table.endId);
    for (let id = 1; id < table.endId; id += 97) expect(again.type(id)).toEqual(table.type(id));
  });
});
