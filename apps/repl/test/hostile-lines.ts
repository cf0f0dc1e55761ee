import { MAP_TYPES, PROG_TYPES } from "../../../packages/abi/src/index.ts";
import { VERBS } from "../src/index.ts";
import {
  BODIES,
  CODE,
  ENDLESS,
  EXPRS,
  FILES,
  FILTERS,
  HELPER_NAMES,
  NESTED,
  NUMBERS,
  PACKETS,
  PLACES,
  TEXTS,
} from "./hostile-parts.ts";
import { randomLines, randomOf } from "./random-lines.ts";

type Random = (below: number) => number;

const repeat = (text: string, count: number): string => text.repeat(count);

const ARGUMENTS: Readonly<Record<string, (pick: Picker) => string>> = {
  load: (p) => p.of(FILES),
  source: (p) => p.of(FILES),
  save: (p) => p.of(FILES),
  export: (p) => p.of(FILES),
  plugin: (p) => p.of(FILES),
  pkt: (p) => (p.random(4) === 0 ? p.of(FILES) : `${p.of(PACKETS)} ${p.of(PACKETS)}`),
  filter: (p) => Array.from({ length: 1 + p.random(5) }, () => p.of(FILTERS)).join(" "),
  type: (p) => p.of([...Object.keys(PROG_TYPES), "nope"]),
  break: (p) => `${p.of(PLACES)}${p.condition()}`,
  tbreak: (p) => `${p.of(PLACES)}${p.condition()}`,
  watch: (p) => `${p.of(EXPRS)} ${p.of(NUMBERS)}${p.condition()}`,
  until: (p) => p.of(PLACES),
  list: (p) => p.of(PLACES),
  belief: (p) => p.of(PLACES),
  call: (p) => `${p.of(["", "-s "])}${p.of(PLACES)}(${p.of(EXPRS)}, ${p.of(NUMBERS)})`,
  set: (p) => `${p.of(EXPRS)} = ${p.of(EXPRS)}`,
  patch: (p) => `${p.of(PLACES)} ${p.of(CODE)}`,
  helper: (p) =>
    `${p.of(["-d ", "", "", ""])}${p.of(HELPER_NAMES)} = ${p.of(p.random(400) === 0 ? ENDLESS : BODIES)}`,
  map: (p) =>
    p.random(3) === 0
      ? `create ${p.of(["m", "n", "__proto__"])} ${p.of(Object.keys(MAP_TYPES))} ${p.of(NUMBERS)} ${p.of(NUMBERS)} ${p.of(NUMBERS)}`
      : `${p.of(["m", "n", "calls.bss", "protocols"])} ${p.of(["", "delete ", "key hex "])}${p.of(NUMBERS)} = ${p.of(NUMBERS)}`,
  ctx: (p) => `${p.of(["data", "ingress_ifindex", "mark", "nope"])} = ${p.of(NUMBERS)}`,
  diff: (p) => `${p.of(["a", "@1", "@99999999999", "-5", "@-1"])} ${p.of(["", "a", "@3"])}`,
  mark: (p) => p.of(["a", "b", "1x", "__proto__"]),
};

interface Picker {
  readonly random: Random;
  of(list: readonly string[]): string;
  condition(): string;
}

/** Lines for every verb, with arguments of its kind, of another's, or of none. */
export function hostileLines(seed: number, count: number): string[] {
  const random = randomOf(seed);
  const of = (list: readonly string[]): string => list[random(list.length)] ?? "";
  const p: Picker = {
    random,
    of,
    condition: () =>
      random(3) === 0 ? ` if ${of(EXPRS)} ${of(["==", "<", "s<", "&&"])} ${of(NUMBERS)}` : "",
  };
  const anything = (): string => {
    switch (random(9)) {
      case 0:
        return of(NUMBERS);
      case 1:
        return of(TEXTS);
      case 2:
        return NESTED[random(NESTED.length)]?.([3, 60, 700, 5000][random(4)] ?? 1) ?? "";
      case 3:
        return of(FILES);
      case 4:
        return of(PLACES);
      case 5:
        return of(EXPRS);
      case 6:
        return of(CODE);
      case 7:
        return of(BODIES);
      default:
        return "";
    }
  };
  const spellings = VERBS.flatMap(({ name, aliases = [], words = [] }) =>
    [...[name, ...aliases].map((one) => `.${one}`), ...words].map((typed) => [name, typed] as const),
  );
  const verbLine = (): string => {
    const [name, typed] = spellings[random(spellings.length)] ?? ["help", ".help"];
    const made = ARGUMENTS[name];
    const args = made !== undefined && random(3) > 0 ? made(p) : `${anything()} ${anything()}`;
    return `${typed}${of([" ", " ", "  ", "\t", ""])}${args}`;
  };
  const plain = randomLines(
    seed + 1,
    count,
    VERBS.map(({ name }) => name),
  );
  return plain.map((line) => {
    switch (random(12)) {
      case 0:
        return of(CODE);
      case 1:
        return `${of(CODE)}; ${of(CODE)}`;
      case 2:
        return anything();
      case 3:
        return random(50) === 0 ? repeat(anything().slice(0, 16) || "x", 70_000) : "";
      case 4:
        return line;
      case 5:
        return `${of(["p", "x/16xb", "x/4s", "x/99999999i", "p/x", "p/t"])} ${anything()}`;
      default:
        return verbLine();
    }
  });
}
