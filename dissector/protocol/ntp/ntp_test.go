package ntp

import (
	"encoding/binary"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

const (
	now     = 1_700_000_000 // seconds since 1970
	ntpTime = now + 2208988800
)

// say makes a message of a mode and stratum that is sent now.
func say(first, stratum byte, reference string, rest ...byte) string {
	b := make([]byte, timeLen)
	b[0], b[1], b[2], b[3] = first, stratum, 6, 0xe8
	copy(b[4:], "\x00\x00\x80\x00\x00\x01\x00\x00")
	copy(b[12:], reference)
	for _, off := range []int{24, 32, 40} {
		binary.BigEndian.PutUint32(b[off:], ntpTime)
	}
	return string(b) + string(rest)
}

const (
	ask    = 4<<3 | client
	answer = 4<<3 | server
)

func controls(second byte, data string, padding ...byte) string {
	b := make([]byte, controlLen)
	b[0], b[1], b[4], b[11] = 2<<3|control, second, 5, byte(len(data))
	return string(b) + data + string(padding)
}

func privates(first, err, items, size byte, data string) string {
	return string([]byte{first, 0, 3, 42, err << 4, items, 0, size}) + data
}

func TestProbe(t *testing.T) {
	field := "\x01\x04\x00\x24" + strings.Repeat("u", 32)
	mac := make([]byte, macShort)
	for _, c := range []struct {
		b    string
		want dissector.Guess
	}{
		{say(ask, 0, ""), dissector.MaybeRequest},
		{say(answer, 2, "\x0a\x00\x00\x01"), dissector.Response},
		{say(answer, 1, "GPS"), dissector.Response},
		{say(answer, 0, "RATE"), dissector.MaybeResponse},
		{say(answer|3<<6, 1, "GPS"), dissector.MaybeResponse},
		{say(2<<3|server, 1, "GPS"), dissector.MaybeResponse},
		{say(4<<3|broadcast, 1, "GPS"), dissector.MaybeRequest},
		{say(4<<3|symmetricActive, 1, "GPS"), dissector.MaybeRequest},
		{say(ask, 0, "") + field, dissector.MaybeRequest},
		{say(ask, 0, "") + field + string(mac), dissector.MaybeRequest},
		{say(ask, 0, "", mac...), dissector.MaybeRequest},
		{say(ask, 0, "", mac[:4]...), dissector.MaybeRequest},
		{say(ask, 0, "") + "\x01\x04\x00\x10" + strings.Repeat("u", 12), dissector.MaybeRequest},
		{say(ask, 17, ""), dissector.No},
		{say(4<<3, 1, ""), dissector.No},
		{say(client, 1, ""), dissector.No},
		{say(5<<3|client, 1, ""), dissector.No},
		{say(ask, 0, "", mac[:3]...), dissector.No},
		{say(ask, 0, "", mac[:8]...), dissector.No},
		{say(ask, 0, "")[:47], dissector.No},
		{say(ask, 0, "") + strings.Repeat("\x00", 40), dissector.No},
		{"\x2d" + strings.Repeat("\x00", 47), dissector.No},
		{controls(2, ""), dissector.MaybeRequest},
		{controls(0x82, "a=b", 0), dissector.MaybeResponse},
		{controls(0x82, "a=b"), dissector.MaybeResponse},
		{controls(2, "abcd", mac...), dissector.MaybeRequest},
		{controls(2, "abcd", mac[:6]...), dissector.No},
		{controls(2, "a=b", 0, 0), dissector.No},
		{controls(13, ""), dissector.No},
		{controls(0x42, ""), dissector.No},
		{controls(2, "")[:11], dissector.No},
		{privates(0x17, 0, 0, 0, ""), dissector.MaybeRequest},
		{privates(0x17, 0, 0, 0, strings.Repeat("\x00", 40)), dissector.MaybeRequest},
		{privates(0xd7, 0, 2, 4, "12345678"), dissector.MaybeResponse},
		{privates(0x97, 4, 0, 0, ""), dissector.MaybeResponse},
		{privates(0x97, 5, 0, 0, ""), dissector.No},
		{privates(0x97, 0, 2, 4, "1234567"), dissector.No},
		{privates(0x17, 1, 0, 0, ""), dissector.No},
		{privates(0x17, 0, 9, 9, ""), dissector.No},
		{strings.Replace(privates(0x17, 0, 0, 0, ""), "\x03*", "\x03(", 1), dissector.No},
		{strings.Replace(privates(0x17, 0, 0, 0, ""), "\x03*", "\x01*", 1), dissector.No},
		{"", dissector.No},
	} {
		if got := probe([]byte(c.b)); got != c.want {
			t.Errorf("%q: %d, want %d", c.b, got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		b      string
		role   dissector.Role
		failed bool
		want   string
	}{
		{say(ask, 3, "", append([]byte{0, 0, 0, 9}, make([]byte, 16)...)...), dissector.BySide, false, "ntp_mode=client operation=client"},
		{say(answer, 2, "\x0a\x00\x00\x01"), dissector.BySide, false, "ntp_mode=server ntp_leap=no warning ntp_reference_id=10.0.0.1 status=synchronized"},
		{say(answer, 1, "PPS"), dissector.BySide, false, "ntp_mode=server ntp_leap=no warning ntp_reference_id=PPS status=synchronized"},
		{say(answer, 1, "\x7f\x00\x00\x01"), dissector.BySide, false, "ntp_mode=server ntp_leap=no warning ntp_reference_id=127.0.0.1 status=synchronized"},
		{say(answer|1<<6, 1, "A\x00B"), dissector.BySide, false, "ntp_mode=server ntp_leap=61 seconds ntp_reference_id=AB status=synchronized"},
		{say(answer|3<<6, 0, "DENY"), dissector.BySide, true, "ntp_mode=server ntp_leap=unsynchronized ntp_kiss_code=DENY status=DENY"},
		{say(answer, 0, ""), dissector.BySide, true, "ntp_mode=server ntp_leap=no warning status=unsynchronized"},
		{say(answer|3<<6, 16, "STEP"), dissector.BySide, true, "ntp_mode=server ntp_leap=unsynchronized ntp_reference_id=STEP status=unsynchronized"},
		{say(answer|3<<6, 3, "\x0a\x00\x00\x01"), dissector.BySide, true, "ntp_mode=server ntp_leap=unsynchronized ntp_reference_id=10.0.0.1 status=unsynchronized"},
		{say(4<<3|broadcast, 1, "GPS"), dissector.OneWay, false, "ntp_mode=broadcast ntp_leap=no warning ntp_reference_id=GPS operation=broadcast"},
		{say(3<<3|symmetricPassive, 1, "GPS"), dissector.OneWay, false, "ntp_mode=symmetric passive ntp_leap=no warning ntp_reference_id=GPS operation=symmetric passive"},
		{controls(2, "peer\x00", 0, 0, 0), dissector.BySide, false, "ntp_mode=control operation=read variables summary=peer"},
		{controls(0x82, "a=b"), dissector.BySide, false, "ntp_mode=control status=okay"},
		{controls(0xa2, "a=b"), dissector.Interim, false, "ntp_mode=control status=okay"},
		{controls(0xc2, ""), dissector.BySide, true, "ntp_mode=control status=unknown variable name"},
		{controls(0x87, "event"), dissector.OneWay, false, "ntp_mode=control operation=trap summary=event"},
		{privates(0x17, 0, 0, 0, ""), dissector.BySide, false, "ntp_mode=private operation=MON_GETLIST_1"},
		{privates(0xd7, 0, 2, 4, "12345678"), dissector.Interim, false, "ntp_mode=private status=okay"},
		{privates(0x97, 4, 0, 0, ""), dissector.BySide, true, "ntp_mode=private status=no data available"},
	} {
		from := dissector.Client
		if answers([]byte(c.b)) {
			from = dissector.Server
		}
		m := &dissector.Message{From: from}
		if span, err := Protocol.New(dissector.UDP)(from, []byte(c.b), m); err != nil || span != int64(len(c.b)) {
			t.Fatalf("%q: %d, %v", c.b, span, err)
		}
		var got []string
		for f, v := range m.All() {
			if len(v.Bytes) > 0 {
				got = append(got, f.Name+"="+strings.TrimSpace(string(v.Bytes)))
			}
		}
		if s := strings.Join(got, " "); s != c.want || m.Role != c.role || dissector.Failed.Get(&m.Values) != c.failed {
			t.Errorf("%q: role %d, failed %t\ngot  %s\nwant %s", c.b, m.Role, dissector.Failed.Get(&m.Values), s, c.want)
		}
		if _, err := Protocol.New(dissector.UDP)(from.Other(), []byte(c.b), new(dissector.Message)); err != errMalformed {
			t.Errorf("%q of the other side: %v", c.b, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	m := &dissector.Message{From: dissector.Server}
	b := say(answer, 2, "\x0a\x00\x00\x01", append([]byte{0, 0, 0, 9}, make([]byte, 20)...)...)
	if _, err := Protocol.New(dissector.UDP)(dissector.Server, []byte(b), m); err != nil {
		t.Fatal(err)
	}
	v := &m.Values
	if Poll.Get(v) != 64 || Precision.Get(v) != -24 || RootDelay.Get(v) != 500_000 || RootDispersion.Get(v) != 1_000_000 || KeyID.Get(v) != 9 || Stratum.Get(v) != 2 {
		t.Error("poll, precision, delay, dispersion, key or stratum")
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		seconds, fraction uint32
		unix, want        int64
	}{
		{ntpTime, 0, now * 1e9, 0},
		{ntpTime, 1 << 31, now * 1e9, 5e8},
		{ntpTime - 1, 0, now*1e9 + 5e8, -15e8},
		{0, 1 << 31, 2085978496 * 1e9, 5e8}, // the second era
		{5, 0, 2085978495 * 1e9, 6e9},
	} {
		b := binary.BigEndian.AppendUint32(nil, c.seconds)
		if got := since(binary.BigEndian.AppendUint32(b, c.fraction), c.unix); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(say(ask, 0, "", make([]byte, 24)...)), byte(4))
	f.Add([]byte(say(answer, 2, "\x0a\x00\x00\x01")+"\x01\x04\x00\x24"+strings.Repeat("u", 32)), byte(36))
	f.Add([]byte(say(answer, 0, "RATE")), byte(0))
	f.Add([]byte(controls(0x82, "a=b", 0)), byte(1))
	f.Add([]byte(privates(0xd7, 0, 2, 4, "12345678")), byte(8))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		for range 3 {
			guess := probe(b)
			for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
				m := &dissector.Message{From: from, Whole: true, Start: now * 1e9}
				span, err := Protocol.New(dissector.UDP)(from, b, m)
				if err == nil && span != int64(len(b)) {
					t.Fatalf("span %d", span)
				}
				asks := guess == dissector.Request || guess == dissector.MaybeRequest
				if (guess == dissector.No) != (err != nil) && asks == (from == dissector.Client) {
					t.Fatalf("probe says %d, the parser %v", guess, err)
				}
			}
			b = b[:max(0, len(b)-int(cut))]
		}
	})
}
