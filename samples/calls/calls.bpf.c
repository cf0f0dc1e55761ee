// SPDX-License-Identifier: Apache-2.0
/*
 * Functions that are not inlined: static and global ones, three calls deep, with pointers into the
 * caller's stack and values that must survive calls in r6-r9; callbacks called by helpers; globals in
 * .rodata, .data and .bss.
 */
#include "net.h"

#define MAX_HASHED_BYTES 64

struct summary {
	__u64 hash;
	__u32 words;
	__u32 odd;
	__u8 first[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} protocols SEC(".maps");

const volatile __u32 max_iterations = 1000; /* .rodata */

/* const without volatile: the compiler may fold what it can see, and reads the rest from .rodata.cst32 */
static const __u32 round_constants[8] = {
	0x9e3779b9, 0x7f4a7c15, 0xf39cc060, 0x5cedc834, 0x1082276b, 0xf3a27251, 0xf86c6a11, 0xd1b54a32,
};

__u64 seed = 0x0123456789abcdefULL; /* .data */
__u32 runs_left = 1000000; /* .data */
__u64 total_bytes; /* .bss */
__u64 calls_made[6]; /* .bss */

/* Depth 3, static: changes what lies on the stack two frames up. */
static __noinline void mix(__u64 *hash, __u32 word, __u32 round)
{
	__u64 h = *hash;

	calls_made[0]++;
	h ^= word;
	h *= 0x100000001b3ULL;
	h ^= (h >> 29) + round_constants[round & 7];
	*hash = h;
}

/* Depth 3, global: verified on its own, so it may only rely on its types. */
__noinline __u32 rotate(__u32 value, __u32 by)
{
	calls_made[1]++;
	by &= 31;
	return value << by | value >> ((32 - by) & 31);
}

/* Depth 2: the loop's state has to survive the calls. */
static __noinline __u32 hash_words(const __u8 *bytes, __u32 count, __u64 *hash, __u32 *odd)
{
	__u32 done = 0;

	calls_made[2]++;
	for (__u32 i = 0; i < MAX_HASHED_BYTES / 4; i++) {
		__u32 word;

		if (i >= count)
			break;
		__builtin_memcpy(&word, bytes + i * 4, 4);
		word = rotate(word, i);
		mix(hash, word, i);
		if (word & 1)
			(*odd)++;
		done++;
	}
	return done;
}

/* Depth 1: copies packet bytes to its own stack and fills a struct of its caller. */
static __noinline int summarize(struct xdp_md *ctx, struct summary *out)
{
	__u8 bytes[MAX_HASHED_BYTES] = {};
	__u64 length = pkt_bytes(ctx);

	calls_made[3]++;
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	/* without the barrier the compiler checks another register than the one it passes to the helper */
	asm volatile("" : "+r"(length));
	if (length < ETH_HLEN || length > sizeof(bytes))
		return -1;
	if (bpf_xdp_load_bytes(ctx, 0, bytes, length))
		return -1;
	__builtin_memcpy(out->first, bytes, sizeof(out->first));
	out->words = hash_words(bytes, length / 4, &out->hash, &out->odd);
	return length;
}

/* Global with a pointer to memory: the verifier assumes it may be null. */
__noinline int remember(const struct summary *s, __u32 protocol)
{
	__u64 *count;
	__u64 one = 1;

	calls_made[4]++;
	if (!s)
		return -1;
	count = bpf_map_lookup_elem(&protocols, &protocol);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&protocols, &protocol, &one, BPF_ANY);
	return s->words;
}

/* Global with the context: called from the program and from another function. */
__noinline int packet_bytes(struct xdp_md *ctx)
{
	calls_made[5]++;
	return pkt_bytes(ctx);
}

static __noinline __u32 ether_type(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);

	if ((void *)(eth + 1) > pkt_end(ctx))
		return packet_bytes(ctx);
	return bpf_ntohs(eth->h_proto);
}

