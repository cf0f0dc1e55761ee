// SPDX-License-Identifier: Apache-2.0
/* Maps declared as objects were before BTF: five numbers each in the section "maps". */
#include "net.h"

struct bpf_map_def {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct bpf_map_def SEC("maps") packets_by_type = {
	.type = BPF_MAP_TYPE_HASH,
	.key_size = sizeof(__u16),
	.value_size = sizeof(__u64),
	.max_entries = 32,
	.map_flags = BPF_F_NO_PREALLOC,
};

struct bpf_map_def SEC("maps") verdicts = {
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = sizeof(__u32),
	.value_size = sizeof(__u32),
	.max_entries = 8,
};

SEC("xdp")
int legacy(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	__u64 one = 1, *count;
	__u32 slot, *verdict;
	__u16 type;

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	type = bpf_ntohs(eth->h_proto);
	count = bpf_map_lookup_elem(&packets_by_type, &type);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&packets_by_type, &type, &one, BPF_ANY);

	slot = type == ETH_P_IP ? 0 : type == ETH_P_IPV6 ? 1 : 2;
	verdict = bpf_map_lookup_elem(&verdicts, &slot);
	return verdict && *verdict ? *verdict & 3 : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
