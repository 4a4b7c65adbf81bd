//go:build ignore

/* How many packets the kernel dropped, by its reason, network namespace and device. */
#include "../kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define FIRST_NAMESPACE 0xf0000000 /* PROC_DYNAMIC_FIRST: no namespace has a smaller inode */
#define DROPPED 2                  /* reasons below are none: a packet was used up */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
};
#pragma clang attribute pop

/* drops.go reads both by their layout. */
struct drop_key {
	u32 netns; /* 0: not known, as is a device without */
	u32 device;
	u32 reason;
	u32 unused;
};

struct drop_count {
	u64 packets;
	char device[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* drops.go has it too */
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} counts SEC(".maps");

/* Packets for which the table had no room. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} crowded SEC(".maps");

/* place finds where a packet was. While it waits in some queues of sockets, other things lie
 * where its device is: what has no namespace is none. */
static __always_inline void place(struct sk_buff *skb, struct drop_key *k, struct drop_count *c)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);

	k->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	if (k->netns >= FIRST_NAMESPACE) {
		k->device = BPF_CORE_READ(dev, ifindex);
		bpf_probe_read_kernel(c->device, sizeof(c->device), &dev->name);
		return;
	}
	k->netns = BPF_CORE_READ(skb, sk, __sk_common.skc_net.net, ns.inum);
	if (k->netns < FIRST_NAMESPACE)
		k->netns = 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, int reason)
{
	struct drop_count fresh = {}, *c;
	struct drop_key key = {.reason = reason};
	u32 zero = 0;
	u64 *n;

	if (key.reason < DROPPED)
		return 0;
	place(skb, &key, &fresh);
	c = bpf_map_lookup_elem(&counts, &key);
	if (!c) {
		bpf_map_update_elem(&counts, &key, &fresh, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&counts, &key);
	}
	if (c) {
		__sync_fetch_and_add(&c->packets, 1);
		return 0;
	}
	n = bpf_map_lookup_elem(&crowded, &zero);
	if (n)
		(*n)++;
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
