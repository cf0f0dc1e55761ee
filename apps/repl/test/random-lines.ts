/** A small generator of the same numbers for the same seed. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const PARTS =
  "r0 r1 r2 r10 w3 = += -= *= 1 -5 0xffffffff 0x7fffffffffffffff exit call goto +1 -1 if > == *(u32 *)(r10 - 4) *(u64 *)(r1 + 0) map[m] lock ( ) [ ] { } : ; label: label _ fp ctx pkt insns bpf_map_lookup_elem get_prandom_u32 ll s< <<= 99999999999999999999 @5 -3 hex 01 02 mix calls rotate(1,2) => (a)=>a+1n const r1, 'x' \" ` /x /16xb \u0001 é 漢 🙂 \t".split(
    " ",
  );

/** Writes lines that are nearly instructions, nearly verbs, or nothing at all. */
export function randomLines(seed: number, count: number, verbs: readonly string[]): string[] {
  const random = randomOf(seed);
  const part = (): string => PARTS[random(PARTS.length)] ?? "";
  const parts = (most: number): string => Array.from({ length: random(most + 1) }, part).join(" ");
  return Array.from({ length: count }, () => {
    switch (random(8)) {
      case 0:
      case 1:
      case 2:
        return `.${verbs[random(verbs.length)]} ${parts(4)}`;
      case 3:
        return `r${random(11)} = ${random(20) - 9}`;
      case 4:
        return String.fromCodePoint(...Array.from({ length: random(60) }, () => random(0x3000))).replace(
          /[\n\r\ud800-\udfff]/g,
          " ",
        );
      case 5:
        return `${["s", "n", "c", "p", "x", "b", "bt", "u", "fin", "rc", "d"][random(11)]} ${part()}`;
      default:
        return `${part()} ${parts(5)}`;
    }
  });
}
