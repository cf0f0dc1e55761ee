import type { NetDevice, ProgHost } from "@tsbpf/plugin";
import { type LinkAddresses, LOOPBACK, linkAddresses } from "./ethernet.ts";
import { refuse } from "./refuse.ts";

/** Index of the loopback interface, which always exists. */
export const LOOPBACK_IFINDEX = 1;

const find = (host: ProgHost, ifindex: number): NetDevice | undefined =>
  host.devices?.find((device) => device.ifindex === ifindex);

/** @throws RUN_INPUT (InputError) with -ENODEV when there is no such interface. */
export function checkDevice(host: ProgHost, ifindex: number): void {
  if (ifindex === LOOPBACK_IFINDEX || find(host, ifindex) !== undefined) return;
  throw refuse("ENODEV", `interface ${ifindex} does not exist`);
}

/** Returns the link addresses of an interface; those of the loopback interface when it is unknown. */
export function addressesOf(host: ProgHost, ifindex: number): LinkAddresses {
  const device = find(host, ifindex);
  return device === undefined || ifindex === LOOPBACK_IFINDEX ? LOOPBACK : linkAddresses(device.mac);
}
