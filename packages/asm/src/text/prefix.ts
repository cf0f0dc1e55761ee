/** What a listing writes in front of an instruction or instead of one. */
export interface Prefix {
  /** Where the instruction itself starts, 0-based. */
  readonly end: number;
  readonly slot?: number;
  readonly opcode?: number;
  /** Hex digits of the instruction's 8 or 16 bytes, without spaces. */
  readonly bytes?: string;
  /** Whether the line holds bytes and no instruction, as `bpftool … opcodes` prints below each. */
  readonly isBytesOnly: boolean;
}

const EIGHT = "[0-9a-f]{2}(?: [0-9a-f]{2}){7}";
/** `12: (61) `, `(61) `. @source linux kernel/bpf/verifier.c, bpftool prog dump xlated */
const OPCODE = /^\s*(?:(\d{1,7}):\s*)?\(([0-9a-f]{2})\)\s*/;
/** `12:<tab>b7 01 00 00 05 00 00 00<tab>`. @source llvm-objdump -d */
const OBJDUMP = new RegExp(`^\\s*(\\d{1,7}):\\s+(${EIGHT}(?: ${EIGHT})?)\\s+(?=\\S)`);
const BYTES = new RegExp(`^\\s+(${EIGHT}(?: ${EIGHT})?)\\s*$`);

/** Finds what the kernel's log, bpftool or llvm-objdump put before an instruction. */
export function readPrefix(code: string): Prefix {
  const opcode = OPCODE.exec(code);
  if (opcode !== null) {
    const [whole, slot, op = ""] = opcode;
    const found = { end: whole.length, opcode: Number.parseInt(op, 16), isBytesOnly: false };
    return slot === undefined ? found : { ...found, slot: Number(slot) };
  }
  const objdump = OBJDUMP.exec(code);
  if (objdump !== null) {
    const [whole, slot, bytes = ""] = objdump;
    return { end: whole.length, slot: Number(slot), bytes: bytes.replaceAll(" ", ""), isBytesOnly: false };
  }
  const alone = BYTES.exec(code)?.[1];
  if (alone === undefined) return { end: 0, isBytesOnly: false };
  return { end: code.length, bytes: alone.replaceAll(" ", ""), isBytesOnly: true };
}
