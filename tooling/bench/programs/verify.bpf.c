// SPDX-License-Identifier: Apache-2.0
// Programs that are long to verify: what the verifier's benchmark walks. They are never run.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define UNROLL _Pragma("clang loop unroll(full)")
#define NOUNROLL _Pragma("clang loop unroll(disable)")
#define FRAMES 60
#define NAME_BYTES 64

struct frame_layout {
	__s64 code_off, back_off, name_off, file_off, class_off;
	__s32 is_native, depth;
};
struct sample {
	__u64 stamp;
	__u32 frame_count, name_bytes;
	__s32 symbols[FRAMES];
	char names[16384];
};
struct symbol {
	char class_name[32];
	char name[NAME_BYTES];
	char file[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct frame_layout);
} layouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct symbol);
	__type(value, __s32);
} symbols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int read_symbol(const struct frame_layout *layout, void *code, struct symbol *symbol)
{
	void *name = 0, *file = 0, *class_ = 0;

	bpf_probe_read_kernel(&name, sizeof(name), code + layout->name_off);
	bpf_probe_read_kernel(&file, sizeof(file), code + layout->file_off);
	if (layout->class_off >= 0) {
		bpf_probe_read_kernel(&class_, sizeof(class_), code + layout->class_off);
		if (class_)
			bpf_probe_read_kernel_str(symbol->class_name, sizeof(symbol->class_name), class_);
	}
	bpf_probe_read_kernel_str(symbol->name, sizeof(symbol->name), name);
	return bpf_probe_read_kernel_str(symbol->file, sizeof(symbol->file), file);
}

static __always_inline int walk_frames(void *ctx, int isUnrolled)
{
	__u32 zero = 0, pid = bpf_get_current_pid_tgid() >> 32;
	struct frame_layout *layout = bpf_map_lookup_elem(&layouts, &pid);
	struct sample *sample = bpf_map_lookup_elem(&samples, &zero);
	void *frame = 0, *code = 0;

	if (!layout || !sample)
		return 0;
	sample->stamp = bpf_ktime_get_ns();
	sample->frame_count = 0;
	bpf_probe_read_kernel(&frame, sizeof(frame), ctx);
#define BODY                                                                                            \
	{                                                                                               \
		struct symbol symbol = {};                                                              \
		__s32 fresh = i, *known;                                                                \
		if (!frame)                                                                             \
			break;                                                                          \
		bpf_probe_read_kernel(&code, sizeof(code), frame + layout->code_off);                   \
		if (!code)                                                                              \
			break;                                                                          \
		if (layout->is_native && read_symbol(layout, code, &symbol) < 0)                        \
			symbol.file[0] = 0;                                                             \
		known = bpf_map_lookup_elem(&symbols, &symbol);                                         \
		if (!known) {                                                                           \
			bpf_map_update_elem(&symbols, &symbol, &fresh, BPF_NOEXIST);                    \
			known = bpf_map_lookup_elem(&symbols, &symbol);                                 \
		}                                                                                       \
		sample->symbols[i] = known ? *known : -1;                                               \
		sample->frame_count = i + 1;                                                            \
		bpf_probe_read_kernel(&frame, sizeof(frame), frame + layout->back_off);                 \
	}
	if (isUnrolled) {
		UNROLL for (int i = 0; i < FRAMES; i++) BODY
	} else {
		NOUNROLL for (int i = 0; i < FRAMES; i++) BODY
	}
	return sample->frame_count;
}

SEC("raw_tp/unrolled")
int unrolled(void *ctx)
{
	return walk_frames(ctx, 1);
}

SEC("raw_tp/frames")
int frames(void *ctx)
{
	return walk_frames(ctx, 0);
}

// Strings appended to a buffer: offsets that grow by unknown amounts.
SEC("raw_tp/strings")
int strings(void *ctx)
{
	__u32 zero = 0;
	struct sample *sample = bpf_map_lookup_elem(&samples, &zero);
	__u64 used = 0;

	if (!sample)
		return 0;
	NOUNROLL for (int group = 0; group < 12; group++) {
		void *list = 0;
		__u64 count = 0;
		bpf_probe_read_kernel(&list, sizeof(list), ctx + group * 16);
		bpf_probe_read_kernel(&count, sizeof(count), ctx + group * 16 + 8);
		if (!list)
			continue;
		NOUNROLL for (int i = 0; i < 25; i++) {
			void *text = 0;
			if (i >= count)
				break;
			bpf_probe_read_kernel(&text, sizeof(text), list + i * 8);
			if (used > sizeof(sample->names) - NAME_BYTES)
				break;
			long bytes = bpf_probe_read_kernel_str(sample->names + used, NAME_BYTES, text);
			if (bytes > 0 && bytes <= NAME_BYTES)
				used += bytes;
			else
				sample->stamp++;
		}
	}
	sample->name_bytes = used;
	return 0;
}

// Options and extension headers at unknown offsets of a packet.
SEC("xdp")
int headers(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end, *at = (void *)(long)ctx->data;
	struct ethhdr *eth = at;
	__u32 key = 0;
	__u64 *count;

	if (at + sizeof(*eth) > end)
		return XDP_DROP;
	__u16 proto = eth->h_proto;
	at += sizeof(*eth);
	NOUNROLL for (int i = 0; i < 6; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if (at + 4 > end)
			return XDP_DROP;
		proto = *(__u16 *)(at + 2);
		at += 4;
	}
	__u8 next;
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;
		if (at + sizeof(*ip) > end || ip->ihl < 5)
			return XDP_DROP;
		next = ip->protocol;
		__u8 *option = at + sizeof(*ip);
		__u8 left = (ip->ihl - 5) * 4;
		NOUNROLL for (int i = 0; i < 10; i++) {
			if (left < 2 || (void *)option + 2 > end)
				break;
			__u8 bytes = option[0] < 2 ? 1 : option[1];
			if (bytes == 0 || bytes > left)
				return XDP_DROP;
			key ^= option[0];
			option += bytes;
			left -= bytes;
		}
		at += ip->ihl * 4;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = at;
		if (at + sizeof(*ip6) > end)
			return XDP_DROP;
		next = ip6->nexthdr;
		at += sizeof(*ip6);
		NOUNROLL for (int i = 0; i < 10; i++) {
			struct ipv6_opt_hdr *ext = at;
			if ((void *)(ext + 1) > end)
				return XDP_DROP;
			if (next == IPPROTO_FRAGMENT)
				at += 8;
			else if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING)
				at += (ext->hdrlen + 1) * 8;
			else if (next == IPPROTO_AH)
				at += (ext->hdrlen + 2) * 4;
			else
				break;
			next = ext->nexthdr;
		}
	} else {
		return XDP_PASS;
	}
	key = (key + next) & 255;
	count = bpf_map_lookup_elem(&counts, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return at + 4 > end ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
