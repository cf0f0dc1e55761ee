// SPDX-License-Identifier: Apache-2.0
/*
 * One object with programs of several types, several of them in one section, that share static, global,
 * hidden and weak functions in .text, and one map.
 */
#include "net.h"

#include <linux/pkt_cls.h>

enum hook {
	HOOK_XDP,
	HOOK_XDP_FRAGS,
	HOOK_TC,
	HOOK_SOCKET,
	HOOK_CGROUP,
	HOOK_MAX,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOOK_MAX);
	__type(key, __u32);
	__type(value, __u64);
} bytes_by_hook SEC(".maps");

static __noinline __u64 add_bytes(__u32 hook, __u64 bytes)
{
	__u64 *total = bpf_map_lookup_elem(&bytes_by_hook, &hook);

	if (!total)
		return 0;
	return __sync_fetch_and_add(total, bytes) + bytes;
}

/* Another object may replace it when the two are linked. */
__weak __noinline int policy(__u32 hook, __u64 total)
{
	return total >> (10 + hook) & 1;
}

__hidden __noinline int account(__u32 hook, __u64 bytes)
{
	__u64 total = add_bytes(hook, bytes);

	return policy(hook, total);
}

/* Never called: stays in .text and belongs to no program. */
__noinline int unused_by_all(__u32 a, __u32 b)
{
	return a / (b | 1);
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	return account(HOOK_XDP, pkt_bytes(ctx)) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int xdp_second(struct xdp_md *ctx)
{
	__u64 total = add_bytes(HOOK_XDP, pkt_bytes(ctx));

	return total & 1 ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int xdp_third(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp.frags")
int xdp_frags(struct xdp_md *ctx)
{
	return account(HOOK_XDP_FRAGS, bpf_xdp_get_buff_len(ctx)) ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int tc_mark(struct __sk_buff *skb)
{
	skb->mark = account(HOOK_TC, skb->len);
	skb->priority = skb->mark + 1;
	return skb->mark ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Changes the packet of an skb: TTL and source address, with both checksums. */
SEC("tc")
int tc_rewrite(struct __sk_buff *skb)
{
	__u32 l3 = ETH_HLEN, l4 = ETH_HLEN + sizeof(struct iphdr);
	void *begin = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = begin + ETH_HLEN;
	__be32 from, to = BE32(0xc6336407);
	__be16 ttl_from, ttl_to;

	if ((void *)(ip + 1) > end || skb->protocol != BE16(ETH_P_IP) || ip4_header_bytes(ip) != sizeof(*ip))
		return TC_ACT_OK;
	if (ip->ttl <= 1)
		return TC_ACT_SHOT;
	from = ip->saddr;
	__builtin_memcpy(&ttl_from, &ip->ttl, 2);
	ttl_to = ttl_from - BE16(0x0100);
	if (ip->protocol == IPPROTO_UDP)
		bpf_l4_csum_replace(skb, l4 + 6, from, to, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
	else if (ip->protocol == IPPROTO_TCP)
		bpf_l4_csum_replace(skb, l4 + 16, from, to, BPF_F_PSEUDO_HDR | 4);
	bpf_l3_csum_replace(skb, l3 + 10, from, to, 4);
	bpf_l3_csum_replace(skb, l3 + 10, ttl_from, ttl_to, 2);
	bpf_skb_store_bytes(skb, l3 + 12, &to, 4, 0);
	bpf_skb_store_bytes(skb, l3 + 8, &ttl_to, 2, BPF_F_INVALIDATE_HASH);
	return TC_ACT_OK;
}

SEC("tc")
int tc_vlan(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
	if (bpf_skb_vlan_push(skb, BE16(ETH_P_8021Q), 77))
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

SEC("socket")
int socket_keep(struct __sk_buff *skb)
{
	return account(HOOK_SOCKET, skb->len) ? 0 : skb->len;
}

SEC("cgroup_skb/ingress")
int cgroup_in(struct __sk_buff *skb)
{
	return !account(HOOK_CGROUP, skb->len);
}

SEC("cgroup_skb/egress")
int cgroup_out(struct __sk_buff *skb)
{
	/* bit 1 asks TCP to slow down */
	return account(HOOK_CGROUP, skb->len) ? 2 : 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
