// SPDX-License-Identifier: Apache-2.0
/* Reports packets to user space: through a perf buffer with packet bytes, and through ring buffers. */
#include "net.h"

#define HEAD_BYTES 48

enum event_kind {
	EVENT_PACKET = 1,
	EVENT_HEAD,
	EVENT_LARGE,
};

struct packet_event {
	__u32 kind;
	__u32 sequence;
	__u32 frame_bytes;
	__u16 ether_type;
	__u16 queue;
};

struct head_event {
	struct packet_event packet;
	__u8 head[HEAD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small_ring SEC(".maps");

__u32 sequence;
__u32 lost;
__u64 ring_bytes_waiting;

static __always_inline void fill(struct xdp_md *ctx, struct packet_event *e, __u32 kind)
{
	__be16 type = 0;

	e->kind = kind;
	e->sequence = sequence++;
	e->frame_bytes = pkt_bytes(ctx);
	e->queue = ctx->rx_queue_index;
	bpf_xdp_load_bytes(ctx, 12, &type, sizeof(type));
	e->ether_type = bpf_ntohs(type);
}

/* The upper half of the flags asks the helper to append that many bytes of the packet. */
SEC("xdp")
int perf_sample(struct xdp_md *ctx)
{
	__u64 bytes = pkt_bytes(ctx);
	struct packet_event e = {};

	fill(ctx, &e, EVENT_PACKET);
	if (bytes > 96)
		bytes = 96;
	if (bpf_perf_event_output(ctx, &samples, bytes << 32 | BPF_F_CURRENT_CPU, &e, sizeof(e)))
		lost++;
	return XDP_PASS;
}

/* Asks for more bytes than the packet has: the helper refuses, nothing is sent. */
SEC("xdp")
int perf_too_much(struct xdp_md *ctx)
{
	__u64 bytes = pkt_bytes(ctx) + 1;
	struct packet_event e = {};

	fill(ctx, &e, EVENT_PACKET);
	return bpf_perf_event_output(ctx, &samples, bytes << 32 | BPF_F_CURRENT_CPU, &e, sizeof(e)) ? XDP_DROP
												     : XDP_PASS;
}

SEC("xdp")
int ring_output(struct xdp_md *ctx)
{
	struct packet_event e = {};

	fill(ctx, &e, EVENT_PACKET);
	if (bpf_ringbuf_output(&ring, &e, sizeof(e), 0)) {
		lost++;
		return XDP_DROP;
	}
	ring_bytes_waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	return XDP_PASS;
}

/* Writes in place: reserved first, then submitted, or discarded when there is too little to tell. */
SEC("xdp")
int ring_reserve(struct xdp_md *ctx)
{
	struct head_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e) {
		lost++;
		return XDP_DROP;
	}
	fill(ctx, &e->packet, EVENT_HEAD);
	if (bpf_xdp_load_bytes(ctx, 0, e->head, sizeof(e->head))) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return XDP_PASS;
	}
	bpf_ringbuf_submit(e, e->packet.sequence % 8 ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	return XDP_TX;
}

/* A ring of one page fills up soon: the third record of this size does not fit. */
SEC("xdp")
int ring_full(struct xdp_md *ctx)
{
	__u32 *record = bpf_ringbuf_reserve(&small_ring, 1500, 0);

	if (!record) {
		lost++;
		return XDP_DROP;
	}
	record[0] = EVENT_LARGE;
	record[1] = pkt_bytes(ctx);
	for (int i = 2; i < 375; i++)
		record[i] = i;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
