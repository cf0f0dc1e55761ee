// SPDX-License-Identifier: Apache-2.0
/*
 * Parses Ethernet, up to two VLAN tags, IPv4, IPv6 with extension headers, TCP, UDP and ICMP, and
 * counts packets and bytes per flow. What cannot be parsed is aborted, what no honest host sends is
 * dropped, everything else passes.
 */
#include "net.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 6
#define MAX_FLOWS 1024

enum reason {
	REASON_PASSED,
	REASON_NOT_IP,
	REASON_TRUNCATED,
	REASON_BAD_HEADER,
	REASON_FRAGMENT,
	REASON_BAD_SOURCE,
	REASON_EXPIRED,
	REASON_BAD_TCP_FLAGS,
	REASON_BLOCKED_PORT,
	REASON_MAX,
};

/* IPv4 addresses are kept in the IPv4-mapped form ::ffff:a.b.c.d; ports in host byte order. */
struct flow_key {
	__u8 src[16];
	__u8 dst[16];
	__u16 src_port;
	__u16 dst_port;
	__u16 vlan_id;
	__u16 inner_vlan_id;
	__u8 ip_version;
	__u8 protocol;
	__u16 unused;
};

struct flow_value {
	__u64 packets;
	__u64 bytes;
	__u32 dropped;
	__u32 tcp_flags_seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REASON_MAX);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

/* Set before load; a loader that cannot patch .rodata gets these defaults. */
const volatile __u8 drop_fragments = 1;
const volatile __u16 blocked_ports[4] = { 23, 111, 445, 3389 };

struct cursor {
	void *pos;
	void *end;
};

struct l4_info {
	__u8 tcp_flags;
	enum reason reason;
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == BE16(ETH_P_8021Q) || proto == BE16(ETH_P_8021AD);
}

static __always_inline __be16 parse_ethernet(struct cursor *c, struct flow_key *key)
{
	struct ethhdr *eth = c->pos;
	__be16 proto;

	if ((void *)(eth + 1) > c->end)
		return 0;
	c->pos = eth + 1;
	proto = eth->h_proto;

#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag *tag = c->pos;
		__u16 id;

		if (!is_vlan(proto))
			break;
		if ((void *)(tag + 1) > c->end)
			return 0;
		id = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
		if (i == 0)
			key->vlan_id = id;
		else
			key->inner_vlan_id = id;
		proto = tag->encapsulated_proto;
		c->pos = tag + 1;
	}
	return proto;
}

static __always_inline int is_bad_ip4_source(__be32 addr)
{
	__u32 host = bpf_ntohl(addr);

	/* loopback, multicast and reserved; 0.0.0.0 is what a DHCP client has, so it may pass */
	return host >> 24 == 127 || host >> 28 >= 14;
}

static __always_inline enum reason parse_ip4(struct cursor *c, struct flow_key *key, int *first_fragment)
{
	struct iphdr *ip = c->pos;
	__u32 header_bytes;
	__u16 frag;

	if ((void *)(ip + 1) > c->end)
		return REASON_TRUNCATED;
	header_bytes = ip4_header_bytes(ip);
	if (ip_version(ip) != 4 || header_bytes < sizeof(*ip))
		return REASON_BAD_HEADER;
	if (c->pos + header_bytes > c->end)
		return REASON_TRUNCATED;
	if (bpf_ntohs(ip->tot_len) < header_bytes)
		return REASON_BAD_HEADER;
	c->pos += header_bytes;

	key->ip_version = 4;
	key->protocol = ip->protocol;
	key->src[10] = key->src[11] = 0xff;
	key->dst[10] = key->dst[11] = 0xff;
	__builtin_memcpy(key->src + 12, &ip->saddr, 4);
	__builtin_memcpy(key->dst + 12, &ip->daddr, 4);

	if (is_bad_ip4_source(ip->saddr))
		return REASON_BAD_SOURCE;
	if (ip->ttl == 0)
		return REASON_EXPIRED;
	frag = bpf_ntohs(ip->frag_off);
	*first_fragment = (frag & IP_OFFSET_MASK) == 0;
	return frag & (IP_MF | IP_OFFSET_MASK) ? REASON_FRAGMENT : REASON_PASSED;
}

struct ip6_extension {
	__u8 next;
	__u8 length;
	__be16 fragment_offset;
	__be32 fragment_id;
};

static __always_inline enum reason parse_ip6(struct cursor *c, struct flow_key *key, int *first_fragment)
{
	struct ipv6hdr *ip = c->pos;
	enum reason reason = REASON_PASSED;
	__u8 next;

	if ((void *)(ip + 1) > c->end)
		return REASON_TRUNCATED;
	if (ip_version(ip) != 6)
		return REASON_BAD_HEADER;
	c->pos = ip + 1;

	key->ip_version = 6;
	__builtin_memcpy(key->src, &ip->saddr, 16);
	__builtin_memcpy(key->dst, &ip->daddr, 16);
	if (key->src[0] == 0xff)
		return REASON_BAD_SOURCE;
	if (ip->hop_limit == 0)
		return REASON_EXPIRED;

	next = ip->nexthdr;
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		struct ip6_extension *ext = c->pos;
		__u32 length;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			break;
		if ((void *)(ext + 1) > c->end)
			return REASON_TRUNCATED;
		if (next == IPPROTO_FRAGMENT) {
			__u16 off = bpf_ntohs(ext->fragment_offset);

			length = sizeof(*ext);
			*first_fragment = off >> 3 == 0;
			/* an "atomic" fragment (offset 0, no more to come) is a whole packet */
			if (off & ~0x6)
				reason = REASON_FRAGMENT;
		} else {
			length = ((__u32)ext->length + 1) * 8;
		}
		next = ext->next;
		if (c->pos + length > c->end)
			return REASON_TRUNCATED;
		c->pos += length;
	}
	key->protocol = next;
	return reason;
}

