// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that change the packet: its bytes, its beginning, its end, and the metadata before it.
 * Each does one thing and can be run over any capture; what does not concern it passes untouched.
 */
#include "net.h"

const volatile __u16 pushed_vlan = 42;
const volatile __u32 tunnel_src = 0xc6336401; /* 198.51.100.1 */
const volatile __u32 tunnel_dst = 0xc6336402; /* 198.51.100.2 */
const volatile __u32 nat_from = 0xc0000202; /* 192.0.2.2 */
const volatile __u32 nat_to = 0xcb007107; /* 203.0.113.7 */
const volatile __u32 longest_ip4 = 576;

/* Returns the IPv4 header when the frame is untagged IPv4 and the whole fixed header is there. */
static __always_inline struct iphdr *get_ip4(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > pkt_end(ctx))
		return NULL;
	if (eth->h_proto != BE16(ETH_P_IP) || ip_version(ip) != 4)
		return NULL;
	return ip;
}

static __always_inline void write_ip4(struct iphdr *ip, __u8 protocol, __u16 total_bytes, __be32 src,
				      __be32 dst)
{
	__u8 *version_ihl = (__u8 *)ip;

	__builtin_memset(ip, 0, sizeof(*ip));
	*version_ihl = 0x45;
	ip->tot_len = bpf_htons(total_bytes);
	ip->frag_off = BE16(IP_DF);
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->saddr = src;
	ip->daddr = dst;
	ip->check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
}

/* Answers pings: swaps the addresses, turns request into reply and repairs the checksum. */
SEC("xdp")
int echo_reply(struct xdp_md *ctx)
{
	struct iphdr *ip = get_ip4(ctx);
	struct icmphdr *icmp;
	__u32 sum;
	__be32 addr;

	if (!ip || ip->protocol != IPPROTO_ICMP || ip4_header_bytes(ip) != sizeof(*ip))
		return XDP_PASS;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > pkt_end(ctx))
		return XDP_PASS;
	if (icmp->type != ICMP_ECHO || ip->frag_off & BE16(IP_MF | IP_OFFSET_MASK))
		return XDP_PASS;

	swap_mac(pkt_begin(ctx));
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;

	icmp->type = ICMP_ECHOREPLY;
	/* RFC 1624: the sum loses what the type contributed */
	sum = (__u16)~icmp->checksum + (__u16)~BE16(ICMP_ECHO << 8);
	icmp->checksum = csum_fold(sum);
	return XDP_TX;
}

/* The same for IPv6, with the difference taken by the helper. */
SEC("xdp")
int echo_reply6(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct icmp6hdr *icmp = (void *)(ip + 1);
	struct in6_addr addr;
	__be32 before, after;
	__s64 sum;

	if ((void *)(icmp + 1) > pkt_end(ctx) || eth->h_proto != BE16(ETH_P_IPV6))
		return XDP_PASS;
	if (ip->nexthdr != IPPROTO_ICMPV6 || icmp->icmp6_type != ICMPV6_ECHO_REQUEST)
		return XDP_PASS;

	swap_mac(eth);
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	ip->hop_limit = 64;

	__builtin_memcpy(&before, icmp, sizeof(before));
	icmp->icmp6_type = ICMPV6_ECHO_REPLY;
	__builtin_memcpy(&after, icmp, sizeof(after));
	sum = bpf_csum_diff(&before, sizeof(before), &after, sizeof(after), (__u16)~icmp->icmp6_cksum);
	if (sum < 0)
		return XDP_ABORTED;
	icmp->icmp6_cksum = csum_fold(sum);
	return XDP_TX;
}

SEC("xdp")
int vlan_push(struct xdp_md *ctx)
{
	struct ethhdr old, *eth = pkt_begin(ctx);
	struct vlan_tag *tag;

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*tag)))
		return XDP_DROP;
	eth = pkt_begin(ctx);
	tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	*eth = old;
	eth->h_proto = BE16(ETH_P_8021Q);
	tag->tci = bpf_htons(pushed_vlan);
	tag->encapsulated_proto = old.h_proto;
	return XDP_TX;
}

SEC("xdp")
int vlan_pop(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx), keep;
	struct vlan_tag *tag = (void *)(eth + 1);

	if ((void *)(tag + 1) > pkt_end(ctx))
		return XDP_PASS;
	if (eth->h_proto != BE16(ETH_P_8021Q) && eth->h_proto != BE16(ETH_P_8021AD))
		return XDP_PASS;
	keep = *eth;
	keep.h_proto = tag->encapsulated_proto;
	if (bpf_xdp_adjust_head(ctx, sizeof(*tag)))
		return XDP_ABORTED;
	eth = pkt_begin(ctx);
	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	*eth = keep;
	return XDP_TX;
}

