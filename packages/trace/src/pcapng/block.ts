import { ByteReader, type Endian, InputError } from "@tsbpf/base";
import type { OptionSpan } from "./options.ts";

/** One whole block in memory. */
export interface Block {
  /** What error texts call it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where the block starts in `bytes`. */
  readonly at: number;
  readonly totalBytes: number;
  readonly endian: Endian;
  /** File offset of `bytes[0]`. */
  readonly baseOffset: number;
}

const BLOCK_TRAILER_BYTES = 4;

/** File offset of a block. */
export const blockOffset = (block: Block): number => block.baseOffset + block.at;

/**
 * Returns a reader over the block, its trailing length left out; offsets count from the block's start.
 *
 * @throws PCAPNG_BLOCK_SHORT (InputError) when the block has not `fixedBytes`, header and trailer included.
 */
export function openBlock(block: Block, fixedBytes: number): ByteReader {
  if (block.totalBytes < fixedBytes)
    throw blockTooShort(block.name, block.totalBytes, fixedBytes, blockOffset(block));
  const end = block.at + block.totalBytes - BLOCK_TRAILER_BYTES;
  return new ByteReader(block.bytes.subarray(block.at, end), block.endian, {
    what: block.name,
    baseOffset: blockOffset(block),
    area: "PCAPNG",
  });
}

/** Makes the error of a block that is smaller than its fixed fields. */
export function blockTooShort(
  name: string,
  totalBytes: number,
  fixedBytes: number,
  offset: number,
): InputError {
  return new InputError(
    "PCAPNG_BLOCK_SHORT",
    `${name} has ${totalBytes} bytes, at least ${fixedBytes} expected, at offset ${offset}`,
    { details: { block: name, totalBytes, min: fixedBytes, offset } },
  );
}

/** The options that follow a block's body; `bodyBytes` counts from the block's start. */
export function optionSpan(block: Block, bodyBytes: number): OptionSpan {
  return {
    bytes: block.bytes,
    offset: block.at + bodyBytes,
    lengthBytes: block.totalBytes - BLOCK_TRAILER_BYTES - bodyBytes,
    endian: block.endian,
    baseOffset: block.baseOffset,
    block: block.name,
  };
}
