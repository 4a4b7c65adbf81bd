package nats_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/nats"
	"shark/packet/pcapng"
)

// told collects the calls and errors as the recorded clients write them: command,
// subject and status; with sized, the sizes of both payloads behind them.
type told struct {
	sized bool
	lines []string
}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != nats.Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	op := string(dissector.Operation.Get(v))
	switch {
	case op == "-ERR":
		c.lines = append(c.lines, "-ERR - "+string(nats.Error.Get(v)))
		return nil
	case e.OneWay || op == "PING":
		return nil
	}
	line := op + " " + or(string(nats.Subject.Get(v)))
	if e.Response == nil {
		c.lines = append(c.lines, line+" unanswered")
		return nil
	}
	line += " " + or(string(dissector.Status.Get(&e.Response.Values)))
	if c.sized {
		line += fmt.Sprintf(" %d %d", nats.PayloadSize.Get(v), nats.PayloadSize.Get(&e.Response.Values))
	}
	c.lines = append(c.lines, line)
	return nil
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/nats/*.truth")
	if err != nil || len(files) == 0 {
		t.Fatal("no truth", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSpace(string(b)), "\n")
			want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "PING ") })
			got := told{sized: len(strings.Fields(want[0])) == 5}
			dissect(t, strings.TrimSuffix(file, ".truth")+".pcap", &got)
			slices.Sort(got.lines)
			slices.Sort(want)
			if !slices.Equal(got.lines, want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got.lines, "\n"), strings.Join(want, "\n"))
			}
			t.Logf("%d calls", len(want))
		})
	}
}

func dissect(t *testing.T, file string, sink dissector.Sink) {
	src, err := pcapng.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := dissector.Run(context.Background(), src, dissector.Options{Protocols: []*dissector.Protocol{nats.Protocol}}, func(int) dissector.Sink { return sink }); err != nil {
		t.Fatal(err)
	}
}
