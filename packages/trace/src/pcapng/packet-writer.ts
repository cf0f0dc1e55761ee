import { checkU32, checkU64, checkUpTo } from "../capture/checks.ts";
import type { PacketAnnotations, PacketVerdict } from "../capture/types.ts";
import {
  FLAGS_DIRECTION_MASK,
  FLAGS_INBOUND,
  FLAGS_OUTBOUND,
  OPT,
  PACKET_OPT,
  VERDICT,
} from "./constants.ts";
import type { OptionWriter } from "./option-writer.ts";

/** Says whether there is anything that needs an option. */
export function hasAnnotations(packet: PacketAnnotations): boolean {
  return (
    packet.direction !== undefined ||
    packet.flags !== undefined ||
    packet.queue !== undefined ||
    packet.dropCount !== undefined ||
    packet.packetId !== undefined ||
    (packet.verdicts?.length ?? 0) > 0 ||
    (packet.comments?.length ?? 0) > 0 ||
    (packet.otherOptions?.length ?? 0) > 0
  );
}

/**
 * Encodes a packet's options.
 *
 * @returns how many unknown options had to be left out.
 * @throws TRACE_FIELD_RANGE, PCAPNG_OPTION_TOO_LONG (InputError).
 */
export function encodePacketOptions(
  options: OptionWriter,
  packet: PacketAnnotations,
  isLittle: boolean,
): number {
  options.texts(OPT.comment, packet.comments);
  options.u32(PACKET_OPT.flags, "flags", flagsOf(packet));
  options.u64(PACKET_OPT.dropCount, "dropCount", packet.dropCount);
  options.u64(PACKET_OPT.packetId, "packetId", packet.packetId);
  options.u32(PACKET_OPT.queue, "queue", packet.queue);
  for (const verdict of packet.verdicts ?? [])
    options.bytes(PACKET_OPT.verdict, encodeVerdict(verdict, isLittle));
  return options.raw(packet.otherOptions);
}

/** The flags word, its direction bits overruled by `direction` when that is given. */
function flagsOf({ direction, flags }: PacketAnnotations): number | undefined {
  if (flags !== undefined) checkU32("flags", flags);
  if (direction === undefined) return flags;
  const bits = direction === "inbound" ? FLAGS_INBOUND : FLAGS_OUTBOUND;
  return (((flags ?? 0) & ~FLAGS_DIRECTION_MASK) | bits) >>> 0;
}

function encodeVerdict(verdict: PacketVerdict, isLittle: boolean): Uint8Array {
  if (verdict.kind === "hardware") return withType(VERDICT.hardware, verdict.bytes);
  if (verdict.kind === "other") return withType(checkUpTo("verdict type", verdict.type, 0xff), verdict.bytes);
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, checkU64("verdict", verdict.value), isLittle);
  return withType(verdict.kind === "tc" ? VERDICT.tc : VERDICT.xdp, value);
}

function withType(type: number, bytes: Uint8Array): Uint8Array {
  const value = new Uint8Array(1 + bytes.byteLength);
  value[0] = type;
  value.set(bytes, 1);
  return value;
}
