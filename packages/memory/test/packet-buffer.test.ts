import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canAccess, LinearMemory, PacketBuffer, PERM, WASM_PAGE_BYTES } from "../src/index.ts";

const HEADROOM = 256;
const XDP_FIELDS = { data: 0, dataEnd: 4, dataMeta: 8 };

function createBuffer(
  fields: ConstructorParameters<typeof PacketBuffer>[1]["fields"] = XDP_FIELDS,
  maxBytes = 2048,
) {
  const memory = new LinearMemory({ initialBytes: WASM_PAGE_BYTES });
  const ctxAddress = memory.alloc(64, { kind: "ctx", name: "ctx" });
  const packet = new PacketBuffer(memory, { ctxAddress, fields, headroomBytes: HEADROOM, maxBytes });
  return { memory, ctxAddress, packet };
}

describe("PacketBuffer", () => {
  it("keeps the bounds in the context's fields", () => {
    const { memory, ctxAddress, packet } = createBuffer();
    expect(packet.load(new Uint8Array([1, 2, 3]))).toBe(true);
    const u32 = (offset: number) => memory.view.getUint32(ctxAddress + offset, true);
    expect([u32(0), u32(4), u32(8)]).toEqual([
      packet.start + HEADROOM,
      packet.start + HEADROOM + 3,
      packet.start + HEADROOM,
    ]);
    expect([...packet.bytes()]).toEqual([1, 2, 3]);
    expect([packet.lengthBytes, packet.metaStart]).toEqual([3, packet.dataStart]);
    expect(packet.tailEnd).toBe(packet.end);
  });

  it("takes packets up to its size and leaves the last one when one is larger", () => {
    const { packet } = createBuffer();
    expect(packet.load(new Uint8Array(2048).fill(7))).toBe(true);
    expect(packet.load(new Uint8Array(2049).fill(8))).toBe(false);
    expect(packet.lengthBytes).toBe(2048);
    expect(packet.bytes().every((byte) => byte === 7)).toBe(true);
    expect(packet.load(new Uint8Array(0))).toBe(true);
    expect(packet.lengthBytes).toBe(0);
  });

  it("limits the tail by what load was told, never past the end", () => {
    const { packet } = createBuffer();
    packet.load(new Uint8Array(60), 100);
    expect(packet.tailEnd).toBe(packet.dataEnd + 100);
    packet.load(new Uint8Array(60), 1e9);
    expect(packet.tailEnd).toBe(packet.end);
  });

  it("gives programs exactly the bytes between metadata and end, whatever moves the bounds", () => {
    const { memory, ctxAddress, packet } = createBuffer();
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 0, max: HEADROOM + 1000 }),
        fc.integer({ min: 0, max: 1500 }),
        fc.nat(64),
        fc.boolean(),
        (loaded, head, length, meta, isDirect) => {
          packet.load(new Uint8Array(loaded));
          const dataStart = packet.start + head;
          const dataEnd = Math.min(dataStart + length, packet.end);
          const metaStart = Math.max(packet.start, dataStart - meta);
          if (isDirect) {
            memory.view.setUint32(ctxAddress, dataStart, true);
            memory.view.setUint32(ctxAddress + 4, dataEnd, true);
            memory.view.setUint32(ctxAddress + 8, metaStart, true);
            packet.syncRegion();
          } else packet.setBounds(dataStart, dataEnd, metaStart);
          const reads = (address: number) => canAccess(memory, address, 1, PERM.readWrite);
          expect(canAccess(memory, metaStart, dataEnd - metaStart, PERM.readWrite)).toBe(true);
          expect(reads(metaStart - 1)).toBe(false);
          expect(reads(dataEnd)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("cuts off bounds outside the buffer", () => {
    const { memory, ctxAddress, packet } = createBuffer();
    memory.view.setUint32(ctxAddress, 0, true);
    memory.view.setUint32(ctxAddress + 8, 0, true);
    memory.view.setUint32(ctxAddress + 4, 0xffff_ffff, true);
    packet.syncRegion();
    expect(canAccess(memory, packet.start, packet.end - packet.start, PERM.readWrite)).toBe(true);
    expect(canAccess(memory, packet.start - 1, 1, PERM.read)).toBe(false);
    expect(canAccess(memory, packet.end, 1, PERM.read)).toBe(false);
  });

  it("starts every packet with a zeroed headroom, as a test run of the kernel does", () => {
    const { memory, packet } = createBuffer();
    packet.load(new Uint8Array(60).fill(1));
    packet.setBounds(packet.dataStart - 40, packet.dataEnd);
    memory.u8.fill(9, packet.dataStart, packet.dataEnd);
    packet.setBounds(packet.dataStart + 40, packet.dataEnd);
    packet.load(new Uint8Array(60).fill(2));
    expect(memory.bytesAt(packet.start, HEADROOM).every((byte) => byte === 0)).toBe(true);
    packet.setBounds(packet.dataStart, packet.dataEnd, packet.dataStart - 8);
    memory.u8.fill(9, packet.metaStart, packet.dataStart);
    packet.load(new Uint8Array(4));
    expect(memory.bytesAt(packet.start, HEADROOM).every((byte) => byte === 0)).toBe(true);
  });

  it("has no metadata where the context has none", () => {
    const { packet } = createBuffer({ data: 0, dataEnd: 4, dataMeta: undefined });
    packet.load(new Uint8Array(10));
    packet.setBounds(packet.dataStart - 4, packet.dataEnd);
    expect(packet.metaStart).toBe(packet.dataStart);
    expect(packet.lengthBytes).toBe(14);
  });

  it("registers one region and keeps it", () => {
    const { memory, packet } = createBuffer();
    const names = () => memory.regions.all.map((one) => one.name);
    const before = names();
    for (let i = 0; i < 10; i++) packet.load(new Uint8Array(i));
    expect(names()).toEqual(before);
  });
});
