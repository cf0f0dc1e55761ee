import { UPDATE_FLAGS, type ValueField } from "@tsbpf/abi";
import { TrapError } from "@tsbpf/base";
import { giveSpinLock, type LinearMemory, takeSpinLock } from "@tsbpf/memory";

/**
 * How values are copied: whole, or around the special fields that BTF marks. Those keep what they hold when a value
 * is written, and read as zero.
 *
 * @source linux include/linux/bpf.h copy_map_value
 */
export class ValueShape {
  readonly bytes: number;
  private readonly fields: readonly ValueField[];
  private readonly hasFields: boolean;
  /** Offsets and lengths of the parts between the fields; empty when there are no fields. */
  private readonly parts: readonly (readonly [offset: number, bytes: number])[];

  constructor(bytes: number, fields: readonly ValueField[] = []) {
    this.bytes = bytes;
    this.fields = fields;
    this.hasFields = fields.length > 0;
    this.parts = fields.length === 0 ? [] : partsBetween(bytes, fields);
  }

  /** Whether the value holds a lock, so that BPF_F_LOCK means something. */
  get hasLock(): boolean {
    return this.fields.some((field) => field.kind === "bpf_spin_lock");
  }

  /** Copies a value within the memory; allocates nothing. */
  copy(memory: LinearMemory, to: number, from: number): void {
    if (!this.hasFields) {
      memory.copy(to, from, this.bytes);
      return;
    }
    for (const [offset, bytes] of this.parts) memory.copy(to + offset, from + offset, bytes);
  }

  /** Copies a value in as a program's update does: with BPF_F_LOCK while it holds the lock in it. */
  update(memory: LinearMemory, to: number, from: number, flags: number): void {
    const lock = this.takeLock(memory, to, flags);
    this.copy(memory, to, from);
    if (lock !== 0) giveSpinLock(memory, lock);
  }

  /** Copies the host's bytes in, with BPF_F_LOCK as `update` does. */
  write(memory: LinearMemory, to: number, value: Uint8Array, flags: number): void {
    if (!this.hasFields) {
      memory.u8.set(value, to);
      return;
    }
    const lock = this.takeLock(memory, to, flags);
    this.writeParts(memory, to, value);
    if (lock !== 0) giveSpinLock(memory, lock);
  }

  /** Takes the lock in a value where the flags ask for it; returns its address, or 0 when nobody else could hold it. */
  private takeLock(memory: LinearMemory, address: number, flags: number): number {
    if ((flags & UPDATE_FLAGS.lock) === 0 || !memory.isShared) return 0;
    const field = this.fields.find(({ kind }) => kind === "bpf_spin_lock");
    if (field === undefined) return 0;
    const lock = address + field.offset;
    if (takeSpinLock(memory, lock)) return lock;
    throw new TrapError("RUN_DEADLOCK", "the lock of the value to update is taken and nobody gives it back", {
      details: { address: lock },
    });
  }

  private writeParts(memory: LinearMemory, to: number, value: Uint8Array): void {
    for (const [offset, bytes] of this.parts) {
      memory.u8.set(value.subarray(offset, offset + bytes), to + offset);
    }
  }

  /** Returns a copy of a value with its special fields zeroed. */
  read(memory: LinearMemory, from: number): Uint8Array {
    const value = memory.u8.slice(from, from + this.bytes);
    for (const field of this.fields) value.fill(0, field.offset, field.offset + field.sizeBytes);
    return value;
  }

  /** Zeroes what the value's special fields hold when it ends or is overwritten; locks stay as they are. */
  clearFields(memory: LinearMemory, address: number): void {
    if (!this.hasFields) return;
    for (const field of this.fields) {
      if (isLock(field)) continue;
      memory.u8.fill(0, address + field.offset, address + field.offset + field.sizeBytes);
    }
  }
}

const isLock = (field: ValueField): boolean =>
  field.kind === "bpf_spin_lock" || field.kind === "bpf_res_spin_lock";

function partsBetween(bytes: number, fields: readonly ValueField[]): [number, number][] {
  const parts: [number, number][] = [];
  let at = 0;
  for (const field of fields) {
    if (field.offset > at) parts.push([at, field.offset - at]);
    at = field.offset + field.sizeBytes;
  }
  if (at < bytes) parts.push([at, bytes - at]);
  return parts;
}
