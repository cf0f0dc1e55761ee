import { ctxAccess, ctxLayout, type ProgTypeName } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { LinearMemory } from "@tsbpf/memory";
import type { ProgContext, RunInput } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import {
  isBpfAllowed,
  type KernelCase,
  probeBpf,
  runKernelCases,
} from "../../../tooling/kernel/src/index.ts";
import { progTypeByName } from "../src/index.ts";

const isKernelKnown = isBpfAllowed() && probeBpf().kernel.startsWith("6.18.");
const SKB_TYPES = ["socket_filter", "sched_cls", "cgroup_skb", "lwt_in", "lwt_xmit"] as const;
const LENGTH_AT = 200;

interface Site {
  readonly type: ProgTypeName;
  readonly input: RunInput;
}

function insn(op: number, dst = 0, src = 0, off = 0, imm = 0): string {
  const bytes = Buffer.alloc(8);
  bytes[0] = op;
  bytes[1] = dst | (src << 4);
  bytes.writeInt16LE(off, 2);
  bytes.writeInt32LE(imm, 4);
  return bytes.toString("hex");
}

/** Offsets and sizes of the context's values that a program of the type may read. */
function readable(type: ProgTypeName): (readonly [offset: number, size: 1 | 4 | 8])[] {
  const found: (readonly [number, 1 | 4 | 8])[] = [];
  const isScalar = (offset: number, size: number) =>
    ctxAccess(type, 0, offset, size, false)?.kind === "scalar";
  for (let offset = 0; offset < (ctxLayout(type)?.sizeBytes ?? 0); ) {
    const size = isScalar(offset, 4) ? 4 : isScalar(offset, 8) ? 8 : isScalar(offset, 1) ? 1 : undefined;
    if (size !== undefined) found.push([offset, size]);
    offset += size ?? 1;
  }
  return found;
}

const LOAD = { 1: 0x71, 4: 0x61, 8: 0x79 } as const;
const STORE = { 1: 0x73, 4: 0x63, 8: 0x7b } as const;
const packetFields = (type: ProgTypeName) => (type === "xdp" ? { data: 0, end: 4 } : { data: 76, end: 80 });

/** A program that copies its context, and the length of its packet, into a map. */
function copier(type: ProgTypeName): string {
  let code = insn(0xbf, 6, 1) + insn(0x18, 9, 2) + insn(0);
  for (const [offset, size] of readable(type)) {
    code += insn(LOAD[size], 2, 6, offset) + insn(STORE[size], 9, 2, offset);
  }
  const { data, end } = packetFields(type);
  if (ctxAccess(type, 0, data, 4, false) !== undefined) {
    code += insn(0x61, 2, 6, data) + insn(0x61, 3, 6, end) + insn(0x1f, 3, 2) + insn(0x63, 9, 3, LENGTH_AT);
  }
  return code + insn(0xb7) + insn(0x95);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function toCase({ type, input }: Site): KernelCase {
  const ctx = input.ctx === undefined ? {} : { ctx: hex(input.ctx) };
  return {
    prog_type: type,
    insns: copier(type),
    maps: [{ type: 2, key_size: 4, value_size: 256, max_entries: 1 }],
    fixups: [{ insn: 1, map: 0 }],
    run: { data: hex(input.packet ?? new Uint8Array()), data_size_out: 80_000, ...ctx },
  };
}

/** What one run shows: an error number, or what the program saw and what came out. */
interface Seen {
  readonly errno: number;
  readonly map?: string;
  readonly packet?: string;
  readonly ctx?: string | undefined;
}

const contexts = new Map<ProgTypeName, { memory: LinearMemory; ctx: ProgContext }>();

function contextOf(type: ProgTypeName) {
  let made = contexts.get(type);
  if (made === undefined) {
    const memory = new LinearMemory();
    const ctx = progTypeByName(type)!.createContext({ memory, maxPacketBytes: 100_000, isTestRun: true });
    made = { memory, ctx };
    contexts.set(type, made);
  }
  return made;
}

function ours({ type, input }: Site): Seen {
  const { memory, ctx } = contextOf(type);
  try {
    ctx.load(input);
  } catch (error) {
    if (error instanceof InputError && error.code === "RUN_INPUT")
      return { errno: error.details.errno as number };
    throw error;
  }
  const map = new Uint8Array(256);
  for (const [offset, size] of readable(type)) {
    map.set(memory.bytesAt(ctx.address + offset, size), offset);
  }
  const { data, end } = packetFields(type);
  if (ctxAccess(type, 0, data, 4, false) !== undefined) {
    const word = (at: number) => memory.view.getUint32(ctx.address + at, true);
    new DataView(map.buffer).setUint32(LENGTH_AT, word(end) - word(data), true);
  }
  const ctxOut = input.ctx === undefined ? undefined : hex(ctx.readCtx());
  return { errno: 0, map: hex(map), packet: hex(ctx.readPacket()), ctx: ctxOut };
}

async function expectSame(sites: readonly Site[]): Promise<void> {
  const answers = await runKernelCases(sites.map(toCase));
  for (const [idx, site] of sites.entries()) {
    const answer = answers[idx]!;
    expect(answer.loaded, `${site.type}: ${answer.errline}`).toBe(true);
    const run = answer.runs?.[0];
    const errno = run?.errno ?? answer.errno;
    const theirs: Seen =
      errno !== 0
        ? { errno }
        : {
            errno: 0,
            map: answer.maps?.[0]?.[0]?.[1] as string,
            packet: answer.data_out ?? "",
            ctx: site.input.ctx === undefined ? undefined : (answer.ctx_out ?? ""),
          };
    const about = `${site.type}, ${site.input.packet?.length} bytes, ctx ${site.input.ctx && hex(site.input.ctx)}`;
    expect(ours(site), about).toEqual(theirs);
  }
}

/** Bytes that look random and are the same in each run. */
const noise = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, idx) => (idx * 73 + (idx >> 3)) & 255);

