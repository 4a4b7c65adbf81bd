// Package procfs reads what the kernel says of processes in /proc.
//
// In: the number of a process. Out: what its files have, or that there is no such process; no
// more of a file is read than a bound says, whatever processes write there. Times are since boot,
// which is the clock of processes' starts and of the events of programs in the kernel; Realtime
// makes them times of day. Only on Linux.
package procfs
