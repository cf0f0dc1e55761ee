// SPDX-License-Identifier: Apache-2.0
// What the benchmark measures. Loop counts are such that Linux's verifier, which walks every iteration, takes them.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOUNROLL _Pragma("clang loop unroll(disable)")
#define NOINLINE static __attribute__((noinline))
#define FOLD(x) ((int)(((x) ^ ((x) >> 32)) & 0x7fffffff))

struct flow_key {
	__u32 saddr, daddr;
	__u16 sport, dport;
	__u32 proto;
};
struct flow_count {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow_count);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(value_size, 4);
	__uint(key_size, 8);
} routes SEC(".maps");

int tail_end(struct xdp_md *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} stages SEC(".maps") = { .values = { [0] = (void *)&tail_end } };

/* 64-bit arithmetic */
SEC("xdp") int alu64(struct xdp_md *ctx)
{
	__u64 a = 1, b = 0x9e3779b97f4a7c15ULL, i;
	NOUNROLL for (i = 0; i < 8000; i++) {
		a = a * 6364136223846793005ULL + i;
		b ^= a >> 29;
		b += a << 7;
		a -= b | 1;
		a ^= b & 0xff00ff00ff00ff00ULL;
	}
	return FOLD(a ^ b);
}

/* 32-bit arithmetic */
SEC("xdp") int alu32(struct xdp_md *ctx)
{
	__u32 a = 1, b = 0x9e3779b9, i;
	NOUNROLL for (i = 0; i < 8000; i++) {
		a = a * 1664525 + i;
		b ^= a >> 13;
		b += a << 7;
		a -= b | 1;
		a ^= b & 0xff00ff00;
	}
	return (int)((a ^ b) & 0x7fffffff);
}

/* data-dependent branches with a division or remainder a step */
SEC("xdp") int collatz(struct xdp_md *ctx)
{
	__u64 n, sum = 0x9e3779b97f4a7c15ULL, steps = 0;
	NOUNROLL for (n = 2; n < 200; n++) {
		__u64 x = n;
		NOUNROLL while (x != 1) {
			if (x & 1) {
				x = 3 * x + 1;
				sum += sum / n;
			} else {
				x >>= 1;
				sum ^= (sum % (n + 3)) << 7;
			}
			steps++;
		}
	}
	return FOLD(sum + steps);
}

/* reads and writes of every width over a packet, bytes swapped */
#define MEM_LEN 1496
SEC("xdp") int memory(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	__u64 x = 0x0123456789abcdefULL, s = 0;
	__u32 i;

	if (p + MEM_LEN > e)
		return 1;
	NOUNROLL for (i = 0; i < MEM_LEN; i += 8) { *(__u64 *)(p + i) = x; x = x * 3 + i; }
	NOUNROLL for (i = 0; i < MEM_LEN; i += 4) *(__u32 *)(p + i) = __builtin_bswap32(*(__u32 *)(p + i)) ^ i;
	NOUNROLL for (i = 0; i < MEM_LEN; i += 2) { __u16 v = *(__u16 *)(p + i); s += __builtin_bswap16(v); *(__u16 *)(p + i) = v + i; }
	NOUNROLL for (i = 0; i < MEM_LEN; i += 1) { __u8 v = p[i]; p[i] = v ^ 0x5a; s += v; asm volatile("" : "+r"(s)); }
	NOUNROLL for (i = 0; i < MEM_LEN; i += 8) s = (s ^ __builtin_bswap64(*(__u64 *)(p + i))) + (s << 1);
	return FOLD(s);
}

/* calls one deep */
NOINLINE __u64 leaf(__u64 a, __u64 b) { return (a ^ b) + (a >> 3); }
SEC("xdp") int calls1(struct xdp_md *ctx)
{
	__u64 x = 1, i;
	NOUNROLL for (i = 0; i < 6000; i++) x = leaf(x, i);
	return FOLD(x);
}

/* calls three deep */
NOINLINE __u64 third(__u64 a, __u64 b) { return a * 5 + b; }
NOINLINE __u64 second(__u64 a, __u64 b) { return third(a ^ b, b + 1) + a; }
NOINLINE __u64 first(__u64 a, __u64 b) { return second(a + b, b) ^ b; }
SEC("xdp") int calls3(struct xdp_md *ctx)
{
	__u64 x = 1, i;
	NOUNROLL for (i = 0; i < 3000; i++) x += first(x, i);
	return FOLD(x);
}

/* CRC-32 bit by bit */
SEC("xdp") int crc32(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	__u32 crc = 0xffffffff, i, k;

	if (p + 512 > e)
		return 1;
	NOUNROLL for (i = 0; i < 512; i++) {
		crc ^= p[i];
		NOUNROLL for (k = 0; k < 8; k++) crc = (crc >> 1) ^ (0xedb88320 & -(crc & 1));
	}
	return (int)(crc & 0x7fffffff);
}

