// SPDX-License-Identifier: Apache-2.0
/*
 * Tail calls: a dispatcher by protocol whose table is filled by the object itself, a tail call made by
 * a function that is not inlined, a chain that runs into the limit of 33, and calls that miss.
 */
#include "net.h"

enum stage {
	STAGE_IP4,
	STAGE_IP6,
	STAGE_ARP,
	STAGE_TCP,
	STAGE_UDP,
	STAGE_ICMP,
	STAGE_EMPTY, /* stays without a program: a tail call to it falls through */
	STAGE_MAX,
};

int ip4(struct xdp_md *ctx);
int ip6(struct xdp_md *ctx);
int arp(struct xdp_md *ctx);
int tcp(struct xdp_md *ctx);
int udp(struct xdp_md *ctx);
int icmp(struct xdp_md *ctx);
int chain(struct xdp_md *ctx);
int chain_sub(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGE_MAX);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} stages SEC(".maps") = {
	.values = {
		[STAGE_IP4] = (void *)&ip4,
		[STAGE_IP6] = (void *)&ip6,
		[STAGE_ARP] = (void *)&arp,
		[STAGE_TCP] = (void *)&tcp,
		[STAGE_UDP] = (void *)&udp,
		[STAGE_ICMP] = (void *)&icmp,
	},
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} itself SEC(".maps") = {
	.values = {
		[0] = (void *)&chain,
		[1] = (void *)&chain_sub,
	},
};

struct visits {
	__u64 entered[STAGE_MAX];
	__u64 missed;
	__u64 returned; /* to a program whose function had made a tail call, or had missed */
	__u64 chained;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct visits);
} visits SEC(".maps");

/* What one stage leaves for the next: registers and stack do not survive a tail call. */
struct scratch {
	__u32 l4_offset;
	__u32 stages_done;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct visits *get_visits(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&visits, &zero);
}

static __always_inline struct scratch *get_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline void enter(enum stage stage)
{
	struct visits *v = get_visits();
	struct scratch *s = get_scratch();

	if (v)
		v->entered[stage]++;
	if (s)
		s->stages_done++;
}

static __always_inline int miss(int verdict)
{
	struct visits *v = get_visits();

	if (v)
		v->missed++;
	return verdict;
}

/*
 * A tail call replaces the frame of the function that makes it, and only that: when the stage's program
 * ends, its verdict is what this function's caller gets.
 */
static __noinline int to_transport(struct xdp_md *ctx, __u32 protocol)
{
	if (protocol == IPPROTO_TCP)
		bpf_tail_call(ctx, &stages, STAGE_TCP);
	else if (protocol == IPPROTO_UDP)
		bpf_tail_call(ctx, &stages, STAGE_UDP);
	else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		bpf_tail_call(ctx, &stages, STAGE_ICMP);
	else
		bpf_tail_call(ctx, &stages, STAGE_EMPTY);
	return miss(XDP_DROP);
}

SEC("xdp")
int dispatch(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct scratch *s = get_scratch();
	__u32 stage;

	if (!s)
		return XDP_ABORTED;
	s->l4_offset = 0;
	s->stages_done = 0;
	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	switch (bpf_ntohs(eth->h_proto)) {
	case ETH_P_IP:
		stage = STAGE_IP4;
		break;
	case ETH_P_IPV6:
		stage = STAGE_IP6;
		break;
	case ETH_P_ARP:
		stage = STAGE_ARP;
		break;
	default:
		/* beyond the end of the table */
		stage = 1000000;
	}
	bpf_tail_call(ctx, &stages, stage);
	return miss(XDP_PASS);
}

SEC("xdp")
int ip4(struct xdp_md *ctx)
{
	struct iphdr *ip = pkt_begin(ctx) + ETH_HLEN;
	struct visits *v = get_visits();
	struct scratch *s = get_scratch();
	int verdict;

	enter(STAGE_IP4);
	if (!v || !s || (void *)(ip + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	s->l4_offset = ETH_HLEN + ip4_header_bytes(ip);
	verdict = to_transport(ctx, ip->protocol);
	v->returned++;
	return verdict;
}

SEC("xdp")
int ip6(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = pkt_begin(ctx) + ETH_HLEN;
	struct scratch *s = get_scratch();

	enter(STAGE_IP6);
	if (!s || (void *)(ip + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	s->l4_offset = ETH_HLEN + sizeof(*ip);
	return to_transport(ctx, ip->nexthdr);
}

SEC("xdp")
int arp(struct xdp_md *ctx)
{
	(void)ctx;
	enter(STAGE_ARP);
	return XDP_PASS;
}

static __always_inline int load_port(struct xdp_md *ctx, __u32 offset)
{
	struct scratch *s = get_scratch();
	__be16 port;

	if (!s || bpf_xdp_load_bytes(ctx, s->l4_offset + offset, &port, sizeof(port)))
		return -1;
	return bpf_ntohs(port);
}

SEC("xdp")
int tcp(struct xdp_md *ctx)
{
	int port = load_port(ctx, 2);

	enter(STAGE_TCP);
	if (port < 0)
		return XDP_ABORTED;
	return port == 80 ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int udp(struct xdp_md *ctx)
{
	int port = load_port(ctx, 2);

	enter(STAGE_UDP);
	if (port < 0)
		return XDP_ABORTED;
	return port == 53 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int icmp(struct xdp_md *ctx)
{
	struct scratch *s = get_scratch();

	(void)ctx;
	enter(STAGE_ICMP);
	return s && s->stages_done == 2 ? XDP_PASS : XDP_ABORTED;
}

/* Calls itself until the limit stops it: entered once by its caller and 33 times by tail calls. */
SEC("xdp")
int chain(struct xdp_md *ctx)
{
	struct visits *v = get_visits();

	if (!v)
		return XDP_ABORTED;
	v->chained++;
	bpf_tail_call(ctx, &itself, 0);
	return v->chained % 34 == 0 ? XDP_PASS : XDP_DROP;
}

static __noinline int chain_on(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &itself, 1);
	return XDP_TX;
}

/* The same through a function: the programs wait for each other, and return one after the other. */
SEC("xdp")
int chain_sub(struct xdp_md *ctx)
{
	struct visits *v = get_visits();
	int verdict;

	if (!v)
		return XDP_ABORTED;
	v->chained++;
	verdict = chain_on(ctx);
	v->returned++;
	return verdict;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
