import type { ProgSpec } from "@tsbpf/abi";
import { type Details, InputError } from "@tsbpf/base";

/** Codes of {@link refuse}: what makes a program impossible to link. */
export type LinkCode =
  | "LINK_SIZE"
  | "LINK_ENCODING"
  | "LINK_WIDE"
  | "LINK_JUMP"
  | "LINK_FALL_THROUGH"
  | "LINK_FRAME_POINTER"
  | "LINK_SUBPROGS"
  | "LINK_PACKET_LOAD"
  | "LINK_MAP"
  | "LINK_MAP_VALUE"
  | "LINK_KSYM"
  | "LINK_FUNC"
  | "LINK_ARENA"
  | "CALL_TARGET"
  | "CALL_HELPER"
  | "CALL_KFUNC";

/** Makes the error of a program that cannot be linked; the text ends with the slot. */
export function refuse(
  code: LinkCode,
  spec: ProgSpec,
  slot: number,
  text: string,
  details: Details = {},
): InputError {
  return new InputError(code, `program ${spec.name}: ${text}, at slot ${slot}`, {
    details: { prog: spec.name, slot, ...details },
  });
}
