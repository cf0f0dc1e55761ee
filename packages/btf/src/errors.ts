import { type Details, InputError } from "@tsbpf/base";

/** Where in a BTF table something was found. */
export interface BtfPlace {
  /** Section or file. */
  readonly what: string;
  /** Id of the type at fault. */
  readonly typeId?: number;
  /** Byte offset within the section or file. */
  readonly offset?: number;
}

/** Makes an input error whose text ends with the place. */
export function btfError(code: string, found: string, place: BtfPlace, details: Details = {}): InputError {
  let where = "";
  if (place.typeId !== undefined) where += `, at type ${place.typeId}`;
  if (place.offset !== undefined) where += `, at offset ${place.offset}`;
  return new InputError(code, `${found}${where} of ${place.what}`, { details: { ...details, ...place } });
}
