import type { MapSpec } from "@tsbpf/abi";
import { defineMapType, type HostSlots, type MapHost, type ProgSlots, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { allocSlots, SlotMap, type SlotRules } from "./slot-map.ts";
import { E2BIG, EINVAL, ENOENT, ENOSPC, ENOTSUPP } from "./status.ts";

/** Slots of descriptors that programs use through helpers of their own (M-120, M-132, M-153). */
const FD_RULES = { eraseEmpty: ENOENT, eraseOutOfRange: E2BIG, flagsMax: 0 } as const;

/** `prog_array`: targets of tail calls. A full slot reads as the map's own number of the program. */
class ProgArrayMap extends SlotMap implements ProgSlots {
  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host, { ...FD_RULES, readStatus: undefined }, allocSlots(spec, host));
  }

  get progSlots(): ProgSlots {
    return this;
  }

  progAt(index: number): unknown {
    return this.objectOf(index);
  }

  setProg(index: number, prog: unknown): Status {
    return this.fill(index, prog);
  }
}

/** Slots that refer to objects of the host, which only helpers look at. */
class HostSlotMap extends SlotMap implements HostSlots {
  constructor(spec: MapSpec, host: MapHost, rules: SlotRules) {
    super(spec, host, rules, allocSlots(spec, host));
  }

  get hostSlots(): HostSlots {
    return this;
  }

  objectAt(index: number): unknown {
    return this.objectOf(index);
  }

  setObject(index: number, object: unknown): Status {
    return this.fill(index, object);
  }
}

const SOCKET_FLAGS_MAX = 2;

/** Sockets read as a cookie of 8 bytes; a map with smaller values has no room for it (M-150, M-152). */
const socketRules = (spec: MapSpec, eraseEmpty: Status, eraseOutOfRange: Status): SlotRules => ({
  readStatus: spec.valueBytes === 8 ? undefined : ENOSPC,
  eraseEmpty,
  eraseOutOfRange,
  flagsMax: SOCKET_FLAGS_MAX,
});

export const objectMapTypes = [
  defineMapType({
    type: "prog_array",
    summary: "Programs by index, for tail calls.",
    source: "linux uapi/linux/bpf.h bpf_tail_call",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new ProgArrayMap(spec, host),
  }),
  defineMapType({
    type: "perf_event_array",
    summary: "Perf events by index, where programs write records to.",
    source: "linux uapi/linux/bpf.h bpf_perf_event_output",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new HostSlotMap(spec, host, { ...FD_RULES, readStatus: ENOTSUPP }),
  }),
  defineMapType({
    type: "cgroup_array",
    summary: "Cgroups by index, to test membership.",
    source: "linux uapi/linux/bpf.h bpf_skb_under_cgroup",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new HostSlotMap(spec, host, { ...FD_RULES, readStatus: ENOTSUPP }),
  }),
  defineMapType({
    type: "sockmap",
    summary: "Sockets by index.",
    source: "linux Documentation/bpf/map_sockmap.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new HostSlotMap(spec, host, socketRules(spec, EINVAL, EINVAL)),
  }),
  defineMapType({
    type: "reuseport_sockarray",
    summary: "Listening sockets by index, to choose from.",
    source: "linux uapi/linux/bpf.h bpf_sk_select_reuseport",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new HostSlotMap(spec, host, socketRules(spec, ENOENT, E2BIG)),
  }),
];
