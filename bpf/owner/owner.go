// Package owner tells which process owns which socket, by programs in the kernel.
//
// In: nothing but the kernel's own hooks; a network namespace may be named to look at no
// other. Out: events of sockets with who uses them and when that began, of the ends of
// sockets, of processes that use any, and of their ends.
//
// Who owns a socket is said by whoever uses it: at connect and listen, and at the first send
// or receive on the socket, which also knows it of accepted ones; each socket is told of once,
// and again only when another process takes it over. What happens in a softirq, where the
// current process may be anybody, is not asked for a process. An event that finds no room is
// counted by what it was of. What a kernel lacks is listed by Missing, and the rest works.
package owner

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package owner owner owner.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -I..
