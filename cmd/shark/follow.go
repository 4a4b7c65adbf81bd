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
missing. What is no text is shown as a hexadecimal dump; --form raw writes all bytes
as they were sent.`,
		Example: `  shark follow outage.pcap 1234
  shark follow outage.pcap 1234 --form hex
  shark follow outage.pcap 1234 --form raw --side server > reply.bin`,
		Args:              argsAtLeast(2),
		ValidArgsFunction: a.completeFirst,
		RunE:              func(cmd *cobra.Command, args []string) error { return runFollow(cmd.Context(), a, args, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "identity log that goes with capture files")
	f.StringVar(&o.form, "form", "text", "how bytes are shown: text, hex or raw")
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
	err = e.Follow(ctx, id, func(f workbench.Followed) error {
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
	return a.footer(what, ends.Coverage, nil)
}

// talk writes what two sides say.
type talk struct {
	out    *bufio.Writer
	form   string
	fresh  bool // nothing is on the current line yet
	client bool // who spoke last
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

// text writes a chunk as lines, the first of which may go on with the last one of
// the chunk before.
func (t *talk) text(b []byte) {
	b = append(t.tail, b...)
	n := len(b) - unfinished(b)
	t.tail = slices.Clone(b[n:])
	if b = b[:n]; !isText(b) {
		b, t.tail = append(b, t.tail...), nil
		t.endLine()
		for line := range strings.Lines(hex.Dump(b)) {
			fmt.Fprintf(t.out, "%s %s", arrows[t.client], line)
		}
		return
	}
	for line := range strings.Lines(textOf(b)) {
		if t.fresh {
			fmt.Fprint(t.out, arrows[t.client]+" ")
		}
		fmt.Fprint(t.out, line)
		t.fresh = strings.HasSuffix(line, "\n")
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
		if t.fresh {
			fmt.Fprint(t.out, arrows[t.client]+" ")
		}
		fmt.Fprint(t.out, textOf(t.tail))
		t.tail, t.fresh = nil, false
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
