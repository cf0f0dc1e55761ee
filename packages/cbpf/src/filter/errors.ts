import { InputError } from "@tsbpf/base";

/** Every code a filter error may carry; each is reached by a test. */
export const FILTER_ERROR_CODES = [
  "FILTER_CHARACTER",
  "FILTER_SYNTAX",
  "FILTER_DEPTH",
  "FILTER_LENGTH",
  "FILTER_TOO_COMPLEX",
  "FILTER_NUMBER",
  "FILTER_ADDRESS",
  "FILTER_QUALIFIER",
  "FILTER_UNKNOWN_NAME",
  "FILTER_RANGE",
  "FILTER_ARITHMETIC",
  "FILTER_REJECTS_ALL",
] as const;
export type FilterErrorCode = (typeof FILTER_ERROR_CODES)[number];

/** A stretch of a filter's text. */
export interface FilterPlace {
  /** Index of the first character, in UTF-16 units. */
  readonly start: number;
  /** One past the last character. */
  readonly end: number;
}

/** Characters of the text that a caret block shows on each side of the place, and of the place itself. */
const CONTEXT = 60;
const PLACE_MAX = 240;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A filter that does not compile; `format()` shows where. */
export class FilterError extends InputError {
  readonly text: string;
  readonly place: FilterPlace;

  constructor(code: FilterErrorCode, message: string, text: string, place: FilterPlace) {
    super(code, message, { details: { start: place.start, end: place.end } });
    this.text = text;
    this.place = { start: place.start, end: place.end };
  }

  /** Renders the error with the filter's text and a caret below the place. */
  format(): string {
    return [`error: ${this.message} [${this.code}]`, ...caretLines(this.text, this.place)].join("\n");
  }
}

function caretLines(text: string, place: FilterPlace): string[] {
  const from = Math.max(0, place.start - CONTEXT);
  const end = Math.max(place.start + 1, Math.min(place.end, place.start + PLACE_MAX));
  const to = Math.min(text.length, end + CONTEXT);
  const lead = from > 0 ? "…" : "";
  const shown = text.slice(from, to).replace(UNPRINTABLE, " ");
  const pad = " ".repeat(lead.length + place.start - from);
  const length = Math.max(1, Math.min(end, to) - place.start);
  return [`  ${lead}${shown}${to < text.length ? "…" : ""}`, `  ${pad}^${"~".repeat(length - 1)}`];
}

/** What went wrong, before the text it stands in is known; never seen outside the package. */
export class FilterFault extends Error {
  readonly code: FilterErrorCode;
  readonly place: FilterPlace | undefined;

  constructor(code: FilterErrorCode, message: string, place?: FilterPlace) {
    super(message);
    this.code = code;
    this.place = place;
  }
}

export function fault(code: FilterErrorCode, message: string, place?: FilterPlace): never {
  throw new FilterFault(code, message, place);
}
