// SPDX-License-Identifier: Apache-2.0
/* Maps without keys: a queue and a stack of lengths, and a Bloom filter of the senders seen so far. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, __u32);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, __u32);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1024);
	__uint(map_extra, 3); /* hash functions */
	__type(value, __u8[8]);
} senders SEC(".maps");

__u32 waiting;

/* A delay line: the verdict on this packet is that on the fourth before it. */
SEC("xdp")
int delay(struct xdp_md *ctx)
{
	__u32 bytes = pkt_bytes(ctx), oldest = 0;

	if (bpf_map_push_elem(&queue, &bytes, 0))
		return XDP_ABORTED;
	if (waiting < 4) {
		waiting++;
		return XDP_PASS;
	}
	if (bpf_map_pop_elem(&queue, &oldest))
		return XDP_ABORTED;
	return oldest > 500 ? XDP_DROP : XDP_PASS;
}

/* With BPF_EXIST a full stack forgets its oldest entry instead of refusing the newest. */
SEC("xdp")
int undo(struct xdp_md *ctx)
{
	__u32 bytes = pkt_bytes(ctx), top = 0, below = 0;

	if (bpf_map_push_elem(&stack, &bytes, BPF_EXIST))
		return XDP_ABORTED;
	if (bpf_map_peek_elem(&stack, &top) || top != bytes)
		return XDP_ABORTED;
	/* small packets take themselves and their predecessor off again */
	if (bytes >= 100)
		return XDP_PASS;
	bpf_map_pop_elem(&stack, &top);
	return bpf_map_pop_elem(&stack, &below) ? XDP_TX : XDP_DROP;
}

SEC("xdp")
int seen_before(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	__u8 sender[8] = {};

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	__builtin_memcpy(sender, eth->h_source, ETH_ALEN);
	if (!bpf_map_peek_elem(&senders, sender))
		return XDP_PASS;
	bpf_map_push_elem(&senders, sender, 0);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
