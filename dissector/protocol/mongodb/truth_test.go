package mongodb_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/mongodb"
	"shark/packet"
)

// told collects the commands as the driver reports them: name, database, request id,
// status, n and documents in a cursor's batch. What the driver does by itself it does
// not report.
type told struct{ lines []string }

var unreported = map[string]bool{"isMaster": true, "hello": true, "endSessions": true, "saslStart": true}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != mongodb.Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	command := string(mongodb.Command.Get(v))
	if unreported[command] {
		return nil
	}
	line := fmt.Sprintf("%s %s %d ", command, mongodb.Database.Get(v), mongodb.RequestID.Get(v))
	switch {
	case e.OneWay: // the driver takes it for granted
		line += "ok - -"
	case e.Response == nil:
		line += "unanswered"
	default:
		v = &e.Response.Values
		line += strings.Join([]string{string(dissector.Status.Get(v)), number(v, mongodb.Affected), batch(command, v)}, " ")
	}
	c.lines = append(c.lines, line)
	return nil
}

// named are the write errors of the captures: replies have only their numbers.
var named = strings.NewReplacer(" 11000 ", " DuplicateKey ", " 9 9 ", " 9 FailedToParse ")

func number(v *field.Values, f field.IntField) string {
	if !v.Has(f) {
		return "-"
	}
	return strconv.FormatInt(f.Get(v), 10)
}

// batch is how many documents a cursor's batch has; the driver was not asked of others.
func batch(command string, v *field.Values) string {
	if command == "distinct" || command == "findAndModify" {
		return "-"
	}
	return number(v, mongodb.Returned)
}

// TestAgainstDriver compares every command with what the driver that sent it reported.
func TestAgainstDriver(t *testing.T) {
	dissectortest.Told(t, "mongodb", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, mongodb.Protocol)
		for i, line := range got.lines {
			if strings.HasPrefix(line, "findAndModify ") { // its n is in another document than the driver was asked of
				f := strings.Fields(line)
				f[4] = "-"
				got.lines[i] = strings.Join(f, " ")
			}
		}
		for i := range want {
			want[i] = named.Replace(want[i])
		}
		dissectortest.SameLines(t, got.lines, want)
	})
}

// calls collects what is known of other people's captures.
type calls struct {
	messages []string // opcode, the request id that pairs it and whether it is a reply
	commands map[string]int
}

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != mongodb.Protocol {
		return nil
	}
	for i, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			c.messages = append(c.messages, fmt.Sprintf("%s %d %t", mongodb.Opcode.Get(&m.Values), mongodb.RequestID.Get(&m.Values), i == 1))
		}
	}
	if e.Request == nil {
		return nil
	}
	if c.commands == nil {
		c.commands = make(map[string]int)
	}
	c.commands[string(mongodb.Command.Get(&e.Request.Values))]++
	return nil
}

var public = []string{
	"live/mongo.pcap", "mongoreplay/mongoreplay_test.out.pcap",
	"packetbeat/mongo_3.0_session.pcap", "packetbeat/mongo_one_row.pcap", "packetbeat/mongodb_create_collection.pcap",
	"packetbeat/mongodb_find.pcap", "packetbeat/mongodb_insert_duplicate_key.pcap", "packetbeat/mongodb_more_rows.pcap",
	"packetbeat/mongodb_op_msg_opcode.pcap", "packetbeat/mongodb_reply_request_reply.pcap", "packetbeat/mongodb_use_db.pcap",
}

// TestAgainstTshark compares all messages with those that tshark finds: opcode, and
// request id or responseTo.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range public {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			var got calls
			dissectortest.Dissect(t, dissectortest.Open(t, path), &got, mongodb.Protocol)
			dissectortest.SameLines(t, got.messages, messages(t, path))
		})
	}
}

