import { RING_BUSY, RING_RECORD } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHost, createMap } from "./support.ts";

const RING = { keyBytes: 0, valueBytes: 0, maxEntries: 4096 };
const AVAILABLE = 0;
const SIZE = 1;
const CONSUMER = 2;
const PRODUCER = 3;

function createRing(maxEntries = 4096) {
  const host = createHost();
  const map = createMap("ringbuf", { ...RING, maxEntries }, host);
  const ring = map.ring!;
  const data = host.memory.allocRaw(8192);
  const write = (bytes: readonly number[]) => {
    host.memory.u8.set(bytes, data);
    return ring.output(data, bytes.length, 0);
  };
  const consume = () => {
    const records: number[][] = [];
    ring.consume((record) => records.push([...record]));
    return records;
  };
  return { host, map, ring, data, write, consume };
}

describe("ringbuf", () => {
  it("takes a record of 4080 bytes in 4096, no larger one (M-102)", () => {
    expect(createRing().ring.reserve(4080, 0)).not.toBe(0);
    expect(createRing().ring.reserve(4081, 0)).toBe(0);
    expect(createRing().ring.reserve(0x4000_0000, 0)).toBe(0);
    expect(createRing().ring.reserve(8, 1)).toBe(0);
    expect(createRing(8192).ring.reserve(8176, 0)).not.toBe(0);
  });

  it("uses 16 bytes for 5, and is full before its last byte (M-104)", () => {
    const { ring, write } = createRing();
    for (let i = 0; i < 255; i++) expect(write([1, 2, 3, 4, 5])).toBe(0);
    expect(write([1, 2, 3, 4, 5])).toBe(-11);
    expect(ring.query(AVAILABLE)).toBe(255 * 16);
    expect([ring.query(SIZE), ring.query(CONSUMER), ring.query(PRODUCER), ring.query(9)]).toEqual([
      4096,
      0,
      255 * 16,
      0,
    ]);
  });

  it("refuses unknown flags (M-104)", () => {
    const { ring, data } = createRing();
    expect([0, 1, 2, 3, 4, 2 ** 33].map((flags) => ring.output(data, 4, flags))).toEqual([
      0, 0, 0, 0, -22, -22,
    ]);
  });

  it("hands records over in order of reservation, up to the first unfinished one (M-103, M-106)", () => {
    const { host, ring, consume } = createRing();
    const [a, b, c] = [1, 2, 3].map((byte) => {
      const record = ring.reserve(3, 0);
      host.memory.u8.fill(byte, record, record + 3);
      return record;
    }) as [number, number, number];
    ring.submit(b, 0);
    expect(consume()).toEqual([]);
    ring.submit(a, 0);
    expect(consume()).toEqual([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    ring.discard(c, 0);
    expect(consume()).toEqual([]);
    expect(ring.query(CONSUMER)).toBe(ring.query(PRODUCER));
  });

  it("lets an unfinished record hold up those after it (M-102)", () => {
    const { ring, write, consume } = createRing();
    const stuck = ring.reserve(8, 0);
    for (let i = 0; i < 254; i++) expect(write([i])).toBe(0);
    expect(write([1])).toBe(-11);
    expect(consume()).toEqual([]);
    ring.submit(stuck, 0);
    expect(consume()).toHaveLength(255);
    expect(write([1])).toBe(0);
  });

  it("says whose a record is, and takes no other for one", () => {
    const { host, map, ring } = createRing();
    const record = ring.reserve(8, 0);
    const u32 = (offset: number) => host.memory.view.getUint32(record + offset, true);
    expect(u32(RING_RECORD.owner)).toBe(map.address);
    expect(u32(RING_RECORD.length)).toBe(RING_BUSY + 8);
    expect(canAccess(host.memory, record, 8, PERM.readWrite)).toBe(true);
    for (const wrong of [0, record + 8, record + 4, record - 8, map.address, 0xffff_fff0]) {
      expect(ring.submit(wrong, 0)).toBe(-22);
    }
    expect(ring.submit(record, 0)).toBe(0);
    expect(ring.submit(record, 0)).toBe(-22);
    expect(ring.discard(record, 0)).toBe(-22);
  });

  it("behaves as a bounded queue over random use, with records that wrap", () => {
    const step = fc.record({
      kind: fc.constantFrom("output", "reserve", "finish", "discard", "consume"),
      bytes: fc.oneof(fc.nat(60), fc.nat(2000)),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const { host, ring, data, consume } = createRing();
        const model: { byte: number; bytes: number; state: "busy" | "done" | "gone"; at: number }[] = [];
        const used = () => model.reduce((sum, one) => sum + ((one.bytes + 15) & ~7), 0);
        for (const [i, { kind, bytes, pick }] of steps.entries()) {
          const byte = i & 0xff;
          const busy = model.filter((one) => one.state === "busy");
          const fits = used() + ((bytes + 15) & ~7) < 4096;
          if (kind === "output") {
            host.memory.u8.fill(byte, data, data + bytes);
            expect(ring.output(data, bytes, 0)).toBe(fits ? 0 : -11);
            if (fits) model.push({ byte, bytes, state: "done", at: 0 });
          } else if (kind === "reserve") {
            const at = ring.reserve(bytes, 0);
            expect(at !== 0).toBe(fits);
            if (fits) model.push({ byte, bytes, state: "busy", at });
            host.memory.u8.fill(byte, at, at + (fits ? bytes : 0));
          } else if (kind === "consume") {
            const finished = model.findIndex((one) => one.state === "busy");
            const ready = model.splice(0, finished < 0 ? model.length : finished);
            const expected = ready.filter((one) => one.state === "done");
            expect(consume()).toEqual(expected.map((one) => new Array(one.bytes).fill(one.byte)));
          } else if (busy.length > 0) {
            const one = busy[pick % busy.length]!;
            one.state = kind === "finish" ? "done" : "gone";
            expect(kind === "finish" ? ring.submit(one.at, 0) : ring.discard(one.at, 0)).toBe(0);
          }
          expect(ring.query(AVAILABLE)).toBe(used());
        }
      }),
      { numRuns: 100 },
    );
  });

  it("ends over lengths that a program wrote over", () => {
    const { host, ring, consume } = createRing();
    const record = ring.reserve(8, 0);
    ring.submit(record, 0);
    host.memory.view.setUint32(record + RING_RECORD.length, 0x3fff_ffff, true);
    expect(consume()).toHaveLength(1);
    expect(ring.query(AVAILABLE)).toBeLessThanOrEqual(0);
    ring.reserve(8, 0);
    expect(consume()).toEqual([]);
  });
});

describe("user_ringbuf (M-110)", () => {
  const createUserRing = () => {
    const host = createHost();
    const map = createMap("user_ringbuf", RING, host);
    return { host, ring: map.userRing! };
  };

  it("hands the host's records to a program, which may stop", () => {
    const { host, ring } = createUserRing();
    for (let i = 1; i <= 3; i++) expect(ring.produce(new Uint8Array(i).fill(i))).toBe(0);
    const seen: string[] = [];
    const visit = (address: number, bytes: number) => {
      seen.push(host.memory.bytesAt(address, bytes).join(""));
      return seen.length < 2;
    };
    expect(ring.drain(visit)).toBe(2);
    expect(ring.drain(visit)).toBe(1);
    expect(ring.drain(visit)).toBe(0);
    expect(seen).toEqual(["1", "22", "333"]);
  });

  it("refuses what does not fit, and a drain inside a drain", () => {
    const { ring } = createUserRing();
    expect(ring.produce(new Uint8Array(4089))).toBe(-7);
    expect(ring.produce(new Uint8Array(4080))).toBe(0);
    expect(ring.produce(new Uint8Array(1))).toBe(-11);
    const inner: number[] = [];
    expect(ring.drain(() => inner.push(ring.drain(() => true)) > 0)).toBe(1);
    expect(inner).toEqual([-16]);
    expect(ring.produce(new Uint8Array(1))).toBe(0);
  });

  it("skips discarded samples, stops at busy ones, and refuses lengths that cannot be", () => {
    const { host, ring } = createUserRing();
    ring.produce(new Uint8Array(8));
    ring.produce(new Uint8Array(8));
    let header = 0;
    ring.drain((address) => {
      header = address + 8;
      return false;
    });
    const mark = (length: number) => host.memory.view.setUint32(header, length, true);
    mark(RING_BUSY + 8);
    expect(ring.drain(() => true)).toBe(0);
    mark(0x1000);
    expect(ring.drain(() => true)).toBe(-22);
    mark(0x4000_0008);
    expect(ring.drain(() => true)).toBe(0);
    mark(8);
    expect(ring.drain(() => true)).toBe(0);
  });
});
