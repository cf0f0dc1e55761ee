import { describe, expect, it } from "vitest";
import { cat, epb, frame, idb, pcapHead, pcapPacket, shb, u32 } from "./bytes.ts";
import { readAll } from "./reading.ts";
import { SAMPLES } from "./samples.ts";

/** A small generator with a printed seed; Math.random cannot be replayed. */
function createRandom(seed: number): (end: number) => number {
  let state = seed >>> 0;
  return (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

const INTERESTING = [0, 1, 3, 4, 0x7f, 0x80, 0xff, 0xfff, 0xffff, 0x7fff_ffff, 0xffff_fffc, 0xffff_ffff];

function mutate(bytes: Uint8Array, random: (end: number) => number): Uint8Array {
  const out = bytes.slice();
  for (let i = 1 + random(3); i > 0; i--) {
    const at = random(out.length);
    const kind = random(4);
    if (kind === 0) out[at] = random(256);
    else if (kind === 1) out[at]! ^= 1 << random(8);
    else if (kind === 2)
      out.set(
        u32(INTERESTING[random(INTERESTING.length)]!, random(2) === 0 ? "little" : "big"),
        Math.min(at & ~3, out.length - 4),
      );
    else out.copyWithin(at, random(out.length), random(out.length));
  }
  return random(3) === 0 ? out.subarray(0, random(out.length)) : out;
}

describe.each(SAMPLES)("damaged %s", (_, bytes) => {
  it("ends in records or an input error, thousands of times", () => {
    const seed = Number(process.env.TRACE_FUZZ_SEED ?? 20_260_101);
    const runs = Number(process.env.TRACE_FUZZ_RUNS ?? 2000);
    const random = createRandom(seed);
    let errors = 0;
    for (let run = 0; run < runs; run++) {
      const file = mutate(bytes, random);
      const context = `seed ${seed}, run ${run}`;
      const reading = readAll(file);
      const total = reading.records.reduce((sum, record) => sum + record.data.length, 0);
      expect(total, context).toBeLessThanOrEqual(file.length);
      const split = readAll(file, {}, [1 + random(40)]);
      expect(split.records, context).toEqual(reading.records);
      expect(split.error?.message, context).toBe(reading.error?.message);
      if (reading.error !== undefined) {
        errors++;
        expect(reading.error.code, context).toMatch(/^(PCAP|PCAPNG|TRACE|UNSUPPORTED)_/);
      }
    }
    expect(errors).toBeGreaterThan(0);
  });

  it("yields the same packets as the whole file when cut at any byte", () => {
    const whole = readAll(bytes).records;
    for (let size = 0; size < bytes.length; size++) {
      const { records } = readAll(bytes.subarray(0, size));
      expect(records).toEqual(whole.slice(0, records.length));
    }
  });
});

describe("hostile lengths", () => {
  it("do not allocate what they claim", () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 200; i++) {
      readAll(
        cat(pcapHead({ link: 231, snaplen: 0 }), pcapPacket(frame(10), { cap: 128 * 1024 * 1024 })),
        {},
        [5],
      );
      const block = epb(frame(10));
      block.set(u32(16 * 1024 * 1024, "little"), 4);
      readAll(cat(shb(), idb(), block), {}, [5]);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it("cost time in proportion to the bytes there are, fed byte by byte", () => {
    const file = cat(
      pcapHead({ link: 231, snaplen: 0 }),
      pcapPacket(new Uint8Array(200_000), { cap: 100_000_000 }),
    );
    const { parser } = readAll(file, {}, [1]);
    expect(parser.warnings[0]?.code).toBe("PCAP_TRUNCATED");
  });
});
