// Package session records for a while, straight into one capture file that can be read alone:
// packets in order of time, plaintext on its interface, TLS secrets before the packets that
// need them, and who owned which socket.
//
// In: parts of a recorder, and a file. Out: the file, complete when Run returns; killed, it has
// all but the last seconds. Packets wait for a second or so, in memory of a bounded size, so
// that what was caught later than they stands before them (waiting.go): if the disk is so slow
// that there is no room, the parts wait for it, and the kernel drops, which is counted.
package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/recorder"
	"shark/recorder/ticks"
	"shark/snapshot/identity"
)

const (
	// delay is how long packets wait.
	delay = 1500 * time.Millisecond
	// turn is how often those that waited are written.
	turn = 100 * time.Millisecond
	// retry is how long a part that does not run waits until it is tried again.
	retry = time.Second
	// maxSessions is how many TLS sessions are told apart, to be counted.
	maxSessions = 1 << 20
)

// Options say what is recorded.
type Options struct {
	Node  string
	Out   io.Writer
	Parts []recorder.Part
	// Needs names the part without which there is nothing to be recorded.
	Needs string
	// Command is recorded from its beginning to its end, and some moments more; none: it is
	// recorded until the context ends.
	Command Command
	Log     *slog.Logger
	// Progress is called now and then, by one goroutine; nil: nobody is.
	Progress func(Summary)
}

// Summary is what was recorded. Sessions are those of TLS whose secrets are known.
type Summary struct {
	Packets, Plaintext uint64
	Bytes              uint64 // captured, of all of them
	Dropped            uint64
	Sessions           int
	Took               time.Duration
	Parts              []recorder.PartStatus
	// Command is how the command failed: a *CommandError, unless it could not be run. The
	// recording of it may be as whole as any.
	Command error
}

// Session is a recording under way.
type Session struct {
	o     Options
	began time.Time

	mu       sync.Mutex
	out      *pcapng.Writer
	err      error // of out, for good
	all      []packet.Interface
	counts   []count
	ids      [2][]uint32 // by sink and its interface: that of all, and 1
	waiting  *waiting
	sessions map[[keylog.RandomSize]byte]struct{}
	summary  Summary
}

// count is what an interface counted.
type count struct{ packets, dropped uint64 }

