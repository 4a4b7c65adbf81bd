/* What the programs know of the kernel: its integer types and, of its structures, the fields
 * that any of them uses. CO-RE moves each access to where the running kernel has the field; a
 * field that a program does not touch may be missing there. A program's own file adds the
 * structures that only it needs. */
#ifndef SHARK_KERNEL_H
#define SHARK_KERNEL_H
#define __VMLINUX_H__ /* libbpf's macros then use the kernel's names of registers */

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef unsigned long __ulong;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1, BPF_F_NO_PREALLOC = 1 };

enum { AF_INET = 2, AF_INET6 = 10 };
enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_SCTP = 132, PROTO_MPTCP = 262 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			__u64 regs[31], sp, pc, pstate;
		};
	};
};
#endif

/* Network namespaces. */
struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct nsproxy {
	struct net *net_ns;
};

/* Cgroups. */
struct kernfs_node {
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

/* Files. */
struct super_block {
	u32 s_dev;
};
struct inode {
	unsigned long i_ino;
	s64 i_size;
	u32 i_generation;
	struct super_block *i_sb;
};
struct file {
	struct inode *f_inode;
};

/* Processes. */
struct mm_struct {
	unsigned long arg_start, arg_end;
};
struct atomic_value {
	int counter;
};
struct signal_struct {
	struct atomic_value live;
};
struct task_struct {
	unsigned int flags;
	int pid, tgid;
	u64 start_boottime, self_exec_id;
	struct task_struct *real_parent, *group_leader;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct signal_struct *signal;
	char comm[16];
};

/* Sockets. */
struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};
struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_reuseport : 1;
	unsigned char skc_ipv6only : 1;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	u16 sk_protocol;
	u8 sk_kern_sock : 1;
};

/* What iterators are given. */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};

#pragma clang attribute pop
#endif
