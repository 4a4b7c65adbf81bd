package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"shark/workbench"
)

type followOptions struct {
	identity string
	form     string
	side     string
}

func newFollow(a *app) *cobra.Command {
	var o followOptions
	cmd := &cobra.Command{
		Use:   "follow SNAPSHOT... ENTRY",
		Short: "Show what both sides of an entry's connection sent, in order",
		Long: `Show what both sides of an entry's connection sent, put in order, > from the client
and < from the server. Bytes that were never captured are named where they are
missing. Bytes that are no text are shown as dots; --form hex dumps them in
hexadecimal, --form raw writes all as they were sent. Bodies in the clear, put
together and decompressed, are what shark show shows.`,
		Example: `  shark follow outage.pcap 1234
  shark follow outage.pcap 1234 --form hex
  shark follow outage.pcap 1234 --form raw --side server > reply.bin`,
		Args:              argsAtLeast(2),
		ValidArgsFunction: a.completeFirst,
		RunE:              func(cmd *cobra.Command, args []string) error { return runFollow(cmd.Context(), a, args, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.StringVar(&o.form, "form", "text", "how bytes are shown: text (dots for what is none), hex (a dump) or raw (as sent)")
	f.StringVar(&o.side, "side", "both", "who is heard: client, server or both")
	for name, values := range map[string][]string{"form": {"text", "hex", "raw"}, "side": {"both", "client", "server"}} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
	}
	return cmd
}

func runFollow(ctx context.Context, a *app, args []string, o followOptions) error {
	if !slices.Contains([]string{"text", "hex", "raw"}, o.form) {
		return usagef("--form %q: one of text, hex, raw", o.form)
	}
	if !slices.Contains([]string{"both", "client", "server"}, o.side) {
		return usagef("--side %q: one of both, client, server", o.side)
	}
	if o.form == "raw" && a.terminal {
		return usagef("raw bytes are not for a terminal: send standard output to a file or a program")
	}
	id, err := entryID(args[len(args)-1])
	if err != nil {
		return err
	}
	e, err := a.open(ctx, args[:len(args)-1], o.identity)
	if err != nil {
		return err
	}
	defer e.Close()
	t := talk{out: bufio.NewWriter(a.out), form: o.form, fresh: true}
	var ends workbench.Followed
	coverage, err := e.Follow(ctx, id, func(f workbench.Followed) error {
		ends = f
		a.bar.clear()
		return nil
	}, func(c workbench.Chunk) error {
		if o.side != "both" && (o.side == "client") != c.Client {
			return nil
		}
		return t.write(c)
	})
	if err == nil {
		err = t.close()
	}
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s > %s, %s and %s", ends.Client, ends.Server, byteCount(t.sent[0]), byteCount(t.sent[1]))
	if t.lost > 0 {
		what += fmt.Sprintf(", %s never captured", byteCount(t.lost))
	}
	return a.footer(what, coverage, nil)
}

// talk writes what two sides say.
type talk struct {
	out    *bufio.Writer
	form   string
	fresh  bool // nothing is on the current line yet
	client bool // who spoke last
	binary bool // the last bytes were no text
	tail   []byte
	sent   [2]int64 // bytes shown, of client and server
	lost   int64
}

var arrows = map[bool]string{true: ">", false: "<"}

// write writes one chunk.
func (t *talk) write(c workbench.Chunk) error {
	if c.Client {
		t.sent[0] += int64(len(c.Data))
	} else {
		t.sent[1] += int64(len(c.Data))
	}
	t.lost += c.Gap
	if t.form == "raw" {
		_, err := t.out.Write(c.Data)
		return err
	}
	if c.Client != t.client || c.Data == nil {
		t.endLine()
		t.binary = false
	}
	t.client = c.Client
	switch {
	case c.Data == nil:
		fmt.Fprintf(t.out, "%s (%s never captured)\n", arrows[c.Client], byteCount(c.Gap))
	case t.form == "hex":
		fmt.Fprintf(t.out, "%s %s packet %d\n%s", arrows[c.Client], c.Time.Format("15:04:05.000000"), c.Packet, hex.Dump(c.Data))
	default:
		t.text(c.Data)
	}
	_, err := t.out.Write(nil) // the first error of all that was written
	return err
}

// leastText is how many bytes a line has at least to count as text between bytes that
// are none: a few that happen to be letters say nothing there.
const leastText = 8

// dotsWidth is how many bytes that are no text go on a line.
const dotsWidth = 64

// text writes a chunk line by line, each as text or as dots for what is no text. The
// first line may go on with the last one of the chunk before, as text does.
func (t *talk) text(b []byte) {
	b = append(t.tail, b...)
	t.tail = nil
	var short [][]byte // lines after bytes that are no text, too short to tell
	var binary []byte
	for line := range bytes.Lines(b) {
		switch {
		case !isText(line[:len(line)-unfinished(line)]):
			t.binary, binary = true, append(append(binary, bytes.Join(short, nil)...), line...)
			short = nil
			continue
		case t.binary && len(line) < leastText:
			short = append(short, line)
			continue
		}
		t.dots(binary)
		t.lines(append(short, line))
		t.binary, binary, short = false, nil, nil
	}
	t.dots(binary)
	t.lines(short)
}

// lines writes lines of text. The end of the last one is kept back where it may
// belong with what comes next.
func (t *talk) lines(lines [][]byte) {
	for _, line := range lines {
		n := len(line) - unfinished(line)
		t.line(textOf(line[:n]))
		t.tail = slices.Clone(line[n:])
	}
}

// line writes a line of text, or as much of it as is there.
func (t *talk) line(s string) {
	if s == "" {
		return
	}
	if t.fresh {
		fmt.Fprint(t.out, arrows[t.client]+" ")
	}
	fmt.Fprint(t.out, s)
	t.fresh = strings.HasSuffix(s, "\n")
}

// dots writes bytes that are no text: what of them is printable ASCII, and dots. A
// line break at their end is one.
func (t *talk) dots(b []byte) {
	if len(b) == 0 {
		return
	}
	t.endLine()
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	for row := range slices.Chunk(b, dotsWidth) {
		for i, c := range row {
			if c < ' ' || c > '~' {
				row[i] = '.'
			}
		}
		fmt.Fprintf(t.out, "%s %s\n", arrows[t.client], row)
	}
}

// unfinished is how many bytes at the end of b may belong with the next ones: a
// carriage return, or the beginning of a character.
func unfinished(b []byte) int {
	if bytes.HasSuffix(b, []byte("\r")) {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// endLine ends a line that the next chunk does not go on with.
func (t *talk) endLine() {
	if len(t.tail) > 0 {
		t.line(textOf(t.tail))
		t.tail = nil
	}
	if !t.fresh {
		fmt.Fprintln(t.out)
	}
	t.fresh = true
}

func (t *talk) close() error {
	if t.form != "raw" {
		t.endLine()
	}
	return t.out.Flush()
}
