//go:build ignore

/* Who uses which socket. A socket's owner is told by hooks that run in the context of whoever
 * uses it: connect and listen, and the first send or receive. What runs in a softirq, such as
 * the handshake of an accepted connection, is in the context of anybody, on one machine often
 * of the peer: there nothing is asked of the current task. */
#include "../kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT = 2, TCP_SYN_RECV = 3, TCP_CLOSE = 7, TCP_LISTEN = 10 };
enum { PF_KTHREAD = 0x00200000 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};
struct socket {
	struct file *file;
	struct sock *sk;
};
struct bpf_sock { /* what a hook of a cgroup is given; include/uapi/linux/bpf.h */
	u32 bound_dev_if, family, type, protocol;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Events, decoded by their offsets in event.go. */
enum kind { KIND_SOCKET = 1, KIND_END = 2, KIND_PROCESS = 3, KIND_EXIT = 4 };
enum { FLAG_REUSEPORT = 1, FLAG_V6ONLY = 2, FLAG_LISTEN = 4 };

struct who {
	u32 tgid, ppid;
	u64 start, cgroup;
	char comm[16];
};

struct socket_event {
	u16 kind, flags;
	u32 netns;
	u64 time, since, cookie, inode; /* times are of the boot-time clock */
	struct who who;
	u16 family, protocol, lport, rport; /* ports in the order of the host */
	u8 laddr[16], raddr[16];
};

enum { ARGS = 512 };

struct process_event {
	u16 kind, args; /* bytes of the command line that follow, cut at ARGS */
	u32 length;     /* of it all */
	u64 time;
	struct who who;
	char line[ARGS];
};

/* What is kept of a socket until it is gone. */
struct kept {
	u64 since;
	struct who who;
	u16 lport, rport;
	u8 raddr[16];
	u8 told;    /* an event with its owner was given */
	u8 changes; /* how often another process took it over */
};

enum { MAX_CHANGES = 4 };

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kept);
} sockets SEC(".maps");

/* Processes that were told of, with what changes when they become another program. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, u32);
	__type(value, u64);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* the loader sets it */
} events SEC(".maps");

enum reason { LOST_SOCKETS, LOST_ENDS, LOST_PROCESSES, LOST_EXITS, NO_STORAGE, REASONS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

const volatile u32 only_netns = 0; /* inode of the only network namespace to look at; 0: all */

static __always_inline void lose(u32 reason)
{
	u64 *n = bpf_map_lookup_elem(&losses, &reason);
	if (n)
		(*n)++;
}

static __always_inline u32 netns_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* protocol_of returns the protocol of the packets: a socket of MPTCP, which Go's listeners are,
 * stands over such of TCP. */
static __always_inline u16 protocol_of(struct sock *sk)
{
	u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	return protocol == PROTO_MPTCP ? PROTO_TCP : protocol;
}

/* wanted tells whether a socket is one of those that are looked at. */
static __always_inline bool wanted(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	u16 protocol = protocol_of(sk);
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (protocol != PROTO_TCP && protocol != PROTO_UDP && protocol != PROTO_SCTP)
		return false;
	return !only_netns || netns_of(sk) == only_netns;
}

/* look reads who a task is. */
static __always_inline void look(struct who *w, struct task_struct *task)
{
	w->tgid = BPF_CORE_READ(task, tgid);
	w->ppid = BPF_CORE_READ(task, real_parent, tgid);
	w->start = BPF_CORE_READ(task, group_leader, start_boottime);
	w->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&w->comm, task, group_leader, comm);
}

/* program_of returns what is another once a process has become another program, or another
 * process has its number. */
static __always_inline u64 program_of(struct task_struct *task, struct who *w)
{
	return BPF_CORE_READ(task, group_leader, self_exec_id) ^ w->start;
}

/* introduce gives an event of the current process, unless it had one as this program. Its
 * command line is in memory that is mostly there; what is not, /proc may still tell. */
