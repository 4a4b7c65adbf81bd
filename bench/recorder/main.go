// Command recorder measures how many packets a second shark captures and writes down without
// losing one, at what cost, beside tcpdump and dumpcap.
//
//	make bench-recorder
//
// Frames of 64 and of 1514 bytes are injected into a device of a network namespace of its own, as
// fast as the kernel takes them, while one program captures them into files: shark into a ring of
// segments that has gone round once, as that of a recorder has, so that its files are overwritten;
// the others into a new file. In every round each program has its turn. All have 64 MiB for packets in the
// kernel, run on the second processor and the generator on the first, both before other
// processes.
//
// A frame that is neither in the files nor said to be dropped is missing: that is an error of a
// recorder. Figures are medians of the rounds; CPU is that of the program from when it captures
// until it is done, the injecting processor's not counted: the kernel copies the packets there,
// for all of them alike. The exit code is 1 if shark lost a packet in most rounds, or in most of
// them took a tenth more CPU a packet than tcpdump, which is more than chance does.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
)

// options are the command line.
type options struct {
	frames, rounds int
	dir            string
	capture        string // be the program that captures this device into dir
}

func main() {
	var o options
	flag.IntVar(&o.frames, "frames", 400_000, "how many frames are injected")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each program is measured")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "`folder` for what is captured; on a disk that is measured too")
	flag.StringVar(&o.capture, "capture", "", "capture a `device` into the folder until interrupted; the program calls itself so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := cmp.Or(usage(o), run(ctx, os.Stdout, o))
	if err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench-recorder:", err)
		os.Exit(1)
	}
}

func usage(o options) error {
	if flag.NArg() > 0 || o.frames < 1 || o.rounds < 1 {
		return fmt.Errorf("wrong usage: bench/recorder -h lists the flags")
	}
	return nil
}

// turn is what a program did with the frames of one round.
type turn struct {
	injected           int
	recorded, dropped  uint64
	rate               float64 // frames injected in a second
	perPacket, perGbit float64 // CPU: ns and ms
}

func (t *turn) missing() int64 { return int64(t.injected) - int64(t.recorded) - int64(t.dropped) }

// lost is the part of the frames that are not recorded.
func (t *turn) lost() float64 { return 1 - float64(t.recorded)/float64(t.injected) }

// recordedRate is how many packets a second were recorded: that of a round with no loss is what
// the program can take at least.
func (t *turn) recordedRate() float64 { return t.rate * (1 - t.lost()) }

// median is the middle one of a figure.
func median(turns []turn, figure func(*turn) float64) float64 {
	var all []float64
	for i := range turns {
		all = append(all, figure(&turns[i]))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// report prints a program's line.
func report(w io.Writer, size int, name string, turns []turn) {
	clean := 0
	for i := range turns {
		if turns[i].recorded == uint64(turns[i].injected) {
			clean++
		}
	}
	fmt.Fprintf(w, "%5d B  %-8s  %9.0f injected/s  %9.0f recorded/s  %6.2f %% lost (%d of %d rounds without loss)  %6.0f ns CPU/packet  %6.1f ms CPU/Gbit\n",
		size, name, median(turns, func(t *turn) float64 { return t.rate }), median(turns, (*turn).recordedRate), 100*median(turns, (*turn).lost), clean, len(turns),
		median(turns, func(t *turn) float64 { return t.perPacket }), median(turns, func(t *turn) float64 { return t.perGbit }))
}

// judge says what is not as it should be.
func judge(size int, shark, tcpdump []turn) error {
	lossy, dearer := 0, 0
	for i := range shark {
		if shark[i].missing() != 0 {
			return fmt.Errorf("%d bytes, round %d: of %d frames shark recorded %d and counted %d as dropped", size, i+1, shark[i].injected, shark[i].recorded, shark[i].dropped)
		}
		if shark[i].dropped > 0 {
			lossy++
		}
		if shark[i].perPacket > tcpdump[i].perPacket {
			dearer++
		}
	}
	if lossy > 0 || dearer > len(shark)/2 {
		return fmt.Errorf("%d bytes: shark lost packets in %d rounds, and took more CPU a packet than tcpdump in %d, of %d", size, lossy, dearer, len(shark))
	}
	return nil
}
