import { errnoName } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";

/** Numbers of the system calls that are used, by machine. @source linux arch syscall tables */
const NUMBERS: Readonly<
  Record<string, { readonly bpf: number; readonly setAffinity: number; readonly getAffinity: number }>
> = {
  x64: { bpf: 321, setAffinity: 203, getAffinity: 204 },
  arm64: { bpf: 280, setAffinity: 122, getAffinity: 123 },
  riscv64: { bpf: 280, setAffinity: 122, getAffinity: 123 },
  loong64: { bpf: 280, setAffinity: 122, getAffinity: 123 },
};

/** What is used of koffi, which calls the C library. */
interface Koffi {
  load(path: string | null): { func(definition: string): (...args: unknown[]) => number | bigint };
  address(buffer: Buffer): bigint;
  view(address: bigint, bytes: number): ArrayBuffer;
  errno(): number;
}

/** The system calls of this process. */
export interface Syscalls {
  /** bpf(2): the result, or a negative error number; the kernel may write to `attr`. */
  bpf(command: number, attr: Buffer): number;
  addressOf(buffer: Buffer): bigint;
  close(fd: number): void;
  /** Maps a descriptor's memory to read; the caller gives it back with `unmap`. */
  map(fd: number, offset: number, bytes: number): MappedMemory;
  unmap(memory: MappedMemory): void;
  /** Keeps this thread on one CPU, and returns a function that undoes it. */
  pin(cpu: number): () => void;
  /** CPUs that this thread may run on. */
  allowedCpus(): number[];
}

export interface MappedMemory {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

let loaded: Promise<Syscalls> | undefined;

/**
 * Makes the system calls available, through the optional package koffi.
 *
 * @throws UNSUPPORTED_KERNEL (UnsupportedError) away from Linux, on machines whose numbers are not known, and where koffi
 *   is not installed.
 */
export function loadSyscalls(): Promise<Syscalls> {
  loaded ??= makeSyscalls();
  return loaded;
}

async function makeSyscalls(): Promise<Syscalls> {
  if (process.platform !== "linux") {
    throw new UnsupportedError(
      "UNSUPPORTED_KERNEL",
      `the running kernel is ${process.platform}'s, Linux's needed`,
    );
  }
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) {
    throw new UnsupportedError(
      "UNSUPPORTED_KERNEL",
      `bpf(2) on ${process.arch} is not known here, it is on ${Object.keys(NUMBERS).join(", ")}`,
    );
  }
  const koffi = await importKoffi();
  const library = koffi.load(null);
  const syscall = library.func("long syscall(long number, long a, void *b, unsigned int c)");
  const affinity = library.func("long syscall(long number, int pid, unsigned long bytes, void *mask)");
  const close = library.func("int close(int fd)");
  const mmap = library.func(
    "intptr_t mmap(intptr_t addr, size_t bytes, int prot, int flags, int fd, long offset)",
  );
  const munmap = library.func("int munmap(intptr_t addr, size_t bytes)");
  const failed = (result: number | bigint): number => (Number(result) < 0 ? -koffi.errno() : Number(result));
  const getMask = (): Buffer => {
    const mask = Buffer.alloc(MASK_BYTES);
    const bytes = failed(affinity(numbers.getAffinity, 0, MASK_BYTES, mask));
    if (bytes < 0) throw callFailed("sched_getaffinity", bytes);
    return mask;
  };
  const setMask = (mask: Buffer): void => {
    const result = failed(affinity(numbers.setAffinity, 0, MASK_BYTES, mask));
    if (result < 0) throw callFailed("sched_setaffinity", result);
  };
  return {
    bpf: (command, attr) => failed(syscall(numbers.bpf, command, attr, attr.length)),
    addressOf: (buffer) => koffi.address(buffer),
    close: (fd) => void close(fd),
    map(fd, offset, bytes) {
      const address = BigInt(mmap(0, bytes, PROT_READ, MAP_SHARED, fd, offset));
      if (address === -1n) throw callFailed("mmap", -koffi.errno());
      return { address, bytes: new Uint8Array(koffi.view(address, bytes)) };
    },
    unmap: ({ address, bytes }) => void munmap(address, bytes.length),
    pin(cpu) {
      const before = getMask();
      const mask = Buffer.alloc(MASK_BYTES);
      mask[cpu >> 3] = 1 << (cpu & 7);
      setMask(mask);
      return () => setMask(before);
    },
    allowedCpus() {
      const mask = getMask();
      return Array.from({ length: MASK_BYTES * 8 }, (_, cpu) => cpu).filter(
        (cpu) => ((mask[cpu >> 3] ?? 0) & (1 << (cpu & 7))) !== 0,
      );
    },
  };
}

/** Bytes of a set of CPUs: 1024 of them. */
const MASK_BYTES = 128;
const PROT_READ = 1;
const MAP_SHARED = 1;

/** Makes the error of a system call that should not fail. */
export const callFailed = (what: string, result: number): InputError =>
  new InputError("KERNEL_CALL", `${what} failed: ${errnoName(-result)}`, { details: { errno: -result } });

async function importKoffi(): Promise<Koffi> {
  // The name is not written out in the import: bundles leave it alone, and its absence is no error until it is needed.
  const name = "koffi";
  try {
    const module = (await import(name)) as { readonly default?: Koffi } & Koffi;
    return module.default ?? module;
  } catch (cause) {
    const beside = await importBeside(name);
    if (beside !== undefined) return beside;
    throw new UnsupportedError(
      "UNSUPPORTED_KERNEL",
      "the running kernel is asked through the package koffi, which is not installed: npm install koffi",
      { cause },
    );
  }
}

/** Looks where the packages of this one lie when it is part of a bundle in the same tree. */
async function importBeside(name: string): Promise<Koffi | undefined> {
  try {
    const { createRequire } = await import("node:module");
    return createRequire(new URL("../../replay/package.json", import.meta.url))(name) as Koffi;
  } catch {
    return undefined;
  }
}
