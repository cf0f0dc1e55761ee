/** Deterministic 32-bit generator (xorshift), so that a failing case can be repeated from its seed. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const INTERESTING = [
  0, 1, 2, 3, 4, 7, 8, 0x7f, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8,
  0xffff_ffff,
];

/** Offsets of the tables that steer a reader, where damage goes deepest. */
function tablesOf(bytes: Uint8Array): { readonly start: number; readonly end: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[5] !== 2;
  const table = Number(view.getBigUint64(40, little));
  const count = view.getUint16(60, little);
  const ranges = [
    { start: 0, end: 64 },
    { start: table, end: table + 64 * count },
  ];
  for (let i = 0; i < count; i++) {
    const at = table + 64 * i;
    const type = view.getUint32(at + 4, little);
    const start = Number(view.getBigUint64(at + 24, little));
    const size = Number(view.getBigUint64(at + 32, little));
    if (type !== 8 && size > 0) ranges.push({ start, end: start + size });
  }
  return ranges;
}

/** Returns a damaged copy: some bytes, words, bits or a whole range changed, or the end cut off. */
export function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = bytes.slice();
  const ranges = tablesOf(bytes);
  const changes = 1 + random(4);
  for (let i = 0; i < changes; i++) {
    const range = ranges[random(ranges.length)] ?? { start: 0, end: copy.length };
    const at = range.start + random(Math.max(1, range.end - range.start));
    const view = new DataView(copy.buffer);
    switch (random(8)) {
      case 0:
        copy[at] = random(256);
        break;
      case 1:
        copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
      case 3:
      case 4: {
        const word = at & ~3;
        if (word + 4 <= copy.length) view.setUint32(word, INTERESTING[random(INTERESTING.length)] ?? 0, true);
        break;
      }
      case 5: {
        const word = at & ~3;
        if (word + 4 <= copy.length) {
          view.setUint32(word, (view.getUint32(word, true) + random(33) - 16) >>> 0, true);
        }
        break;
      }
      case 6: {
        const from = random(copy.length);
        copy.copyWithin(at, from, from + 1 + random(32));
        break;
      }
      case 7:
        if (random(8) === 0) return copy.subarray(0, random(copy.length));
        copy.fill(random(2) * 255, at, at + 1 + random(16));
        break;
    }
  }
  return copy;
}
