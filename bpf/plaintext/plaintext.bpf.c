//go:build ignore

/* What programs read and write through their TLS libraries, in clear.
 *
 * on_enter notes a call, on_leave gives what it moved to the ring, in pieces of PIECE, with its
 * place in the stream. In between, the socket that the same thread (goroutine, for Go) reads or
 * writes is the connection's: on_send and on_receive note it. A call within a call, as when TLS
 * is carried in TLS, is a matter of the library's; the outermost counts. on_close ends a
 * connection. What could not be given is counted by reason, and its place stays empty.
 *
 * Some programs have the library read and write memory and use the sockets themselves. Their
 * threads receive records and then have them read, or have some written and then send them: a
 * socket is the connection's if twice records went through it, just before or after, that are as
 * long as what was read or written makes them (vote). */
#include "../kernel.h"
struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define PIECE 16384
#define CHUNK 512          /* records are sized in these */
#define MAX_PIECES 1024    /* of one call */
#define MAX_OBJECTS 4096   /* files attached to */
#define MSG_PEEK 2
#define RECORDS 8          /* of TLS that are looked for in what went through a socket at once */
#define RECORD_HEAD 5
#define APPLICATION 23     /* the type of records that carry what was written */
#define MAX_PLAIN 16384    /* bytes that a record carries */
#define MAX_AROUND 320     /* bytes that a record has beside them: IV, MAC, padding */

/* How a probed function is called; the attach cookie: file | mode << 32. */
enum {
	MODE_WRITE = 1,
	MODE_EX = 2,    /* returns 1, and the number behind its fourth argument */
	MODE_FLAGS = 4, /* its fourth argument are flags of recv */
	MODE_GO = 8,    /* called as Go calls */
	MODE_MIXED = 16, /* its objects are files and plain sockets as well */
};

enum { READ = 0, WRITE = 1, CLOSE = 2, FOUND = 3 };
enum { UNJOINED = 0, BY_CALL = 1, BY_CONNECTION = 2, BY_RECORDS = 3 };
enum { CALLS_C = 1, CALLS_GO = 2, APART = 4 };
enum { UNSURE = 0, IS_TLS = 1, IS_PLAIN = 2 };

/* One counter each; what is lost has two, of calls or pieces and of bytes. */
enum {
	COUNT_READS,
	COUNT_WRITES,
	COUNT_BYTES,
	LOST_RING, /* the ring was full */
	LOST_RING_BYTES,
	LOST_MEMORY, /* the process's memory could not be read */
	LOST_MEMORY_BYTES,
	LOST_LONG, /* more than MAX_PIECES at once */
	LOST_LONG_BYTES,
	LOST_BUFFER, /* the call did not say where its bytes are */
	LOST_BUFFER_BYTES,
	LOST_UNSURE, /* perhaps no TLS */
	LOST_UNSURE_BYTES,
	LOST_CALL, /* the call's beginning was not seen, or forgotten */
	LOST_ROOM, /* no room in a table */
	COUNTERS,
};

struct plaintext_socket {
	u64 cookie;
	u8 local[16], remote[16]; /* IPv4 in the first four */
	u16 local_port, remote_port;
	u16 family;
	u16 pad;
	u32 netns;
	u32 pad2;
};

/* A record's head; the payload follows. plaintext.go reads it by these offsets. */
struct plaintext_event {
	u64 time; /* boot, ns: when a read returned, or a write was called */
	u64 id;   /* of the connection */
	u64 object;
	u64 cgroup;
	u64 position; /* of the first byte in its direction */
	struct plaintext_socket socket;
	u32 total; /* bytes of the whole call */
	u32 offset; /* of these in it */
	u32 captured;
	u32 size; /* that should be here */
	u32 tgid, tid;
	u32 file;
	u8 kind, joined, random_known, pad;
	u8 random[32];
	char comm[16];
};
const struct plaintext_event *unused __attribute__((unused));

struct plaintext_key {
	u64 who; /* thread or goroutine */
	u32 tgid;
	u32 go;
};

struct plaintext_call {
	u64 object, buffer, count_at, start, sp;
	u64 moved; /* bytes that went through the socket */
	u64 tried; /* it turned to a socket */
	struct plaintext_socket socket;
	u32 file;
	u32 mode;
};

struct plaintext_object {
	u64 object;
	u64 tgid;
};

