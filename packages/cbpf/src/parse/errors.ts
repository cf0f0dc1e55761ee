import { InputError } from "@tsbpf/base";

/** Every code that reading text may give; each is reached by a test. */
export const CBPF_TEXT_CODES = [
  "CBPF_EMPTY",
  "CBPF_NUMBER",
  "CBPF_COUNT",
  "CBPF_MNEMONIC",
  "CBPF_OPERAND",
  "CBPF_LABEL",
  "CBPF_FAR_JUMP",
] as const;
export type CbpfTextCode = (typeof CBPF_TEXT_CODES)[number];

const SHOWN_CHARACTERS = 40;

/** Clips text for a message. */
export const shown = (text: string): string =>
  JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);

/** Ends with a code, what was found, and the line where there is one. */
export function textFault(code: CbpfTextCode, message: string, line?: number): never {
  throw new InputError(
    code,
    line === undefined ? message : `${message}, at line ${line}`,
    line === undefined ? {} : { details: { line } },
  );
}
