const MAGIC = 0xeb9f;
const VERSION = 1;
const HEADER_BYTES = 24;

/** Puts raw type words and a string section into a BTF blob, as hex. */
export function btfBlob(types: readonly number[], strings: string, stringBytes: number): string {
  const typeBytes = types.length * 4;
  const bytes = new Uint8Array(HEADER_BYTES + typeBytes + stringBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  [HEADER_BYTES, 0, typeBytes, typeBytes, stringBytes].forEach((word, i) => {
    view.setUint32(4 + i * 4, word, true);
  });
  types.forEach((word, i) => {
    view.setUint32(HEADER_BYTES + i * 4, word >>> 0, true);
  });
  for (let i = 0; i < strings.length; i++) bytes[HEADER_BYTES + typeBytes + i] = strings.charCodeAt(i);
  return Buffer.from(bytes).toString("hex");
}