struct plaintext_connection {
	u64 id;
	u64 position[2];
	struct plaintext_socket socket;
	struct plaintext_socket candidate; /* where its records came from and went to, so often */
	u8 random[32];
	u8 random_known, sure, reads, writes, doubt, by_records, closed, pad;
};

/* What a thread did with sockets between calls that use none. */
struct plaintext_thread {
	struct plaintext_socket received; /* last, and not read since */
	u32 records[RECORDS];		  /* that ended in it: their lengths */
	u64 writer;			  /* what it wrote was not sent yet */
	u32 written;
	u32 file;
};

/* A record of which the end was not received yet. */
struct plaintext_rest {
	u32 length; /* 0 if it is none of APPLICATION */
	u32 missing;
};

/* Where a file's objects keep the client's random. */
struct plaintext_random {
	u32 known, deref, pointer, offset;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} data SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct plaintext_key);
	__type(value, struct plaintext_call);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct plaintext_object);
	__type(value, struct plaintext_connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct plaintext_thread);
} threads SEC(".maps");

/* By the cookies of sockets. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct plaintext_rest);
} rests SEC(".maps");

/* Processes whose calls were noted, and how they call. The sockets of others cost one look
 * here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u32);
} processes SEC(".maps");

/* What is asked for: by process, else by default; 0 is nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* plaintext.go has it too */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u32);
} policy_tgid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} policy_default SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_OBJECTS);
	__type(key, u32);
	__type(value, struct plaintext_random);
} randoms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

/* Who reads is woken when so much waits; it looks by itself now and then. */
const volatile u32 wake_at = 256 * 1024;

static __always_inline void count(u32 what, u64 n)
{
	u64 *c = bpf_map_lookup_elem(&counters, &what);

	if (c)
		__sync_fetch_and_add(c, n);
}

static __always_inline void lost(u32 what, u64 n)
{
	count(what, 1);
	count(what + 1, n);
}

static __always_inline bool wanted(u32 tgid)
{
	u32 zero = 0, *bits;

	bits = bpf_map_lookup_elem(&policy_tgid, &tgid);
	if (!bits)
		bits = bpf_map_lookup_elem(&policy_default, &zero);
	return bits && *bits;
}

#if defined(__TARGET_ARCH_x86)
#define SYSCALL(r) ((r)->orig_ax)
#define SYSCALL_ARG2(r) ((r)->si)
enum { SYS_READ = 0, SYS_WRITE = 1, SYS_READV = 19, SYS_WRITEV = 20, SYS_SENDTO = 44, SYS_RECVFROM = 45, SYS_SENDMSG = 46, SYS_RECVMSG = 47 };
#define GO_G(r) ((r)->r14)
#define GO_ARG1(r) ((r)->ax)
#define GO_ARG2(r) ((r)->bx)
#define ENTRY_SP(r) ((r)->sp - 8) /* the return took the address off */
#else
#define SYSCALL(r) ((r)->regs[8])
#define SYSCALL_ARG2(r) ((r)->regs[1])
enum { SYS_READ = 63, SYS_WRITE = 64, SYS_READV = 65, SYS_WRITEV = 66, SYS_SENDTO = 206, SYS_RECVFROM = 207, SYS_SENDMSG = 211, SYS_RECVMSG = 212 };
#define GO_G(r) ((r)->regs[28])
#define GO_ARG1(r) ((r)->regs[0])
#define GO_ARG2(r) ((r)->regs[1])
#define ENTRY_SP(r) ((r)->sp)
#endif

/* by_mode chooses between registers that both are read: the verifier refuses to read one that
 * is chosen. */
static __always_inline u64 by_mode(u32 mode, u64 go, u64 c)
{
	barrier_var(go);
	barrier_var(c);
	return mode & MODE_GO ? go : c;
}

static __always_inline void caller(struct pt_regs *ctx, u32 mode, struct plaintext_key *key)
{
	u64 id = bpf_get_current_pid_tgid();

	key->tgid = id >> 32;
	key->go = !!(mode & MODE_GO);
	key->who = by_mode(mode, GO_G(ctx), (u32)id);
}

static __always_inline void mark(u32 tgid, u32 how)
{
	u32 *known = bpf_map_lookup_elem(&processes, &tgid);

	if (known && (*known & how))
		return;
	if (known)
		how |= *known;
	bpf_map_update_elem(&processes, &tgid, &how, BPF_ANY);
}

