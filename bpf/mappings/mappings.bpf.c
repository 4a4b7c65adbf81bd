//go:build ignore

/* Which files are mapped executable by which processes, and when to look again.
 *
 * scan is read like a file: a row for each executable mapping of a file. The others put a
 * notice into the ring when a process begins, forks, ends, or makes a mapping; of mappings one
 * notice a process in QUIET, for who hears of one looks later than that. */
#include "../kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define VM_EXEC 4
#define QUIET 50000000ULL /* ns */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags;
	struct file *vm_file;
};
struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};
#pragma clang attribute pop

/* A row of scan; mappings.go reads it by these offsets. */
struct mapping_row {
	u32 tgid;
	u32 netns;
	u64 cgroup;
	u64 inode;
	u64 start;
	u64 end;
	u64 started; /* the process, ns since boot */
	u32 device;
	u32 generation; /* of the inode: another when its number is used again */
	s64 size;
	char comm[16];
};

enum { EXEC = 1, FORK = 2, EXIT = 3, MAP = 4 };

struct mapping_notice {
	u32 tgid;
	u32 what;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} notices SEC(".maps");

/* When a process was last reported to have made a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, u64);
} told SEC(".maps");

/* Notices that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

SEC("iter/task_vma")
int scan(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct mapping_row row = {};
	struct file *file;

	if (!task || !vma || !(vma->vm_flags & VM_EXEC))
		return 0;
	file = vma->vm_file;
	if (!file)
		return 0;
	row.tgid = task->tgid;
	row.netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	row.cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	row.inode = file->f_inode->i_ino;
	row.device = file->f_inode->i_sb->s_dev;
	row.size = file->f_inode->i_size;
	row.generation = file->f_inode->i_generation;
	row.start = vma->vm_start;
	row.end = vma->vm_end;
	row.started = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_probe_read_kernel(row.comm, sizeof(row.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

static __always_inline void notify(u32 tgid, u32 what)
{
	u32 zero = 0;
	u64 *count;
	struct mapping_notice *n = bpf_ringbuf_reserve(&notices, sizeof(*n), 0);

	if (!n) {
		count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			__sync_fetch_and_add(count, 1);
		return;
	}
	n->tgid = tgid;
	n->what = what;
	bpf_ringbuf_submit(n, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	notify(task->tgid, EXEC);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid == child->tgid)
		notify(child->tgid, FORK);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (task->pid == task->tgid)
		notify(task->tgid, EXIT);
	return 0;
}

/* Wherever a mapping's place is looked for. */
SEC("tp_btf/vm_unmapped_area")
int BPF_PROG(on_map)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u64 now = bpf_ktime_get_ns(), *last = bpf_map_lookup_elem(&told, &tgid);

	if (last && now - *last < QUIET)
		return 0;
	bpf_map_update_elem(&told, &tgid, &now, BPF_ANY);
	notify(tgid, MAP);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
