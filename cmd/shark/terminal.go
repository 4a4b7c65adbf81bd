package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"

	"shark/workbench"
)

// isTerminal tells whether somebody sits at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// sanitize makes captured text harmless to a terminal: what could move the
// cursor, change colours or reverse the direction of text becomes visible.
func sanitize(s string, newlines bool) string {
	bad := func(r rune) bool {
		return r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == '\n' && !newlines || r == '\t' && !newlines || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case !bad(r):
			b.WriteRune(r)
		case r == unicode.ReplacementChar && s[i] != 0xef:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == unicode.ReplacementChar:
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine puts what has several lines, such as errors that were joined, into one.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

// progressBar shows on a terminal how far a long piece of work has come.
type progressBar struct {
	out   io.Writer
	on    bool
	mu    sync.Mutex // what is found is shown while the bar moves on
	shown bool
	began time.Time
	next  time.Time
}

// What the bar waits before it first shows, and between two changes.
const (
	barDelay = 300 * time.Millisecond
	barPause = 100 * time.Millisecond
)

func newProgressBar(out io.Writer, quiet bool) *progressBar {
	now := time.Now()
	return &progressBar{out: out, on: !quiet && isTerminal(out), began: now, next: now.Add(barDelay)}
}

func (b *progressBar) update(p workbench.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.on || now.Before(b.next) && !p.Done {
		return
	}
	b.next = now.Add(barPause)
	if p.Done {
		b.remove()
		return
	}
	share := ""
	if p.Total > 0 && p.Bytes <= p.Total {
		share = fmt.Sprintf(" %3d%%", p.Bytes*100/p.Total)
	}
	fmt.Fprintf(b.out, "\r\x1b[K%s%s  %s, %s", p.Task, share, workbench.Count(p.Packets, "packets"), byteText(p.Bytes))
	b.shown = true
}

// say shows a line in the bar's place.
func (b *progressBar) say(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); b.on && now.After(b.next) {
		b.next = now.Add(barPause)
		fmt.Fprintf(b.out, "\r\x1b[K%s", line)
		b.shown = true
	}
}

// clear removes the bar.
func (b *progressBar) clear() {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.remove()
	}
}

// remove is clear with the lock held.
func (b *progressBar) remove() {
	if b.shown {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.shown = false
	}
}
