import { type Details, InputError } from "@tsbpf/base";

/** Something odd in a file that did not stop us; one entry a code, however often it happened. */
export interface TraceWarning {
  readonly code: string;
  /** The text of the first time. */
  readonly message: string;
  /** File offset of the first time, in bytes. */
  readonly offset: number;
  /** How often it happened. */
  count: number;
}

/** Collects warnings, one a code, so that a file of oddities costs no memory. */
export class WarningLog {
  readonly list: TraceWarning[] = [];
  private readonly isStrict: boolean;

  /** @param isStrict - when true, the first warning is thrown as an InputError with its code and text. */
  constructor(isStrict: boolean) {
    this.isStrict = isStrict;
  }

  /** Adds or counts a warning; `text` is called only the first time. */
  add(code: string, offset: number, text: () => string, details: Details = {}): void {
    const known = this.list.find((warning) => warning.code === code);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const message = text();
    if (this.isStrict) throw new InputError(code, message, { details: { offset, ...details } });
    this.list.push({ code, message, offset, count: 1 });
  }
}
