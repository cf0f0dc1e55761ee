import { MAP_HEADER, type MapSpec, RING_BUSY, RING_DISCARD, RING_RECORD } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { PERM } from "@tsbpf/memory";
import { defineMapType, type MapHost, type RingBuffer, type Status, type UserRing } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { MapBase } from "./map-base.ts";
import { E2BIG, EAGAIN, EBUSY, EINVAL, ENOTSUPP, OK } from "./status.ts";

/** In the header's `extra`: byte positions that only grow, 64 bits each, as Linux keeps them in its first pages. */
const CONSUMER = MAP_HEADER.extra;
const PRODUCER = MAP_HEADER.extra + 8;
const PENDING = MAP_HEADER.extra + 16;
/** Records submitted with a wish to wake the consumer. */
const WAKEUPS = MAP_HEADER.extra + 24;
/** 1 while a program drains a user ring. */
const DRAINING = MAP_HEADER.extra + 32;
const EXTRA_BYTES = 40;

const RECORD_HEADER_BYTES = 8;
const RECORD_BYTES_MAX = 0x3fff_ffff;
/** Samples that one drain takes at most. @source linux BPF_MAX_USER_RINGBUF_SAMPLES */
const DRAIN_SAMPLES_MAX = 128 * 1024;
const NO_WAKEUP = 1;
const FORCE_WAKEUP = 2;
const QUERY = { availableBytes: 0, ringBytes: 1, consumer: 2, producer: 3 } as const;

/** What both rings share: positions, and records that never wrap. */
abstract class RingMap extends MapBase {
  protected readonly data: number;
  protected readonly ringBytes: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host, EXTRA_BYTES);
    this.ringBytes = spec.maxEntries;
    // Linux maps the pages twice in a row; here the second half only holds the ends of records that would wrap.
    this.data = host.memory.alloc(2 * this.ringBytes, {
      kind: "ringbuf",
      name: `map ${spec.name}`,
      perm: PERM.readWrite,
    });
    this.putHeader(MAP_HEADER.data, this.data);
    this.putHeader(MAP_HEADER.mask, this.ringBytes - 1);
  }

  lookup(): number {
    return 0;
  }
  update(): Status {
    return ENOTSUPP;
  }
  delete(): Status {
    return ENOTSUPP;
  }

  override *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {}

  protected read(): Status {
    return ENOTSUPP;
  }
  protected write(): Status {
    return ENOTSUPP;
  }
  protected advance(): Status {
    return ENOTSUPP;
  }

  protected position(offset: number): number {
    return this.getHeader(offset) + this.getHeader(offset + 4) * 2 ** 32;
  }

  protected setPosition(offset: number, value: number): void {
    this.putHeader(offset, value >>> 0);
    this.putHeader(offset + 4, Math.floor(value / 2 ** 32));
  }

  /** Address of the record header at a position. */
  protected recordAt(position: number): number {
    return this.data + (position % this.ringBytes);
  }

  protected lengthAt(header: number): number {
    return this.memory.view.getUint32(header, true);
  }
}

/** Bytes that a record with so much payload takes. */
const recordBytes = (payload: number): number => alignUp(payload + RECORD_HEADER_BYTES, 8);
/** Payload bytes of a record's length word. */
const payloadOf = (length: number): number => (length & ~(RING_BUSY | RING_DISCARD)) >>> 0;
const isBusy = (length: number): boolean => (length & RING_BUSY) !== 0;
const isDiscarded = (length: number): boolean => (length & RING_DISCARD) !== 0;

/** `ringbuf`: programs reserve, fill and submit records, the host consumes them (M-100..M-106). */
class RingbufMap extends RingMap implements RingBuffer {
  get ring(): RingBuffer {
    return this;
  }

  reserve(bytes: number, flags: number): number {
    if (flags !== 0 || bytes > RECORD_BYTES_MAX) return 0;
    const total = recordBytes(bytes);
    if (total > this.ringBytes) return 0;
    const start = this.position(PRODUCER);
    const end = start + total;
    const oldest = Math.min(this.position(CONSUMER), this.skipFinished(start));
    if (end - oldest >= this.ringBytes) return 0;
    const header = this.recordAt(start);
    const { view } = this.memory;
    view.setUint32(header, bytes + RING_BUSY, true);
    view.setUint32(header + 4, this.address, true);
    this.setPosition(PRODUCER, end);
    return header + RECORD_HEADER_BYTES;
  }

  submit(recordAddress: number, flags: number): Status {
    return this.finish(recordAddress, flags, 0);
  }

  discard(recordAddress: number, flags: number): Status {
    return this.finish(recordAddress, flags, RING_DISCARD);
  }

  output(dataAddress: number, bytes: number, flags: number): Status {
    if (flags > (NO_WAKEUP | FORCE_WAKEUP)) return EINVAL;
    const record = this.reserve(bytes, 0);
    if (record === 0) return EAGAIN;
    this.memory.copy(record, dataAddress, bytes);
    return this.submit(record, flags);
  }

