// SPDX-License-Identifier: Apache-2.0
// Calls BPF_PROG_TEST_RUN once a packet, as a native program that knows nothing faster would, and prints how long all
// calls took. The program is the newest that is loaded under a name; who loaded it keeps it.
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static int find(const char *name)
{
	union bpf_attr attr;
	uint32_t id = 0;
	int found = -1;

	for (;;) {
		struct bpf_prog_info info = {};
		int fd;

		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (bpf(BPF_PROG_GET_NEXT_ID, &attr))
			return found;
		id = attr.next_id;
		memset(&attr, 0, sizeof(attr));
		attr.prog_id = id;
		fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (fd < 0)
			continue;
		memset(&attr, 0, sizeof(attr));
		attr.info.bpf_fd = fd;
		attr.info.info_len = sizeof(info);
		attr.info.info = (uintptr_t)&info;
		if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) || strcmp(info.name, name)) {
			close(fd);
			continue;
		}
		if (found >= 0)
			close(found);
		found = fd;
	}
}

// usage: test-run NAME CALLS < packet
int main(int argc, char **argv)
{
	static unsigned char in[65536], out[65536];
	size_t size = fread(in, 1, sizeof(in), stdin);
	long calls = argc > 2 ? atol(argv[2]) : 0;
	int fd = argc > 2 ? find(argv[1]) : -1;
	struct timespec start, end;

	if (fd < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < calls; i++) {
		union bpf_attr attr;

		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = fd;
		attr.test.data_in = (uintptr_t)in;
		attr.test.data_size_in = size;
		attr.test.data_out = (uintptr_t)out;
		attr.test.data_size_out = sizeof(out);
		attr.test.repeat = 1;
		if (bpf(BPF_PROG_TEST_RUN, &attr))
			return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
	return 0;
}
