//go:build ignore

/* The secrets of TLS sessions, where libraries hand them to their own key log.
 *
 * The C libraries call one function with (object, label, secret, length) whether anybody asked
 * for a log or not; Go calls writeKeyLog(config, label, random, secret). The cookie of a probe
 * is the number of its file, by which the place of the client's random in the object is found.
 * While that is not known, what is in and behind the object is copied too, into a ring of its
 * own: it is large, and must not crowd out secrets. */
#include "../kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define RANDOM 32
#define LABEL 64
#define SECRET 64
#define OBJECT 1024 /* bytes of an object that are copied, */
#define WORDS 32    /* and so many of its first words are taken for pointers */
#define BEHIND 256  /* to so many bytes */

/* keylog.go reads these by their offsets. */
struct keylog_event {
	u64 time; /* ns since boot */
	u32 file;
	u32 tgid;
	u32 tid;
	u32 netns;
	u64 cgroup;
	u64 started; /* the process, ns since boot */
	u32 length;  /* of the secret */
	u32 unused;
	u8 comm[16];
	u8 random[RANDOM];
	u8 label[LABEL];
	u8 secret[SECRET];
};

struct keylog_dump {
	struct keylog_event event;
	u8 object[OBJECT];
	u8 behind[WORDS][BEHIND];
};

/* A process, where it is: container runtimes move processes before they become a container's. */
struct keylog_process {
	u64 started;
	u64 cgroup;
	u32 tgid;
	u32 netns;
};

enum { UNKNOWN = 0, INSIDE = 1, BEHIND_POINTER = 2 };

struct keylog_place {
	u32 state;
	u32 pointer;
	u32 offset;
	u32 unused;
};

/* What became of hits. */
enum {
	SECRETS,     /* given */
	DUMPS,       /* given, with the object */
	DENIED,      /* of a process that is not to be read */
	NO_FILE,     /* of a file that is not known any more */
	BAD_LABEL,   /* the label could not be read */
	BAD_SECRET,  /* the secret could not be read, or has no length that secrets have */
	BAD_RANDOM,  /* the client's random could not be read */
	SECRETS_FULL,/* the ring of secrets had no room */
	DUMPS_FULL,  /* the ring of dumps had no room */
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} secrets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} dumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct keylog_place);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct keylog_process);
	__type(value, u8);
} denied SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

static __always_inline void count(u32 what)
{
	u64 *n = bpf_map_lookup_elem(&counters, &what);

	if (n)
		(*n)++;
}

/* The arguments that matter, wherever they come from. */
struct arguments {
	u64 object, label, label_length, random, secret, secret_length;
};

/* Brings what a text, a secret or a random lies in into memory: a label that nobody has looked at
 * is in the file only, and reading it would fail. That may sleep, so it is done before all else. */
static __always_inline void fetch(u64 at, u64 last)
{
	u8 byte;

	bpf_copy_from_user(&byte, 1, (void *)at);
	bpf_copy_from_user(&byte, 1, (void *)(at + last));
}

static __always_inline bool allowed(struct keylog_process *p)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	p->tgid = bpf_get_current_pid_tgid() >> 32;
	p->started = BPF_CORE_READ(task, group_leader, start_boottime);
	p->cgroup = bpf_get_current_cgroup_id();
	p->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	if (!bpf_map_lookup_elem(&denied, p))
		return true;
	count(DENIED);
	return false;
}

/* Fills in all but the random. */
static __always_inline bool fill(struct keylog_event *e, struct arguments *a, struct keylog_process *p, u32 file)
{
	u64 n = a->label_length;
	long err;

	e->time = bpf_ktime_get_boot_ns();
	e->file = file;
	e->tgid = p->tgid;
	e->tid = bpf_get_current_pid_tgid();
	e->netns = p->netns;
	e->cgroup = p->cgroup;
	e->started = p->started;
	e->unused = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	__builtin_memset(e->random, 0, RANDOM);
	__builtin_memset(e->label, 0, LABEL);
	__builtin_memset(e->secret, 0, SECRET);
	if (n) { /* a text of Go */
		err = n < LABEL ? bpf_probe_read_user(e->label, n & (LABEL - 1), (void *)a->label) : -1;
	} else {
		err = bpf_probe_read_user_str(e->label, LABEL, (void *)a->label);
	}
	if (err < 0) {
		count(BAD_LABEL);
		return false;
	}
	n = a->secret_length;
	e->length = n;
	if (n == 0 || n > SECRET || bpf_probe_read_user(e->secret, ((n - 1) & (SECRET - 1)) + 1, (void *)a->secret) < 0) {
		count(BAD_SECRET);
		return false;
	}
	return true;
}