/* Ethernet, VLAN, IPv4 or IPv6, TCP or UDP */
SEC("xdp") int parse(struct xdp_md *ctx)
{
	void *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	struct ethhdr *eth = p;
	__u16 proto;
	__u8 l4;
	int i;

	if (p + sizeof(*eth) > e)
		return XDP_DROP;
	proto = eth->h_proto;
	p += sizeof(*eth);
#pragma unroll
	for (i = 0; i < 2; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if (p + 4 > e)
			return XDP_DROP;
		proto = *(__u16 *)(p + 2);
		p += 4;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = p;
		__u32 bytes;

		if (p + sizeof(*ip) > e || ip->version != 4 || ip->ihl < 5)
			return XDP_DROP;
		bytes = ip->ihl * 4;
		if (bpf_ntohs(ip->tot_len) < bytes || ip->ttl == 0 || ip->saddr == ip->daddr)
			return XDP_DROP;
		l4 = ip->protocol;
		p += bytes;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = p;

		if (p + sizeof(*ip6) > e || ip6->version != 6 || ip6->hop_limit == 0)
			return XDP_DROP;
		l4 = ip6->nexthdr;
		p += sizeof(*ip6);
	} else {
		return XDP_PASS;
	}
	if (l4 == IPPROTO_TCP) {
		struct tcphdr *tcp = p;

		if (p + sizeof(*tcp) > e || tcp->doff < 5 || (tcp->syn && tcp->fin))
			return XDP_DROP;
		return tcp->dest == bpf_htons(23) ? XDP_DROP : XDP_PASS;
	}
	if (l4 == IPPROTO_UDP) {
		struct udphdr *udp = p;

		if (p + sizeof(*udp) > e || bpf_ntohs(udp->len) < sizeof(*udp))
			return XDP_DROP;
		return udp->dest == bpf_htons(53) ? XDP_TX : XDP_PASS;
	}
	return XDP_PASS;
}

/* one array lookup and one hash lookup a packet, counters in place */
static __always_inline int flow_of(struct xdp_md *ctx, struct flow_key *key, __u64 *bytes)
{
	void *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	struct iphdr *ip = p + sizeof(struct ethhdr);
	__u16 *ports = (void *)(ip + 1);

	if ((void *)(ports + 2) > e || ((struct ethhdr *)p)->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return 0;
	key->saddr = ip->saddr;
	key->daddr = ip->daddr;
	key->sport = ports[0];
	key->dport = ports[1];
	key->proto = ip->protocol;
	*bytes = e - p;
	return 1;
}

SEC("xdp") int array_lookup(struct xdp_md *ctx)
{
	__u64 sum = 0, *value;
	__u32 i, key;

	NOUNROLL for (i = 0; i < 64; i++) {
		key = i & 15;
		value = bpf_map_lookup_elem(&counters, &key);
		if (value) {
			*value += i;
			sum += *value;
		}
	}
	return FOLD(sum);
}

SEC("xdp") int hash_lookup(struct xdp_md *ctx)
{
	struct flow_key key = {};
	struct flow_count *count, fresh = { 1, 64 };
	__u64 bytes;

	if (!flow_of(ctx, &key, &bytes))
		return XDP_DROP;
	count = bpf_map_lookup_elem(&flows, &key);
	if (count) {
		count->packets += 1;
		count->bytes += bytes;
		return XDP_PASS;
	}
	bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY);
	return XDP_TX;
}

SEC("xdp") int hash_update(struct xdp_md *ctx)
{
	__u64 i, key, value;

	NOUNROLL for (i = 0; i < 64; i++) {
		key = (i * 0x9e3779b97f4a7c15ULL) >> 52;
		value = i;
		bpf_map_update_elem(&numbers, &key, &value, BPF_ANY);
	}
	return XDP_PASS;
}

SEC("xdp") int lpm_lookup(struct xdp_md *ctx)
{
	struct {
		__u32 prefixlen;
		__u32 address;
	} key = { .prefixlen = 32 };
	__u32 *value, i, sum = 0;

	NOUNROLL for (i = 0; i < 16; i++) {
		key.address = bpf_htonl(0x0a000000 | (i * 0x00010203));
		value = bpf_map_lookup_elem(&routes, &key);
		sum += value ? *value : 1;
	}
	return (int)sum;
}

SEC("xdp") int tail_end(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp") int tail_calls(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &stages, 0);
	return XDP_ABORTED;
}

static long add_step(__u64 index, __u64 *sum)
{
	*sum += index ^ (*sum >> 3);
	return 0;
}

SEC("xdp") int loop(struct xdp_md *ctx)
{
	__u64 sum = 1;

	bpf_loop(2000, add_step, &sum, 0);
	return FOLD(sum);
}

/* nothing: what a run costs by itself */
SEC("xdp") int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
