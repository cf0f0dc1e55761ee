import { type ArgSpec, kfuncByName } from "@tsbpf/abi";
import { defineKfunc, type HelperPlugin, type RawHelper, ret } from "@tsbpf/plugin";

/** Implements a kernel function of Linux; its C prototype comes from the tables. */
export const kernelKfunc = (
  name: string,
  summary: string,
  args: readonly ArgSpec[],
  raw: RawHelper,
): HelperPlugin =>
  defineKfunc({
    name,
    summary,
    source: `linux Documentation/bpf/kfuncs.rst ${name}`,
    signature: kfuncByName(name)?.signature ?? name,
    args: args as never,
    returns: ret.u64(),
    raw,
  });

/** Shapes of arguments; programs without proofs are checked by them. */
export const shape = {
  scalar: (name: string): ArgSpec => ({ name, kind: "scalar" }),
  ctx: (name: string): ArgSpec => ({ name, kind: "ctx" }),
  dynptr: (name: string): ArgSpec => ({ name, kind: "dynptr" }),
  memory: (name: string, sizeBytes: number): ArgSpec => ({
    name,
    kind: "mem",
    access: "readwrite",
    sizeBytes,
  }),
  buffer: (name: string, size: string): ArgSpec => ({
    name,
    kind: "mem",
    access: "readwrite",
    size,
    nullable: true,
  }),
  size: (name: string): ArgSpec => ({ name, kind: "size", allowZero: true }),
} as const;