/* Gives the object with the secret, to find the random in it. */
static __always_inline void dump(struct arguments *a, struct keylog_process *p, u32 file)
{
	struct keylog_dump *d = bpf_ringbuf_reserve(&dumps, sizeof(*d), 0);
	u64 word;
	int i;

	if (!d) {
		count(DUMPS_FULL);
		return;
	}
	if (!fill(&d->event, a, p, file)) {
		bpf_ringbuf_discard(d, 0);
		return;
	}
	/* What cannot be read is left as zeros. */
	for (i = 0; i < OBJECT / BEHIND; i++)
		bpf_probe_read_user(d->object + i * BEHIND, BEHIND, (void *)(a->object + i * BEHIND));
	for (i = 0; i < WORDS; i++) {
		__builtin_memcpy(&word, d->object + i * 8, 8);
		bpf_probe_read_user(d->behind[i], BEHIND, (void *)word);
	}
	count(DUMPS);
	bpf_ringbuf_submit(d, BPF_RB_FORCE_WAKEUP);
}

/* Gives the secret of the session whose client's random is at an address. */
static __always_inline void secret(struct arguments *a, struct keylog_process *p, u32 file)
{
	struct keylog_event *e = bpf_ringbuf_reserve(&secrets, sizeof(*e), 0);

	if (!e) {
		count(SECRETS_FULL);
		return;
	}
	if (!fill(e, a, p, file)) {
		bpf_ringbuf_discard(e, 0);
		return;
	}
	if (bpf_probe_read_user(e->random, RANDOM, (void *)a->random) < 0) {
		count(BAD_RANDOM);
		bpf_ringbuf_discard(e, 0);
		return;
	}
	count(SECRETS);
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

static __always_inline int of_c(struct pt_regs *ctx)
{
	u32 file = bpf_get_attach_cookie(ctx);
	struct keylog_process p = {};
	struct keylog_place *place;
	struct arguments a = {};
	u64 object;

	if (!allowed(&p))
		return 0;
	place = bpf_map_lookup_elem(&places, &file);
	if (!place) {
		count(NO_FILE);
		return 0;
	}
	a.object = object = PT_REGS_PARM1(ctx);
	a.label = PT_REGS_PARM2(ctx);
	a.secret = PT_REGS_PARM3(ctx);
	a.secret_length = PT_REGS_PARM4(ctx);
	fetch(a.label, 16); /* no label is shorter by much */
	fetch(a.secret, a.secret_length - 1);
	if (place->state == UNKNOWN) {
		dump(&a, &p, file);
		return 0;
	}
	if (place->state == BEHIND_POINTER && bpf_probe_read_user(&object, sizeof(object), (void *)(object + place->pointer)) < 0) {
		count(BAD_RANDOM);
		return 0;
	}
	a.random = object + place->offset;
	fetch(a.random, RANDOM - 1);
	secret(&a, &p, file);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define GO_LABEL(c) (c)->bx
#define GO_LABEL_LENGTH(c) (c)->cx
#define GO_RANDOM(c) (c)->di
#define GO_RANDOM_LENGTH(c) (c)->si
#define GO_SECRET(c) (c)->r9
#define GO_SECRET_LENGTH(c) (c)->r10
#elif defined(__TARGET_ARCH_arm64)
#define GO_LABEL(c) ((struct user_pt_regs *)(c))->regs[1]
#define GO_LABEL_LENGTH(c) ((struct user_pt_regs *)(c))->regs[2]
#define GO_RANDOM(c) ((struct user_pt_regs *)(c))->regs[3]
#define GO_RANDOM_LENGTH(c) ((struct user_pt_regs *)(c))->regs[4]
#define GO_SECRET(c) ((struct user_pt_regs *)(c))->regs[6]
#define GO_SECRET_LENGTH(c) ((struct user_pt_regs *)(c))->regs[7]
#endif

static __always_inline int of_go(struct pt_regs *ctx)
{
	u32 file = bpf_get_attach_cookie(ctx);
	struct keylog_process p = {};
	struct arguments a = {};

	if (!allowed(&p))
		return 0;
	a.label = GO_LABEL(ctx);
	a.label_length = GO_LABEL_LENGTH(ctx);
	a.random = GO_RANDOM(ctx);
	a.secret = GO_SECRET(ctx);
	a.secret_length = GO_SECRET_LENGTH(ctx);
	if (a.label_length == 0) {
		count(BAD_LABEL);
		return 0;
	}
	if (GO_RANDOM_LENGTH(ctx) != RANDOM) {
		count(BAD_RANDOM);
		return 0;
	}
	fetch(a.label, a.label_length - 1);
	fetch(a.secret, a.secret_length - 1);
	fetch(a.random, RANDOM - 1);
	secret(&a, &p, file);
	return 0;
}

SEC("uprobe.multi.s")
int c_multi(struct pt_regs *ctx)
{
	return of_c(ctx);
}

SEC("uprobe.multi.s")
int go_multi(struct pt_regs *ctx)
{
	return of_go(ctx);
}

SEC("uprobe.s")
int c_single(struct pt_regs *ctx)
{
	return of_c(ctx);
}

SEC("uprobe.s")
int go_single(struct pt_regs *ctx)
{
	return of_go(ctx);
}

char _license[] SEC("license") = "Dual MIT/GPL";
