import { protoOf } from "@tsbpf/abi";
import { invariant } from "@tsbpf/base";
import { defineHelper, type HelperPlugin, type RawHelper } from "@tsbpf/plugin";
import { loweringOf } from "./lowering.ts";

/** Implements a kernel helper; its prototype and manual source come from the tables. */
export function kernelHelper(id: number, summary: string, raw: RawHelper): HelperPlugin {
  const proto = protoOf(id);
  invariant(proto !== undefined, "a kernel helper has a prototype", { id });
  const wasm = loweringOf(id, raw);
  return defineHelper({
    proto,
    summary,
    source: `linux uapi/linux/bpf.h ${proto.name}`,
    raw,
    ...(wasm === undefined ? {} : { wasm }),
  });
}
