// SPDX-License-Identifier: Apache-2.0
/* Routes by the longest matching prefix, in one trie for IPv4 and one for IPv6; learns from ARP. */
#include "net.h"

struct prefix4 {
	__u32 bits;
	__u8 addr[4];
};

struct prefix6 {
	__u32 bits;
	__u8 addr[16];
};

struct next_hop {
	__u64 packets;
	__u32 verdict; /* an XDP action, XDP_PASS where it is out of range */
	__u32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix4);
	__type(value, struct next_hop);
} routes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix6);
	__type(value, struct next_hop);
} routes6 SEC(".maps");

struct arp_ip4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender_ip[4];
	__u8 target_mac[6];
	__u8 target_ip[4];
};

static __always_inline int use(struct next_hop *hop)
{
	if (!hop)
		return XDP_DROP;
	__sync_fetch_and_add(&hop->packets, 1);
	return hop->verdict <= XDP_TX ? hop->verdict : XDP_PASS;
}

/* Whoever speaks ARP gets its /24, so that the tries fill from the capture alone. */
static __always_inline int learn(struct arp_ip4 *arp)
{
	struct next_hop hop = { .packets = 1, .verdict = XDP_TX, .id = arp->sender_ip[3] };
	struct prefix4 key = { .bits = 24 };

	if (arp->operation != BE16(1) && arp->operation != BE16(2))
		return XDP_ABORTED;
	__builtin_memcpy(key.addr, arp->sender_ip, 4);
	bpf_map_update_elem(&routes4, &key, &hop, BPF_ANY);
	return XDP_PASS;
}

SEC("xdp")
int lpm(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct arp_ip4 *arp = (void *)(eth + 1);
	struct prefix4 key4 = { .bits = 32 };
	struct prefix6 key6 = { .bits = 128 };

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	switch (bpf_ntohs(eth->h_proto)) {
	case ETH_P_ARP:
		if ((void *)(arp + 1) > pkt_end(ctx))
			return XDP_ABORTED;
		return learn(arp);
	case ETH_P_IP:
		if ((void *)(ip + 1) > pkt_end(ctx))
			return XDP_ABORTED;
		__builtin_memcpy(key4.addr, &ip->daddr, 4);
		return use(bpf_map_lookup_elem(&routes4, &key4));
	case ETH_P_IPV6:
		if ((void *)(ip6 + 1) > pkt_end(ctx))
			return XDP_ABORTED;
		__builtin_memcpy(key6.addr, &ip6->daddr, 16);
		return use(bpf_map_lookup_elem(&routes6, &key6));
	default:
		return XDP_PASS;
	}
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
