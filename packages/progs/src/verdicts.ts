/** Results of XDP programs by value. @source linux uapi/linux/bpf.h enum xdp_action */
export const XDP_ACTIONS = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"] as const;

const TC_UNSPEC = -1;
const TC_ACTIONS = [
  "TC_ACT_OK",
  "TC_ACT_RECLASSIFY",
  "TC_ACT_SHOT",
  "TC_ACT_PIPE",
  "TC_ACT_STOLEN",
  "TC_ACT_QUEUED",
  "TC_ACT_REPEAT",
  "TC_ACT_REDIRECT",
  "TC_ACT_TRAP",
] as const;

/** Names results of traffic control programs. @source linux uapi/linux/pkt_cls.h TC_ACT_OK */
export const tcVerdict = (r0: number): string | undefined =>
  (r0 | 0) === TC_UNSPEC ? "TC_ACT_UNSPEC" : TC_ACTIONS[r0 >>> 0];

const KEEP_ALL = 0xffff_ffff;

/** Names results of socket filters: how many bytes of the packet the socket gets. */
export function socketFilterVerdict(r0: number): string {
  const bytes = r0 >>> 0;
  if (bytes === 0) return "drop";
  return bytes === KEEP_ALL ? "accept" : `accept ${bytes} bytes`;
}

/** Names results of `cgroup_skb` programs: bit 0 lets the packet pass, bit 1 notes congestion on egress. */
export const cgroupSkbVerdict = (r0: number): string | undefined =>
  ["drop", "pass", "drop, congested", "pass, congested"][r0 >>> 0];

const LWT_VERDICTS: ReadonlyMap<number, string> = new Map([
  [0, "BPF_OK"],
  [2, "BPF_DROP"],
  [7, "BPF_REDIRECT"],
  [128, "BPF_LWT_REROUTE"],
]);

/** Names results of light-weight tunnel programs. @source linux uapi/linux/bpf.h enum bpf_ret_code */
export const lwtVerdict = (r0: number): string | undefined => LWT_VERDICTS.get(r0 >>> 0);

const FLOW_VERDICTS: ReadonlyMap<number, string> = new Map([
  [0, "BPF_OK"],
  [2, "BPF_DROP"],
  [129, "BPF_FLOW_DISSECTOR_CONTINUE"],
]);

/** Names results of flow dissectors. @source linux uapi/linux/bpf.h enum bpf_ret_code */
export const flowVerdict = (r0: number): string | undefined => FLOW_VERDICTS.get(r0 >>> 0);

/** Names results of socket programs. @source linux uapi/linux/bpf.h enum sk_action */
export const skVerdict = (r0: number): string | undefined => ["SK_DROP", "SK_PASS"][r0 >>> 0];

/** Names results of netfilter programs. @source linux uapi/linux/netfilter.h NF_DROP */
export const netfilterVerdict = (r0: number): string | undefined => ["NF_DROP", "NF_ACCEPT"][r0 >>> 0];

/** Names results of cgroup hooks that allow or deny. */
export const permitVerdict = (r0: number): string | undefined => ["deny", "allow"][r0 >>> 0];
