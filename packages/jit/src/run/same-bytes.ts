type Bytes = Uint8Array<ArrayBuffer>;

interface Kept {
  readonly bytes: Bytes;
  readonly module: WebAssembly.Module;
}

/** Bytes of modules that are kept at most. */
const BYTES_MAX = 8 << 20;
/** Modules that are kept at most. */
const MODULES_MAX = 256;

const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/**
 * Modules by their bytes. A module says nothing of the VM that it was made for but what its bytes say, so programs
 * whose modules have the same bytes can share one.
 *
 * Guarantees: at most {@link MODULES_MAX} modules of {@link BYTES_MAX} bytes together are kept, those used last; equal
 * bytes are compared, not only hashed.
 */
export class SameBytes {
  /** In order of use; the key is a hash. */
  private readonly kept = new Map<number, Kept>();
  private keptBytes = 0;

  /** Finds the module of these bytes. */
  find(bytes: Bytes): WebAssembly.Module | undefined {
    const key = hashOf(bytes);
    const found = this.kept.get(key);
    if (found === undefined || !areEqual(found.bytes, bytes)) return undefined;
    this.kept.delete(key);
    this.kept.set(key, found);
    return found.module;
  }

  /** Keeps a module; of two with the same hash, the newer. */
  add(bytes: Bytes, module: WebAssembly.Module): void {
    if (bytes.length > BYTES_MAX) return;
    const key = hashOf(bytes);
    this.drop(key);
    // Copied: what is written may be a part of a larger buffer.
    this.kept.set(key, { bytes: bytes.slice(), module });
    this.keptBytes += bytes.length;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MODULES_MAX && this.keptBytes <= BYTES_MAX) return;
      this.drop(oldest);
    }
  }

  private drop(key: number): void {
    this.keptBytes -= this.kept.get(key)?.bytes.length ?? 0;
    this.kept.delete(key);
  }
}

function hashOf(bytes: Bytes): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), FNV_PRIME);
  return hash;
}

function areEqual(one: Bytes, other: Bytes): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
