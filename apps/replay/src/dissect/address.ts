import ipaddr from "ipaddr.js";

/** Prints an address in its canonical text form. @source RFC 5952 */
export function printIp(bytes: Uint8Array): string {
  return bytes.length === 4
    ? bytes.join(".")
    : (ipaddr.fromByteArray(Array.from(bytes)) as ipaddr.IPv6).toRFC5952String();
}

export const printMac = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
