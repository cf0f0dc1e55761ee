import type { HelperEnv, NetDevice } from "@tsbpf/plugin";

const LOOPBACK_IFINDEX = 1;
const LOOPBACK_MTU = 65_536;
const ETH_HEADER_BYTES = 14;

/** The loopback interface, which exists even when the host names no interfaces. */
const LOOPBACK: NetDevice = {
  ifindex: LOOPBACK_IFINDEX,
  name: "lo",
  mtu: LOOPBACK_MTU,
  mac: "00:00:00:00:00:00",
};

/** Returns an interface that the host named, or the loopback one. */
export const deviceOf = (env: HelperEnv, ifindex: number): NetDevice | undefined =>
  env.services.network.devices.find((device) => device.ifindex === ifindex) ??
  (ifindex === LOOPBACK_IFINDEX ? LOOPBACK : undefined);

/** Returns the bytes of an interface's link-layer header. */
export const headerBytesOf = (device: NetDevice): number => device.headerBytes ?? ETH_HEADER_BYTES;
