// SPDX-License-Identifier: Apache-2.0
// Every kind of CO-RE relocation, against types that a kernel has, has otherwise, or lacks.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))

struct list_head {
	struct list_head *next, *prev;
} CORE;

/* Members of a kernel struct, in another order and with another distance. */
struct task_struct {
	u64 start_time;
	int pid;
	char comm[16];
	struct list_head tasks;
	struct task_struct *parent;
} CORE;

/* A flavour with a member that no kernel has. */
struct task_struct___old {
	long no_such_member;
} CORE;

/* A type that no kernel has. */
struct no_such_struct {
	int x;
} CORE;

/* Bit-fields, which compilers and kernels place differently. */
struct sk_buff {
	u8 cloned : 1;
	u8 pkt_type : 3;
	u32 len;
} CORE;

/* Unsigned members whose width differs: a load of another width, or none. */
struct iphdr___wide {
	u64 protocol;
	u64 id;
} CORE;
struct iphdr___signed {
	long long protocol;
} CORE;

enum pid_type {
	PIDTYPE_PID___x = 7,
	PIDTYPE_NONE = 9,
};

typedef int no_such_typedef;
struct pt_regs___mine {
	long x;
};
struct list_head___same {
	struct list_head *next, *prev;
};
struct list_head___less {
	struct list_head *prev;
};
struct list_head___more {
	struct list_head *prev, *next, *middle;
};

#define exists(field) __builtin_preserve_field_info(field, 2)
#define info(field, kind) __builtin_preserve_field_info(field, kind)

struct trace {
	struct task_struct *task;
	struct sk_buff *skb;
};

SEC("tracepoint/core/offsets")
u64 offsets(struct trace *ctx)
{
	struct task_struct *task = ctx->task;

	return task->start_time + (u64)task->pid + (u64)task->tasks.next + (u64)task->parent->parent +
	       (u64)task->comm[3];
}

SEC("tracepoint/core/questions")
u64 questions(struct trace *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_struct___old *old = (void *)task;
	struct sk_buff *skb = ctx->skb;
	u64 r = 0;

	r += exists(task->comm);
	r += exists(old->no_such_member) * 2;
	r += info(task->comm, 1);
	r += info(task->pid, 3);
	r += info(task->start_time, 3);
	r += info(task->comm[2], 0);
	r += info(skb->len, 1);
	r += info(skb->pkt_type, 0) + info(skb->pkt_type, 1) + info(skb->pkt_type, 4) + info(skb->pkt_type, 5);
	r += info(skb->cloned, 3);
	return r;
}

SEC("tracepoint/core/types")
u64 types(void *ctx)
{
	u64 r = 0;

	r += __builtin_preserve_type_info(*(struct task_struct *)0, 0);
	r += __builtin_preserve_type_info(*(struct no_such_struct *)0, 0) * 2;
	r += __builtin_preserve_type_info(*(struct task_struct *)0, 1);
	r += __builtin_preserve_type_info(*(no_such_typedef *)0, 1);
	r += __builtin_preserve_type_info(*(struct list_head___same *)0, 2);
	r += __builtin_preserve_type_info(*(struct list_head___less *)0, 2) * 2;
	r += __builtin_preserve_type_info(*(struct list_head___more *)0, 2) * 4;
	r += __builtin_btf_type_id(*(struct task_struct *)0, 0);
	r += __builtin_btf_type_id(*(struct task_struct *)0, 1);
	r += __builtin_btf_type_id(*(struct no_such_struct *)0, 1);
	r += __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_PID___x, 0);
	r += __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_NONE, 0);
	r += __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_PID___x, 1);
	return r;
}

SEC("tracepoint/core/lost")
u64 lost(struct trace *ctx)
{
	struct task_struct___old *old = (void *)ctx->task;
	struct no_such_struct *none = (void *)ctx->task;
	struct iphdr___wide *wide = (void *)ctx->skb;
	struct iphdr___signed *sign = (void *)ctx->skb;
	u64 r = 0;

	r += (u64)old->no_such_member;
	r += (u64)none->x;
	r += wide->protocol + wide->id;
	r += (u64)sign->protocol;
	return r + __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_NONE, 1);
}

char _license[] SEC("license") = "Dual MIT/GPL";
