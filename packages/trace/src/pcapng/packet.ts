import type { PacketCursor } from "../capture/cursor.ts";
import type { PacketAnnotations, PacketDirection, PacketVerdict } from "../capture/types.ts";
import {
  BLOCK,
  FLAGS_DIRECTION_MASK,
  FLAGS_INBOUND,
  FLAGS_OUTBOUND,
  OPT,
  PACKET_OPT,
  VERDICT,
} from "./constants.ts";
import { OptionReader } from "./options.ts";

const NO_ANNOTATIONS: PacketAnnotations = Object.freeze({});
const VERDICT_VALUE_BYTES = 8;

/**
 * Decodes what a packet block says beside the packet.
 *
 * @throws PCAPNG_OPTION_LENGTH, PCAPNG_OPTION_SIZE, PCAPNG_OPTION_COUNT (InputError).
 * @source pcapng §4.3
 */
export function decodePacketAnnotations(cursor: PacketCursor): PacketAnnotations {
  if (cursor.optionsBytes === 0 && cursor.blockDropCount < 0) return NO_ANNOTATIONS;
  const options = new OptionReader({
    bytes: cursor.bytes,
    offset: cursor.optionsOffset,
    lengthBytes: cursor.optionsBytes,
    endian: cursor.isLittle ? "little" : "big",
    baseOffset: cursor.bytesFileOffset,
    block: `packet ${cursor.index}`,
  });
  const comments = options.texts(OPT.comment);
  const flags = options.u32(PACKET_OPT.flags);
  const direction = flags === undefined ? undefined : directionOf(flags);
  // The obsolete Packet Block knows only flags and hashes; its other codes mean nothing.
  const isEnhanced = cursor.blockType === BLOCK.enhancedPacket;
  const dropCount = isEnhanced ? options.u64(PACKET_OPT.dropCount) : blockDropCount(cursor);
  const packetId = isEnhanced ? options.u64(PACKET_OPT.packetId) : undefined;
  const queue = isEnhanced ? options.u32(PACKET_OPT.queue) : undefined;
  const verdicts = isEnhanced ? takeVerdicts(options, cursor.isLittle) : [];
  return {
    ...(comments.length > 0 ? { comments } : {}),
    ...(flags !== undefined ? { flags } : {}),
    ...(direction !== undefined ? { direction } : {}),
    ...(dropCount !== undefined ? { dropCount } : {}),
    ...(packetId !== undefined ? { packetId } : {}),
    ...(queue !== undefined ? { queue } : {}),
    ...(verdicts.length > 0 ? { verdicts } : {}),
    ...(options.rest.length > 0 ? { otherOptions: options.rest } : {}),
  };
}

const blockDropCount = (cursor: PacketCursor): bigint | undefined =>
  cursor.blockDropCount < 0 ? undefined : BigInt(cursor.blockDropCount);

function directionOf(flags: number): PacketDirection | undefined {
  const bits = flags & FLAGS_DIRECTION_MASK;
  if (bits === FLAGS_INBOUND) return "inbound";
  return bits === FLAGS_OUTBOUND ? "outbound" : undefined;
}

function takeVerdicts(options: OptionReader, isLittle: boolean): PacketVerdict[] {
  return options.takeAll(PACKET_OPT.verdict).map((value) => {
    const type = value[0];
    if (type === undefined) throw options.wrongSize(PACKET_OPT.verdict, 0, "at least 1 expected");
    const bytes = value.subarray(1);
    if (type === VERDICT.hardware) return { kind: "hardware", bytes };
    if (type !== VERDICT.tc && type !== VERDICT.xdp) return { kind: "other", type, bytes };
    if (bytes.byteLength !== VERDICT_VALUE_BYTES) {
      throw options.wrongSize(PACKET_OPT.verdict, value.byteLength, "9 expected");
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { kind: type === VERDICT.tc ? "tc" : "xdp", value: view.getBigUint64(0, isLittle) };
  });
}