  query(what: number): number {
    switch (what) {
      case QUERY.availableBytes:
        return this.position(PRODUCER) - this.position(CONSUMER);
      case QUERY.ringBytes:
        return this.ringBytes;
      case QUERY.consumer:
        return this.position(CONSUMER);
      case QUERY.producer:
        return this.position(PRODUCER);
      default:
        return 0;
    }
  }

  consume(visit: (record: Uint8Array) => void): number {
    let count = 0;
    for (let at = this.position(CONSUMER); at < this.position(PRODUCER); ) {
      const header = this.recordAt(at);
      const length = this.lengthAt(header);
      if (isBusy(length)) break;
      // A program that runs without proofs may have written over the length.
      const payload = Math.min(payloadOf(length), this.position(PRODUCER) - at - RECORD_HEADER_BYTES);
      const record = this.copyOut(header + RECORD_HEADER_BYTES, payload);
      at += recordBytes(payload);
      this.setPosition(CONSUMER, at);
      if (isDiscarded(length)) continue;
      count++;
      visit(record);
    }
    return count;
  }

  /** Moves the pending position over records that are finished, and returns it. */
  private skipFinished(producer: number): number {
    let at = this.position(PENDING);
    while (at < producer) {
      const length = this.lengthAt(this.recordAt(at));
      if (isBusy(length)) break;
      at += recordBytes(payloadOf(length));
    }
    const pending = Math.min(at, producer);
    this.setPosition(PENDING, pending);
    return pending;
  }

  private finish(recordAddress: number, flags: number, mark: number): Status {
    const header = recordAddress + RING_RECORD.length;
    if (header < this.data || header >= this.data + this.ringBytes || (header - this.data) % 8 !== 0)
      return EINVAL;
    const length = this.lengthAt(header);
    if (!isBusy(length)) return EINVAL;
    this.memory.view.setUint32(header, payloadOf(length) + mark, true);
    const isAwaited = this.recordAt(this.position(CONSUMER)) === header && (flags & NO_WAKEUP) === 0;
    if ((flags & FORCE_WAKEUP) !== 0 || isAwaited) this.putHeader(WAKEUPS, this.getHeader(WAKEUPS) + 1);
    return OK;
  }
}

/** `user_ringbuf`: the host produces records, programs drain them (M-110). */
class UserRingbufMap extends RingMap implements UserRing {
  get userRing(): UserRing {
    return this;
  }

  produce(record: Uint8Array): Status {
    const total = recordBytes(record.length);
    if (total > this.ringBytes) return E2BIG;
    const start = this.position(PRODUCER);
    if (start + total - this.position(CONSUMER) > this.ringBytes) return EAGAIN;
    const header = this.recordAt(start);
    this.memory.view.setUint32(header, record.length, true);
    this.memory.view.setUint32(header + 4, this.address, true);
    this.memory.u8.set(record, header + RECORD_HEADER_BYTES);
    this.setPosition(PRODUCER, start + total);
    return OK;
  }

  drain(visit: (recordAddress: number, bytes: number) => boolean): number {
    const at = (this.address + DRAINING) >>> 2;
    if (Atomics.compareExchange(this.memory.i32, at, 0, 1) !== 0) return EBUSY;
    try {
      return this.drainRecords(visit);
    } finally {
      Atomics.store(this.memory.i32, at, 0);
    }
  }

  private drainRecords(visit: (recordAddress: number, bytes: number) => boolean): number {
    let handed = 0;
    for (let seen = 0; seen < DRAIN_SAMPLES_MAX; seen++) {
      const at = this.position(CONSUMER);
      const left = this.position(PRODUCER) - at;
      if (left <= 0) break;
      const header = this.recordAt(at);
      const length = this.lengthAt(header);
      const total = recordBytes(payloadOf(length));
      if (total > left) return EINVAL;
      if (total > this.ringBytes) return E2BIG;
      if (isDiscarded(length)) {
        this.setPosition(CONSUMER, at + total);
        continue;
      }
      if (isBusy(length)) break;
      handed++;
      const wantsMore = visit(header + RECORD_HEADER_BYTES, payloadOf(length));
      this.setPosition(CONSUMER, at + total);
      if (!wantsMore) break;
    }
    return handed;
  }
}

export const ringMapTypes = [
  defineMapType({
    type: "ringbuf",
    summary: "Records from programs to the host, in order.",
    source: "linux Documentation/bpf/ringbuf.rst",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new RingbufMap(spec, host),
  }),
  defineMapType({
    type: "user_ringbuf",
    summary: "Records from the host to programs, in order.",
    source: "linux uapi/linux/bpf.h bpf_user_ringbuf_drain",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new UserRingbufMap(spec, host),
  }),
];
