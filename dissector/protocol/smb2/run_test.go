package smb2_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/smb2"
	"shark/packet"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, smb2.Protocol) }

// logged are the commands as smbd's log names them, where it has names of its own.
var logged = map[string]string{
	"NEGPROT": "NEGOTIATE", "SESSSETUP": "SESSION_SETUP", "TCON": "TREE_CONNECT", "TDIS": "TREE_DISCONNECT", "GETINFO": "QUERY_INFO",
	"SETINFO": "SET_INFO", "NOTIFY": "CHANGE_NOTIFY", "BREAK": "OPLOCK_BREAK", "KEEPALIVE": "ECHO",
}

// named are the dialects as smbclient names them.
var named = map[string]string{"SMB3_11": "3.1.1", "NT1": "NT LANMAN 1.0"}

// client is what one knows of its connection: the dialect, and how many messages it
// encrypted and decrypted.
type client struct {
	dialect              string
	encrypted, decrypted int
}

// calls collects "message id, command, status" of each call, and a client of each
// connection.
type calls struct {
	lines   []string
	clients map[uint64]*client
}

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != smb2.Protocol {
		return nil
	}
	on := c.clients[e.Conn]
	if on == nil {
		on = new(client)
		c.clients[e.Conn] = on
	}
	switch {
	case e.OneWay && e.Request.Has(smb2.Encrypted):
		if e.Request.From == dissector.Client {
			on.encrypted++
		} else {
			on.decrypted++
		}
		c.lines = append(c.lines, "encrypted "+string(dissector.Summary.Get(&e.Request.Values)))
	case e.OneWay:
	case e.Response == nil:
		c.lines = append(c.lines, "unanswered "+fmt.Sprint(e.First))
	case e.Request == nil: // it came before the capture
		v := &e.Response.Values
		c.lines = append(c.lines, fmt.Sprintf("%d - %s", smb2.MessageID.Get(v), dissector.Status.Get(v)))
	default:
		v, w := &e.Request.Values, &e.Response.Values
		if w.Has(smb2.Dialect) {
			on.dialect = string(smb2.Dialect.Get(w))
		}
		if smb1(e.Response) && !dissector.Failed.Get(w) {
			c.lines = append(c.lines, "selected "+string(smb2.Dialect.Get(w)))
			break
		}
		c.lines = append(c.lines, fmt.Sprintf("%d %s %s", smb2.MessageID.Get(v), dissector.Operation.Get(v), dissector.Status.Get(w)))
	}
	return nil
}

// TestTruth compares every call with what the server's log says of it, and every
// connection with what its client says.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "smb2", func(t *testing.T, capture string, said []string) {
		var want, clients []string
		for _, line := range said {
			f := strings.Fields(line)
			switch {
			case f[0] == "client":
				clients = append(clients, strings.Join([]string{named[f[1]], f[2], f[3]}, " "))
			case f[0] == "selected":
				want = append(want, line)
			case len(f) > 3: // encrypted
				want = append(want, "encrypted to the server", "encrypted to the client")
			default:
				if f[1] = or(logged[f[1]], f[1]); f[2] == "NT_STATUS_OK" {
					f[2] = "NT_STATUS_SUCCESS"
				}
				want = append(want, f[0]+" "+f[1]+" "+strings.TrimPrefix(f[2], "NT_"))
			}
		}
		got := calls{clients: make(map[uint64]*client)}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, smb2.Protocol)
		dissectortest.SameLines(t, got.lines, want)
		if clients == nil {
			return
		}
		var connections []string
		for _, c := range got.clients {
			connections = append(connections, fmt.Sprint(c.dialect, " ", c.encrypted, " ", c.decrypted))
		}
		dissectortest.SameLines(t, connections, clients)
	})
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// messages collects "message id, command, response, status, file" of each message.
type messages []string

func (c *messages) Entry(e *dissector.Entry) error {
	if e.Protocol != smb2.Protocol {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil || m.Has(smb2.Encrypted) || smb1(m) || string(dissector.Operation.Get(&m.Values)) == "OPLOCK_BREAK" && e.OneWay {
			continue
		}
		id := smb2.MessageID.Get(&m.Values)
		if m == e.Response && e.Request != nil {
			id = smb2.MessageID.Get(&e.Request.Values)
		}
		line := fmt.Sprint(id)
		if m == e.Response {
			line += fmt.Sprintf(" 0x%08x", dissector.StatusCode.Get(&m.Values))
		} else {
			line += " " + string(dissector.Operation.Get(&m.Values))
		}
		*c = append(*c, line)
	}
	return nil
}

// smb1 tells whether a message is one of SMB 1.
func smb1(m *dissector.Message) bool {
	return m.From == dissector.Client && !m.Has(smb2.MessageID) || m.Next != ""
}

// TestAgainstTshark compares all messages with those that tshark finds.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{"ndpi/kerberos.pcap", "arkime/arkime_synthetic.pcap"} {
		t.Run(file, func(t *testing.T) { against(t, filepath.Join(dir, file)) })
	}
	files, err := filepath.Glob("../../../testdata/smb2/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { against(t, file) })
	}
}

func against(t *testing.T, path string) {
	var got, want messages
	dissectortest.Dissect(t, dissectortest.Open(t, path), &got, smb2.Protocol)
	out, err := exec.Command("tshark", "-r", path, "-Y", "smb2.cmd", "-T", "fields", "-E", "occurrence=a",
		"-e", "smb2.msg_id", "-e", "smb2.cmd", "-e", "smb2.flags.response", "-e", "smb2.nt_status").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		ids, commands, responses, statuses := strings.Split(f[0], ","), strings.Split(f[1], ","), strings.Split(f[2], ","), strings.Split(f[3], ",")
		for i, id := range ids {
			switch {
			case id == "18446744073709551615" || responses[i] == "1" && statuses[min(i, len(statuses)-1)] == "0x00000103":
			case responses[i] == "1":
				want = append(want, id+" "+statuses[i])
			default:
				want = append(want, id+" "+smb2.CommandName(commands[i]))
			}
		}
	}
	dissectortest.SameLines(t, got, want)
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

// TestBegunUnseen cuts the beginning off a capture, packet by packet: calls behind the
// cut are found as they were, and no other one is found.
func TestBegunUnseen(t *testing.T) {
	for _, name := range []string{"files", "compound", "oplock"} {
		file := filepath.Join("../../../testdata/smb2", "smb2_of_"+name+".pcap")
		for skip := uint64(1); skip < 60; skip++ {
			var got, want places
			want.from = skip
			dissectortest.Dissect(t, dissectortest.Open(t, file), &want, smb2.Protocol)
			dissectortest.Dissect(t, tail{dissectortest.Open(t, file), skip}, &got, smb2.Protocol)
			if more, less := dissectortest.Without(got.lines, want.lines), dissectortest.Without(want.lines, got.lines); more != "" || less != "" {
				t.Fatalf("%s without %d packets: too many\n%s\nmissing\n%s", name, skip, more, less)
			}
		}
	}
}

// places collects the calls by their packets, of those that were asked behind from.
type places struct {
	from  uint64
	lines []string
}

func (c *places) Entry(e *dissector.Entry) error {
	if e.Protocol == smb2.Protocol && e.Request != nil && e.Response != nil && e.Request.First > c.from {
		c.lines = append(c.lines, fmt.Sprintf("%d %d %s %s", e.Request.First, e.Response.First, dissector.Operation.Get(&e.Request.Values), dissector.Status.Get(&e.Response.Values)))
	}
	return nil
}
