/** Prints bytes in tcpdump's `-x` form: offset, eight groups of two bytes, and the text for `-X`. */
export function printHexDump(bytes: Uint8Array, options: { readonly withText: boolean }): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    let hex = "";
    for (let i = 0; i < row.length; i++) {
      hex += (row[i] ?? 0).toString(16).padStart(2, "0");
      if (i % 2 === 1 && i < row.length - 1) hex += " ";
    }
    const offset = `0x${at.toString(16).padStart(4, "0")}`;
    lines.push(
      options.withText ? `\t${offset}:  ${hex.padEnd(39)}  ${printText(row)}` : `\t${offset}:  ${hex}`,
    );
  }
  return lines.join("\n");
}

const printText = (row: Uint8Array): string =>
  Array.from(row, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
