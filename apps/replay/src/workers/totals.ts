/** What one CPU counted; plain, so that it can be sent. */
export interface CpuTotals {
  /** By result: packets and bytes. */
  readonly results: Map<number, { packets: number; bytes: number }>;
  trapped: number;
  trappedBytes: number;
  /** Packets that it found in a capture only in part; which CPU's they were does not matter. */
  cutShort: number;
  refused: number;
  refusedBytes: number;
  /** Why the first packet was refused. */
  refusal: string;
}

export const createTotals = (): CpuTotals => ({
  results: new Map(),
  trapped: 0,
  trappedBytes: 0,
  cutShort: 0,
  refused: 0,
  refusedBytes: 0,
  refusal: "",
});

export function addResults({ results }: CpuTotals, retval: number, packets: number, bytes: number): void {
  const known = results.get(retval);
  if (known === undefined) results.set(retval, { packets, bytes });
  else {
    known.packets += packets;
    known.bytes += bytes;
  }
}
