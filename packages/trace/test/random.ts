import fc from "fast-check";
import type { InterfaceDescription, PacketInput, RawOption, SectionDescription } from "../src/index.ts";

export const u64s = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
export const u32s = fc.integer({ min: 0, max: 0xffff_ffff });
// Trailing NULs are no part of a text in files, and lone surrogates have no UTF-8.
const texts = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !/\0$/.test(text));
const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });

const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
/** Leaves out keys that came out undefined. */
export const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

const raws = (endian: "little" | "big", codes: readonly number[]): fc.Arbitrary<RawOption[]> =>
  fc.array(fc.record({ code: fc.constantFrom(...codes), value: bytes(9), endian: fc.constant(endian) }), {
    minLength: 1,
    maxLength: 2,
  });

export const sections = (endian: "little" | "big"): fc.Arbitrary<SectionDescription> =>
  fc
    .record({
      hardware: some(texts),
      os: some(texts),
      application: some(texts),
      comments: some(fc.array(texts, { minLength: 1, maxLength: 3 })),
      otherOptions: some(raws(endian, [77, 2988, 19373])),
    })
    .map(compact) as fc.Arbitrary<SectionDescription>;

export const interfaces = (endian: "little" | "big"): fc.Arbitrary<InterfaceDescription> =>
  fc
    .record({
      linkType: fc.integer({ min: 0, max: 0xffff }),
      snaplenBytes: fc.constantFrom(0, 20, 65535),
      name: some(texts),
      description: some(texts),
      filter: some(texts),
      os: some(texts),
      hardware: some(texts),
      macAddress: some(fc.uint8Array({ minLength: 6, maxLength: 6 })),
      speedBitsPerSec: some(u64s),
      timeResolution: fc.constantFrom(
        ...([0, 3, 6, 9, 12, 15] as const).map((exponent) => ({ base: 10 as const, exponent })),
        ...([1, 9, 20, 32, 64] as const).map((exponent) => ({ base: 2 as const, exponent })),
      ),
      timeOffsetSec: fc.constantFrom(0n, 0n, -7200n, 1_700_000_000n),
      fcsBytes: some(fc.integer({ min: 0, max: 255 })),
      comments: some(fc.array(texts, { minLength: 1, maxLength: 3 })),
      otherOptions: some(raws(endian, [4, 10, 2989])),
    })
    .map(compact) as fc.Arbitrary<InterfaceDescription>;

export const annotations = (endian: "little" | "big"): fc.Arbitrary<Partial<PacketInput>> =>
  fc
    .record({
      flags: some(u32s),
      queue: some(u32s),
      dropCount: some(u64s),
      packetId: some(u64s),
      verdicts: some(
        fc.array(
          fc.oneof(
            fc.record({ kind: fc.constantFrom("tc" as const, "xdp" as const), value: u64s }),
            fc.record({ kind: fc.constant("hardware" as const), bytes: bytes(5) }),
            fc.record({
              kind: fc.constant("other" as const),
              type: fc.integer({ min: 3, max: 255 }),
              bytes: bytes(5),
            }),
          ),
          { minLength: 1, maxLength: 2 },
        ),
      ),
      comments: some(fc.array(texts, { minLength: 1, maxLength: 2 })),
      otherOptions: some(raws(endian, [3, 8, 19372])),
    })
    .map((fields) => {
      const direction = fields.flags === undefined ? 0 : fields.flags & 3;
      const word = direction === 1 ? "inbound" : direction === 2 ? "outbound" : undefined;
      return compact({ ...fields, direction: word });
    }) as fc.Arbitrary<Partial<PacketInput>>;

export const packetBytes = bytes(40);
