import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CHECKSUM_AREA_BYTES,
  createTraceParser,
  createTraceWriter,
  TraceCursor,
  type TraceMemory,
  type TraceRunInput,
} from "../src/index.ts";

const INTERFACES = [
  { ifindex: 1, linkType: 1 },
  { ifindex: 7, linkType: 101 },
] as const;

/** Runs that are mostly alike, so that spans are long, with ones that end a span between them. */
const run = fc.oneof(
  { weight: 12, arbitrary: fc.nat(80).map((size) => ({ size, kind: "plain" as const })) },
  {
    weight: 1,
    arbitrary: fc.record({
      size: fc.nat(80),
      kind: fc.constantFrom("other", "queue", "cpu", "ctx", "event", "result", "none"),
    }),
  },
);
type Shape = typeof run extends fc.Arbitrary<infer T> ? T : never;

function inputOf({ size, kind }: Shape, idx: number): TraceRunInput {
  const packet = new Uint8Array(size).fill(idx);
  return {
    tsNs: BigInt(idx) * 1000n,
    interfaceIdx: kind === "other" ? 1 : 0,
    ...(kind === "none" ? {} : { packet, originalBytes: size + (idx % 3 === 0 ? 5 : 0) }),
    ...(kind === "queue" ? { queue: 2 } : {}),
    ...(kind === "cpu" ? { cpu: 3 } : {}),
    ...(kind === "ctx" ? { ctx: Uint8Array.of(1, 2, 3) } : {}),
    ...(kind === "result" ? { r0: 2n } : {}),
  };
}

function traceOf(shapes: readonly Shape[]): Uint8Array {
  const writer = createTraceWriter({ blockBytes: 512 });
  for (const one of INTERFACES) writer.defineInterface(one);
  writer.defineProgram({ name: "p", progType: "xdp" });
  for (const [idx, shape] of shapes.entries()) {
    writer.writeRun(inputOf(shape, idx));
    if (shape.kind === "event") writer.writeEvent({ kind: "random", phase: "during", value: 4n });
  }
  writer.end();
  return writer.take();
}

/** What a run of a span or of `next` is, as far as both say it. */
interface Seen {
  readonly index: number;
  readonly data: string;
  readonly wire: number;
  readonly linkType: number;
  readonly queue: number;
}

interface Walk {
  readonly seen: Seen[];
  readonly inBulk: number;
}

/** A linear memory to read into: the checksum's area, then what blocks are put together in, then one chunk. */
function memoryOf(joinBytes: number): TraceMemory & { readonly chunk: Uint8Array } {
  const wasm = new WebAssembly.Memory({ initial: 2 });
  const join = new Uint8Array(wasm.buffer, CHECKSUM_AREA_BYTES, joinBytes);
  return { wasm, areaAddress: 0, join, chunk: new Uint8Array(wasm.buffer, CHECKSUM_AREA_BYTES + joinBytes) };
}

/** Walks a trace; `joinBytes` has it read into a linear memory, behind what is left where there is room. */
function walk(file: Uint8Array, step: number, bulk: () => number, joinBytes?: number): Walk {
  const memory = joinBytes === undefined ? undefined : memoryOf(joinBytes);
  const parser = createTraceParser(memory === undefined ? {} : { memory });
  const cursor = new TraceCursor();
  const seen: Seen[] = [];
  let inBulk = 0;
  const drain = () => {
    for (;;) {
      const span = parser.span();
      const wanted = Math.min(bulk(), span?.count ?? 0);
      if (span !== undefined) expect(span.index).toBe(seen.length);
      let at = span?.start ?? 0;
      for (let i = 0; span !== undefined && i < wanted; i++) {
        const size = span.sizes.at(span.first + i);
        const data = span.packets.subarray(at, at + size);
        at += size;
        inBulk++;
        seen.push({
          index: span.index + i,
          data: data.join(),
          wire: span.wireSizes?.at(span.first + i) ?? size,
          linkType: span.linkType,
          queue: span.queue,
        });
      }
      if (span !== undefined) parser.skip(at - span.start, wanted);
      const item = parser.next(cursor);
      if (item === undefined) return;
      if (item !== "run") continue;
      seen.push({
        index: cursor.index,
        data: cursor.data().join(),
        wire: cursor.originalBytes,
        linkType: cursor.linkType,
        queue: cursor.queue,
      });
    }
  };
  for (let at = 0; at < file.length; ) {
    const room = parser.room();
    const into = room === undefined || room.length === 0 ? memory?.chunk : room;
    const part = file.slice(at, at + Math.min(step, into?.length ?? step));
    if (into !== undefined) into.set(part);
    parser.push(into?.subarray(0, part.length) ?? part);
    drain();
    at += part.length;
  }
  parser.end();
  drain();
  expect(parser.isClosed).toBe(true);
  return { seen, inBulk };
}

describe("runs of a trace that are taken in bulk", () => {
  it("are the runs that `next` gives, in any mixture and with chunks of any size", () => {
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 120 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.infiniteStream(fc.nat(20)),
        (shapes, step, bulk) => {
          const file = traceOf(shapes);
          const plain = walk(file, step, () => 0);
          expect(walk(file, step, () => bulk.next().value).seen).toEqual(plain.seen);
          expect(plain.seen.map(({ index }) => index)).toEqual(shapes.map((_, idx) => idx));
        },
      ),
    );
  });

  it("are the same when chunks lie in a linear memory, behind what is left of the last one or elsewhere", () => {
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 120 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.oneof(fc.nat(700), fc.integer({ min: 1000, max: 9000 })),
        fc.infiniteStream(fc.nat(20)),
        (shapes, step, joinBytes, bulk) => {
          const file = traceOf(shapes);
          const plain = walk(file, step, () => 0);
          expect(walk(file, step, () => bulk.next().value, joinBytes).seen).toEqual(plain.seen);
        },
      ),
    );
  });

  it("are all but the first of each block when nothing else is there", () => {
    const shapes = Array.from({ length: 1000 }, () => ({ size: 60, kind: "plain" as const }));
    const { seen, inBulk } = walk(traceOf(shapes), 10_000, () => 5000);
    expect(seen).toHaveLength(1000);
    expect(inBulk).toBeGreaterThan(700);
  });

  it("end where a run has a ctx, events, another CPU, queue, interface or result, or no packet", () => {
    for (const kind of ["ctx", "event", "cpu", "queue", "other", "result", "none"] as const) {
      const parser = createTraceParser();
      parser.push(
        traceOf([
          { size: 9, kind: "plain" },
          { size: 9, kind: "plain" },
          { size: 9, kind },
        ]),
      );
      expect(parser.span()).toBeUndefined();
      expect(parser.next(new TraceCursor())).toBe("run");
      expect(parser.span(), kind).toMatchObject({ index: 1, count: 1, start: 9, linkType: 1 });
    }
  });
});
