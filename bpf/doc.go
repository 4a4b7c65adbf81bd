// Package bpf and the packages in its folder are the programs that run in the kernel, as
// objects for amd64 and arm64 that need no compiler, and the Go that loads them.
//
// A folder is one set of programs: its C (*.bpf.c), the objects made from it and their
// bindings (by bpf2go, with clang), and a loader that knows nothing of recorders: in are the
// places to attach to, out are events with fixed layouts and counters, one for each reason why
// an event is missing. The programs use only hooks that tests can attach on a kernel in
// lockdown: raw and typed tracepoints, cgroup and socket hooks, iterators, TCX, XDP and
// uprobes. What a kernel lacks is an error that wraps errors.ErrUnsupported.
package bpf
