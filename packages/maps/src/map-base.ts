import { MAP_FLAGS, MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, MapHost, Status } from "@tsbpf/plugin";
import { createHeader } from "./header.ts";
import { EINVAL, ENOTSUPP, EPERM, OK } from "./status.ts";

/**
 * What all maps share: the header, and the host's side with its checks of permissions and sizes, in the order of
 * bpf(2). A map type supplies what happens to an element whose key lies in linear memory.
 *
 * Subclasses keep their state in linear memory, so that generated code and several workers see one map.
 */
export abstract class MapBase implements BpfMap {
  readonly spec: MapSpec;
  readonly address: number;
  protected readonly host: MapHost;
  protected readonly memory: LinearMemory;
  /** Where the host's keys are put for the calls that take addresses. */
  protected readonly keyScratch: number;

  constructor(spec: MapSpec, host: MapHost, extraBytes = 0) {
    this.spec = spec;
    this.host = host;
    this.memory = host.memory;
    this.address = createHeader(spec, host.memory, extraBytes);
    this.keyScratch = host.memory.allocRaw(Math.max(4, spec.keyBytes), 4);
  }

  abstract lookup(keyAddress: number, cpu: number): number;
  abstract update(keyAddress: number, valueAddress: number, flags: number, cpu: number): Status;
  abstract delete(keyAddress: number, cpu: number): Status;

  /** Copies the element's value out, without the effects that a program's lookup has. */
  protected abstract read(keyAddress: number): Uint8Array | Status;
  /** Updates from the host's bytes, whose length was checked. */
  protected abstract write(keyAddress: number, value: Uint8Array, flags: number): Status;
  /** Puts the key after the one given, or the first for 0, into `keyScratch`. */
  protected abstract advance(keyAddress: number): Status;
  /** Removes as the host. */
  protected erase(keyAddress: number): Status {
    return this.delete(keyAddress, 0);
  }
  /** Bytes of a value as the host passes it. */
  protected get hostValueBytes(): number {
    return this.spec.valueBytes;
  }

  get(key: Uint8Array): Uint8Array | Status {
    if (this.isWriteOnly) return EPERM;
    return this.placeKey(key) ? this.read(this.keyScratch) : EINVAL;
  }

  set(key: Uint8Array, value: Uint8Array, flags = 0): Status {
    if (this.isReadOnly) return EPERM;
    if ((flags & UPDATE_FLAGS.lock) !== 0 && !this.hasLock) return EINVAL;
    if (!this.placeKey(key)) return EINVAL;
    if (value.length !== this.hostValueBytes)
      throw this.sizeError("value", value.length, this.hostValueBytes);
    return this.write(this.keyScratch, value, flags);
  }

  remove(key: Uint8Array): Status {
    if (this.isReadOnly) return EPERM;
    return this.placeKey(key) ? this.erase(this.keyScratch) : EINVAL;
  }

  nextKey(key: Uint8Array | null): Uint8Array | Status {
    if (this.isWriteOnly) return EPERM;
    if (key !== null && !this.placeKey(key)) return EINVAL;
    return this.step(key === null ? 0 : this.keyScratch);
  }

  /** Iterates whatever the permissions: a dump is not an access of user space. */
  *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    for (let key = this.step(0); typeof key !== "number"; ) {
      this.memory.u8.set(key, this.keyScratch);
      const value = this.read(this.keyScratch);
      if (typeof value !== "number") yield [key, value];
      this.memory.u8.set(key, this.keyScratch);
      key = this.step(this.keyScratch);
    }
  }

  freeze(): Status {
    if ((this.spec.valueFields?.length ?? 0) > 0) return ENOTSUPP;
    if (this.isReadOnly) return EPERM;
    this.memory.view.setUint32(this.address + MAP_HEADER.isFrozen, 1, true);
    return OK;
  }

  protected get isReadOnly(): boolean {
    return (
      (this.spec.flags & MAP_FLAGS.readOnly) !== 0 ||
      this.memory.view.getUint32(this.address + MAP_HEADER.isFrozen, true) !== 0
    );
  }

  protected get isWriteOnly(): boolean {
    return (this.spec.flags & MAP_FLAGS.writeOnly) !== 0;
  }

  private get hasLock(): boolean {
    return (this.spec.valueFields ?? []).some((field) => field.kind === "bpf_spin_lock");
  }

  /** Writes a common field of the header. */
  protected putHeader(offset: number, value: number): void {
    this.memory.view.setUint32(this.address + offset, value, true);
  }

  protected getHeader(offset: number): number {
    return this.memory.view.getUint32(this.address + offset, true);
  }

  protected copyOut(address: number, bytes: number): Uint8Array {
    return this.memory.u8.slice(address, address + bytes);
  }

  private step(keyAddress: number): Uint8Array | Status {
    const status = this.advance(keyAddress);
    return status < 0 ? status : this.copyOut(this.keyScratch, this.spec.keyBytes);
  }

  /** @returns false for a key given to a map without keys, which bpf(2) answers with EINVAL. */
  private placeKey(key: Uint8Array): boolean {
    const { keyBytes } = this.spec;
    if (key.length !== keyBytes) {
      if (keyBytes === 0) return false;
      throw this.sizeError("key", key.length, keyBytes);
    }
    this.memory.u8.set(key, this.keyScratch);
    return true;
  }

  private sizeError(what: string, foundBytes: number, allowedBytes: number): InputError {
    return new InputError(
      "MAP_SIZE",
      `${what} of ${foundBytes} bytes given, map ${this.spec.name} takes ${allowedBytes}`,
      { details: { map: this.spec.name, what, foundBytes, allowedBytes } },
    );
  }
}
