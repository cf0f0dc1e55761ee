/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every sample needs: helper declarations, packet headers, and a few accessors.
 *
 * Bit fields of the uapi headers (ihl, doff, the TCP flags) are never used: their order follows the
 * byte order of the machine whose headers are installed, not that of the BPF target.
 */
#ifndef TSBPF_SAMPLES_NET_H
#define TSBPF_SAMPLES_NET_H

#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BE16(x) bpf_htons(x)
#define BE32(x) bpf_htonl(x)

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET_MASK 0x1fff

/* A VLAN tag as it follows the two MAC addresses; linux/if_vlan.h does not export it. */
struct vlan_tag {
	__be16 tci;
	__be16 encapsulated_proto;
};

#define VLAN_ID_MASK 0x0fff

static __always_inline void *pkt_begin(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *pkt_end(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* The barrier keeps the compiler from mixing pointers into 32-bit arithmetic, which Linux refuses. */
static __always_inline __u64 pkt_bytes(struct xdp_md *ctx)
{
	__u64 bytes = pkt_end(ctx) - pkt_begin(ctx);

	asm volatile("" : "+r"(bytes));
	return bytes;
}

static __always_inline __u32 ip4_header_bytes(const struct iphdr *ip)
{
	return (*(const __u8 *)ip & 0x0f) * 4;
}

static __always_inline __u32 ip_version(const void *l3)
{
	return *(const __u8 *)l3 >> 4;
}

static __always_inline __u32 tcp_header_bytes(const struct tcphdr *tcp)
{
	return (((const __u8 *)tcp)[12] >> 4) * 4;
}

static __always_inline __u8 tcp_flags(const struct tcphdr *tcp)
{
	return ((const __u8 *)tcp)[13];
}

/* Folds a 32-bit one's complement sum into the 16 bits that a header carries. */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void swap_mac(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

#endif
