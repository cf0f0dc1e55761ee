import { InputError } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  alignOf,
  type BtfTypeInput,
  encodeBtf,
  formatValue,
  parseBtf,
  printCBtf,
  printRawBtf,
  printTypeName,
  sizeOf,
} from "../src/index.ts";
import { elfSection, everyKindBytes, installedObjects } from "./sample.ts";

/** More cases than CI runs: `TSBPF_FUZZ_RUNS=100000`. */
const RUNS = Number(process.env.TSBPF_FUZZ_RUNS ?? 1500);
const SEED = Number(process.env.TSBPF_FUZZ_SEED ?? 1);

function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function attempt(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.code).toMatch(/^BTF_[A-Z_]+$/);
  }
}

/** Uses a table in every way; whatever it says, only input errors may come out. */
function use(bytes: Uint8Array, random: (below: number) => number): boolean {
  let table: ReturnType<typeof parseBtf>;
  try {
    table = parseBtf(bytes);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return false;
  }
  attempt(() => printRawBtf(table));
  attempt(() => printCBtf(table));
  attempt(() => encodeBtf(table.types(), table.endian));
  for (let i = 0; i < 20; i++) {
    const id = random(table.endId);
    attempt(() => sizeOf(table, id));
    attempt(() => alignOf(table, id));
    attempt(() => printTypeName(table, id));
    attempt(() => formatValue(table, id, new Uint8Array(256)));
  }
  return true;
}

describe("damaged tables", () => {
  it(`give input errors or answers (${RUNS} cases, seed ${SEED})`, () => {
    const random = createRandom(SEED);
    const tables = [everyKindBytes("little"), everyKindBytes("big")];
    for (const path of installedObjects().slice(0, 3))
      tables.push(elfSection(path, ".BTF") ?? new Uint8Array(0));
    let parsed = 0;
    for (let run = 0; run < RUNS; run++) {
      const bytes = tables[random(tables.length)]!.slice();
      for (let change = random(4); change >= 0; change--) {
        const at = random(bytes.length);
        if (random(2) === 0) bytes[at] = random(256);
        else bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      }
      const cut = random(20) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
      try {
        if (use(cut, random)) parsed++;
      } catch (error) {
        throw new Error(`run ${run}, seed ${SEED}`, { cause: error });
      }
    }
    expect(parsed).toBeGreaterThan(RUNS / 10);
    expect(parsed).toBeLessThan(RUNS);
  });
});

describe("any table", () => {
  const name = fc.stringMatching(/^[a-z_]{1,8}$/);
  const id = fc.nat(12);
  const anyType: fc.Arbitrary<BtfTypeInput> = fc.oneof(
    fc.record({
      kind: fc.constant("int" as const),
      name,
      sizeBytes: fc.constantFrom(1, 2, 4, 8),
      encoding: fc.constantFrom("signed", "unsigned", "char", "bool"),
      offsetBits: fc.constant(0),
      sizeBits: fc.constant(8),
    }),
    fc.record({
      kind: fc.constantFrom("ptr", "const", "volatile", "restrict"),
      name: fc.constant(""),
      type: id,
    }),
    fc.record({ kind: fc.constant("typedef" as const), name, type: id }),
    fc.record({
      kind: fc.constant("array" as const),
      name: fc.constant(""),
      elem: id,
      index: id,
      count: fc.nat(5),
    }),
    fc.record({
      kind: fc.constantFrom("struct", "union"),
      name: fc.oneof(name, fc.constant("")),
      sizeBytes: fc.nat(64),
      hasBitfields: fc.constant(false),
      members: fc.array(
        fc.record({
          name: fc.oneof(name, fc.constant("")),
          type: id,
          offsetBits: fc.nat(256),
          bitfieldBits: fc.constant(0),
        }),
        { maxLength: 4 },
      ),
    }),
    fc.record({
      kind: fc.constant("func_proto" as const),
      name: fc.constant(""),
      returns: id,
      params: fc.array(fc.record({ name, type: id }), { maxLength: 3 }),
      isVariadic: fc.boolean(),
    }),
  );

  it("comes back as written, and never breaks a query or printer", () => {
    const endian = fc.constantFrom("little" as const, "big" as const);
    fc.assert(
      fc.property(
        fc.array(anyType, { minLength: 12, maxLength: 16 }),
        endian,
        fc.nat(),
        (types, order, seed) => {
          const table = parseBtf(encodeBtf(types, order));
          expect([...table.types()]).toEqual(types.map((type, i) => ({ ...type, id: i + 1 })));
          use(encodeBtf(types, order), createRandom(seed));
        },
      ),
      { numRuns: 300, seed: SEED },
    );
  });
});
