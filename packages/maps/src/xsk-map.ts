import type { MapSpec } from "@tsbpf/abi";
import { PERM } from "@tsbpf/memory";
import { defineMapType, type HostSlots, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { SLOT_BYTES, SlotMap } from "./slot-map.ts";
import { EINVAL, EOPNOTSUPP, OK } from "./status.ts";

/** Offset in a slot of what programs see: struct bpf_xdp_sock, a u32 queue id. */
const SOCKET = 4;
const FLAGS_MAX = 2;

/** Takes the slots; programs may read the queue ids of the sockets in them. */
const allocSockets = (spec: MapSpec, host: MapHost): number =>
  host.memory.alloc(SLOT_BYTES * spec.maxEntries, {
    kind: "map",
    name: `map ${spec.name}`,
    perm: PERM.read,
    cells: {
      stride: SLOT_BYTES,
      windows: [{ name: "socket", offset: SOCKET, bytes: 4, perm: PERM.read }],
    },
  });

/**
 * `xskmap`: AF_XDP sockets as redirect targets. The host stores objects with a `queueId`; a program's lookup gives
 * the address of a struct bpf_xdp_sock, user space cannot look up (M-143).
 */
class XskMap extends SlotMap implements HostSlots {
  constructor(spec: MapSpec, host: MapHost) {
    super(
      spec,
      host,
      { readStatus: EOPNOTSUPP, eraseEmpty: OK, eraseOutOfRange: EINVAL, flagsMax: FLAGS_MAX },
      allocSockets(spec, host),
    );
  }

  get hostSlots(): HostSlots {
    return this;
  }

  override lookup(keyAddress: number): number {
    return this.lookupIndex(this.indexAt(keyAddress));
  }

  lookupIndex(index: number): number {
    return index < this.spec.maxEntries && this.slotOf(index) !== 0
      ? this.data + index * SLOT_BYTES + SOCKET
      : 0;
  }

  objectAt(index: number): unknown {
    return this.objectOf(index);
  }

  /** @returns -EOPNOTSUPP for an object without a `queueId`, as for a socket of another family. */
  setObject(index: number, object: unknown): Status {
    const queueId = object === undefined ? 0 : queueIdOf(object);
    if (queueId === undefined) return EOPNOTSUPP;
    const status = this.fill(index, object);
    if (status === OK) this.memory.view.setUint32(this.data + index * SLOT_BYTES + SOCKET, queueId, true);
    return status;
  }
}

function queueIdOf(object: unknown): number | undefined {
  if (typeof object !== "object" || object === null || !("queueId" in object)) return undefined;
  return typeof object.queueId === "number" ? object.queueId : undefined;
}

export const xskMapTypes = [
  defineMapType({
    type: "xskmap",
    summary: "AF_XDP sockets as redirect targets.",
    source: "linux Documentation/bpf/map_xskmap.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new XskMap(spec, host),
  }),
];
