import { cpus } from "node:os";
import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";

/** Measures one program, beside the kernel where there is one, in about `budgetMs`. */
export type Measure<Program, Row> = (
  program: Program,
  client: KernelClient | undefined,
  budgetMs: number,
) => Promise<Row>;

/** Measures programs one after the other; what is left of `totalMs`, from the start of the process, they share. */
export async function measureAll<Program, Row>(
  programs: readonly Program[],
  totalMs: number,
  measure: Measure<Program, Row>,
): Promise<Row[]> {
  const client = isBpfAllowed() ? new KernelClient() : undefined;
  const rows: Row[] = [];
  for (const [idx, program] of programs.entries()) {
    rows.push(await measure(program, client, (totalMs - performance.now()) / (programs.length - idx)));
  }
  await client?.close();
  return rows;
}

/** What was measured on, for the reader of a document. */
export const describeMachine = () => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cpus: cpus().length,
  node: process.versions.node,
  v8: process.versions.v8,
  platform: `${process.platform} ${process.arch}`,
});

/** The same as a line below a table. */
export const machineLine = ({ cpu, cpus, node }: ReturnType<typeof describeMachine>): string =>
  `${cpu}, ${cpus} cpus, node ${node}; medians of rounds, ratios paired by round\n`;