// Run records until ctx or the command ends or the file takes no more, which is an error. So is
// that nothing could be recorded. How the command failed is in the summary.
func Run(ctx context.Context, o Options) (Summary, error) {
	s := &Session{o: o, began: time.Now(), sessions: make(map[[keylog.RandomSize]byte]struct{})}
	s.waiting = newWaiting(maxWaiting, s.put)
	var err error
	if s.out, err = pcapng.NewWriter(o.Out, pcapng.Options{Application: "shark"}); err != nil {
		return Summary{}, err
	}
	// From the first block that tells of owners a reader knows that there are more.
	if err := s.identity(identity.Record{Time: s.began, Op: identity.Upsert, Source: "recorder", Kind: identity.Node, Name: o.Node}); err != nil {
		return Summary{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sup, err := recorder.Supervise(ctx, o.Parts, recorder.Sinks{
		Packets: &sink{s, 0}, Plaintext: &sink{s, 1}, Secrets: s.secrets, Identity: s.identity, Holds: s.identity,
	}, cmp.Or(o.Log, slog.New(slog.DiscardHandler)), retry)
	if err != nil {
		return Summary{}, err
	}
	if err := o.runs(sup.Status()); err != nil {
		cancel()
		sup.Run(ctx) // which has the others let go
		return Summary{}, err
	}
	var work sync.WaitGroup
	work.Go(func() { s.write(ctx, cancel, sup) })
	var failed error
	if o.Command.path != "" {
		work.Go(func() {
			defer cancel()
			failed = o.Command.record(ctx)
		})
	}
	sup.Run(ctx)
	cancel()
	work.Wait()
	err = s.end()
	sum := s.so()
	sum.Parts, sum.Command = sup.Status(), failed
	return sum, errors.Join(err, o.had(&sum))
}

// runs tells why the part that is needed does not run.
func (o *Options) runs(all []recorder.PartStatus) error {
	for i := range all {
		if p := &all[i]; p.Name == o.Needs && !p.Running {
			return fmt.Errorf("%w: %s", recorder.ErrNothing, p.Reason)
		}
	}
	return nil
}

// had tells why there was nothing to be recorded, where that is so: that nobody said anything is
// no error.
func (o *Options) had(sum *Summary) error {
	if sum.Packets+sum.Plaintext > 0 {
		return nil
	}
	for i := range sum.Parts {
		if p := &sum.Parts[i]; p.Name == o.Needs && p.Idle != "" {
			return fmt.Errorf("%w: %s", recorder.ErrNothing, p.Idle)
		}
	}
	return o.runs(sum.Parts)
}

// write writes packets that waited, until ctx ends.
func (s *Session) write(ctx context.Context, cancel context.CancelFunc, sup *recorder.Supervised) {
	ticks.Do(ctx, turn, func() {
		s.mu.Lock()
		s.waiting.next()
		if s.err == nil {
			s.err = s.out.Flush()
		}
		failed := s.err != nil
		s.mu.Unlock()
		if failed {
			cancel()
			return
		}
		if s.o.Progress != nil {
			sum := s.so()
			sum.Parts = sup.Status()
			s.o.Progress(sum)
		}
	})
}

// so returns what was recorded so far.
func (s *Session) so() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.summary
	sum.Sessions, sum.Took = len(s.sessions), time.Since(s.began)
	return sum
}

// end writes what waits and what was counted.
func (s *Session) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.release(math.MaxInt64)
	for i := range s.all {
		c := &s.counts[i]
		received := c.packets + c.dropped
		s.all[i].Received, s.all[i].Dropped = &received, &c.dropped
	}
	for i := range s.all {
		if s.err == nil {
			s.err = s.out.WriteStatistics(uint32(i), s.all, time.Now().UnixNano())
		}
	}
	if s.err == nil {
		s.err = s.out.Close()
	}
	if s.err != nil {
		return fmt.Errorf("record: %w", s.err)
	}
	return nil
}

// put writes a packet whose turn it is.
func (s *Session) put(r *packet.Record) {
	if s.err == nil {
		s.err = s.out.Write(r, s.all)
	}
}

// sink is what a part gives packets to.
type sink struct {
	s *Session
	n int
}

// Write implements recorder.Sink.
func (k *sink) Write(records []packet.Record, interfaces []packet.Interface) {
	s := k.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		r := records[i]
		r.Interface = s.known(k.n, r.Interface, interfaces)
		s.counts[r.Interface].packets++
		s.summary.Bytes += uint64(len(r.Data))
		if k.n == 0 {
			s.summary.Packets++
		} else {
			s.summary.Plaintext++
		}
		s.waiting.hold(&r)
	}
}

// Lost implements recorder.Sink.
func (k *sink) Lost(i uint32, n uint64, interfaces []packet.Interface) {
	s := k.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[s.known(k.n, i, interfaces)].dropped += n
	s.summary.Dropped += n
}

// known returns the number that a part's interface has in the file.
func (s *Session) known(part int, i uint32, interfaces []packet.Interface) uint32 {
	ids := &s.ids[part]
	for int(i) >= len(*ids) {
		*ids = append(*ids, 0)
	}
	if (*ids)[i] == 0 {
		s.all, s.counts = append(s.all, interfaces[i]), append(s.counts, count{})
		(*ids)[i] = uint32(len(s.all))
	}
	return (*ids)[i] - 1
}

// secrets writes TLS secrets, before all packets that wait.
func (s *Session) secrets(_ time.Time, lines []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keylog.Parse(lines, func(k keylog.Secret) {
		if len(s.sessions) < maxSessions {
			s.sessions[k.Random] = struct{}{}
		}
	})
	if s.err == nil {
		s.err = s.out.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: lines})
	}
	return s.err
}

// identity writes who owns what, before all packets that wait.
func (s *Session) identity(records ...identity.Record) error {
	var lines bytes.Buffer
	w := identity.NewWriter(&lines)
	var errs []error
	for i := range records {
		errs = append(errs, w.Write(&records[i])) // one that cannot be written is not: the others are
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.out.WriteIdentity(lines.Bytes())
	}
	return errors.Join(append(errs, s.err)...)
}
