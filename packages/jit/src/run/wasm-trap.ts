import { TrapError } from "@tsbpf/base";

/** A trap of WebAssembly itself, which only accesses outside the whole memory and atomics off their alignment cause. */
export function wasmTrap(thrown: WebAssembly.RuntimeError): TrapError {
  const isUnaligned = /unaligned/.test(thrown.message);
  return new TrapError(
    isUnaligned ? "RUN_UNALIGNED" : "RUN_BOUNDS",
    `access outside the memory: ${thrown.message}`,
    {
      cause: thrown,
    },
  );
}
