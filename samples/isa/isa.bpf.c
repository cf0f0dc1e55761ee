// SPDX-License-Identifier: Apache-2.0
/*
 * Arithmetic over packet bytes that makes the compiler use as much of the instruction set as it can:
 * signed division, sign extension, byte swaps, atomics of every kind, loads with acquire and stores
 * with release. Built for cpu v4, and what is possible for v3 and v1.
 */
#include "net.h"

struct shared {
	__u64 added;
	__u64 anded;
	__u64 ored;
	__u64 xored;
	__u64 exchanged;
	__u64 compared;
	__u32 small_added;
	__u32 small_exchanged;
	__u32 flag;
	__u32 seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shared);
} shared SEC(".maps");

__s64 results[12];

#define INPUT_BYTES 64

static __always_inline int load_input(struct xdp_md *ctx, void *input)
{
	return bpf_xdp_load_bytes(ctx, 0, input, INPUT_BYTES);
}

SEC("xdp")
int arithmetic(struct xdp_md *ctx)
{
	union {
		__u8 u8[INPUT_BYTES];
		__u32 u32[INPUT_BYTES / 4];
		__u64 u64[INPUT_BYTES / 8];
		__s64 s64[INPUT_BYTES / 8];
	} in;
	__u64 a, b;
	__u32 c, d;

	if (load_input(ctx, &in))
		return XDP_ABORTED;
	a = in.u64[3];
	b = in.u64[4];
	c = in.u32[10];
	d = in.u32[11];

	results[0] = a + b * 3 - (a ^ b);
	results[1] = a / (b | 1) + a % (b >> 7 | 1);
	results[2] = (a << (c & 63)) | (b >> (d & 63));
	results[3] = (__s64)a >> (d & 63);
	results[4] = c / (d | 1) + c % (d >> 3 | 1) + (c << (d & 31)) + (c >> (d & 31));
	results[5] = (__s32)c >> (d & 31);
	results[6] = __builtin_bswap64(a) ^ __builtin_bswap32(c) ^ __builtin_bswap16(d);
	results[7] = -(__s64)a + (__s64)~b;
	results[8] = a > b ? (__s64)a < (__s64)b ? 1 : 2 : (__s32)c < (__s32)d ? 3 : 4;
	results[9] = bpf_htons(c) + bpf_htonl(d) + bpf_cpu_to_be64(b);

	return results[1] & 1 ? XDP_PASS : XDP_DROP;
}

#if __BPF_CPU_VERSION__ >= 4
SEC("xdp")
int signed_arithmetic(struct xdp_md *ctx)
{
	union {
		__s8 s8[INPUT_BYTES];
		__s16 s16[INPUT_BYTES / 2];
		__s32 s32[INPUT_BYTES / 4];
		__s64 s64[INPUT_BYTES / 8];
	} in;
	__s64 a, b;
	__s32 c, d;

	if (load_input(ctx, &in))
		return XDP_ABORTED;
	a = in.s64[3];
	b = in.s64[4] >> 20;
	c = in.s32[10];
	d = in.s32[11] >> 9;

	results[0] = a / (b ? b : -1);
	results[1] = a % (b ? b : -1);
	results[2] = c / (d ? d : -1);
	results[3] = c % (d ? d : -1);
	results[4] = (__s8)a + (__s16)a + (__s32)a;
	results[5] = (__s8)c * (__s16)d;
	results[6] = in.s8[20] + in.s16[11] + in.s32[6];
	results[7] = a / 7 - a % 1000;
	return results[0] < 0 ? XDP_TX : XDP_PASS;
}
#endif

#if __BPF_CPU_VERSION__ >= 3
SEC("xdp")
int atomics(struct xdp_md *ctx)
{
	__u64 bytes = pkt_bytes(ctx);
	struct shared *s;
	__u32 zero = 0;
	__u64 expected;

	s = bpf_map_lookup_elem(&shared, &zero);
	if (!s)
		return XDP_ABORTED;
	/* relaxed and without a use of the old value: the short forms; then those that fetch */
	__atomic_fetch_add(&s->added, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_and(&s->anded, ~bytes, __ATOMIC_RELAXED);
	__atomic_fetch_or(&s->ored, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_xor(&s->xored, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->small_added, (__u32)bytes, __ATOMIC_RELAXED);

	results[0] = __sync_fetch_and_add(&s->added, 1);
	results[1] = __sync_fetch_and_and(&s->anded, ~1ULL);
	results[2] = __sync_fetch_and_or(&s->ored, 0x10000);
	results[3] = __sync_fetch_and_xor(&s->xored, bytes << 8);
	results[4] = __sync_lock_test_and_set(&s->exchanged, bytes);
	expected = s->compared;
	results[5] = __sync_val_compare_and_swap(&s->compared, expected, expected + bytes);
	results[6] = __sync_val_compare_and_swap(&s->compared, 1, 2);
	results[7] = __sync_fetch_and_add(&s->small_added, 5);
	results[8] = __sync_lock_test_and_set(&s->small_exchanged, (__u32)bytes);
	results[9] = __sync_val_compare_and_swap(&s->small_exchanged, (__u32)bytes, 7);
	return s->xored & 1 ? XDP_DROP : XDP_PASS;
}
#endif

#if __BPF_CPU_VERSION__ >= 4
SEC("xdp")
int ordered(struct xdp_md *ctx)
{
	struct shared *s;
	__u32 zero = 0;
	__u64 wide;

	s = bpf_map_lookup_elem(&shared, &zero);
	if (!s)
		return XDP_ABORTED;
	__atomic_store_n(&s->flag, (__u32)pkt_bytes(ctx), __ATOMIC_RELEASE);
	__atomic_store_n(&s->exchanged, ~(__u64)s->flag, __ATOMIC_RELEASE);
	wide = __atomic_load_n(&s->exchanged, __ATOMIC_ACQUIRE);
	s->seen += __atomic_load_n(&s->flag, __ATOMIC_ACQUIRE);
	return wide >> 63 ? XDP_PASS : XDP_DROP;
}
#endif

/* Ends with division and remainder by zero, which BPF defines as 0 and as the dividend. */
SEC("xdp")
int by_zero(struct xdp_md *ctx)
{
	__u64 a = pkt_bytes(ctx), zero = 0, q = a, r = a;
	__u32 q32 = a, r32 = a;

	asm volatile("" : "+r"(zero));
	asm volatile("%[q] /= %[z]" : [q] "+r"(q) : [z] "r"(zero));
	asm volatile("%[r] %%= %[z]" : [r] "+r"(r) : [z] "r"(zero));
#if __BPF_CPU_VERSION__ >= 3
	__u32 zero32 = zero;

	asm volatile("%[q] /= %[z]" : [q] "+w"(q32) : [z] "w"(zero32));
	asm volatile("%[r] %%= %[z]" : [r] "+w"(r32) : [z] "w"(zero32));
#else
	q32 = 0;
#endif
	return q == 0 && r == a && q32 == 0 && r32 == (__u32)a ? XDP_PASS : XDP_ABORTED;
}

static const __u32 crc_of_nibble[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

/* As checksums go: 128 steps, each of which depends on the one before. */
SEC("xdp")
int crc32(struct xdp_md *ctx)
{
	__u8 in[INPUT_BYTES];
	__u32 crc = ~0u;

	if (load_input(ctx, in))
		return XDP_ABORTED;
	for (int i = 0; i < INPUT_BYTES; i++) {
		crc ^= in[i];
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
	}
	results[10] = ~crc;
	return results[10] & 1 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
