import { type Details, InputError, UnsupportedError } from "@tsbpf/base";

/** Where in an object something was found. */
export interface ElfPlace {
  /** Section name, or "ELF header" and the like. */
  readonly section: string;
  /** Byte offset within the section, or within the file for the headers. */
  readonly offset?: number;
}

const where = ({ section, offset }: ElfPlace): string =>
  offset === undefined ? `, in ${section}` : `, in ${section} at offset ${offset}`;

/** Makes an input error whose text ends with section and offset. */
export const elfError = (code: string, found: string, place: ElfPlace, details: Details = {}): InputError =>
  new InputError(code, found + where(place), { details: { ...details, ...place } });

/** Makes an error for something valid that the loader does not handle. */
export const unsupported = (code: string, found: string, place: ElfPlace): UnsupportedError =>
  new UnsupportedError(code, found + where(place), { details: { ...place } });
