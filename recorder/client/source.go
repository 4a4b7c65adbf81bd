package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/api"
)

// source is the packets of a window, from as many streams as it takes: each goes on behind what
// came of the one before.
type source struct {
	p       *pinned
	body    *patient
	in      *pcapng.Reader
	count   uint64 // of packets given out
	read    int64  // bytes of the streams before
	failed  int    // streams in a row of which nothing came
	ended   bool
	ids     []uint32 // by the stream's interface
	all     []packet.Interface
	known   map[packet.Interface]uint32
	damage  []packet.Damage
	losses  []packet.Loss
	secrets []pcapng.Secret // nil until somebody asked
}

// ReadBatch implements packet.Source. It fails only when all is to end.
func (s *source) ReadBatch(b *packet.Batch) error {
	b.Records = b.Records[:0]
	for !s.ended {
		err := s.next(b)
		if s.p.ctx.Err() != nil {
			return s.p.ctx.Err()
		}
		switch {
		case len(b.Records) > 0:
			s.failed = 0
			if err != nil {
				s.close()
			}
			return nil
		case err == io.EOF: // bare, which only the stream's own end is
			s.end()
		case err != nil:
			s.close()
			s.again(err)
		}
	}
	return io.EOF
}

// next reads some packets of the stream, or begins one.
func (s *source) next(b *packet.Batch) error {
	if s.in == nil {
		if err := s.begin(); err != nil {
			return fmt.Errorf("packets: %w", err)
		}
	}
	err := s.in.ReadBatch(b)
	s.adopt()
	for i := range b.Records {
		r := &b.Records[i]
		s.count++
		r.Number, r.Interface = s.count, s.ids[r.Interface]
	}
	return err
}

// begin asks for a stream of the packets that have not come.
func (s *source) begin() error {
	u := s.p.url("packets")
	u.RawQuery = "after=" + strconv.FormatUint(s.count, 10)
	body, err := s.p.stream(u)
	if err != nil {
		return err
	}
	s.body, s.ids = body, s.ids[:0]
	in, err := pcapng.NewReader(&broken{in: body}, s.p.node)
	if err == nil {
		s.in = in
	}
	return err
}

// broken is a stream that was cut if it does not end as HTTP has it, which is an error and not
// the end of a file.
type broken struct{ in io.Reader }

func (r *broken) Read(b []byte) (int, error) {
	n, err := r.in.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCut
	}
	return n, err
}

var errCut = errors.New("the stream was cut")

// again says what of the window is missing when there is no use in asking for it again.
func (s *source) again(err error) {
	s.failed++
	if s.failed < tries && !errors.Is(err, errGone) && s.p.wait() {
		return
	}
	s.ended = true
	s.damage = append(s.damage, packet.Damage{
		File: s.p.node, Offset: s.read, Lost: -1, Reason: fmt.Sprintf("its recorder gave %d packets and then %v", s.count, err),
	})
}

// end takes down what the recorder says of what it read.
func (s *source) end() {
	s.ended = true
	s.adopt()
	s.damage = append(s.damage, s.in.Damage()...)
	s.close()
	var now api.Pin
	if err := s.p.caller.ask(s.p.ctx, http.MethodGet, s.p.url(), nil, &now); err == nil {
		s.damage = append(s.damage, now.Damage...)
		s.losses = now.Losses
	}
}

func (s *source) close() {
	if s.in != nil {
		_ = s.in.Close()
		s.in = nil
	}
	if s.body != nil {
		s.read += s.body.n
		_ = s.body.Close()
		s.body = nil
	}
}

// adopt finds the interfaces of a stream among those of all. What they received and dropped
// comes at the end of the stream.
func (s *source) adopt() {
	for i, desc := range s.in.Interfaces() {
		received, dropped := desc.Received, desc.Dropped
		desc.Received, desc.Dropped = nil, nil
		id, ok := s.known[desc]
		if !ok {
			id = uint32(len(s.all))
			s.known[desc] = id
			s.all = append(s.all, desc)
		}
		if i >= len(s.ids) {
			s.ids = append(s.ids, id)
		}
		if received != nil || dropped != nil {
			s.all[id].Received, s.all[id].Dropped = received, dropped
		}
	}
}

// Secrets returns the TLS secrets of the window. What cannot be had of them is damage.
func (s *source) Secrets() []pcapng.Secret {
	if s.secrets != nil {
		return s.secrets
	}
	s.secrets = []pcapng.Secret{}
	for try := 1; ; try++ {
		all, err := s.fetchSecrets()
		if err == nil {
			s.secrets = append(s.secrets, all...)
			return s.secrets
		}
		if try == tries || errors.Is(err, errGone) || !s.p.wait() {
			s.damage = append(s.damage, packet.Damage{File: s.p.node, Lost: -1, Reason: fmt.Sprintf("its TLS secrets cannot be read: %v", err)})
			return s.secrets
		}
	}
}

func (s *source) fetchSecrets() ([]pcapng.Secret, error) {
	body, err := s.p.stream(s.p.url("secrets"))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	in, err := pcapng.NewReader(&broken{in: body}, s.p.node)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var b packet.Batch
	for err == nil {
		err = in.ReadBatch(&b)
	}
	if err != io.EOF {
		return nil, err
	}
	return in.Secrets(), nil
}

// Interfaces implements packet.Source.
func (s *source) Interfaces() []packet.Interface { return append([]packet.Interface(nil), s.all...) }

// Losses tells when packets were lost, once all have come.
func (s *source) Losses() []packet.Loss { return s.losses }

// Damage implements packet.Source.
func (s *source) Damage() []packet.Damage { return s.damage }

// Read returns how many bytes came.
func (s *source) Read() int64 {
	if s.body != nil {
		return s.read + s.body.n
	}
	return s.read
}

// Close implements packet.Source.
func (s *source) Close() error {
	s.close()
	return nil
}

var _ packet.Source = (*source)(nil)
