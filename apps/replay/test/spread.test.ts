import { readFileSync } from "node:fs";
import { createCaptureParser, PacketCursor } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flowHash } from "../src/spread/flow-hash.ts";
import { createSpread } from "../src/spread/spread.ts";
import { SYMMETRIC_KEY, symmetricHash, toeplitz } from "../src/spread/toeplitz.ts";

describe("the hash of receive-side scaling", () => {
  /** Microsoft's key and two rows of its verification suite: source, destination, ports; hashes without and with ports. */
  const key = Uint8Array.from(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa".match(/../g) ?? [],
    (byte) => Number.parseInt(byte, 16),
  );
  it.each([
    [
      [66, 9, 149, 187, 161, 142, 100, 80, 2794 >> 8, 2794 & 255, 1766 >> 8, 1766 & 255],
      0x323e8fc2,
      0x51ccc178,
    ],
    [
      [199, 92, 111, 2, 65, 69, 140, 83, 14230 >> 8, 14230 & 255, 4739 >> 8, 4739 & 255],
      0xd718262a,
      0xc626b0ea,
    ],
  ])("is Microsoft's", (bytes, addresses, all) => {
    expect(toeplitz(key, Uint8Array.from(bytes.slice(0, 8)))).toBe(addresses);
    expect(toeplitz(key, Uint8Array.from(bytes))).toBe(all);
  });

  it("is a fold with the symmetric key, equal in both halves and for both directions", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 12, maxLength: 36 }).filter(({ length }) => length % 4 === 0),
        (bytes) => {
          let folded = 0;
          for (let at = 0; at < bytes.length; at += 2)
            folded ^= ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
          const half = symmetricHash(folded);
          expect(toeplitz(SYMMETRIC_KEY, bytes)).toBe(((half << 16) | half) >>> 0);
        },
      ),
    );
    const forth = Uint8Array.from([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4]);
    const back = Uint8Array.from([10, 0, 0, 2, 10, 0, 0, 1, 3, 4, 1, 2]);
    expect(toeplitz(SYMMETRIC_KEY, forth)).toBe(toeplitz(SYMMETRIC_KEY, back));
  });
});

describe("the hash of a flow", () => {
  const MACS = new Array<number>(12).fill(2);
  const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
  const hash = (frame: readonly number[]) => flowHash(Uint8Array.from(frame), 0, frame.length, 1);
  const half = (...fields: Uint8Array[]) =>
    toeplitz(SYMMETRIC_KEY, Uint8Array.from(fields.flatMap((field) => [...field]))) & 0xffff;

  const ipv4 = (from: Uint8Array, to: Uint8Array, protocol: number, rest: readonly number[], more = 0) => {
    const head = [0x45, 0, 0, 40, 0, 1, more, 0, 64, protocol, 0, 0, ...from, ...to];
    return [8, 0, ...head, ...rest];
  };
  const TAGS = [[], [0x81, 0, 0, 10], [0x88, 0xa8, 0, 5, 0x81, 0, 0, 10]];

  it("is that of addresses and ports, in both directions, tagged or not", () => {
    const tags = fc.constantFrom(...TAGS);
    fc.assert(
      fc.property(
        bytes(4),
        bytes(4),
        bytes(2),
        bytes(2),
        fc.constantFrom(6, 17),
        tags,
        (a, b, p, q, protocol, tag) => {
          const forth = hash([...MACS, ...tag, ...ipv4(a, b, protocol, [...p, ...q])]);
          expect(forth).toBe(half(a, b, p, q));
          expect(hash([...MACS, ...ipv4(b, a, protocol, [...q, ...p])])).toBe(forth);
        },
      ),
    );
  });

  it("is that of addresses alone for fragments, other protocols, and frames that end before the ports", () => {
    const [a, b] = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 9, 8, 7)];
    const ports = [1, 2, 3, 4];
    const alone = half(a, b);
    expect(hash([...MACS, ...ipv4(a, b, 6, ports, 0x20)])).toBe(alone);
    expect(hash([...MACS, ...ipv4(a, b, 1, ports)])).toBe(alone);
    expect(hash([...MACS, ...ipv4(a, b, 6, [1, 2, 3])])).toBe(alone);
    expect(hash([...MACS, ...ipv4(a, b, 6, ports)])).not.toBe(alone);
  });

  it("is that of addresses and ports of IPv6", () => {
    fc.assert(
      fc.property(bytes(16), bytes(16), bytes(4), (a, b, ports) => {
        const head = [0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, 17, 64];
        expect(hash([...MACS, ...head, ...a, ...b, ...ports])).toBe(half(a, b, ports));
      }),
    );
  });

  it("is 0 of what is no IP or not whole", () => {
    expect(hash([...MACS, 8, 6, ...new Array<number>(40).fill(7)])).toBe(0);
    expect(hash([...MACS, 8, 0, 0x45, 0])).toBe(0);
    expect(hash(MACS)).toBe(0);
    expect(hash([...MACS, 0x81, 0])).toBe(0);
  });
});

describe("spreading", () => {
  const lab = new Uint8Array(readFileSync(new URL("../../../samples/captures/lab.pcap", import.meta.url)));

  function cpusOf(name: "flow" | "round-robin", cpuCount: number): number[] {
    const parser = createCaptureParser();
    parser.push(lab);
    parser.end();
    const spread = createSpread(name, cpuCount);
    const cursor = new PacketCursor();
    const cpus: number[] = [];
    while (parser.next(cursor)) cpus.push(spread.cpuOf(cursor, parser));
    return cpus;
  }

  it("takes turns", () => {
    expect(cpusOf("round-robin", 3).slice(0, 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  it("by flow uses every CPU, and no other", () => {
    for (const cpuCount of [1, 2, 3, 8]) {
      const all = Array.from({ length: cpuCount }, (_, cpu) => cpu);
      expect([...new Set(cpusOf("flow", cpuCount))].sort()).toEqual(all);
    }
  });
});
