// SPDX-License-Identifier: Apache-2.0
/* Global data in every kind of section, Kconfig variables, strings and structs. */
#include "net.h"

struct limits {
	__u32 min_bytes;
	__u32 max_bytes;
	char name[16];
};

struct totals {
	__u64 packets;
	__u64 bytes;
	struct limits last_limits;
};

const volatile struct limits limits = { 64, 1518, "ethernet" };
const volatile __u8 weights[256] = { [0] = 1, [8] = 3, [0x86] = 5, [0x88] = 7, [255] = 9 };
const volatile __u32 divisor SEC(".rodata.tuning") = 3;

struct totals totals;
__u64 histogram[16];
__u32 failures SEC(".data.errors") = 0;

static volatile __u64 generation = 1;
__u16 thresholds[4] = { 64, 128, 512, 1024 };
__s32 balance SEC(".data.signed") = -1000;

extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern __u32 CONFIG_TSBPF_NO_SUCH_OPTION __kconfig __weak;

static __always_inline __u32 bucket(__u32 bytes)
{
	for (int i = 0; i < 4; i++)
		if (bytes < thresholds[i])
			return i;
	return 4;
}

SEC("xdp")
int globals(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);
	__u32 bytes = pkt_bytes(ctx), weight;

	if ((void *)(eth + 1) > pkt_end(ctx)) {
		failures++;
		return XDP_ABORTED;
	}
	weight = weights[(__u8)eth->h_proto];
	totals.packets++;
	totals.bytes += bytes;
	totals.last_limits.min_bytes = limits.min_bytes;
	totals.last_limits.max_bytes = limits.max_bytes;
	for (int i = 0; i < 16; i++)
		totals.last_limits.name[i] = limits.name[i];
	histogram[bucket(bytes) & 15] += weight;
	balance += (__s32)weight - (__s32)(bytes / divisor);
	generation = generation * 3 + CONFIG_BPF_SYSCALL;
	if (CONFIG_TSBPF_NO_SUCH_OPTION || LINUX_KERNEL_VERSION < 0x040000)
		failures++;
	return bytes < limits.min_bytes || bytes > limits.max_bytes ? XDP_DROP : XDP_PASS;
}

/* Format strings lie in .rodata, the values behind %s too. */
SEC("xdp")
int talk(struct xdp_md *ctx)
{
	static const char name[] = "tsbpf";
	char text[48];
	long length;

	length = BPF_SNPRINTF(text, sizeof(text), "%s saw %u bytes, %lld", name, (__u32)pkt_bytes(ctx),
			      (__s64)balance);
	if (length < 0)
		return XDP_ABORTED;
	bpf_printk("%s", text);
	return length > 20 ? XDP_DROP : XDP_PASS;
}

/* Compares text: what follows Ethernet, IPv4 and a TCP header with timestamps. */
SEC("xdp")
int compare(struct xdp_md *ctx)
{
	char first[8] = {};

	if (bpf_xdp_load_bytes(ctx, 66, first, 4))
		return XDP_PASS;
	return bpf_strncmp(first, 4, "GET ") == 0 ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
