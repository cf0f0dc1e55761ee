import { MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { valuePerm } from "./header.ts";
import { MapBase } from "./map-base.ts";
import { Pool } from "./pool.ts";
import { EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, OK } from "./status.ts";

/** Offsets in a node. Its data follow, then its value at the header's `valueOffset`. */
const CHILD = 0;
const PREFIX_BITS = 8;
/** 1 for a node that only holds two others apart, and has no value. */
const IS_INNER = 12;
const DATA = 16;
/** Address of the root, 0 when empty. */
const ROOT = MAP_HEADER.extra;
const EXTRA_BYTES = 8;
/** Offset of the address bits in a key, after the prefix length. */
const KEY_DATA = 4;

/**
 * `lpm_trie`: a binary trie whose nodes skip the bits that all below them share. A node with a value has a longer
 * prefix than its parent and agrees with it; its child 0 or 1 continues with that bit (M-80..M-85).
 *
 * As in Linux, an update of a stored prefix puts a new node in the old one's place.
 */
class LpmTrieMap extends MapBase {
  private readonly dataBytes: number;
  private readonly maxBits: number;
  private readonly valueOffset: number;
  private readonly pool: Pool;
  /** Slots (addresses of words that point to nodes) on the way to the node found last, the root's first. */
  private readonly path: number[] = [];

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host, EXTRA_BYTES);
    this.dataBytes = spec.keyBytes - KEY_DATA;
    this.maxBits = this.dataBytes * 8;
    this.valueOffset = DATA + alignUp(this.dataBytes, 8);
    const stride = this.valueOffset + alignUp(spec.valueBytes, 8);
    const perm = valuePerm(spec);
    this.pool = new Pool(host.memory, {
      header: this.address,
      stride,
      // Each stored prefix needs one inner node at most, and an update one node more.
      capacity: 2 * spec.maxEntries + 1,
      isPrealloc: false,
      region: {
        kind: "map",
        name: `map ${spec.name}`,
        perm,
        cells: {
          stride,
          windows: [{ name: "value", offset: this.valueOffset, bytes: spec.valueBytes, perm }],
        },
      },
    });
    this.putHeader(MAP_HEADER.stride, stride);
    this.putHeader(MAP_HEADER.keyOffset, DATA);
    this.putHeader(MAP_HEADER.valueOffset, this.valueOffset);
  }

  lookup(keyAddress: number): number {
    const keyBits = this.u32(keyAddress);
    if (keyBits > this.maxBits) return 0;
    let found = 0;
    for (let node = this.u32(this.address + ROOT); node !== 0; ) {
      const bits = this.u32(node + PREFIX_BITS);
      if (bits > keyBits || this.commonBits(node + DATA, keyAddress + KEY_DATA, bits) < bits) break;
      if (this.u32(node + IS_INNER) === 0) found = node;
      if (bits === this.maxBits) break;
      node = this.u32(node + CHILD + 4 * this.bitAt(keyAddress + KEY_DATA, bits));
    }
    return found === 0 ? 0 : found + this.valueOffset;
  }

  update(keyAddress: number, valueAddress: number, flags: number): Status {
    const node = this.place(keyAddress, flags);
    if (node < 0) return node;
    this.memory.copy(node + this.valueOffset, valueAddress, this.spec.valueBytes);
    return OK;
  }

  delete(keyAddress: number): Status {
    if (this.u32(keyAddress) > this.maxBits) return EINVAL;
    const node = this.findExact(keyAddress);
    if (node === 0) return ENOENT;
    this.putHeader(MAP_HEADER.count, this.getHeader(MAP_HEADER.count) - 1);
    const [zero, one] = [this.u32(node + CHILD), this.u32(node + CHILD + 4)];
    if (zero !== 0 && one !== 0) {
      // It still holds two others apart. Linux keeps the node; a pointer to its value stays good.
      this.put(node + IS_INNER, 1);
      return OK;
    }
    this.put(this.path.at(-1) as number, zero === 0 ? one : zero);
    this.pool.give(node);
    if (zero === 0 && one === 0) this.dropLoneInner();
    return OK;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const value = this.lookup(keyAddress);
    return value === 0 ? ENOENT : this.copyOut(value, this.spec.valueBytes);
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const node = this.place(keyAddress, flags);
    if (node < 0) return node;
    this.memory.u8.set(value, node + this.valueOffset);
    return OK;
  }

  /** Post-order: what is more specific comes before its parent, 0 bits before 1 bits (M-84). */
  protected advance(keyAddress: number): Status {
    const root = this.u32(this.address + ROOT);
    if (root === 0) return ENOENT;
    const current = keyAddress === 0 ? 0 : this.findExact(keyAddress);
    const next = current === 0 ? this.deepestLeft(root) : this.nextAfter(current);
    if (next === 0) return ENOENT;
    this.put(this.keyScratch, this.u32(next + PREFIX_BITS));
    this.memory.copy(this.keyScratch + KEY_DATA, next + DATA, this.dataBytes);
    return OK;
  }

  /** Finds or makes the node for a key, linked and ready to take its value; a negative error number otherwise. */
  private place(keyAddress: number, flags: number): number {
    const keyBits = this.u32(keyAddress);
    if (flags > UPDATE_FLAGS.exist || keyBits > this.maxBits) return EINVAL;
    let slot = this.address + ROOT;
    let node = this.u32(slot);
    let common = 0;
    while (node !== 0) {
      const bits = this.u32(node + PREFIX_BITS);
      common = this.commonBits(node + DATA, keyAddress + KEY_DATA, Math.min(bits, keyBits));
      if (common !== bits || bits === keyBits) break;
      slot = node + CHILD + 4 * this.bitAt(keyAddress + KEY_DATA, bits);
      node = this.u32(slot);
    }
    const isSame = node !== 0 && common === this.u32(node + PREFIX_BITS) && common === keyBits;
    const isPresent = isSame && this.u32(node + IS_INNER) === 0;
    if (isPresent) {
      if (flags === UPDATE_FLAGS.noExist) return EEXIST;
    } else {
      if (flags === UPDATE_FLAGS.exist) return ENOENT;
      if (this.getHeader(MAP_HEADER.count) >= this.spec.maxEntries) return ENOSPC;
    }
    const fresh = this.createNode(keyAddress, keyBits);
    if (fresh === 0) return ENOMEM;
    if (isSame) this.replaceNode(slot, node, fresh);
    else if (!this.linkNode({ slot, node, fresh, common, keyAddress })) return ENOMEM;
    if (!isPresent) this.putHeader(MAP_HEADER.count, this.getHeader(MAP_HEADER.count) + 1);
    return fresh;
  }

  private createNode(keyAddress: number, bits: number): number {
    const node = this.pool.take();
    if (node === 0) return 0;
    this.put(node + CHILD, 0);
    this.put(node + CHILD + 4, 0);
    this.put(node + PREFIX_BITS, bits);
    this.put(node + IS_INNER, 0);
    this.memory.copy(node + DATA, keyAddress + KEY_DATA, this.dataBytes);
    return node;
  }

  private replaceNode(slot: number, old: number, fresh: number): void {
    this.put(fresh + CHILD, this.u32(old + CHILD));
    this.put(fresh + CHILD + 4, this.u32(old + CHILD + 4));
    this.put(slot, fresh);
    this.pool.give(old);
  }

  /** Links a fresh node at a slot: alone, above the node there, or beside it under an inner node. */
  private linkNode(place: {
    readonly slot: number;
    readonly node: number;
    readonly fresh: number;
    /** Bits that the node at the slot and the key share. */
    readonly common: number;
    readonly keyAddress: number;
  }): boolean {
    const { slot, node, fresh, common, keyAddress } = place;
    if (node === 0) {
      this.put(slot, fresh);
      return true;
    }
    const nodeSide = 4 * this.bitAt(node + DATA, common);
    if (common === this.u32(fresh + PREFIX_BITS)) {
      this.put(fresh + CHILD + nodeSide, node);
      this.put(slot, fresh);
      return true;
    }
    const inner = this.createNode(keyAddress, common);
    if (inner === 0) {
      this.pool.give(fresh);
      return false;
    }
    this.put(inner + IS_INNER, 1);
    this.put(inner + CHILD + nodeSide, node);
    this.put(inner + CHILD + (4 - nodeSide), fresh);
    this.put(slot, inner);
    return true;
  }

  /** Finds the node that stores exactly this prefix, and leaves the slots on the way to it in `path`. */
  private findExact(keyAddress: number): number {
    const keyBits = this.u32(keyAddress);
    this.path.length = 0;
    for (let slot = this.address + ROOT; keyBits <= this.maxBits; ) {
      const node = this.u32(slot);
      if (node === 0) return 0;
      this.path.push(slot);
      const bits = this.u32(node + PREFIX_BITS);
      if (bits > keyBits || this.commonBits(node + DATA, keyAddress + KEY_DATA, bits) < bits) return 0;
      if (bits === keyBits) return this.u32(node + IS_INNER) === 0 ? node : 0;
      slot = node + CHILD + 4 * this.bitAt(keyAddress + KEY_DATA, bits);
    }
    return 0;
  }

  /** After a leaf went: an inner node above it has one child left, which takes its place. */
  private dropLoneInner(): void {
    const parentSlot = this.path.at(-2);
    if (parentSlot === undefined) return;
    const parent = this.u32(parentSlot);
    if (this.u32(parent + IS_INNER) === 0) return;
    const zero = this.u32(parent + CHILD);
    this.put(parentSlot, zero === 0 ? this.u32(parent + CHILD + 4) : zero);
    this.pool.give(parent);
  }

  /** First node in post-order below and including one; it is never an inner node, those have two children. */
  private deepestLeft(top: number): number {
    let node = top;
    for (;;) {
      const zero = this.u32(node + CHILD);
      const child = zero === 0 ? this.u32(node + CHILD + 4) : zero;
      if (child === 0) return node;
      node = child;
    }
  }

  /** Node after one in post-order; `path` leads to it. */
  private nextAfter(from: number): number {
    let node = from;
    for (let depth = this.path.length - 2; depth >= 0; depth--) {
      const parent = this.u32(this.path[depth] as number);
      const one = this.u32(parent + CHILD + 4);
      if (this.u32(parent + CHILD) === node && one !== 0) return this.deepestLeft(one);
      if (this.u32(parent + IS_INNER) === 0) return parent;
      node = parent;
    }
    return 0;
  }

  /** Counts the leading bits, up to `limit`, in which two bit strings agree. */
  private commonBits(a: number, b: number, limit: number): number {
    const { u8 } = this.memory;
    for (let byte = 0; byte * 8 < limit; byte++) {
      const differing = (u8[a + byte] as number) ^ (u8[b + byte] as number);
      if (differing !== 0) return Math.min(limit, byte * 8 + Math.clz32(differing) - 24);
    }
    return limit;
  }

  private bitAt(data: number, index: number): number {
    return ((this.memory.u8[data + (index >>> 3)] as number) >>> (7 - (index & 7))) & 1;
  }

  private u32(address: number): number {
    return this.memory.view.getUint32(address, true);
  }

  private put(address: number, value: number): void {
    this.memory.view.setUint32(address, value, true);
  }
}

export const lpmTrieMapTypes = [
  defineMapType({
    type: "lpm_trie",
    summary: "Values by prefix; a lookup finds the longest that matches.",
    source: "linux Documentation/bpf/map_lpm_trie.rst",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new LpmTrieMap(spec, host),
  }),
];
