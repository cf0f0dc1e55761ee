// SPDX-License-Identifier: Apache-2.0
/*
 * A small stateless firewall: blocked networks in a trie, ordered rules in an array, an allow list of
 * services in a hash, a budget of SYNs per source in an LRU hash, counters per CPU, and a line in the
 * trace for every drop.
 *
 * With empty maps it lets ICMP, replies to client ports and the services of `open_ports` through.
 */
#include "net.h"

#define MAX_RULES 8

enum counter {
	COUNT_TOTAL,
	COUNT_ALLOWED,
	COUNT_BLOCKED_NETWORK,
	COUNT_RULE,
	COUNT_NO_SERVICE,
	COUNT_SYN_BUDGET,
	COUNT_MALFORMED,
	COUNT_OTHER_PROTOCOL,
	COUNT_MAX,
};

enum rule_action {
	RULE_NEXT,
	RULE_ACCEPT,
	RULE_REJECT,
};

struct service_key {
	__u16 port;
	__u8 protocol;
	__u8 unused;
};

struct service {
	__u64 hits;
	__u32 max_bytes; /* of a packet; 0 is no limit */
	__u32 unused;
};

struct network_key {
	__u32 prefix_bits;
	__u8 addr[4];
};

struct rule {
	__u32 src;
	__u32 src_mask;
	__u16 port_first;
	__u16 port_last;
	__u8 protocol; /* 0 is any */
	__u8 in_use;
	__u16 unused;
	enum rule_action action;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct service_key);
	__type(value, struct service);
} allow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct network_key);
	__type(value, __u64);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u32);
} syns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_MAX);
	__type(key, __u32);
	__type(value, struct traffic);
} counters SEC(".maps");

const volatile __u16 open_ports[4] = { 53, 80, 5201, 8080 };
const volatile __u16 first_client_port = 32768;
const volatile __u32 max_syns_per_source = 64;

static __always_inline void count(__u32 which, __u64 bytes)
{
	struct traffic *t = bpf_map_lookup_elem(&counters, &which);

	if (t) {
		t->packets++;
		t->bytes += bytes;
	}
}

static __always_inline int drop(__u32 which, __u64 bytes, __be32 src, __u16 port)
{
	count(which, bytes);
	bpf_printk("drop: counter %u, from %pI4, port %u", which, &src, port);
	return XDP_DROP;
}

static __noinline int match_rules(__u32 src, __u32 protocol, __u32 port)
{
	for (__u32 i = 0; i < MAX_RULES; i++) {
		__u32 index = i;
		struct rule *r = bpf_map_lookup_elem(&rules, &index);

		if (!r || !r->in_use)
			break;
		if ((src & r->src_mask) != r->src)
			continue;
		if (r->protocol && r->protocol != protocol)
			continue;
		if (port < r->port_first || port > r->port_last)
			continue;
		if (r->action != RULE_NEXT)
			return r->action;
	}
	return RULE_NEXT;
}

static __always_inline int is_open(__u16 port)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (open_ports[i] == port)
			return 1;
	return 0;
}

static __always_inline int has_service(__u8 protocol, __u16 port, __u64 bytes)
{
	struct service_key key = { .port = port, .protocol = protocol };
	struct service *s = bpf_map_lookup_elem(&allow, &key);

	if (!s)
		return is_open(port);
	__sync_fetch_and_add(&s->hits, 1);
	return s->max_bytes == 0 || bytes <= s->max_bytes;
}

static __always_inline int over_syn_budget(__u32 src)
{
	__u32 *seen = bpf_map_lookup_elem(&syns, &src);
	__u32 one = 1;

	if (!seen) {
		bpf_map_update_elem(&syns, &src, &one, BPF_ANY);
		return 0;
	}
	return __sync_fetch_and_add(seen, 1) >= max_syns_per_source;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *begin = pkt_begin(ctx), *end = pkt_end(ctx);
	__u64 bytes = end - begin;
	struct ethhdr *eth = begin;
	struct iphdr *ip = (void *)(eth + 1);
	struct network_key network = { .prefix_bits = 32 };
	__u16 port = 0;
	__u32 src;
	void *l4;
	int verdict;

	count(COUNT_TOTAL, bytes);
	if ((void *)ip > end)
		return drop(COUNT_MALFORMED, bytes, 0, 0);
	if (eth->h_proto != BE16(ETH_P_IP)) {
		count(COUNT_OTHER_PROTOCOL, bytes);
		return XDP_PASS;
	}
	if ((void *)(ip + 1) > end || ip4_header_bytes(ip) < sizeof(*ip))
		return drop(COUNT_MALFORMED, bytes, 0, 0);

	src = bpf_ntohl(ip->saddr);
	__builtin_memcpy(network.addr, &ip->saddr, sizeof(network.addr));
	if (bpf_map_lookup_elem(&blocked, &network))
		return drop(COUNT_BLOCKED_NETWORK, bytes, ip->saddr, 0);

	l4 = (void *)ip + ip4_header_bytes(ip);
	if (bpf_ntohs(ip->frag_off) & IP_OFFSET_MASK) {
		/* a later fragment: without its first one it comes to nothing */
		count(COUNT_ALLOWED, bytes);
		return XDP_PASS;
	}
	if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) {
		__be16 *ports = l4;

		if ((void *)(ports + 2) > end)
			return drop(COUNT_MALFORMED, bytes, ip->saddr, 0);
		port = bpf_ntohs(ports[1]);
	}

	verdict = match_rules(src, ip->protocol, port);
	if (verdict == RULE_REJECT)
		return drop(COUNT_RULE, bytes, ip->saddr, port);
	if (verdict == RULE_NEXT && ip->protocol != IPPROTO_ICMP && port < first_client_port &&
	    !has_service(ip->protocol, port, bytes))
		return drop(COUNT_NO_SERVICE, bytes, ip->saddr, port);

	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > end)
			return drop(COUNT_MALFORMED, bytes, ip->saddr, port);
		if ((tcp_flags(tcp) & (TCP_SYN | TCP_ACK)) == TCP_SYN && over_syn_budget(src))
			return drop(COUNT_SYN_BUDGET, bytes, ip->saddr, port);
	}
	count(COUNT_ALLOWED, bytes);
	return XDP_PASS;
}

struct window {
	__u64 start_ns;
	__u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct window);
} windows SEC(".maps");

const volatile __u64 window_ns = 1000000000;
const volatile __u64 max_packets_per_window = 100000;

/* Drops whatever exceeds a rate, whoever sent it; depends on the clock. */
SEC("xdp")
int rate_limit(struct xdp_md *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct window *w;
	__u32 zero = 0;

	w = bpf_map_lookup_elem(&windows, &zero);
	if (!w)
		return XDP_ABORTED;
	if (now - w->start_ns >= window_ns) {
		w->start_ns = now;
		w->packets = 0;
	}
	w->packets++;
	if (w->packets <= max_packets_per_window)
		return XDP_PASS;
	bpf_printk("drop: %llu packets in this window on queue %u", w->packets, ctx->rx_queue_index);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