static __always_inline void introduce(struct task_struct *task, struct who *w)
{
	u64 program = program_of(task, w);
	u64 *known = bpf_map_lookup_elem(&processes, &w->tgid);
	if (known && *known == program)
		return;
	struct process_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(LOST_PROCESSES);
		return;
	}
	bpf_map_update_elem(&processes, &w->tgid, &program, BPF_ANY);
	e->kind = KIND_PROCESS;
	e->args = 0;
	e->time = bpf_ktime_get_boot_ns();
	e->who = *w;
	unsigned long from = BPF_CORE_READ(task, mm, arg_start), to = BPF_CORE_READ(task, mm, arg_end);
	e->length = to > from ? to - from : 0;
	u32 n = e->length;
	barrier_var(n); /* else the bound is proven of a copy */
	if (n > ARGS)
		n = ARGS;
	if (n && !bpf_probe_read_user(e->line, n, (void *)from))
		e->args = n;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP); /* while there is more to be read of it */
}

/* describe fills in what a socket is. */
static __always_inline void describe(struct socket_event *e, struct sock *sk)
{
	e->kind = KIND_SOCKET;
	e->flags = 0;
	e->netns = netns_of(sk);
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->protocol = protocol_of(sk);
	e->lport = __builtin_bswap16(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	e->rport = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	e->inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	__builtin_memset(e->laddr, 0, sizeof(e->laddr));
	__builtin_memset(e->raddr, 0, sizeof(e->raddr));
	if (e->family == AF_INET) {
		*(__be32 *)e->laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)e->raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&e->laddr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&e->raddr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_reuseport))
		e->flags |= FLAG_REUSEPORT;
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only))
		e->flags |= FLAG_V6ONLY;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		e->flags |= FLAG_LISTEN;
}

/* wake says when the reader is to look: it does so by itself many times a second. */
static __always_inline u64 wake(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > (64 << 10) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* tell gives an event of a socket with its owner as it is kept. */
static __always_inline void tell(struct sock *sk, struct kept *k, u64 cookie, u16 flags)
{
	struct socket_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(LOST_SOCKETS);
		return;
	}
	describe(e, sk);
	e->flags |= flags;
	e->time = bpf_ktime_get_boot_ns();
	e->since = k->since;
	e->cookie = cookie;
	e->who = k->who;
	k->told = 1;
	k->lport = e->lport;
	k->rport = e->rport;
	__builtin_memcpy(k->raddr, e->raddr, sizeof(k->raddr));
	bpf_ringbuf_submit(e, wake());
}

/* moved tells whether a socket has another end than it was told with: of UDP it may change. */
static __always_inline bool moved(struct sock *sk, struct kept *k)
{
	if (k->lport != __builtin_bswap16(BPF_CORE_READ((struct inet_sock *)sk, inet_sport)) ||
	    k->rport != __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport)))
		return true;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		return *(__be32 *)k->raddr != BPF_CORE_READ(sk, __sk_common.skc_daddr);
	u64 now[2];
	BPF_CORE_READ_INTO(&now, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	return __builtin_memcmp(now, k->raddr, sizeof(now)) != 0;
}

/* use is what every send and receive comes to: mostly to nothing. */
static __always_inline void use(struct sock *sk)
{
	struct kept *k = bpf_sk_storage_get(&sockets, sk, 0, 0);
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u16 protocol = protocol_of(sk);
	if (k && k->told && k->who.tgid == tgid && (protocol == PROTO_TCP || !moved(sk, k)))
		return;
	struct task_struct *task = (void *)bpf_get_current_task();
	if (!wanted(sk) || BPF_CORE_READ(task, flags) & PF_KTHREAD || BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		return;
	if (!BPF_CORE_READ((struct inet_sock *)sk, inet_sport))
		return; /* it leads nowhere yet */
	if (protocol == PROTO_TCP && !BPF_CORE_READ(sk, __sk_common.skc_dport))
		return;
	if (!k) {
		k = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!k) {
			lose(NO_STORAGE);
			return;
		}
	}
	if (k->told && k->who.tgid != tgid && k->changes++ >= MAX_CHANGES) {
		k->changes = MAX_CHANGES;
		return; /* processes that use it in turn */
	}
	if (k->told)
		k->since = bpf_ktime_get_boot_ns();
	look(&k->who, task);
	introduce(task, &k->who);
	tell(sk, k, bpf_get_socket_cookie(sk), 0);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int ret, int flags)
{
	use(sk);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int ret, int flags)
{
	use(sk);
	return 0;
}

