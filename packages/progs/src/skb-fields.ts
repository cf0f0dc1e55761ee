import { STRUCT_LAYOUTS } from "@tsbpf/abi";

/** Offsets in `__sk_buff`, by name. @source linux uapi/linux/bpf.h struct __sk_buff */
export const SKB = {
  len: 0,
  pktType: 4,
  mark: 8,
  queueMapping: 12,
  protocol: 16,
  priority: 32,
  ingressIfindex: 36,
  ifindex: 40,
  tcIndex: 44,
  cb: 48,
  hash: 68,
  data: 76,
  dataEnd: 80,
  family: 88,
  remoteIp4: 92,
  localIp4: 96,
  remoteIp6: 100,
  localIp6: 116,
  dataMeta: 140,
  flowKeys: 144,
  tstamp: 152,
  wireLen: 160,
  gsoSegs: 164,
  sk: 168,
  gsoSize: 176,
  tstampType: 180,
  hwtstamp: 184,
} as const;

export const SKB_BYTES = STRUCT_LAYOUTS.__sk_buff.sizeBytes;
export const CB_BYTES = 20;

/** Offsets in `bpf_sock`. @source linux uapi/linux/bpf.h struct bpf_sock */
export const SOCK = {
  boundDevIf: 0,
  family: 4,
  type: 8,
  protocol: 12,
  mark: 16,
  priority: 20,
  srcIp4: 24,
  srcIp6: 28,
  srcPort: 44,
  dstPort: 48,
  dstIp4: 52,
  dstIp6: 56,
  state: 72,
  rxQueueMapping: 76,
} as const;

export const SOCK_BYTES = STRUCT_LAYOUTS.bpf_sock.sizeBytes;
export const FAMILY = { unspec: 0, ipv4: 2, ipv6: 10 } as const;