SEC("xdp")
int calls(struct xdp_md *ctx)
{
	/* five values that live across every call below, one more than r6-r9 can hold */
	__u32 queue = ctx->rx_queue_index, port = ctx->ingress_ifindex;
	__u32 bytes = packet_bytes(ctx);
	__u32 type = ether_type(ctx);
	struct summary s = { .hash = seed };
	int length, words;

	length = summarize(ctx, &s);
	if (length < 0)
		return XDP_ABORTED;
	words = remember(&s, type);
	if (words != length / 4)
		return XDP_ABORTED;

	total_bytes += bytes;
	runs_left--;
	seed = s.hash + queue + port;
	if (s.odd & 1)
		return type == ETH_P_IP ? XDP_TX : XDP_DROP;
	return XDP_PASS;
}

struct loop_state {
	__u64 sum;
	__u32 limit;
	__u32 stopped_at;
};

static long add_until(__u32 index, void *arg)
{
	struct loop_state *state = arg;

	state->sum += (__u64)index * index;
	state->stopped_at = index;
	return state->sum > state->limit;
}

/* Called back once a loop, and itself the caller of a static function. */
static long mix_round(__u32 index, void *arg)
{
	mix(arg, index * 3, index);
	return 0;
}

static long loop_in_loop(__u32 index, void *arg)
{
	struct loop_state inner = { .limit = 20 + index };
	__u64 *sum = arg;

	bpf_loop(10, add_until, &inner, 0);
	*sum += inner.sum;
	return 0;
}

SEC("xdp")
int loops(struct xdp_md *ctx)
{
	__u32 bytes = pkt_bytes(ctx);
	struct loop_state state = { .limit = bytes };
	__u64 hash = seed, nested = 0;
	long made;

	made = bpf_loop(max_iterations, add_until, &state, 0);
	if (made < 0 || made != (long)state.stopped_at + 1)
		return XDP_ABORTED;
	bpf_loop(bytes & 0x3f, mix_round, &hash, 0);
	bpf_loop(4, loop_in_loop, &nested, 0);
	seed = hash;
	total_bytes += state.sum + nested;
	return (hash & 1) == 0 ? XDP_PASS : XDP_DROP;
}

struct bpf_map;

struct scan {
	__u64 total;
	__u32 entries;
	__u32 stop_after;
};

static long sum_entry(struct bpf_map *map, __u32 *key, __u64 *value, struct scan *scan)
{
	(void)map;
	scan->total += *value * (*key + 1);
	scan->entries++;
	return scan->stop_after && scan->entries >= scan->stop_after;
}

static long halve_entry(struct bpf_map *map, __u32 *key, __u64 *value, struct scan *scan)
{
	(void)map;
	(void)key;
	if (*value > 1) {
		*value /= 2;
		/* a flag, not a count: the verifier walks a callback until its state stops changing */
		scan->total = 1;
	}
	return 0;
}

SEC("xdp")
int each(struct xdp_md *ctx)
{
	__u64 bytes = pkt_bytes(ctx);
	struct scan array = {}, hash = {}, some = { .stop_after = 3 }, halved = {};
	__u32 slot = bytes >> 8 & 7, type = ether_type(ctx);
	__u64 *length;

	length = bpf_map_lookup_elem(&lengths, &slot);
	if (length)
		*length += bytes;
	bpf_map_update_elem(&protocols, &type, &bytes, BPF_NOEXIST);

	if (bpf_for_each_map_elem(&lengths, sum_entry, &array, 0) != 8)
		return XDP_ABORTED;
	if (bpf_for_each_map_elem(&lengths, sum_entry, &some, 0) != 3)
		return XDP_ABORTED;
	if (bpf_for_each_map_elem(&protocols, sum_entry, &hash, 0) < 1)
		return XDP_ABORTED;
	if (array.total > 4000)
		bpf_for_each_map_elem(&lengths, halve_entry, &halved, 0);
	total_bytes += array.total + some.total + hash.total;
	return halved.total ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
