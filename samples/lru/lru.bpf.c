// SPDX-License-Identifier: Apache-2.0
/* Tracks connections in tables that forget their oldest entries. */
#include "net.h"

struct connection {
	__be32 a;
	__be32 b;
	__be16 a_port;
	__be16 b_port;
	__u32 protocol;
};

struct state {
	__u64 from_a;
	__u64 from_b;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct connection);
	__type(value, struct state);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} hosts SEC(".maps");

__u64 new_connections;

SEC("xdp")
int track(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *ports = (void *)(ip + 1);
	struct connection key = {};
	struct state *state, first = {};
	__u32 host;
	__u64 *seen, one = 1;
	int from_a;

	if ((void *)(ports + 2) > pkt_end(ctx) || eth->h_proto != BE16(ETH_P_IP))
		return XDP_PASS;
	if (ip4_header_bytes(ip) != sizeof(*ip) || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return XDP_PASS;

	host = bpf_ntohl(ip->saddr);
	seen = bpf_map_lookup_elem(&hosts, &host);
	if (seen)
		*seen += 1;
	else
		bpf_map_update_elem(&hosts, &host, &one, BPF_ANY);

	/* both directions share an entry: the smaller address is side a */
	from_a = bpf_ntohl(ip->saddr) < bpf_ntohl(ip->daddr);
	key.a = from_a ? ip->saddr : ip->daddr;
	key.b = from_a ? ip->daddr : ip->saddr;
	key.a_port = ports[!from_a];
	key.b_port = ports[from_a];
	key.protocol = ip->protocol;

	state = bpf_map_lookup_elem(&connections, &key);
	if (!state) {
		new_connections++;
		bpf_map_update_elem(&connections, &key, &first, BPF_NOEXIST);
		state = bpf_map_lookup_elem(&connections, &key);
		if (!state)
			return XDP_ABORTED;
	}
	__sync_fetch_and_add(from_a ? &state->from_a : &state->from_b, 1);

	/* a reset ends it at once */
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)ports;

		if ((void *)(tcp + 1) > pkt_end(ctx))
			return XDP_ABORTED;
		if (tcp_flags(tcp) & TCP_RST)
			bpf_map_delete_elem(&connections, &key);
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
