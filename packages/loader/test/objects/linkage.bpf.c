// SPDX-License-Identifier: Apache-2.0
// Functions of every linkage, calls with and without relocations, callbacks, externs.
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define __hidden __attribute__((visibility("hidden")))
#define __weak __attribute__((weak))
#define __noinline __attribute__((noinline))
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))
#define barrier(x) __asm__ volatile("" : "+r"(x))

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

static long (*bpf_loop)(u32 n, void *callback, void *ctx, u64 flags) = (void *)181;

enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF __kconfig;
extern enum libbpf_tristate CONFIG_TEST_TRISTATE __kconfig __weak;
extern char CONFIG_TEST_CHAR __kconfig __weak;
extern u64 CONFIG_TEST_WIDE __kconfig __weak;
extern char CONFIG_TEST_TEXT[8] __kconfig __weak;
extern int CONFIG_TEST_STRONG __kconfig;

extern const void bpf_prog_active __ksym __weak;
extern const int no_such_variable __ksym __weak;
extern void bpf_no_such_kfunc(int x) __ksym __weak;
extern u64 bpf_strong_kfunc(void *p) __ksym;

static __noinline int leaf(int x)
{
	barrier(x);
	return x + 1;
}

static __noinline int middle(int x)
{
	barrier(x);
	return leaf(x) + leaf(x + 2);
}

__noinline int visible(int x)
{
	barrier(x);
	return middle(x) + 1;
}

__hidden __noinline int hidden(int x)
{
	barrier(x);
	return middle(x) * 2;
}

__weak __noinline int weak(int x)
{
	barrier(x);
	return hidden(x) + visible(x);
}

static int callback(u64 index, void *ctx)
{
	*(u64 *)ctx += index + leaf(3);
	return 0;
}

__noinline int other_callback(u64 index, void *ctx)
{
	return index == 3;
}

SEC("xdp")
int chain(struct xdp_md *ctx)
{
	return weak(ctx->rx_queue_index) + leaf(7);
}

SEC("xdp")
int only_leaf(struct xdp_md *ctx)
{
	return leaf(ctx->ingress_ifindex);
}

SEC("xdp")
int loops(struct xdp_md *ctx)
{
	u64 sum = 0;

	bpf_loop(4, callback, &sum, 0);
	bpf_loop(5, other_callback, &sum, 0);
	return sum;
}

SEC("tc")
int options(void *ctx)
{
	u64 sum = LINUX_KERNEL_VERSION + CONFIG_BPF + CONFIG_TEST_TRISTATE + CONFIG_TEST_CHAR + CONFIG_TEST_WIDE;

	for (int i = 0; i < 8; i++)
		sum += CONFIG_TEST_TEXT[i];
	return sum;
}

SEC("?tc")
int strong_option(void *ctx)
{
	return CONFIG_TEST_STRONG;
}

SEC("tc")
int kernel_symbols(void *ctx)
{
	u64 sum = (u64)&bpf_prog_active + (u64)&no_such_variable;

	if (bpf_no_such_kfunc)
		bpf_no_such_kfunc(1);
	return sum;
}

SEC("?tc")
int strong_kfunc(void *ctx)
{
	return bpf_strong_kfunc(ctx);
}

int lone_global __hidden = 3;
static volatile int lone_static = 4;
const volatile u32 tunable = 5;
u64 zeroed[4];

SEC("tc/ingress")
int variables(void *ctx)
{
	zeroed[2] += tunable;
	return lone_global + lone_static;
}

char _license[] SEC("license") = "GPL";
