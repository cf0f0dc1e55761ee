import { protoOf } from "@tsbpf/abi";
import { invariant } from "@tsbpf/base";
import { defineHelper, type HelperPlugin, type RawHelper, type WasmLowering } from "@tsbpf/plugin";

/** Helpers by id that generated code may do by itself. */
const LOWERINGS: Readonly<Record<number, WasmLowering>> = {
  1: { kind: "intrinsic", name: "map_lookup_elem" },
  2: { kind: "intrinsic", name: "map_update_elem" },
  3: { kind: "intrinsic", name: "map_delete_elem" },
  7: { kind: "words", result: "u32", bind: (env) => () => env.services.random.u32() },
  8: { kind: "intrinsic", name: "smp_processor_id" },
  181: { kind: "intrinsic", name: "bpf_loop" },
};

/** Implements a kernel helper; its prototype and manual source come from the tables. */
export function kernelHelper(id: number, summary: string, raw: RawHelper): HelperPlugin {
  const proto = protoOf(id);
  invariant(proto !== undefined, "a kernel helper has a prototype", { id });
  const wasm = LOWERINGS[id];
  return defineHelper({
    proto,
    summary,
    source: `linux uapi/linux/bpf.h ${proto.name}`,
    raw,
    ...(wasm === undefined ? {} : { wasm }),
  });
}
