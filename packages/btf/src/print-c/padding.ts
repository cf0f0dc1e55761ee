/** Types that fill gaps, widest first. */
const PADS = [
  { name: "long", bits: 64 },
  { name: "int", bits: 32 },
  { name: "short", bits: 16 },
  { name: "char", bits: 8 },
] as const;

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** A gap between two members of a struct. */
export interface Gap {
  readonly fromBits: number;
  readonly toBits: number;
  /** Alignment of what follows, in bytes. */
  readonly nextAlign: number;
  /** Whether bit-fields lie on both sides. */
  readonly inBitfield: boolean;
}

/** Most gaps are short; a struct that claims megabytes of padding is not printed bit-field by bit-field. */
const PADS_LAST = 4096;

/**
 * Returns the unnamed bit-fields that make a compiler leave a gap where the struct has one, such as `long: 64`.
 *
 * @returns undefined when the gap is too large to be spelled so.
 * @source linux tools/lib/bpf/btf_dump.c btf_dump_emit_bit_padding
 */
export function padGap({ fromBits, toBits, nextAlign, inBitfield }: Gap): string[] | undefined {
  const fields: string[] = [];
  if (fromBits >= toBits) return fields;
  let at = fromBits;
  // The widest type whose next boundary lies within the gap.
  const pad = PADS.find(({ bits }) => roundUp(at, bits) <= toBits) ?? PADS[3];
  const boundary = roundUp(at, pad.bits);
  if (boundary > at && boundary <= toBits) {
    const alignsItself = boundary === toBits && roundUp(at, nextAlign * 8) === boundary;
    const needsMark =
      inBitfield ||
      (boundary === toBits && !alignsItself) ||
      (boundary !== toBits && toBits - boundary <= boundary - at);
    if (needsMark) fields.push(`${pad.name}: ${inBitfield ? boundary - at : 0}`);
    at = boundary;
  }
  if ((toBits - at) / pad.bits > PADS_LAST) return undefined;
  for (; toBits - at >= pad.bits; at += pad.bits) fields.push(`${pad.name}: ${pad.bits}`);
  const rest = toBits - at;
  if (rest > 0) {
    const smallest = [...PADS].reverse().find(({ bits }) => bits >= rest) ?? pad;
    fields.push(`${smallest.name}: ${rest}`);
  }
  return fields;
}