SEC("uprobe.multi")
int on_enter(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), fourth;
	u32 mode = cookie >> 32;
	struct plaintext_key key = {};
	struct plaintext_call call = {}, *outer;

	caller(ctx, mode, &key);
	if (!wanted(key.tgid))
		return 0;
	call.file = cookie;
	call.mode = mode;
	call.object = by_mode(mode, GO_ARG1(ctx), PT_REGS_PARM1(ctx));
	call.buffer = by_mode(mode, GO_ARG2(ctx), PT_REGS_PARM2(ctx));
	call.start = bpf_ktime_get_boot_ns();
	if (!key.go) {
		fourth = PT_REGS_PARM4(ctx);
		if ((mode & MODE_FLAGS) && (fourth & MSG_PEEK))
			return 0;
		if (mode & MODE_EX)
			call.count_at = fourth;
		call.sp = PT_REGS_SP(ctx);
		outer = bpf_map_lookup_elem(&calls, &key);
		if (outer && outer->sp > call.sp)
			return 0;
	}
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY))
		count(LOST_ROOM, 1);
	mark(key.tgid, key.go ? CALLS_GO : CALLS_C);
	return 0;
}

static __always_inline bool read_socket(struct sock *sk, struct plaintext_socket *s)
{
	s->family = sk->__sk_common.skc_family;
	if (s->family == AF_INET) {
		*(u32 *)s->local = sk->__sk_common.skc_rcv_saddr;
		*(u32 *)s->remote = sk->__sk_common.skc_daddr;
	} else if (s->family == AF_INET6) {
		bpf_probe_read_kernel(s->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(s->remote, 16, &sk->__sk_common.skc_v6_daddr);
	} else {
		return false;
	}
	s->local_port = sk->__sk_common.skc_num;
	s->remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	s->netns = sk->__sk_common.skc_net.net->ns.inum;
	s->cookie = bpf_get_socket_cookie(sk);
	return true;
}

static __always_inline u64 wake(void)
{
	return bpf_ringbuf_query(&data, BPF_RB_AVAIL_DATA) >= wake_at ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline u8 joined(struct plaintext_connection *c)
{
	return c->by_records ? BY_RECORDS : c->socket.cookie ? BY_CONNECTION : UNJOINED;
}

static __always_inline void head(struct plaintext_event *e, struct plaintext_connection *c, u64 object)
{
	u64 id = bpf_get_current_pid_tgid();

	e->id = c->id;
	e->object = object;
	e->cgroup = bpf_get_current_cgroup_id();
	e->socket = c->socket;
	e->tgid = id >> 32;
	e->tid = (u32)id;
	e->random_known = c->random_known;
	__builtin_memcpy(e->random, c->random, sizeof(e->random));
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

/* tell gives an event without payload. */
static __always_inline void tell(struct plaintext_connection *c, u64 object, u32 file, u8 kind)
{
	struct plaintext_event *e = bpf_ringbuf_reserve(&data, sizeof(*e), 0);

	if (!e) {
		lost(LOST_RING, 0);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	head(e, c, object);
	e->kind = kind;
	e->joined = joined(c);
	e->file = file;
	e->time = bpf_ktime_get_boot_ns();
	e->position = c->position[WRITE];
	bpf_ringbuf_submit(e, wake());
}

/* vote is for a socket that records of a connection went through. What a thread receives it
 * has read at once, but what is written may wait while another connection's is sent: one of the
 * two votes that decide has to be of a read, and only reads speak against a socket. */
static __always_inline bool vote(struct plaintext_connection *c, struct plaintext_socket *s, bool write)
{
	if (c->socket.cookie)
		return false;
	if (c->candidate.cookie != s->cookie) {
		if (write && c->reads)
			return false;
		c->doubt |= c->reads;
		c->candidate = *s;
		c->reads = c->writes = 0;
	}
	if (write)
		c->writes = 1;
	else
		c->reads++;
	if (c->reads + c->writes < 2)
		return false;
	c->socket = c->candidate;
	c->by_records = 1;
	return true;
}

/* fits tells whether one of the records can have what was read or written: without branches,
 * of which the verifier would follow each. */
static __always_inline bool fits(u32 *records, u64 n)
{
	u64 fit = 0, around;
	u32 i;

	for (i = 0; i < RECORDS; i++) {
		around = records[i] - n - 1;
		fit |= ~around & (around - MAX_AROUND);
	}
	return fit >> 63;
}

/* used finds the memory that the current system call reads or writes, its first part. */
static __always_inline bool used(u64 *at, u64 *size)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	u64 call = 0, part[2];

	*size = ~0ULL;
	bpf_probe_read_kernel(&call, sizeof(call), &SYSCALL(regs));
	bpf_probe_read_kernel(at, sizeof(*at), &SYSCALL_ARG2(regs));
	if (call == SYS_READ || call == SYS_WRITE || call == SYS_RECVFROM || call == SYS_SENDTO)
		return true;
	if (call == SYS_RECVMSG || call == SYS_SENDMSG) {
		if (bpf_probe_read_user(at, sizeof(*at), (void *)(*at + 16))) /* msg_iov */
			return false;
	} else if (call != SYS_READV && call != SYS_WRITEV) {
		return false;
	}
	if (bpf_probe_read_user(part, sizeof(part), (void *)*at))
		return false;
	*at = part[0];
	*size = part[1];
	return true;
}

struct plaintext_search {
	u64 at, size, place; /* of the next record */
	u32 length;	     /* of the one before */
	u32 records[RECORDS];
};

static long next_record(u64 i, struct plaintext_search *s)
{
	u8 h[RECORD_HEAD];

	if (s->place > s->size || i >= RECORDS)
		return 1;
	s->records[i] = s->length;
	s->length = 0;
	if (s->place + RECORD_HEAD > s->size || bpf_probe_read_user(h, sizeof(h), (void *)(s->at + s->place)))
		return 1;
	if (h[0] < 20 || h[0] > APPLICATION || h[1] != 3)
		return 1;
	if (h[0] == APPLICATION)
		s->length = h[3] << 8 | h[4];
	s->place += RECORD_HEAD + (h[3] << 8 | h[4]);
	return 0;
}

/* find_records finds the lengths of the records that end in what went through a socket. It
 * begins with what is missing of one, and so does what comes next. */
static __always_inline void find_records(u64 moved, struct plaintext_rest *rest, struct plaintext_search *s)
{
	s->place = rest->missing;
	s->length = rest->missing ? rest->length : 0;
	rest->missing = 0;
	if (!used(&s->at, &s->size) || (s->size < moved && s->place))
		return;
	if (s->size > moved)
		s->size = moved;
	bpf_loop(RECORDS, next_record, s, 0);
	if (s->place > s->size && s->size == moved) {
		rest->length = s->length;
		rest->missing = s->place - s->size;
	}
}

/* between is what a thread does with a socket outside calls. */
static __always_inline void between(struct sock *sk, u64 moved, bool write)
{
	u64 id = bpf_get_current_pid_tgid(), cookie;
	struct plaintext_thread *t = bpf_map_lookup_elem(&threads, &id), fresh = {};
	struct plaintext_object object = {.tgid = id >> 32};
	struct plaintext_rest rest = {}, *before;
	struct plaintext_search search = {};
	struct plaintext_connection *c;

	if (write && (!t || !t->writer))
		return;
	if (!read_socket(sk, &fresh.received))
		return;
	if (write) {
		find_records(moved, &rest, &search);
		object.object = t->writer;
		t->writer = 0;
		c = bpf_map_lookup_elem(&connections, &object);
		if (c && !c->closed && fits(search.records, t->written) && vote(c, &fresh.received, true))
			tell(c, object.object, t->file, FOUND);
		return;
	}
	cookie = fresh.received.cookie;
	before = bpf_map_lookup_elem(&rests, &cookie);
	if (before)
		rest = *before;
	find_records(moved, &rest, &search);
	__builtin_memcpy(fresh.records, search.records, sizeof(fresh.records));
	if (before)
		*before = rest;
	else if (rest.missing)
		bpf_map_update_elem(&rests, &cookie, &rest, BPF_ANY);
	if (t) { /* what was written may wait while something is received */
		fresh.writer = t->writer;
		fresh.written = t->written;
		fresh.file = t->file;
	}
	bpf_map_update_elem(&threads, &id, &fresh, BPF_ANY);
}

/* apart is a call that used no socket and moved n bytes. */
static __always_inline void apart(struct plaintext_call *call, struct plaintext_connection *c, u64 n)
{
	u64 id = bpf_get_current_pid_tgid();
	struct plaintext_thread fresh = {}, *t = bpf_map_lookup_elem(&threads, &id);

	if (call->mode & MODE_WRITE) {
		if (!t) {
			bpf_map_update_elem(&threads, &id, &fresh, BPF_ANY);
			t = bpf_map_lookup_elem(&threads, &id);
		}
		if (!t || t->writer == call->object)
			return; /* more of what is not sent yet */
		t->writer = call->object;
		t->written = n > MAX_PLAIN ? MAX_PLAIN : n;
		t->file = call->file;
	} else if (t && t->received.cookie) {
		if (fits(t->records, n))
			vote(c, &t->received, false);
		t->received.cookie = 0;
	}
}

static __always_inline void note(struct sock *sk, int moved, bool write)
{
	u64 id = bpf_get_current_pid_tgid();
	struct plaintext_key key = {.tgid = id >> 32, .who = (u32)id};
	struct plaintext_call *call;
	u32 *process;

	process = bpf_map_lookup_elem(&processes, &key.tgid);
	if (!process || sk->sk_protocol != PROTO_TCP)
		return;
	call = bpf_map_lookup_elem(&calls, &key);
	if (!call && (*process & CALLS_GO)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

		key.go = 1;
		bpf_probe_read_kernel(&key.who, sizeof(key.who), &GO_G(regs));
		call = bpf_map_lookup_elem(&calls, &key);
	}
	if (!call) {
		if ((*process & APART) && moved > 0)
			between(sk, moved, write);
		return;
	}
	call->tried = 1;
	if (moved <= 0 || !!(call->mode & MODE_WRITE) != write)
		return;
	if (read_socket(sk, &call->socket))
		call->moved += moved;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	note(sk, ret, true);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_receive, struct sock *sk, int ret, int flags)
{
	if (!(flags & MSG_PEEK))
		note(sk, ret, false);
	return 0;
}

struct plaintext_pieces {
	struct plaintext_event head;
	u64 position, buffer;
	u32 total;
};

static long piece(u64 i, struct plaintext_pieces *p)
{
	u32 offset = (u32)i * PIECE, n, at, part;
	struct bpf_dynptr record;
	void *to;

	if (offset >= p->total)
		return 1;
	n = p->total - offset;
	if (n > PIECE)
		n = PIECE;
	p->head.offset = offset;
	p->head.position = p->position + offset;
	p->head.size = n;
	p->head.captured = 0;
	if (bpf_ringbuf_reserve_dynptr(&data, sizeof(p->head) + ((n + CHUNK - 1) & ~(CHUNK - 1)), 0, &record)) {
		bpf_ringbuf_discard_dynptr(&record, BPF_RB_NO_WAKEUP);
		lost(LOST_RING, n);
		return 0;
	}
	for (at = 0; at < PIECE; at += CHUNK) {
		if (at >= n)
			break;
		part = n - at;
		if (part > CHUNK)
			part = CHUNK;
		to = bpf_dynptr_data(&record, sizeof(p->head) + at, CHUNK);
		if (!to || bpf_probe_read_user(to, part, (void *)(p->buffer + offset + at)))
			break;
		p->head.captured += part;
	}
	if (p->head.captured < n)
		lost(LOST_MEMORY, n - p->head.captured);
	bpf_dynptr_write(&record, 0, &p->head, sizeof(p->head), 0);
	bpf_ringbuf_submit_dynptr(&record, wake());
	return 0;
}

static __always_inline struct plaintext_connection *begin(struct plaintext_object *key, struct plaintext_call *call)
{
	struct plaintext_connection fresh = {};
	struct plaintext_random *at;
	u64 from = call->object;
	u32 file = call->file;

	fresh.id = call->start;
	at = bpf_map_lookup_elem(&randoms, &file);
	if (at && at->known) {
		if (at->deref && bpf_probe_read_user(&from, sizeof(from), (void *)(from + at->pointer)))
			from = 0;
		if (from && !bpf_probe_read_user(fresh.random, sizeof(fresh.random), (void *)(from + at->offset)))
			fresh.random_known = 1;
	}
	if (bpf_map_update_elem(&connections, key, &fresh, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&connections, key);
}

/* another tells whether a call is of another connection than the one that its object had: a closed
 * one has only the calls that end after that, on its own socket. */
static __always_inline bool another(struct plaintext_connection *c, struct plaintext_call *call)
{
	u64 cookie = call->socket.cookie;

	if (c->closed)
		return !cookie || cookie != c->socket.cookie;
	return cookie && c->socket.cookie && cookie != c->socket.cookie;
}

/* sure tells whether what a library of mixed objects moved was TLS: then more went through the
 * socket than the caller moved. */
static __always_inline bool sure(struct plaintext_connection *c, struct plaintext_call *call, s64 n)
{
	if (!(call->mode & MODE_MIXED))
		return true;
	if (c->sure == UNSURE && call->moved)
		c->sure = call->moved == n ? IS_PLAIN : IS_TLS;
	if (c->sure == UNSURE && n > 0)
		lost(LOST_UNSURE, n);
	return c->sure == IS_TLS;
}

static __always_inline void give(struct plaintext_call *call, struct plaintext_connection *c, u32 n)
{
	struct plaintext_pieces p = {};
	u32 write = call->mode & MODE_WRITE;

	head(&p.head, c, call->object);
	p.head.joined = call->socket.cookie ? BY_CALL : joined(c);
	p.head.kind = write ? WRITE : READ;
	p.head.time = write ? call->start : bpf_ktime_get_boot_ns();
	p.head.total = n;
	p.head.file = call->file;
	p.position = c->position[!!write];
	p.buffer = call->buffer;
	p.total = n;
	c->position[!!write] += n;
	count(write ? COUNT_WRITES : COUNT_READS, 1);
	count(COUNT_BYTES, n);
	if (!call->buffer) {
		lost(LOST_BUFFER, n);
		return;
	}
	if (n > MAX_PIECES * PIECE) {
		lost(LOST_LONG, n - MAX_PIECES * PIECE);
		p.total = MAX_PIECES * PIECE;
	}
	bpf_loop(MAX_PIECES, piece, &p, 0);
}

/* moved returns how many bytes a call that returns moved for its caller. */
static __always_inline s64 moved(struct pt_regs *ctx, struct plaintext_call *call)
{
	u64 n = 0;

	if (!(call->mode & MODE_EX))
		return call->mode & MODE_GO ? (s64)PT_REGS_RC(ctx) : (s64)(s32)PT_REGS_RC(ctx);
	if ((s32)PT_REGS_RC(ctx) != 1 || bpf_probe_read_user(&n, sizeof(n), (void *)call->count_at))
		return 0;
	return n;
}

SEC("uprobe.multi")
int on_leave(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	struct plaintext_object object = {};
	struct plaintext_connection *c;
	struct plaintext_call *call;
	struct plaintext_key key = {};
	s64 n;

	caller(ctx, cookie >> 32, &key);
	call = bpf_map_lookup_elem(&calls, &key);
	if (!call) {
		if (wanted(key.tgid))
			count(LOST_CALL, 1);
		return 0;
	}
	if (!key.go && call->sp != ENTRY_SP(ctx))
		return 0; /* of a call within */
	n = moved(ctx, call);
	object.object = call->object;
	object.tgid = key.tgid;
	c = bpf_map_lookup_elem(&connections, &object);
	if (!call->tried && !key.go && !(call->mode & MODE_MIXED) && !(c && c->socket.cookie))
		mark(key.tgid, APART);
	if (n <= 0 && !(call->mode & MODE_MIXED))
		goto out;
	if (!c || another(c, call))
		c = begin(&object, call);
	if (!c) {
		count(LOST_ROOM, 1);
		goto out;
	}
	if (call->socket.cookie) {
		c->socket = call->socket;
		c->by_records = 0;
	} else if (!call->tried && !key.go && n > 0) {
		apart(call, c, n);
	}
	if (sure(c, call, n) && n > 0 && n < 1LL << 31)
		give(call, c, n);
out:
	bpf_map_delete_elem(&calls, &key);
	return 0;
}

SEC("uprobe.multi")
int on_close(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	struct plaintext_object object = {.tgid = bpf_get_current_pid_tgid() >> 32};
	struct plaintext_connection *c;

	object.object = by_mode(cookie >> 32, GO_ARG1(ctx), PT_REGS_PARM1(ctx));
	c = bpf_map_lookup_elem(&connections, &object);
	if (!c)
		return 0;
	if (!c->socket.cookie && c->reads && !c->doubt) {
		c->socket = c->candidate; /* there will be no second word */
		c->by_records = 1;
	}
	tell(c, object.object, cookie, CLOSE);
	c->closed = 1;
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
