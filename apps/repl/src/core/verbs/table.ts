import type { Verb } from "../verb.ts";
import { BACK_VERBS } from "./back.ts";
import { CHANGE_VERBS } from "./change.ts";
import { FILTER_VERBS } from "./filter.ts";
import { INPUT_VERBS } from "./input.ts";
import { LOOK_VERBS } from "./look.ts";
import { MAP_VERBS } from "./maps.ts";
import { PROGRAM_VERBS } from "./program.ts";
import { RUN_VERBS } from "./run.ts";
import { sessionVerbs } from "./session.ts";
import { STOP_VERBS } from "./stops.ts";

/** Every verb; dispatch, help and completion read this and nothing else. */
export const VERBS: readonly Verb[] = [
  ...PROGRAM_VERBS,
  ...FILTER_VERBS,
  ...RUN_VERBS,
  ...STOP_VERBS,
  ...LOOK_VERBS,
  ...MAP_VERBS,
  ...BACK_VERBS,
  ...CHANGE_VERBS,
  ...INPUT_VERBS,
  ...sessionVerbs(() => VERBS),
];

const BY_NAME: ReadonlyMap<string, Verb> = new Map(
  VERBS.flatMap((verb) => {
    // gdb's words work with a dot, too, where no verb has the name.
    return [...(verb.words ?? []), ...(verb.aliases ?? []), verb.name].map((name) => [name, verb] as const);
  }),
);
const BY_WORD: ReadonlyMap<string, Verb> = new Map(
  VERBS.flatMap((verb) => (verb.words ?? []).map((word) => [word, verb] as const)),
);

/** Names that stand after a dot. */
export const VERB_NAMES: readonly string[] = [...BY_NAME.keys()];
/** gdb's words, which need no dot. */
export const VERB_WORDS: readonly string[] = [...BY_WORD.keys()];

export const findVerb = (name: string): Verb | undefined => BY_NAME.get(name);
export const findWord = (word: string): Verb | undefined => BY_WORD.get(word);
