import { MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { MapBase } from "./map-base.ts";
import { E2BIG, EINVAL, ENOENT, OK } from "./status.ts";

/** In the header's `extra`: index of the slot that is filled next, and of the oldest filled one. */
const HEAD = MAP_HEADER.extra;
const TAIL = MAP_HEADER.extra + 4;
const EXTRA_BYTES = 8;

/**
 * `queue` and `stack`: a ring of `maxEntries + 1` slots of `valueBytes` each, from `data` on. Neither has keys: the
 * host pushes with `set`, peeks with `get` and pops with `take`, each with an empty key, as bpf(2) does (M-90, M-91).
 */
class QueueMap extends MapBase {
  private readonly data: number;
  private readonly slots: number;
  private readonly valueBytes: number;
  private readonly isStack: boolean;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host, EXTRA_BYTES);
    this.slots = spec.maxEntries + 1;
    this.valueBytes = spec.valueBytes;
    this.isStack = spec.type === "stack";
    this.data = host.memory.allocRaw(this.slots * spec.valueBytes);
    this.putHeader(MAP_HEADER.data, this.data);
    this.putHeader(MAP_HEADER.stride, spec.valueBytes);
  }

  lookup(): number {
    return 0;
  }
  update(): Status {
    return EINVAL;
  }
  delete(): Status {
    return EINVAL;
  }

  push(valueAddress: number, flags: number): Status {
    const status = this.makeRoom(flags);
    if (status < 0) return status;
    this.memory.copy(this.slot(this.getHeader(HEAD)), valueAddress, this.valueBytes);
    this.advanceHead();
    return OK;
  }

  pop(valueAddress: number): Status {
    return this.copyNext(valueAddress, true);
  }

  peek(valueAddress: number): Status {
    return this.copyNext(valueAddress, false);
  }

  take(key: Uint8Array): Uint8Array | Status {
    const value = this.get(key);
    if (typeof value === "number") return value;
    const status = this.isReadOnly ? this.remove(key) : OK;
    if (status < 0) return status;
    this.drop();
    return value;
  }

  /** Gives the values in the order in which they would be popped, with empty keys; bpf(2) cannot list them. */
  override *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    const count = this.count;
    const oldest = this.getHeader(TAIL);
    for (let i = 0; i < count; i++) {
      const idx = this.isStack ? count - 1 - i : i;
      const at = this.slot((oldest + idx) % this.slots);
      yield [new Uint8Array(0), this.copyOut(at, this.valueBytes)];
    }
  }

  protected read(): Uint8Array | Status {
    return this.count === 0 ? ENOENT : this.copyOut(this.slot(this.next()), this.valueBytes);
  }

  protected write(_keyAddress: number, value: Uint8Array, flags: number): Status {
    const status = this.makeRoom(flags);
    if (status < 0) return status;
    this.memory.u8.set(value, this.slot(this.getHeader(HEAD)));
    this.advanceHead();
    return OK;
  }

  protected advance(): Status {
    return EINVAL;
  }

  private get count(): number {
    return (this.getHeader(HEAD) - this.getHeader(TAIL) + this.slots) % this.slots;
  }

  /** Slot that is popped next. */
  private next(): number {
    return this.isStack ? (this.getHeader(HEAD) + this.slots - 1) % this.slots : this.getHeader(TAIL);
  }

  private slot(index: number): number {
    return this.data + index * this.valueBytes;
  }

  /** Checks a push; a full map gives up its oldest value when the flags ask for it, a stack too. */
  private makeRoom(flags: number): Status {
    if (flags > UPDATE_FLAGS.exist || (flags & UPDATE_FLAGS.noExist) !== 0) return EINVAL;
    if (this.count < this.slots - 1) return OK;
    if (flags !== UPDATE_FLAGS.exist) return E2BIG;
    this.putHeader(TAIL, (this.getHeader(TAIL) + 1) % this.slots);
    return OK;
  }

  private advanceHead(): void {
    this.putHeader(HEAD, (this.getHeader(HEAD) + 1) % this.slots);
    this.putHeader(MAP_HEADER.count, this.count);
  }

  private copyNext(valueAddress: number, isPop: boolean): Status {
    if (this.count === 0) {
      this.memory.u8.fill(0, valueAddress, valueAddress + this.valueBytes);
      return ENOENT;
    }
    this.memory.copy(valueAddress, this.slot(this.next()), this.valueBytes);
    if (isPop) this.drop();
    return OK;
  }

  private drop(): void {
    if (this.isStack) this.putHeader(HEAD, this.next());
    else this.putHeader(TAIL, (this.getHeader(TAIL) + 1) % this.slots);
    this.putHeader(MAP_HEADER.count, this.count);
  }
}

const SOURCE = "linux Documentation/bpf/map_queue_stack.rst";

export const queueMapTypes = [
  defineMapType({
    type: "queue",
    summary: "Values without keys, first in, first out.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new QueueMap(spec, host),
  }),
  defineMapType({
    type: "stack",
    summary: "Values without keys, last in, first out.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new QueueMap(spec, host),
  }),
];
