// SPDX-License-Identifier: Apache-2.0
// Prints what libbpf would hand to the kernel for an object. Every bpf(2) call is answered here, so nothing is
// loaded and no privilege is needed. Usage: libbpf-oracle OBJECT [KCONFIG [TARGET-BTF]]
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 4096

static int answering;
static struct {
	char name[32];
	unsigned int value_size, type;
} files[FDS];

static int new_file(const char *prefix, const char *name)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd >= FDS)
		return -1;
	snprintf(files[fd].name, sizeof(files[fd].name), "%s%s", prefix, name);
	return fd;
}

static const char *name_of(int fd)
{
	return fd >= 0 && fd < FDS && files[fd].name[0] ? files[fd].name : NULL;
}

static void print_hex(const unsigned char *bytes, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static int create_map(const union bpf_attr *attr)
{
	int fd = new_file("", attr->map_name);

	files[fd].value_size = attr->value_size;
	files[fd].type = attr->map_type;
	printf("MAP %s type=%u key=%u value=%u max=%u flags=%u kt=%u vt=%u extra=%llu\n", attr->map_name,
	       attr->map_type, attr->key_size, attr->value_size, attr->max_entries, attr->map_flags,
	       attr->btf_key_type_id, attr->btf_value_type_id, (unsigned long long)attr->map_extra);
	return fd;
}

static int update_map(const union bpf_attr *attr)
{
	const char *map = name_of(attr->map_fd), *target;
	const void *value = (const void *)attr->value;
	unsigned int type;

	if (!map || !attr->key)
		return -1;
	printf("UPDATE %s key=%u ", map, *(const unsigned int *)attr->key);
	type = files[attr->map_fd].type;
	target = NULL;
	if (type == BPF_MAP_TYPE_PROG_ARRAY || type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS)
		target = name_of(*(const int *)value);
	if (target)
		printf("-> %s\n", target);
	else
		print_hex(value, files[attr->map_fd].value_size);
	return 0;
}

static void print_insns(const struct bpf_insn *insns, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct bpf_insn *insn = &insns[i];
		int is_wide = insn->code == (BPF_LD | BPF_IMM | BPF_DW);

		printf(" %02x %u %u %d ", insn->code, insn->dst_reg, insn->src_reg, insn->off);
		if (is_wide && (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE))
			printf("@%s\n", name_of(insn->imm));
		else
			printf("%d\n", insn->imm);
		if (is_wide && ++i < count)
			printf(" %02x %u %u %d %d\n", insns[i].code, insns[i].dst_reg, insns[i].src_reg, insns[i].off,
			       insns[i].imm);
	}
}

static int load_prog(const union bpf_attr *attr)
{
	const char *records;

	printf("PROG %s type=%u attach=%u flags=%u license=%s cnt=%u\n", attr->prog_name, attr->prog_type,
	       attr->expected_attach_type, attr->prog_flags, (const char *)attr->license, attr->insn_cnt);
	print_insns((const struct bpf_insn *)attr->insns, attr->insn_cnt);
	records = (const char *)attr->func_info;
	for (unsigned int i = 0; i < attr->func_info_cnt; i++, records += attr->func_info_rec_size) {
		const struct bpf_func_info *func = (const void *)records;

		printf(" FUNC %u %u\n", func->insn_off, func->type_id);
	}
	records = (const char *)attr->line_info;
	for (unsigned int i = 0; i < attr->line_info_cnt; i++, records += attr->line_info_rec_size) {
		const struct bpf_line_info *line = (const void *)records;

		printf(" LINE %u %u %u %u %u\n", line->insn_off, line->line_col >> 10, line->line_col & 1023,
		       line->file_name_off, line->line_off);
	}
	printf("END\n");
	return new_file("prog:", attr->prog_name);
}

static long answer(long command, const void *given, long size)
{
	union bpf_attr attr;
	int result = -1;

	/* Probes pass only the fields they know. */
	memset(&attr, 0, sizeof(attr));
	memcpy(&attr, given, size < (long)sizeof(attr) ? size : (long)sizeof(attr));
	if (command == BPF_MAP_CREATE)
		result = create_map(&attr);
	else if (command == BPF_MAP_UPDATE_ELEM)
		result = update_map(&attr);
	else if (command == BPF_PROG_LOAD)
		result = load_prog(&attr);
	else if (command == BPF_BTF_LOAD)
		result = new_file("", "");
	else if (command == BPF_MAP_FREEZE)
		result = printf("FREEZE %s\n", name_of(attr.map_fd)) > 0 ? 0 : -1;
	if (result < 0)
		errno = EINVAL;
	return result;
}

/* Takes the place of libc's syscall(), through which libbpf calls bpf(2). */
long syscall(long number, ...)
{
	long a, b, c;
	va_list args;

	va_start(args, number);
	a = va_arg(args, long);
	b = va_arg(args, long);
	c = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && answering)
		return answer(a, (const void *)b, c);
	errno = ENOSYS;
	return -1;
}

static int print_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

int main(int count, char **words)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kconfig = count > 2 ? words[2] : "",
		    .btf_custom_path = count > 3 ? words[3] : NULL);
	struct bpf_object *object;
	struct bpf_program *prog;
	struct bpf_map *map;
	int error;

	libbpf_set_print(print_warning);
	object = bpf_object__open_file(words[1], &options);
	if (!object)
		return printf("OPEN %d\n", -errno) < 0;
	bpf_object__for_each_program(prog, object) {
		enum bpf_prog_type type = bpf_program__type(prog);

		if (type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_LSM)
			bpf_program__set_attach_target(prog, 0, "bpf_fentry_test1");
		bpf_program__set_autoload(prog, type != BPF_PROG_TYPE_UNSPEC);
	}
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	answering = 1;
	error = bpf_object__load(object);
	printf("LOAD %d\n", error);
	return 0;
}
