// SPDX-License-Identifier: Apache-2.0
/* Counts without locks: every CPU has its own copy of a value. */
#include "net.h"

struct sizes {
	__u64 packets;
	__u64 bytes;
	__u32 min_bytes;
	__u32 max_bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 32);
	__type(key, __u16);
	__type(value, struct sizes);
} by_type SEC(".maps");

/* A histogram by the logarithm of the length. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 17);
	__type(key, __u32);
	__type(value, __u32);
} histogram SEC(".maps");

static __always_inline __u32 log2_of(__u32 v)
{
	__u32 log = 0;

#pragma unroll
	for (int shift = 8; shift > 0; shift /= 2) {
		if (v >> shift) {
			v >>= shift;
			log += shift;
		}
	}
	return log;
}

SEC("xdp")
int sizes(struct xdp_md *ctx)
{
	__u32 bytes = pkt_bytes(ctx), slot = log2_of(bytes);
	struct ethhdr *eth = pkt_begin(ctx);
	struct sizes *s, first = { .packets = 1, .bytes = bytes, .min_bytes = bytes, .max_bytes = bytes };
	__u32 *count;
	__u16 type;

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	count = bpf_map_lookup_elem(&histogram, &slot);
	if (count)
		(*count)++;

	type = bpf_ntohs(eth->h_proto);
	s = bpf_map_lookup_elem(&by_type, &type);
	if (!s) {
		bpf_map_update_elem(&by_type, &type, &first, BPF_NOEXIST);
		return XDP_PASS;
	}
	s->packets++;
	s->bytes += bytes;
	if (bytes < s->min_bytes)
		s->min_bytes = bytes;
	if (bytes > s->max_bytes)
		s->max_bytes = bytes;
	return XDP_PASS;
}

/* Looks at the copy of another CPU. */
SEC("xdp")
int first_cpu(struct xdp_md *ctx)
{
	__u32 slot = log2_of(pkt_bytes(ctx));
	__u32 *count = bpf_map_lookup_percpu_elem(&histogram, &slot, 0);

	if (!count)
		return XDP_ABORTED;
	return *count & 1 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
