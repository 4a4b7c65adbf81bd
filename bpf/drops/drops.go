//go:build linux

// Package drops counts the packets that the kernel drops, by its own reasons.
//
// In: nothing. Out: a counter for each network namespace, device and reason that dropped any since
// Open, from a table of fixed size; what found no room in it is counted as well.
package drops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"shark/bpf/loader"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package drops Drops drops.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -I..

// MaxCounts is how many counters there can be.
const MaxCounts = 8192

// Count is how many packets were dropped on a device for a reason.
type Count struct {
	NetNS   uint32 // inode of the network namespace; 0: not known
	Index   uint32 // of the device; 0: not known
	Device  string
	Reason  string // as the kernel names it, without SKB_DROP_REASON_
	Packets uint64
}

// Set is the program, loaded and attached.
type Set struct {
	objects DropsObjects
	links   loader.Links
	names   map[uint32]string // of reasons
}

// Open loads the program and attaches it. What the kernel does not have, or does not allow, is an
// error that wraps errors.ErrUnsupported.
func Open() (*Set, error) {
	s := new(Set)
	if err := LoadDropsObjects(&s.objects, nil); err != nil {
		return nil, loader.Unsupported("load the program that counts drops", err)
	}
	var err error
	if s.names, err = reasons(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.links, err = loader.Trace(s.objects.OnDrop); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// reasons returns the names of the running kernel's reasons.
func reasons() (map[uint32]string, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("names of the reasons of drops: %w", err)
	}
	var all *btf.Enum
	if err := spec.TypeByName("skb_drop_reason", &all); err != nil {
		return nil, fmt.Errorf("names of the reasons of drops: %w", err)
	}
	names := make(map[uint32]string)
	for _, v := range all.Values {
		names[uint32(v.Value)] = strings.TrimPrefix(v.Name, "SKB_DROP_REASON_")
	}
	return names, nil
}

// name returns the name of a reason. Those of subsystems, such as of wireless, have none in common.
func (s *Set) name(reason uint32) string {
	if n := s.names[reason]; n != "" {
		return n
	}
	return fmt.Sprintf("SUBSYSTEM_%d_%d", reason>>16, reason&0xffff)
}

// Counts returns the counters, and how many packets found no room among them.
func (s *Set) Counts() (all []Count, crowded uint64, err error) {
	if err := loader.Counters(s.objects.Crowded, &crowded); err != nil {
		return nil, 0, err
	}
	var key [16]byte
	var value [24]byte
	it := s.objects.Counts.Iterate()
	for it.Next(&key, &value) {
		all = append(all, s.decode(key, value))
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, 0, fmt.Errorf("read %s: %w", s.objects.Counts, err)
	}
	return all, crowded, nil
}

// decode reads struct drop_key and struct drop_count.
func (s *Set) decode(key [16]byte, value [24]byte) Count {
	n := binary.NativeEndian
	device, _, _ := bytes.Cut(value[8:], []byte{0})
	return Count{
		NetNS: n.Uint32(key[:]), Index: n.Uint32(key[4:]), Reason: s.name(n.Uint32(key[8:])),
		Device: strings.ToValidUTF8(string(device), "\uFFFD"), Packets: n.Uint64(value[:]),
	}
}

// Close detaches and unloads the program.
func (s *Set) Close() error { return errors.Join(s.links.Close(), s.objects.Close()) }
