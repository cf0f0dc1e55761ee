import { InputError } from "@tsbpf/base";
import { linkTypeName, type PacketCursor } from "@tsbpf/trace";
import type { Prog } from "@tsbpf/vm";
import { readLink } from "../dissect/layers.ts";

const ETHERNET = 1;
const HEADER_BYTES = 14;
const NEEDS_ETHERNET: ReadonlySet<string> = new Set(["xdp", "sched_cls", "sched_act"]);

/** Whom frames are made for, and whether any may be made. */
export interface Framing {
  readonly prog: Prog;
  readonly options: { readonly makesEthernet: boolean };
}

/** Says whether the program takes the frames of a link type as they are. */
export const takesLinkType = ({ prog }: Pick<Framing, "prog">, linkType: number): boolean =>
  linkType === ETHERNET || !NEEDS_ETHERNET.has(prog.linked.spec.type);

/**
 * Returns what the program gets of the packet under the cursor: its bytes, or, where the options ask for it, an
 * Ethernet frame made of a packet that has another link header or none.
 *
 * @throws REPLAY_LINK_TYPE (InputError) for frames that the program type cannot take; RUN_INPUT (InputError) when no
 *   header can be made.
 */
export function frameOf(session: Framing, capture: string, cursor: PacketCursor): Uint8Array {
  if (takesLinkType(session, cursor.linkType)) return cursor.data();
  const made = session.options.makesEthernet ? toEthernet(cursor.data(), cursor.linkType) : undefined;
  if (made !== undefined) return made;
  const { type } = session.prog.linked.spec;
  if (session.options.makesEthernet) {
    throw new InputError(
      "RUN_INPUT",
      `packet ${cursor.index + 1} is no IP packet that a header could be made for`,
    );
  }
  throw new InputError(
    "REPLAY_LINK_TYPE",
    `${capture}: packet ${cursor.index + 1} has link type ${cursor.linkType} (${linkTypeName(cursor.linkType)}), ${type} programs take Ethernet; --ethernet makes a header for IP packets`,
  );
}

/** Puts an Ethernet header without addresses before the payload of another link type. */
function toEthernet(bytes: Uint8Array, linkType: number): Uint8Array | undefined {
  const { etherType, offset } = readLink(bytes, linkType);
  if (etherType === undefined) return undefined;
  const frame = new Uint8Array(HEADER_BYTES + bytes.length - offset);
  frame[12] = etherType >> 8;
  frame[13] = etherType & 0xff;
  frame.set(bytes.subarray(offset), HEADER_BYTES);
  return frame;
}