static __always_inline void end(u64 cookie)
{
	struct socket_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(LOST_ENDS);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = KIND_END;
	e->time = bpf_ktime_get_boot_ns();
	e->cookie = cookie;
	bpf_ringbuf_submit(e, wake());
}

/* The states of TCP. Who connects or listens is the current process when it begins; the port
 * of who connects is known only when that has come to an end, in any context. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int old, int new)
{
	if (!wanted(sk) || protocol_of(sk) != PROTO_TCP)
		return 0;
	bool begins = new == TCP_SYN_SENT || new == TCP_LISTEN;
	bool accepted = old == TCP_SYN_RECV && new == TCP_ESTABLISHED;
	struct kept *k = bpf_sk_storage_get(&sockets, sk, 0, begins || accepted ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!k) {
		if (begins || accepted)
			lose(NO_STORAGE);
		return 0;
	}
	if (accepted) { /* a socket of its own, with nothing of the listener's */
		__builtin_memset(k, 0, sizeof(*k));
		k->since = bpf_ktime_get_boot_ns();
		return 0;
	}
	if (begins) {
		struct task_struct *task = (void *)bpf_get_current_task();
		__builtin_memset(k, 0, sizeof(*k));
		if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
			return 0;
		k->since = bpf_ktime_get_boot_ns();
		look(&k->who, task);
		introduce(task, &k->who);
		if (new == TCP_LISTEN)
			tell(sk, k, bpf_get_socket_cookie(sk), FLAG_LISTEN);
		return 0;
	}
	if (old == TCP_SYN_SENT && k->who.tgid && !k->told)
		tell(sk, k, bpf_get_socket_cookie(sk), 0);
	if (new == TCP_CLOSE && k->told && BPF_CORE_READ(sk, sk_protocol) == PROTO_MPTCP)
		end(bpf_get_socket_cookie(sk)); /* tcp_destroy_sock is not for it */
	return 0;
}
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk)
{
	struct kept *k = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (k && k->told)
		end(bpf_get_socket_cookie(sk));
	return 0;
}

/* Of UDP only a hook of a cgroup tells that a socket is closed. */
SEC("cgroup/sock_release")
int closed(struct bpf_sock *sk)
{
	struct kept *k = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (k && k->told && sk->protocol != PROTO_TCP)
		end(bpf_get_socket_cookie(sk));
	return 1;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	u32 tgid = BPF_CORE_READ(task, tgid);
	if (!bpf_map_lookup_elem(&processes, &tgid))
		return 0;
	struct process_event *e = bpf_ringbuf_reserve(&events, __builtin_offsetof(struct process_event, line), 0);
	if (!e) {
		lose(LOST_EXITS);
		return 0;
	}
	bpf_map_delete_elem(&processes, &tgid);
	e->kind = KIND_EXIT;
	e->args = 0;
	e->length = 0;
	e->time = bpf_ktime_get_boot_ns();
	look(&e->who, task);
	bpf_ringbuf_submit(e, wake());
	return 0;
}

/* The sockets that there are, by the processes that have them open. */
SEC("iter/task_file")
int existing(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	if (!task || !file || task->pid != task->tgid)
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sk = socket->sk;
	if (!sk || !wanted(sk))
		return 0;
	struct socket_event e = {};
	describe(&e, sk);
	if (!e.lport)
		return 0;
	e.time = bpf_ktime_get_boot_ns();
	e.cookie = bpf_get_socket_cookie(sk);
	look(&e.who, task);
	struct kept *k = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (k && !k->told) { /* so that its end is told, and who uses it if that is another */
		k->told = 1;
		k->who = e.who;
		k->lport = e.lport;
		k->rport = e.rport;
		__builtin_memcpy(k->raddr, e.raddr, sizeof(k->raddr));
	}
	u64 program = program_of(task, &e.who); /* so that its end is told */
	bpf_map_update_elem(&processes, &e.who.tgid, &program, BPF_ANY);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	return 0;
}
