package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// series is what the rounds of one thing took.
type series []usage

func (s series) cpu() float64 { return median(s, cpuSeconds) }

func (s series) wall() float64 { return median(s, wallSeconds) }

func cpuSeconds(u usage) float64 { return u.cpu.Seconds() }

func wallSeconds(u usage) float64 { return u.wall.Seconds() }

// paired returns how many times a is b, round by round: what slowed a round slowed
// both. Of rounds that only one took part in nothing is used.
func paired(a, b series, figure func(usage) float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, figure(a[i])/figure(b[i]))
	}
	return median(ratios, func(r float64) float64 { return r })
}

// peak is the most memory of any round, in bytes.
func (s series) peak() (most int64) {
	for _, u := range s {
		most = max(most, u.peak)
	}
	return most
}

// median returns the middle one, or the mean of the two in the middle; 0 of none.
func median[T any](list []T, figure func(T) float64) float64 {
	if len(list) == 0 {
		return 0
	}
	var all []float64
	for _, x := range list {
		all = append(all, figure(x))
	}
	slices.Sort(all)
	n := len(all)
	return (all[n/2] + all[(n-1)/2]) / 2
}

// table is rows of figures under their names: the first column to the left, the
// others to the right.
type table struct {
	w    io.Writer
	rows [][]string
}

// newTable begins a table with its head.
func newTable(w io.Writer, head ...string) *table { return &table{w, [][]string{head}} }

// row adds a row of as many cells as the head has.
func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// print prints the table and an empty line.
func (t *table) print() {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range t.rows {
		fmt.Fprintf(t.w, "%-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(t.w, "%*s", widths[i+1]+3, cell)
		}
		fmt.Fprintln(t.w)
	}
	fmt.Fprintln(t.w)
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }

func seconds(s float64) string { return fixed(s, 2) }

func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fixed(float64(n)/(1<<20), 0)
}
