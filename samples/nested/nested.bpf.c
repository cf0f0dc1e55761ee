// SPDX-License-Identifier: Apache-2.0
/* Maps in maps: a table of counters per VLAN, and per protocol a hash of hosts, filled by the object. */
#include "net.h"

struct counters {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} untagged SEC(".maps"), vlan_10 SEC(".maps");

struct hosts {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} tcp_hosts SEC(".maps"), udp_hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 16);
	__type(key, __u32);
	__array(values, struct counters);
} by_vlan SEC(".maps") = {
	.values = {
		[0] = &untagged,
		[10] = &vlan_10,
	},
};

/* Filled from outside with one table of hosts per protocol number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u8);
	__array(values, struct hosts);
} by_protocol SEC(".maps");

__u64 unknown_vlans;

static __always_inline void count(void *map, __u32 key)
{
	__u64 one = 1, *value = bpf_map_lookup_elem(map, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(map, &key, &one, BPF_ANY);
}

SEC("xdp")
int nested(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct vlan_tag *tag = (void *)(eth + 1);
	__u32 vlan = 0, slot = 0;
	__be16 type;
	__u8 protocol;
	__u64 *value;
	void *inner;

	if ((void *)(tag + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	type = eth->h_proto;
	if (type == BE16(ETH_P_8021Q) || type == BE16(ETH_P_8021AD)) {
		vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
		type = tag->encapsulated_proto;
		ip = (void *)(tag + 1);
	}
	slot = type == BE16(ETH_P_IP) ? 0 : type == BE16(ETH_P_IPV6) ? 1 : type == BE16(ETH_P_ARP) ? 2 : 3;

	inner = bpf_map_lookup_elem(&by_vlan, &vlan);
	if (!inner) {
		unknown_vlans++;
		return XDP_DROP;
	}
	value = bpf_map_lookup_elem(inner, &slot);
	if (value)
		__sync_fetch_and_add(value, 1);

	if (type != BE16(ETH_P_IP) || (void *)(ip + 1) > pkt_end(ctx))
		return XDP_PASS;
	protocol = ip->protocol;
	inner = bpf_map_lookup_elem(&by_protocol, &protocol);
	if (inner)
		count(inner, bpf_ntohl(ip->saddr));
	else if (protocol == IPPROTO_TCP)
		count(&tcp_hosts, bpf_ntohl(ip->saddr));
	else if (protocol == IPPROTO_UDP)
		count(&udp_hosts, bpf_ntohl(ip->saddr));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
