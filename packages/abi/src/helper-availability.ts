import { HELPER_AVAILABILITY } from "./helper-availability.gen.ts";
import { PROG_TYPES, type ProgTypeName } from "./prog-types.ts";

interface ParsedRow {
  readonly attach: "any" | readonly number[];
  readonly helpers: ReadonlySet<number>;
}

/** Parses `1-3,7`. */
function parseSpans(text: string): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const span of text.split(",")) {
    const [first, last] = span.split("-").map(Number);
    for (let id = first ?? 0; id <= (last ?? first ?? -1); id++) ids.add(id);
  }
  return ids;
}

const parsed = new Map<ProgTypeName, readonly ParsedRow[]>();

function rowsOf(progType: ProgTypeName): readonly ParsedRow[] {
  const known = parsed.get(progType);
  if (known !== undefined) return known;
  const rows = HELPER_AVAILABILITY.filter((row) => row.progType === progType).map((row) => ({
    attach: row.attach,
    helpers: parseSpans(row.helpers),
  }));
  parsed.set(progType, rows);
  return rows;
}

/**
 * Returns the helpers that a program type offers to a fully privileged loader.
 *
 * @param attachType - expected attach type; one that no row lists gets the first row of the type.
 * @returns undefined for `unspec`, and for `ext`, which offers what its target offers.
 * @source linux 6.18, measured; `lsm`, `lirc_mode2` and the trampoline types read from documentation
 */
export function helpersOf(progType: ProgTypeName, attachType: number): ReadonlySet<number> | undefined {
  const rows = rowsOf(progType);
  const row = rows.find((one) => one.attach === "any" || one.attach.includes(attachType));
  return (row ?? rows[0])?.helpers;
}

/** Says whether Linux lets a program call a helper; always false for `unspec` and `ext`. */
export const isHelperAvailable = (progType: ProgTypeName, attachType: number, helperId: number): boolean =>
  helpersOf(progType, attachType)?.has(helperId) ?? false;

/** Returns the program types that may call a helper with some attach type. */
export const progTypesOf = (helperId: number): readonly ProgTypeName[] =>
  (Object.keys(PROG_TYPES) as ProgTypeName[]).filter((progType) =>
    rowsOf(progType).some((row) => row.helpers.has(helperId)),
  );
