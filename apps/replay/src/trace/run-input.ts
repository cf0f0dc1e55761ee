import type { ProgTypePlugin, RunInput } from "@tsbpf/plugin";
import type { PacketOrigin } from "./input.ts";

const LOOPBACK = 1;

/** Options of the user that win over what a file says. */
export interface OriginOptions {
  readonly ifindex?: number | undefined;
  readonly queue?: number | undefined;
}

/**
 * Names the context fields that say where a packet came in; undefined when they are what every context has anyway.
 * Contexts that are neither `xdp_md` nor `__sk_buff` have none.
 */
export function originFields(
  progType: ProgTypePlugin,
  origin: PacketOrigin,
  options: OriginOptions = {},
): NonNullable<RunInput["fields"]> | undefined {
  const ifindex = options.ifindex ?? origin.ifindex;
  const queue = options.queue ?? origin.queue;
  if (ifindex === LOOPBACK && queue === 0) return undefined;
  const { struct } = progType.ctx;
  if (struct === "xdp_md") return { ingress_ifindex: ifindex, rx_queue_index: queue };
  if (struct !== "__sk_buff") return undefined;
  return {
    ...(ifindex === LOOPBACK ? {} : { ifindex, ingress_ifindex: ifindex }),
    ...(queue === 0 ? {} : { queue_mapping: queue }),
  };
}
