/** What one CPU counted; plain, so that it can be sent. */
export interface CpuTotals {
  /** By result: packets and bytes. */
  readonly results: Map<number, { packets: number; bytes: number }>;
  trapped: number;
  trappedBytes: number;
  refused: number;
  refusedBytes: number;
  /** Why the first packet was refused. */
  refusal: string;
}

export const createTotals = (): CpuTotals => ({
  results: new Map(),
  trapped: 0,
  trappedBytes: 0,
  refused: 0,
  refusedBytes: 0,
  refusal: "",
});

export function addResult({ results }: CpuTotals, retval: number, bytes: number): void {
  const known = results.get(retval);
  if (known === undefined) results.set(retval, { packets: 1, bytes });
  else {
    known.packets += 1;
    known.bytes += bytes;
  }
}
