import type { MapTypeName } from "@tsbpf/abi";
import { UnsupportedError } from "@tsbpf/base";
import { defineMapType } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";

/** Defines a type whose specifications are checked as Linux does, but which cannot be made. */
const defineUnsupported = (type: MapTypeName, what: string, source: string) =>
  defineMapType({
    type,
    summary: `Not supported: ${what}.`,
    source,
    check: checkMapSpec,
    create: (spec) => {
      throw new UnsupportedError(
        "UNSUPPORTED_MAP_TYPE",
        `map ${spec.name} has type ${type}, which has no implementation: ${what}`,
        { details: { map: spec.name, type } },
      );
    },
  });

export const unsupportedMapTypes = [
  defineUnsupported("sockhash", "sockets by key", "linux Documentation/bpf/map_sockmap.rst"),
  defineUnsupported(
    "struct_ops",
    "tables of kernel callbacks",
    "linux uapi/linux/bpf.h BPF_MAP_TYPE_STRUCT_OPS",
  ),
  defineUnsupported("arena", "memory shared with user space", "linux uapi/linux/bpf.h BPF_MAP_TYPE_ARENA"),
];