// messages asks tshark.
func messages(t *testing.T, path string) []string {
	out, err := exec.Command("tshark", "-r", path, "-d", "tcp.port==9991,mongo", "-d", "tcp.port==27017,mongo", "-d", "tcp.port==27018,mongo", "-Y", "mongo", "-T", "fields", "-E", "occurrence=a",
		"-e", "mongo.request_id", "-e", "mongo.response_to", "-e", "mongo.opcode").Output()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 3 || f[0] == "" {
			continue
		}
		ids, answers, codes := strings.Split(f[0], ","), strings.Split(f[1], ","), strings.Split(f[2], ",")
		for i, code := range codes {
			name := map[string]string{"1": "OP_REPLY", "2004": "OP_QUERY", "2013": "OP_MSG"}[code]
			n, err := strconv.ParseUint(ids[i], 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			to, err := strconv.ParseUint(answers[i], 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			answer := code == "1" || code == "2013" && to != 0
			if answer {
				n = to
			}
			lines = append(lines, fmt.Sprintf("%s %d %t", name, int32(n), answer))
		}
	}
	return lines
}

// TestAgainstApplication compares the commands of recorded traffic with those that its
// server counted.
func TestAgainstApplication(t *testing.T) {
	dir := dissectortest.Public(t)
	var known struct {
		Truth map[string]int `json:"app_truth"`
	}
	dissectortest.Oracle(t, dir, "live/mongo.pcap", &known)
	var got calls
	dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, "live/mongo.pcap")), &got, mongodb.Protocol)
	for what, n := range known.Truth {
		name := strings.TrimPrefix(what, "mongo server saw ")
		if got.commands[name] != n {
			t.Errorf("%s: %d, want %d", name, got.commands[name], n)
		}
		delete(got.commands, name)
	}
	if len(got.commands) > 0 {
		t.Errorf("too many: %v", got.commands)
	}
}

// tail is a capture without its first packets.
type tail struct {
	packet.Source
	skip uint64
}

func (s tail) ReadBatch(b *packet.Batch) error {
	for {
		err := s.Source.ReadBatch(b)
		for len(b.Records) > 0 && b.Records[0].Number <= s.skip {
			b.Records = b.Records[1:]
		}
		if err != nil || len(b.Records) > 0 {
			return err
		}
	}
}

// asked collects the calls by the packet that began their request.
type asked map[uint64][]string

func (a asked) Entry(e *dissector.Entry) error {
	if e.Protocol == mongodb.Protocol && e.Request != nil {
		v := &e.Request.Values
		line := fmt.Sprintf("%s %s %d", mongodb.Command.Get(v), dissector.Summary.Get(v), mongodb.RequestID.Get(v))
		if e.Response != nil {
			line += " > " + string(dissector.Status.Get(&e.Response.Values))
		}
		a[e.Request.First] = append(a[e.Request.First], line)
	}
	return nil
}

// TestBegunUnseen cuts the beginning off captures, packet by packet: the calls that were
// asked behind the cut are found as they were, and no other one is.
func TestBegunUnseen(t *testing.T) {
	for _, name := range []string{"crud", "errors", "concurrent", "large"} {
		file := "../../../testdata/mongodb/mongodb_of_" + name + ".pcap"
		whole := asked{}
		dissectortest.Dissect(t, dissectortest.Open(t, file), whole, mongodb.Protocol)
		last := slices.Max(slices.Collect(maps.Keys(whole)))
		for skip := uint64(1); skip < last; skip++ {
			got := asked{}
			dissectortest.Dissect(t, tail{dissectortest.Open(t, file), skip}, got, mongodb.Protocol)
			for first, lines := range whole {
				if first > skip && !slices.Equal(got[first], lines) {
					t.Fatalf("%s without %d packets: got %q, want %q", name, skip, got[first], lines)
				}
			}
			for first, lines := range got {
				if !slices.Equal(whole[first], lines) {
					t.Fatalf("%s without %d packets: %q is not there with them", name, skip, lines)
				}
			}
		}
	}
}
