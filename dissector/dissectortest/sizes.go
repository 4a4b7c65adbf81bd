package dissectortest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
)

// needTshark skips a test that asks tshark where it is not installed.
func needTshark(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
}

// Sized holds the sizes of a protocol's messages, in the captures of its folder, against
// tshark's: each one that was captured whole is what tshark has as a unit, or several units
// in a row, with as many bytes, the last of which ends in the message's last packet. Messages
// that are not so alone may be so together with those that end in the same packet. layers are
// tshark's names of the units; one that holds others is not a unit, and what it has before
// the first of them belongs to that one. unlike says, by capture, in how many packets messages
// end that tshark has not so, for a reason that stands beside it.
func Sized(t *testing.T, p *dissector.Protocol, unlike map[string]int, layers ...string) {
	t.Helper()
	needTshark(t)
	n := 0
	for _, file := range captures(t, filepath.Join(moduleRoot(t), "testdata", p.Name)) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			all := sized{of: p, units: tsharkUnits(t, file, layers), left: make(map[ending]extent)}
			Dissect(t, Open(t, file), &all, p)
			n += all.n
			odd := all.odd()
			if len(odd) != unlike[name] {
				t.Errorf("of %d messages, those that end in %d packets are not what tshark has, want %d:\n%s", all.n, len(odd), unlike[name], strings.Join(odd, "\n"))
			}
		})
	}
	if n == 0 {
		t.Error("nothing is compared")
	}
	t.Logf("%d messages are compared", n)
}

// side is one direction of a connection: captures of one machine differ in ports.
type side struct{ from, to uint16 }

// unit is a message, or a part of one, as tshark finds it.
type unit struct {
	packet uint64 // in which it ends
	size   int64
}

// ending is where messages end.
type ending struct {
	side
	last uint64 // packet
}

// extent is what messages take up.
type extent struct {
	first uint64 // packet
	size  int64
}

// sized compares the messages of entries with units.
type sized struct {
	of    *dissector.Protocol
	units map[side][]unit
	n     int
	left  map[ending]extent // of messages that alone are no units
}

func (s *sized) Entry(e *dissector.Entry) error {
	if e.Protocol != s.of {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil || m.Truncated || m.Resumed || m.Lost > 0 || m.Again {
			continue
		}
		s.n++
		at, x := ending{side{m.Flow.SrcPort, m.Flow.DstPort}, m.Last}, extent{m.First, m.Size}
		if s.inRow(at, x) {
			continue
		}
		if others, ok := s.left[at]; ok {
			x = extent{min(x.first, others.first), x.size + others.size}
		}
		s.left[at] = x
	}
	return nil
}

// odd describes what no units make up.
func (s *sized) odd() (out []string) {
	for at, x := range s.left {
		if !s.inRow(at, x) {
			out = append(out, fmt.Sprintf("%d > %d, packets %d to %d: %d bytes", at.from, at.to, x.first, at.last, x.size))
		}
	}
	return out
}

// inRow tells whether some units in a row have this extent.
func (s *sized) inRow(at ending, x extent) bool {
	units := s.units[at.side]
	for end := range units {
		if units[end].packet != at.last {
			continue
		}
		left := x.size
		for _, u := range slices.Backward(units[:end+1]) {
			if u.packet < x.first {
				break
			}
			if left -= u.size; left <= 0 {
				break
			}
		}
		if left == 0 {
			return true
		}
	}
	return false
}

// tsharkUnits returns the units of each side, in order.
func tsharkUnits(t *testing.T, file string, layers []string) map[side][]unit {
	t.Helper()
	out, err := exec.Command("tshark", "-r", file, "-T", "pdml", "-J", "frame tcp udp "+strings.Join(layers, " ")).Output()
	if err != nil {
		t.Fatal(err)
	}
	units := make(map[side][]unit)
	for dec := xml.NewDecoder(bytes.NewReader(out)); ; {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return units
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == "packet" {
			var p pdml
			if err := dec.DecodeElement(&p, &start); err != nil {
				t.Fatal(err)
			}
			d, more := p.units(layers)
			units[d] = append(units[d], more...)
		}
	}
}

// pdml is a packet in tshark's words.
type pdml struct {
	Protos []struct {
		Name   string `xml:"name,attr"`
		Pos    int64  `xml:"pos,attr"`
		Size   int64  `xml:"size,attr"`
		Fields []struct {
			Name string `xml:"name,attr"`
			Show string `xml:"show,attr"`
		} `xml:"field"`
	} `xml:"proto"`
}

func (p *pdml) units(layers []string) (d side, out []unit) {
	packet, head := uint64(0), int64(0)
	for i, l := range p.Protos {
		for _, f := range l.Fields {
			n, _ := strconv.ParseUint(f.Show, 10, 64) // 0 of what is no number
			switch f.Name {
			case "frame.number":
				packet = n
			case "tcp.srcport", "udp.srcport":
				d.from = uint16(n)
			case "tcp.dstport", "udp.dstport":
				d.to = uint16(n)
			}
		}
		if !slices.Contains(layers, l.Name) {
			continue
		}
		if i+1 < len(p.Protos) {
			if next := p.Protos[i+1]; next.Name != l.Name && slices.Contains(layers, next.Name) && l.Pos < next.Pos && next.Pos < l.Pos+l.Size {
				head = next.Pos - l.Pos
				continue
			}
		}
		out = append(out, unit{packet, head + l.Size})
		head = 0
	}
	return d, out
}
