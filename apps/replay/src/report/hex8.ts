/** Prints a checksum of 32 bits with all its digits. */
export const hex8 = (crc: number): string => crc.toString(16).padStart(8, "0");
