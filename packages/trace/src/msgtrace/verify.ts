import type { ByteSource } from "../capture/decompress.ts";
import type { TraceWarning } from "../warnings.ts";
import type { TraceDamage, TraceOptions } from "./parser-types.ts";
import { readTrace } from "./read.ts";

/** A damaged place with the runs that are lost with it. */
export interface DamageReport extends TraceDamage {
  /**
   * One past the last run that may be lost; equal to `runFirst` when none is, undefined when nothing behind the damage
   * says. Damaged blocks in a row share their runs.
   */
  readonly runEnd?: number;
}

/** What `verifyTrace` found. */
export interface TraceReport {
  /** Runs that can be read. */
  readonly runCount: number;
  /** Number of the last block seen, plus one. */
  readonly blockCount: number;
  readonly isClosed: boolean;
  /** In file order; at most 1000. */
  readonly damage: readonly DamageReport[];
  /** All damaged places, those beyond the 1000th too. */
  readonly damageCount: number;
  readonly warnings: readonly TraceWarning[];
}

const DAMAGE_MAX = 1000;

/**
 * Reads a whole trace and names every damaged block, going on behind it.
 *
 * @throws TRACE_HEADER_TRUNCATED, UNSUPPORTED_TRACE_VERSION, TRACE_GZIP_CORRUPT (InputError) when nothing can be read.
 */
export async function verifyTrace(
  source: ByteSource,
  options: Omit<TraceOptions, "onDamage"> = {},
): Promise<TraceReport> {
  const damage: DamageReport[] = [];
  /** Index in `damage` of the first place whose runs are not known yet. */
  let open = 0;
  let damageCount = 0;
  let runCount = 0;
  const settle = (runEnd: number): void => {
    for (; open < damage.length; open++) damage[open] = { ...(damage[open] as DamageReport), runEnd };
  };
  const reader = readTrace(source, {
    ...options,
    onDamage(found) {
      damageCount++;
      if (damage.length < DAMAGE_MAX) damage.push(found);
    },
    onBlock(block) {
      options.onBlock?.(block);
      if (block.runFirst !== undefined) settle(block.runFirst);
    },
  });
  for await (const record of reader) if (record.kind === "run") runCount++;
  const { blockCount, isClosed, declaredRunCount, warnings } = reader;
  if (declaredRunCount !== undefined) settle(declaredRunCount);
  return { runCount, blockCount, isClosed, damage, damageCount, warnings };
}
