// SPDX-License-Identifier: Apache-2.0
/*
 * Sends packets elsewhere: to interfaces, to another CPU, to a socket, by a routing lookup. The maps
 * are filled from outside; what misses takes the verdict in the flags or falls back.
 */
#include "net.h"

#define MAX_PORTS 16

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} ports_by_vlan SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} lookup_results SEC(".maps");

const volatile __u32 uplink_ifindex = 2;

/* Port by the last bits of the destination address; a miss passes. */
SEC("xdp")
int to_port(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	return bpf_redirect_map(&ports, eth->h_dest[5] & (MAX_PORTS - 1), XDP_PASS);
}

/* A miss here drops, and an index beyond the table does too. */
SEC("xdp")
int to_far_port(struct xdp_md *ctx)
{
	return bpf_redirect_map(&ports, pkt_bytes(ctx), XDP_DROP);
}

/* Multicast goes to every other port, unicast to the port of its VLAN. */
SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct vlan_tag *tag = (void *)(eth + 1);

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	if (eth->h_dest[0] & 1)
		return bpf_redirect_map(&ports, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
	if (eth->h_proto != BE16(ETH_P_8021Q) || (void *)(tag + 1) > pkt_end(ctx))
		return XDP_PASS;
	return bpf_redirect_map(&ports_by_vlan, bpf_ntohs(tag->tci) & VLAN_ID_MASK, XDP_TX);
}

SEC("xdp")
int to_uplink(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect(uplink_ifindex, 0);
}

/* Flags that the helper does not know make it return XDP_ABORTED. */
SEC("xdp")
int bad_flags(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect(uplink_ifindex, 1);
}

/* Spreads flows over CPUs by a hash of the IPv4 addresses. */
SEC("xdp")
int to_cpu(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	__u32 hash;

	if ((void *)(ip + 1) > pkt_end(ctx) || eth->h_proto != BE16(ETH_P_IP))
		return XDP_PASS;
	hash = (ip->saddr ^ ip->daddr) * 0x9e3779b1u;
	return bpf_redirect_map(&cpus, hash >> 30, XDP_PASS);
}

/* What an AF_XDP loader does: the queue's socket, and the stack where there is none. */
SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	if (bpf_map_lookup_elem(&sockets, &queue))
		return bpf_redirect_map(&sockets, queue, XDP_PASS);
	return XDP_PASS;
}

static __always_inline void count_result(int result)
{
	__u32 index = result & 15;
	__u64 *count = bpf_map_lookup_elem(&lookup_results, &index);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Forwards as a router does: looks up route and neighbour, rewrites the MAC addresses, ages the packet. */
SEC("xdp")
int route(struct xdp_md *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	int result;

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	fib.ifindex = ctx->ingress_ifindex;
	if (eth->h_proto == BE16(ETH_P_IP)) {
		if ((void *)(ip + 1) > pkt_end(ctx) || ip->ttl <= 1)
			return XDP_PASS;
		fib.family = 2; /* AF_INET */
		fib.tos = ip->tos;
		fib.l4_protocol = ip->protocol;
		fib.tot_len = bpf_ntohs(ip->tot_len);
		fib.ipv4_src = ip->saddr;
		fib.ipv4_dst = ip->daddr;
	} else if (eth->h_proto == BE16(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > pkt_end(ctx) || ip6->hop_limit <= 1)
			return XDP_PASS;
		fib.family = 10; /* AF_INET6 */
		fib.flowinfo = *(__be32 *)ip6 & BE32(0x0fffffff);
		fib.l4_protocol = ip6->nexthdr;
		fib.tot_len = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
		__builtin_memcpy(fib.ipv6_src, &ip6->saddr, 16);
		__builtin_memcpy(fib.ipv6_dst, &ip6->daddr, 16);
	} else {
		return XDP_PASS;
	}

	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	count_result(result);
	switch (result) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		break;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}

	if (eth->h_proto == BE16(ETH_P_IP)) {
		/* RFC 1141: the TTL is the upper byte of its checksum word */
		__u32 sum = ip->check + BE16(0x0100);

		ip->check = sum + (sum >= 0xffff);
		ip->ttl--;
	} else {
		ip6->hop_limit--;
	}
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Runs on the way out of a devmap entry: sets the source address's last byte to the port. */
SEC("xdp/devmap")
int egress(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_DROP;
	eth->h_source[5] = ctx->egress_ifindex;
	return XDP_PASS;
}

/* Runs on the CPU that a cpumap entry names. */
SEC("xdp/cpumap")
int on_cpu(struct xdp_md *ctx)
{
	return pkt_bytes(ctx) > 1000 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
