import { protoOf } from "@tsbpf/abi";
import { invariant } from "@tsbpf/base";
import { defineHelper, type HelperPlugin, type RawHelper } from "@tsbpf/plugin";

/** Implements a kernel helper; its prototype and manual source come from the tables. */
export function kernelHelper(id: number, summary: string, raw: RawHelper): HelperPlugin {
  const proto = protoOf(id);
  invariant(proto !== undefined, "a kernel helper has a prototype", { id });
  return defineHelper({ proto, summary, source: `linux uapi/linux/bpf.h ${proto.name}`, raw });
}
