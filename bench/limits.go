package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A limit is what a figure has to keep to.
type limit struct {
	what  string // the figure, in words
	value float64
	most  bool // the figure is at most the value, and not at least
}

// The limits, and the only ones. Unless said otherwise they hold for every number of
// workers that is measured, with all indexes made and headers stored.
var (
	mixSpeed   = limit{"MB of the mix a CPU second", 200, false}
	mixTshark  = limit{"times shark's CPU time for tshark -T fields, which prints the same calls", 80, false}
	mixWorkers = limit{"times as fast in wall time with two workers", 1.9, false}
	mixPeak    = limit{"MiB of memory at the peak", 300, true}
	mixIndex   = limit{"percent of the capture's bytes in the index file", 12, true}

	longPeak = limit{"times the memory at the peak for four times the capture", 1.2, true}

	smallCalls       = limit{"small calls a CPU second", 300e3, false}
	largeBodies      = limit{"MB of large bodies a CPU second", 1500, false}
	shortConnections = limit{"short connections a CPU second", 250e3, false}

	variantCost = limit{"times the CPU time of the plain capture, byte by byte", 1.5, true}

	protocolSpeed = limit{"times the MB a CPU second of HTTP/1", 0.2, false}

	snapshotCost    = limit{"times the CPU time that packing the same bytes takes the same library", 1.4, true}
	importCost      = limit{snapshotCost.what, 1.6, true} // of the files it also takes the SHA-256
	snapshotSize    = limit{"times the size of the capture as zstd -3 packs it", 1, true}
	snapshotPeak    = limit{"MiB of memory at the peak", 256, true}
	snapshotBusy    = limit{"times as busy as packing alone keeps the processors", 0.9, false}
	snapshotDissect = limit{"times the CPU time of dissecting the capture and unpacking the snapshot", 1.1, true}

	farBytes  = limit{"percent of the packets' bytes read to export a pod's minute", 2, true}
	farExport = limit{"s to export a pod's minute from 50 ms away, for the first time", 5, true}
	farCold   = limit{"s to ask a published index from 50 ms away, for the first time", 2, true}
	farWarm   = limit{"s to ask it again", 0.3, true}

	firstRow   = limit{"s until the first entry of a pod's minute is printed, nothing being dissected", 2, true}
	firstShare = limit{"times the CPU time of dissecting all, for all entries of a pod's minute", 0.1, true}

	exportFilter = limit{"times shark's CPU time for tcpdump", 2, false}
	exportRange  = limit{"times shark's CPU time for editcap", 3, false}
	exportMerge  = limit{"times shark's CPU time for mergecap", 2.5, false}
)

// holds says whether a figure keeps to the limit. One that is no number does not.
func (l limit) holds(figure float64) bool {
	if l.most {
		return figure <= l.value
	}
	return figure >= l.value
}

func (l limit) String() string {
	side := "at least"
	if l.most {
		side = "at most"
	}
	return side + " " + strconv.FormatFloat(l.value, 'f', -1, 64)
}

// report prints what holds and keeps count.
type report struct {
	w         io.Writer
	held      int
	failed    []string
	unchecked []string
}

// limit holds a figure of something against its limit. The figure is printed as exactly
// as is needed to see on which side it is.
func (r *report) limit(of string, l limit, figure float64) {
	digits := 1
	if l.value < 10 {
		digits = 2
	} else if l.value >= 1000 {
		digits = 0
	}
	for digits < 4 && l.holds(figure) != l.holds(rounded(figure, digits)) {
		digits++
	}
	r.say(l.holds(figure), fmt.Sprintf("%s: %s %s; %s", of, fixed(figure, digits), l.what, l))
}

func rounded(x float64, digits int) float64 {
	y, err := strconv.ParseFloat(fixed(x, digits), 64)
	if err != nil {
		return x
	}
	return y
}

// say prints whether something holds.
func (r *report) say(holds bool, what string) {
	if holds {
		r.held++
		fmt.Fprintln(r.w, "ok:", what)
		return
	}
	r.failed = append(r.failed, what)
	fmt.Fprintln(r.w, "FAILED:", what)
}

// pass prints what could not be looked at, and why.
func (r *report) pass(what string) {
	r.unchecked = append(r.unchecked, what)
	fmt.Fprintln(r.w, "not checked:", what)
}

// close prints all that does not hold or was not looked at once more. It returns an
// error if something does not hold.
func (r *report) close() error {
	for _, what := range r.unchecked {
		fmt.Fprintln(r.w, "not checked:", what)
	}
	for _, what := range r.failed {
		fmt.Fprintln(r.w, "FAILED:", what)
	}
	fmt.Fprintf(r.w, "%d hold, %d do not, %d were not checked\n", r.held, len(r.failed), len(r.unchecked))
	if len(r.failed) > 0 {
		return errors.New("not all limits hold")
	}
	return nil
}
