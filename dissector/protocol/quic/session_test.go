package quic

import (
	"bytes"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/quic/record"
	"shark/dissector/protocol/tls"
)

// TestShortHeaderOfTheRFC opens the packet of RFC 9001, appendix A.5, in ChaCha20, and derives
// the secret that comes next.
func TestShortHeaderOfTheRFC(t *testing.T) {
	secret := unhex(t, "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b")
	suite, ok := suiteOf(0x1303)
	if !ok {
		t.Fatal("the suite is not known")
	}
	k := newKeys(readable[1], suite, secret)
	b := unhex(t, "4cfe4189655e5cd55c41f69080575d7999c25a5bfb")
	var o opener
	number, body := o.unmask(&k.headerKey, b, 1, 654360564)
	if plain := o.unseal(&k.packetKey, number, b[body:]); number != 654360564 || !bytes.Equal(plain, []byte{framePing}) {
		t.Errorf("packet %d says %x", number, plain)
	}
	want := unhex(t, "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9")
	if next := tls.ExpandLabel(suite.Hash, secret, "quic ku", suite.Hash.Size()); !bytes.Equal(next, want) {
		t.Errorf("the next secret is %x", next)
	}
}

// TestNearest has the example of RFC 9000, appendix A.3, and the ends of the space.
func TestNearest(t *testing.T) {
	for _, x := range []struct {
		number uint64
		bits   int
		next   uint64
		want   uint64
	}{
		{0x9b32, 16, 0xa82f30eb, 0xa82f9b32},
		{0xff, 8, 0x100, 0xff},
		{0x01, 8, 0xff, 0x101},
		{0xff, 8, 0, 0xff},
		{5, 8, 1<<62 - 1, 1<<62 - 256 + 5},
	} {
		if got := nearest(x.number, x.bits, x.next); got != x.want {
			t.Errorf("%x of %d bits near %x is %x, want %x", x.number, x.bits, x.next, got, x.want)
		}
	}
}

// TestSuites: packets are encrypted with the suites of TLS 1.3, but for the one with short tags.
func TestSuites(t *testing.T) {
	for id, want := range map[uint16]bool{0x1301: true, 0x1302: true, 0x1303: true, 0x1304: true, 0x1305: false, 0xc02f: false} {
		if _, ok := suiteOf(id); ok != want {
			t.Errorf("suite %x: %v", id, ok)
		}
	}
}

// TestFrames reads all frames in front of one of a stream, and each by itself in all its
// lengths: what is cut says nothing.
func TestFrames(t *testing.T) {
	stream := []byte{frameStream | streamLen | streamFin, 4, 2, 'h', 'i'}
	want := record.AppendData(nil, 4, record.Place{}, []byte("hi"), true)
	for name, frame := range map[string][]byte{
		"PADDING": {framePadding}, "PING": {framePing}, "ACK": {frameAck, 5, 0, 1, 0, 1, 1}, "ACK with ECN": {frameAckECN, 5, 0, 0, 0, 1, 2, 3},
		"CRYPTO": {frameCrypto, 0, 2, 1, 2}, "NEW_TOKEN": {frameNewToken, 2, 1, 2}, "MAX_DATA": {frameMaxData, 1}, "MAX_STREAM_DATA": {frameMaxStreamData, 1, 2},
		"MAX_STREAMS": {frameMaxStreams, 1}, "DATA_BLOCKED": {frameBlocked, 1}, "STREAM_DATA_BLOCKED": {frameStreamBlocked, 1, 2}, "STREAMS_BLOCKED": {frameStreamsLimit + 1, 1},
		"NEW_CONNECTION_ID": append([]byte{frameNewID, 1, 0, 2, 7, 7}, make([]byte, resetToken)...), "RETIRE_CONNECTION_ID": {frameRetireID, 1},
		"PATH_CHALLENGE": {framePathChallenge, 1, 2, 3, 4, 5, 6, 7, 8}, "PATH_RESPONSE": {framePathResponse, 1, 2, 3, 4, 5, 6, 7, 8},
		"CONNECTION_CLOSE": {frameClose, 1, 0, 1, 'x'}, "HANDSHAKE_DONE": {frameDone}, "DATAGRAM": {frameDatagram + 1, 2, 1, 2}, "IMMEDIATE_ACK": {frameImmediateAck},
		"ACK_FREQUENCY": {0x40, frameAckFrequency, 1, 2, 3, 4}, "TIMESTAMP": {0x42, 0xf5, 1},
	} {
		x := new(session)
		x.frames(dissector.Client, append(bytes.Clone(frame), stream...))
		if got := x.half[0].streams.out; !bytes.Equal(got, want) {
			t.Errorf("%s: what is behind it is not read: %x", name, got)
		}
		for n := range frame {
			x := new(session)
			x.frames(dissector.Client, frame[:n])
			if len(x.half[0].streams.out) > 0 {
				t.Errorf("%s of %d bytes says something", name, n)
			}
		}
	}
	for _, unknown := range []byte{frameDatagram, 0x20} { // one without a length, and one of no type
		x := new(session)
		x.frames(dissector.Client, append([]byte{unknown}, stream...))
		if len(x.half[0].streams.out) > 0 {
			t.Errorf("something is read behind a frame of type %x", unknown)
		}
	}
}

// TestEndings: what ends a stream or the connection is a record of its own.
func TestEndings(t *testing.T) {
	x := new(session)
	x.frames(dissector.Server, []byte{
		frameReset, 8, 0x41, 0x0c, 0,
		frameReset, 8, 0x41, 0x0c, 0, // again
		0x40, frameResetAt, 12, 7, 0, 0,
		frameStop, 16, 9,
		frameCloseApp, 0x41, 0x00, 1, 'x',
	})
	var at record.Place
	want := record.AppendNumber(nil, record.Reset, 8, at, 0x10c)
	want = record.AppendNumber(want, record.Reset, 12, at, 7)
	want = record.AppendNumber(want, record.Stop, 16, at, 9)
	want = record.AppendNumber(want, record.Close, 0, at, 0x100)
	if got := x.half[1].streams.out; !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{frameStream | streamLen | streamOffset, 4, 2, 2, 'h', 'i', frameStream | streamLen, 4, 2, 'o', 'h', frameReset, 8, 1, 0})
	f.Add([]byte{frameAck, 5, 0, 1, 0, 1, 1, frameNewID, 1, 0, 2, 7, 7, frameStop, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		x := new(session)
		s := &x.half[0].streams
		for i := range 3 { // the packet, and the same again later
			s.fresh(record.Place{Time: int64(i) * maxWait, Packet: uint64(i)})
			x.frames(dissector.Client, b)
			held := 0
			for _, stream := range s.open {
				for _, c := range stream.pieces {
					held += len(c.data)
				}
			}
			if held != s.held || held > maxHeld+len(b) || len(s.open) > maxStreams {
				t.Fatalf("%d bytes wait, counted as %d, in %d streams", held, s.held, len(s.open))
			}
			for out := s.out; len(out) > 0; {
				_, n, ok := record.Read(out)
				if !ok {
					t.Fatalf("no whole record at %x", out)
				}
				out = out[n:]
			}
		}
	})
}
