// SPDX-License-Identifier: Apache-2.0
// Drops packets whose IPv4 source has the tag "deny"; flow_tag is a helper of our own.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static long (*flow_tag)(void *tags, const void *flow, void *out, __u32 out_len, __u64 flags) = (void *)0x10001;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, char[8]);
} tags SEC(".maps");

SEC("xdp")
int tag_filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	char tag[8] = {};
	__u32 source;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	source = ip->saddr;
	if (flow_tag(&tags, &source, tag, sizeof(tag), 0))
		return XDP_PASS;
	return tag[0] == 'd' && tag[1] == 'e' && tag[2] == 'n' && tag[3] == 'y' ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
