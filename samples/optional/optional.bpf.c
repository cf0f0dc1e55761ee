// SPDX-License-Identifier: Apache-2.0
/* A program that loaders leave out unless it is asked for: its section begins with a question mark. */
#include "net.h"

SEC("xdp")
int always(struct xdp_md *ctx)
{
	return pkt_bytes(ctx) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("?xdp")
int on_request(struct xdp_md *ctx)
{
	return pkt_bytes(ctx) & 2 ? XDP_PASS : XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
