import { rowsOfOp } from "@tsbpf/isa";

const isSince = (since: string | null, major: number, minor: number): boolean => {
  if (since === null) return false;
  const [a = 0, b = 0] = since.split(".").map(Number);
  return a < major || (a === major && b <= minor);
};

/** Opcode bytes that Linux 6.18 knows. */
export const KNOWN_OPCODES: readonly boolean[] = Array.from({ length: 256 }, (_, op) =>
  rowsOfOp(op).some((row) => isSince(row.since, 6, 18)),
);
