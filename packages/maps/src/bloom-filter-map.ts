import { MAP_FLAGS, MAP_HEADER, type MapSpec } from "@tsbpf/abi";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { jhash } from "./jhash.ts";
import { MapBase } from "./map-base.ts";
import { EINVAL, ENOENT, EOPNOTSUPP, EPERM, OK } from "./status.ts";

const HASHES_DEFAULT = 5;
const BITS_MIN = 64;
/** Linux goes up to 2^32 bits; so much memory is not worth a filter. */
const BITS_MAX = 2 ** 31;

/**
 * `bloom_filter`: bits from `data` on, `mask` + 1 of them; bit i is bit i % 8 of byte i / 8. A value sets one bit for
 * each hash function n, at `jhash(value, seed + n) & mask`, as Linux does: with the flag ZERO_SEED both answer alike,
 * false positives included (M-92).
 */
class BloomFilterMap extends MapBase {
  private readonly bits: number;
  private readonly mask: number;
  private readonly seed: number;
  private readonly hashCount: number;
  private readonly valueScratch: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.hashCount = Number(spec.mapExtra ?? 0n) || HASHES_DEFAULT;
    this.seed = (spec.flags & MAP_FLAGS.zeroSeed) !== 0 ? 0 : host.hashSeed;
    const bitCount = bitsFor(spec.maxEntries, this.hashCount);
    this.mask = bitCount - 1;
    this.bits = host.memory.allocRaw(bitCount / 8);
    this.valueScratch = host.memory.allocRaw(spec.valueBytes);
    this.putHeader(MAP_HEADER.data, this.bits);
    this.putHeader(MAP_HEADER.mask, this.mask);
    this.putHeader(MAP_HEADER.seed, this.seed);
  }

  lookup(): number {
    return 0;
  }
  update(): Status {
    return EINVAL;
  }
  delete(): Status {
    return EOPNOTSUPP;
  }

  push(valueAddress: number, flags: number): Status {
    if (flags !== 0) return EINVAL;
    for (let i = 0; i < this.hashCount; i++) {
      const bit = this.bitOf(valueAddress, i);
      const at = this.bits + (bit >>> 3);
      this.memory.u8[at] = (this.memory.u8[at] as number) | (1 << (bit & 7));
    }
    return OK;
  }

  pop(): Status {
    return EOPNOTSUPP;
  }

  /** Says whether the value may have been pushed. */
  peek(valueAddress: number): Status {
    for (let i = 0; i < this.hashCount; i++) {
      const bit = this.bitOf(valueAddress, i);
      if (((this.memory.u8[this.bits + (bit >>> 3)] as number) & (1 << (bit & 7))) === 0) return ENOENT;
    }
    return OK;
  }

  /**
   * Returns the value that was given when the filter may hold it: as in bpf(2), where the lookup's value buffer brings
   * the value to test, and there is no key.
   */
  override get(value: Uint8Array): Uint8Array | Status {
    if (this.isWriteOnly) return EPERM;
    if (value.length !== this.spec.valueBytes) return EINVAL;
    this.memory.u8.set(value, this.valueScratch);
    const status = this.peek(this.valueScratch);
    return status < 0 ? status : value.slice();
  }

  /** A filter cannot be listed. */
  override *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {}

  protected read(): Status {
    return ENOENT;
  }

  protected write(_keyAddress: number, value: Uint8Array, flags: number): Status {
    this.memory.u8.set(value, this.valueScratch);
    return this.push(this.valueScratch, flags);
  }

  protected advance(): Status {
    return EOPNOTSUPP;
  }

  private bitOf(valueAddress: number, hashIdx: number): number {
    return (
      (jhash(this.memory.view, valueAddress, this.spec.valueBytes, (this.seed + hashIdx) | 0) & this.mask) >>>
      0
    );
  }
}

/** Bits for a filter: entries * hashes / ln 2, about, rounded up to a power of two. */
function bitsFor(maxEntries: number, hashCount: number): number {
  const wanted = Math.floor((maxEntries * hashCount) / 5) * 7;
  let bits = BITS_MIN;
  while (bits < wanted && bits < BITS_MAX) bits *= 2;
  return bits;
}

export const bloomFilterMapTypes = [
  defineMapType({
    type: "bloom_filter",
    summary: 'A set that answers "maybe" or "no".',
    source: "linux Documentation/bpf/map_bloom_filter.rst",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new BloomFilterMap(spec, host),
  }),
];