/* Puts IPv4 and IPv6 packets into an IPv4 tunnel (protocols 4 and 41). */
SEC("xdp")
int ipip_encap(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx), keep;
	__u32 inner_bytes = pkt_bytes(ctx) - ETH_HLEN;
	struct iphdr *outer;
	__u8 protocol;

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	if (eth->h_proto == BE16(ETH_P_IP))
		protocol = IPPROTO_IPIP;
	else if (eth->h_proto == BE16(ETH_P_IPV6))
		protocol = IPPROTO_IPV6;
	else
		return XDP_PASS;
	keep = *eth;
	keep.h_proto = BE16(ETH_P_IP);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*outer)))
		return XDP_DROP;
	eth = pkt_begin(ctx);
	outer = (void *)(eth + 1);
	if ((void *)(outer + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	*eth = keep;
	write_ip4(outer, protocol, inner_bytes + sizeof(*outer), bpf_htonl(tunnel_src),
		  bpf_htonl(tunnel_dst));
	return XDP_TX;
}

struct packet_note {
	__u32 magic;
	__u16 frame_bytes;
	__u16 ether_type;
};

/* Leaves eight bytes of metadata before the packet for whoever comes next. */
SEC("xdp")
int add_note(struct xdp_md *ctx)
{
	struct packet_note *note;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*note)))
		return XDP_ABORTED;
	note = (void *)(long)ctx->data_meta;
	eth = pkt_begin(ctx);
	if ((void *)(note + 1) > (void *)eth || (void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	note->magic = 0x6e6f7465;
	note->frame_bytes = pkt_bytes(ctx);
	note->ether_type = bpf_ntohs(eth->h_proto);
	return XDP_PASS;
}

/* Cuts what lies behind the end of the IPv4 packet (Ethernet padding, trailers). */
SEC("xdp")
int trim_padding(struct xdp_md *ctx)
{
	struct iphdr *ip = get_ip4(ctx);
	int extra;

	if (!ip)
		return XDP_PASS;
	extra = (int)pkt_bytes(ctx) - ETH_HLEN - bpf_ntohs(ip->tot_len);
	if (extra <= 0)
		return XDP_PASS;
	return bpf_xdp_adjust_tail(ctx, -extra) ? XDP_ABORTED : XDP_TX;
}

/* Appends a trailer: eight bytes that hold the length and a checksum of the first 32 bytes. */
SEC("xdp")
int add_trailer(struct xdp_md *ctx)
{
	__u32 bytes = pkt_bytes(ctx);
	__u8 head[32];
	__be32 trailer[2];

	if (bytes < sizeof(head) || bpf_xdp_load_bytes(ctx, 0, head, sizeof(head)))
		return XDP_PASS;
	trailer[0] = bpf_htonl(bytes);
	trailer[1] = bpf_csum_diff(NULL, 0, (__be32 *)head, sizeof(head), 0);
	if (bpf_xdp_adjust_tail(ctx, sizeof(trailer)))
		return XDP_DROP;
	return bpf_xdp_store_bytes(ctx, bytes, trailer, sizeof(trailer)) ? XDP_ABORTED : XDP_TX;
}

/* Rewrites one destination address and repairs the checksums of IPv4, TCP and UDP. */
SEC("xdp")
int nat(struct xdp_md *ctx)
{
	struct iphdr *ip = get_ip4(ctx);
	__be32 to = bpf_htonl(nat_to), from;
	__u16 *check = NULL;
	void *l4;

	if (!ip || ip->daddr != bpf_htonl(nat_from) || ip4_header_bytes(ip) != sizeof(*ip))
		return XDP_PASS;
	from = ip->daddr;
	ip->daddr = to;
	ip->check = csum_fold(bpf_csum_diff(&from, 4, &to, 4, (__u16)~ip->check));

	if (ip->frag_off & BE16(IP_OFFSET_MASK))
		return XDP_TX;
	l4 = ip + 1;
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > pkt_end(ctx))
			return XDP_DROP;
		check = &tcp->check;
	} else if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > pkt_end(ctx))
			return XDP_DROP;
		/* zero says that the sender made no checksum */
		if (udp->check)
			check = &udp->check;
	}
	if (check)
		*check = csum_fold(bpf_csum_diff(&from, 4, &to, 4, (__u16)~*check));
	return XDP_TX;
}

#define QUOTED_BYTES (sizeof(struct iphdr) + 8)
#define ERROR_BYTES (sizeof(struct iphdr) + sizeof(struct icmphdr) + QUOTED_BYTES)

/* Answers IPv4 packets that are too long with "fragmentation needed", quoting their beginning. */
SEC("xdp")
int too_big(struct xdp_md *ctx)
{
	struct iphdr *ip = get_ip4(ctx), *outer;
	struct ethhdr eth;
	struct icmphdr *icmp;
	__be32 src, dst;
	void *begin;
	int shrink;

	if (!ip || bpf_ntohs(ip->tot_len) <= longest_ip4 || !(ip->frag_off & BE16(IP_DF)))
		return XDP_PASS;
	eth = *(struct ethhdr *)pkt_begin(ctx);
	src = ip->daddr;
	dst = ip->saddr;

	shrink = (int)pkt_bytes(ctx) - ETH_HLEN - (int)QUOTED_BYTES;
	if (shrink < 0 || bpf_xdp_adjust_tail(ctx, -shrink))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -(int)(sizeof(*outer) + sizeof(*icmp))))
		return XDP_DROP;
	begin = pkt_begin(ctx);
	if (begin + ETH_HLEN + ERROR_BYTES > pkt_end(ctx))
		return XDP_ABORTED;

	swap_mac(&eth);
	*(struct ethhdr *)begin = eth;
	outer = begin + ETH_HLEN;
	write_ip4(outer, IPPROTO_ICMP, ERROR_BYTES, src, dst);
	icmp = (void *)(outer + 1);
	__builtin_memset(icmp, 0, sizeof(*icmp));
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->un.frag.mtu = bpf_htons(longest_ip4);
	icmp->checksum = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTED_BYTES, 0));
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
