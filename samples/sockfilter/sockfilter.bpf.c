// SPDX-License-Identifier: Apache-2.0
/*
 * Socket filters: the result is how many bytes of the packet the socket gets. They see the packet from
 * the network header on; what lies before is reached with SKF_LL_OFF.
 */
#include "net.h"

#include <linux/filter.h>

/* The classic packet loads, LD_ABS and LD_IND. A load outside the packet ends the program with 0. */
unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) asm("llvm.bpf.load.word");

#define KEEP_ALL 0xffff

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} by_protocol SEC(".maps");

/* Keeps TCP and UDP over IPv4 to or from one port: constant offsets give LD_ABS, the others LD_IND. */
SEC("socket")
int port_filter(struct __sk_buff *skb)
{
	__u64 header_bytes, protocol;

	if (load_byte(skb, 0) >> 4 != 4)
		return 0;
	protocol = load_byte(skb, 9);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	if (load_half(skb, 6) & IP_OFFSET_MASK)
		return 0;
	header_bytes = (load_byte(skb, 0) & 0x0f) * 4;
	if (load_half(skb, header_bytes) == 53 || load_half(skb, header_bytes + 2) == 53)
		return KEEP_ALL;
	if (load_half(skb, header_bytes) == 80 || load_half(skb, header_bytes + 2) == 80)
		return 128;
	return 0;
}

/* Negative offsets: relative to the network header and to the MAC header. */
SEC("socket")
int link_layer(struct __sk_buff *skb)
{
	__u64 type = load_half(skb, SKF_LL_OFF + 12);

	if (type == ETH_P_ARP)
		return load_half(skb, SKF_NET_OFF + 6) == 1 ? 28 : 0;
	if (type != ETH_P_IP)
		return 0;
	/* the last byte of the destination, and the first four of the destination MAC address */
	return load_byte(skb, SKF_NET_OFF + 19) + (load_word(skb, SKF_LL_OFF) & 0xff);
}

/* Calls a function with the skb still loadable afterwards; r6 holds the context for the loads. */
static __noinline void note_source(__u32 addr)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(&sources, &addr);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&sources, &addr, &one, BPF_ANY);
}

SEC("socket")
int source_filter(struct __sk_buff *skb)
{
	__u32 length = skb->len;

	if (skb->protocol != BE16(ETH_P_IP))
		return 0;
	note_source(load_word(skb, 12));
	return load_half(skb, 2) == length ? length : 0;
}

/* The helper's way, which reports a failure instead of ending the program. */
SEC("socket")
int load_bytes(struct __sk_buff *skb)
{
	struct iphdr ip;
	__be16 ports[2], type = 0;
	__u32 index;
	__u64 *count;

	/* relative to the network header, and to the MAC header */
	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	if (bpf_skb_load_bytes_relative(skb, 12, &type, sizeof(type), BPF_HDR_START_MAC))
		return 1;
	if (type != BE16(ETH_P_IP) || ip_version(&ip) != 4)
		return 0;
	index = ip.protocol;
	count = bpf_map_lookup_elem(&by_protocol, &index);
	if (count)
		__sync_fetch_and_add(count, skb->len);
	if (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP)
		return sizeof(ip);
	if (bpf_skb_load_bytes(skb, ip4_header_bytes(&ip), ports, sizeof(ports)))
		return 2;
	return bpf_ntohs(ports[0]) ^ bpf_ntohs(ports[1]);
}

/* Fields of the context only, and the scratch area that outlives the program. */
SEC("socket")
int fields(struct __sk_buff *skb)
{
	__u32 sum = skb->len + skb->pkt_type + skb->mark + skb->queue_mapping + skb->ifindex;

	skb->cb[0] = sum;
	skb->cb[4] = skb->cb[0] * 2 + skb->cb[1];
	if (skb->vlan_present)
		return skb->vlan_tci;
	return skb->cb[4];
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
