// SPDX-License-Identifier: Apache-2.0
/* No map, no global, no BTF, no helper, and a license that opens nothing: the least an object can be. */
#include "net.h"

static __noinline int is_large(__u64 bytes)
{
	return bytes > 1000;
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	struct ethhdr *eth = pkt_begin(ctx);

	if ((void *)(eth + 1) > pkt_end(ctx))
		return XDP_ABORTED;
	if (eth->h_proto == BE16(ETH_P_ARP))
		return XDP_TX;
	return is_large(pkt_bytes(ctx)) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Apache-2.0";