function frame(dst: string, type: number, bytes: number): Uint8Array {
  const packet = noise(14 + bytes);
  packet.set(Buffer.from(dst, "hex"));
  packet.set([type >> 8, type & 255], 12);
  return packet;
}

const TO_LO = "000000000000";
const PACKETS = [
  ...["ffffffffffff", "01005e000001", "020000000009", TO_LO].map((dst) => frame(dst, 0x800, 50)),
  ...[19, 20].map((size) => frame(TO_LO, 0x800, size)),
  ...[39, 40].map((size) => frame(TO_LO, 0x86dd, size)),
  ...[0x806, 0x8100, 0x50, 0x5ff, 0x600, 0].map((type) => frame(TO_LO, type, 40)),
  frame(TO_LO, 0x50, 1),
  ...[13, 14, 0, 3520, 3521, 3712, 3713, 20_000, 73_152, 73_153].map((size) => new Uint8Array(size)),
];

const words = (size: number, values: Readonly<Record<number, number>>): Uint8Array => {
  const ctx = new Uint8Array(size);
  for (const [at, value] of Object.entries(values))
    new DataView(ctx.buffer).setUint32(Number(at), value, true);
  return ctx;
};

describe.skipIf(!isKernelKnown)("test runs of the running kernel", () => {
  it.each([...SKB_TYPES, "xdp"] as const)("give %s programs the same packets and contexts", (type) =>
    expectSame(PACKETS.map((packet) => ({ type, input: { packet } }))),
  );

  it.each(SKB_TYPES)("take the same contexts for %s programs", (type) => {
    const all = {
      8: 7,
      32: 9,
      36: 5,
      40: 1,
      48: 11,
      64: 12,
      152: 13,
      156: 14,
      160: 5000,
      164: 3,
      176: 100,
      184: 77,
    };
    const given = [
      words(192, {}),
      words(192, all),
      words(12, { 8: 7 }),
      words(200, { 8: 7 }),
      words(200, { 196: 7 }),
      ...[49, 50, 64, 65_536, 65_537].map((length) => words(192, { 160: length })),
      ...[65_535, 65_536].map((segments) => words(192, { 164: segments })),
      words(192, { 40: 9999 }),
      ...Array.from({ length: 48 }, (_, idx) => words(192, { [idx * 4]: 1 })),
    ];
    return expectSame(given.map((ctx) => ({ type, input: { packet: PACKETS[0]!, ctx } })));
  });

  it("take the same contexts for xdp programs", () => {
    const sizes = [64, 300, 3520, 4000];
    const sites = sizes.flatMap((size) => {
      const ends = [
        [0, size],
        [4, size],
        [3, size],
        [216, size],
        [220, size],
        [0, size - 1],
        [0, 0],
        [8, 30],
        [8, 7],
        [8, 8],
        [0, size + 1],
        [size - 14, size],
        [52, size],
      ] as const;
      const others = [{ 8: 1 }, { 12: 1 }, { 12: 1, 16: 1 }, { 16: 1 }, { 12: 9999 }, { 20: 1 }];
      const given = [
        ...ends.map(([data, end]) => words(24, { 0: data, 4: end })),
        ...others.map((more) => words(24, { 0: 0, 4: size, ...more })),
        words(8, { 4: size }),
        words(32, { 4: size }),
        words(32, { 4: size, 28: 1 }),
      ];
      return given.map(
        (ctx): Site => ({ type: "xdp", input: { packet: frame(TO_LO, 0x800, size - 14), ctx } }),
      );
    });
    return expectSame(sites);
  });
});