static __always_inline int is_bad_tcp_flags(__u8 flags)
{
	/* a null scan, or flags that contradict each other */
	return (flags & 0x3f) == 0 || (flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN) ||
	       (flags & (TCP_SYN | TCP_RST)) == (TCP_SYN | TCP_RST);
}

static __always_inline int is_blocked(__u16 port)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (blocked_ports[i] == port)
			return 1;
	return 0;
}

static __always_inline enum reason parse_tcp(struct cursor *c, struct flow_key *key, __u8 *flags)
{
	struct tcphdr *tcp = c->pos;

	if ((void *)(tcp + 1) > c->end)
		return REASON_TRUNCATED;
	if (tcp_header_bytes(tcp) < sizeof(*tcp))
		return REASON_BAD_HEADER;
	key->src_port = bpf_ntohs(tcp->source);
	key->dst_port = bpf_ntohs(tcp->dest);
	*flags = tcp_flags(tcp);
	if (is_bad_tcp_flags(*flags))
		return REASON_BAD_TCP_FLAGS;
	return is_blocked(key->dst_port) ? REASON_BLOCKED_PORT : REASON_PASSED;
}

static __always_inline enum reason parse_udp(struct cursor *c, struct flow_key *key)
{
	struct udphdr *udp = c->pos;

	if ((void *)(udp + 1) > c->end)
		return REASON_TRUNCATED;
	if (bpf_ntohs(udp->len) < sizeof(*udp))
		return REASON_BAD_HEADER;
	key->src_port = bpf_ntohs(udp->source);
	key->dst_port = bpf_ntohs(udp->dest);
	return is_blocked(key->dst_port) ? REASON_BLOCKED_PORT : REASON_PASSED;
}

/* Type and code take the ports' place, so that echo requests and replies are two flows. */
static __always_inline enum reason parse_icmp(struct cursor *c, struct flow_key *key)
{
	__u8 *icmp = c->pos;

	if ((void *)(icmp + 4) > c->end)
		return REASON_TRUNCATED;
	key->src_port = icmp[0];
	key->dst_port = icmp[1];
	return REASON_PASSED;
}

static __always_inline enum reason parse(struct cursor *c, struct flow_key *key, __u8 *flags)
{
	__be16 proto = parse_ethernet(c, key);
	enum reason reason, l4 = REASON_PASSED;
	int first_fragment = 1;

	if (proto == 0)
		return REASON_TRUNCATED;
	if (proto == BE16(ETH_P_IP))
		reason = parse_ip4(c, key, &first_fragment);
	else if (proto == BE16(ETH_P_IPV6))
		reason = parse_ip6(c, key, &first_fragment);
	else
		return REASON_NOT_IP;
	if (reason != REASON_PASSED && reason != REASON_FRAGMENT)
		return reason;

	/* only the first fragment has a transport header */
	if (first_fragment) {
		if (key->protocol == IPPROTO_TCP)
			l4 = parse_tcp(c, key, flags);
		else if (key->protocol == IPPROTO_UDP)
			l4 = parse_udp(c, key);
		else if (key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6)
			l4 = parse_icmp(c, key);
	}
	if (l4 != REASON_PASSED)
		return l4;
	return reason == REASON_FRAGMENT && !drop_fragments ? REASON_PASSED : reason;
}

static __always_inline int to_action(enum reason reason)
{
	switch (reason) {
	case REASON_PASSED:
	case REASON_NOT_IP:
		return XDP_PASS;
	case REASON_TRUNCATED:
	case REASON_BAD_HEADER:
		return XDP_ABORTED;
	default:
		return XDP_DROP;
	}
}

static __always_inline void count_flow(struct flow_key *key, __u64 bytes, __u8 flags, int dropped)
{
	struct flow_value *value = bpf_map_lookup_elem(&flows, key);

	if (!value) {
		struct flow_value first = { .packets = 1, .bytes = bytes, .dropped = dropped };

		first.tcp_flags_seen = flags;
		/* a full table only loses the counter, never the packet */
		bpf_map_update_elem(&flows, key, &first, BPF_NOEXIST);
		return;
	}
	__sync_fetch_and_add(&value->packets, 1);
	__sync_fetch_and_add(&value->bytes, bytes);
	__sync_fetch_and_add(&value->dropped, dropped);
	value->tcp_flags_seen |= flags;
}

SEC("xdp")
int parser(struct xdp_md *ctx)
{
	struct cursor c = { .pos = pkt_begin(ctx), .end = pkt_end(ctx) };
	__u64 bytes = c.end - c.pos;
	struct flow_key key = {};
	enum reason reason;
	__u8 flags = 0;
	__u64 *count;
	__u32 index;
	int action;

	reason = parse(&c, &key, &flags);
	action = to_action(reason);
	if (key.ip_version)
		count_flow(&key, bytes, flags, action != XDP_PASS);

	index = reason;
	count = bpf_map_lookup_elem(&reasons, &index);
	if (count)
		__sync_fetch_and_add(count, 1);
	return action;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
