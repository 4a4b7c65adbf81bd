package content

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"shark/bpf/plaintext"
	"shark/packet"
	"shark/recorder/procfs"
)

const (
	maxWrite = 256 << 10       // bytes given to the Sink at once, and a packet more
	drain    = 2 * time.Second // what is in the ring at the end is read so long
)

// held is an event that waits for those before it, its payload a part of the arena.
type held struct {
	event
	start, end int
}

// Run records until ctx ends, which is no error, and what was read and written until then. It
// is called once.
func (c *Capture) Run(ctx context.Context, sink Sink) error {
	var e plaintext.Event
	var end time.Time
	next := time.Now().Add(tick)
	for {
		err := c.set.Read(next, &e)
		if err == nil {
			c.keep(&e)
			if len(c.arena) < maxHeld && len(c.held) < maxHeld/256 && time.Now().Before(next) {
				continue
			}
		} else if errors.Is(err, plaintext.ErrDamaged) {
			c.damaged++
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("read plaintext: %w", err)
		}
		if ctx.Err() != nil && end.IsZero() {
			end = time.Now().Add(drain)
		}
		done := !end.IsZero() && (errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(end))
		if err := c.give(sink, done); err != nil || done {
			return err
		}
		next = time.Now().Add(tick)
	}
}

// keep makes an event wait for those before it.
func (c *Capture) keep(e *plaintext.Event) {
	start := len(c.arena)
	c.arena = append(c.arena, e.Payload...)
	c.held = append(c.held, held{event{
		kind: e.Kind, joined: e.Joined, last: e.Offset+e.Size == e.Total,
		object: place{e.TGID, e.Object}, id: e.ID, position: e.Position,
		time: int64(e.Time), socket: e.Socket,
	}, start, len(c.arena)})
}

// give makes segments of what is old enough to be in order, or of all.
func (c *Capture) give(sink Sink, all bool) error {
	real := int64(procfs.Realtime())
	until := int64(procfs.SinceBoot() - hold)
	if all || len(c.arena) >= maxHeld || len(c.held) >= maxHeld/256 {
		until = math.MaxInt64
	}
	slices.SortStableFunc(c.held, func(a, b held) int { return cmp.Compare(a.time, b.time) })
	n := 0
	for ; n < len(c.held) && c.held[n].time <= until; n++ {
		h := &c.held[n]
		h.time += real
		h.payload = c.arena[h.start:h.end]
		c.streams.add(&h.event)
		if len(c.buf) >= maxWrite {
			c.flush(sink)
		}
	}
	c.flush(sink)
	c.compact(n)
	return c.account(sink, all)
}

// compact drops the first n of held and moves the payloads of the others together.
func (c *Capture) compact(n int) {
	left := c.held[:0]
	arena := c.spare[:0]
	for _, h := range c.held[n:] {
		start := len(arena)
		arena = append(arena, c.arena[h.start:h.end]...)
		h.start, h.end = start, len(arena)
		left = append(left, h)
	}
	clear(c.held[len(left):])
	c.held, c.arena, c.spare = left, arena, c.arena[:0]
}

// put makes a packet of a segment.
func (c *Capture) put(s *segment, time int64) {
	start := len(c.buf)
	c.buf = s.appendTo(c.buf)
	data := c.buf[start:len(c.buf):len(c.buf)]
	c.records = append(c.records, packet.Record{Data: data, Time: time, OrigLen: uint32(len(data)), Link: linkRaw})
}

func (c *Capture) flush(sink Sink) {
	if len(c.records) > 0 {
		sink.Write(c.records, c.interfaces)
	}
	c.records, c.buf = c.records[:0], c.buf[:0]
}

// account publishes the status and tells the Sink, once a second, what was lost.
func (c *Capture) account(sink Sink, now bool) error {
	s := c.streams.status
	s.Connections = len(c.streams.objects)
	s.Lost = map[string]Loss{"connection without socket": c.streams.lost, "damaged event": {Calls: c.damaged}}
	c.mu.Lock()
	c.status = s
	c.mu.Unlock()
	if !now && time.Since(c.asked) < time.Second {
		return nil
	}
	c.asked = time.Now()
	n, err := c.set.Counters()
	if err != nil {
		return err
	}
	var lost uint64
	for _, l := range byReason(&n) {
		lost += l.Calls
	}
	lost += c.streams.lost.Calls + c.damaged
	if lost > c.told {
		sink.Lost(0, lost-c.told, c.interfaces)
		c.told = lost
	}
	return nil
}

func byReason(n *plaintext.Counters) map[string]Loss {
	return map[string]Loss{
		"ring full":                Loss(n.Ring),
		"memory not read":          Loss(n.Memory),
		"call too long":            Loss(n.Long),
		"bytes of an earlier call": Loss(n.Buffer),
	}
}

// Status says how the recording goes; what came in the last second may be missing.
func (c *Capture) Status() (Status, error) {
	n, err := c.set.Counters()
	if err != nil {
		return Status{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Reads, s.Writes, s.Bytes, s.Unseen, s.Refused = n.Reads, n.Writes, n.Bytes, n.Calls, n.Room
	s.Unsure = Loss(n.Unsure)
	lost := byReason(&n)
	maps.Copy(lost, s.Lost)
	s.Lost = lost
	for _, f := range c.files {
		s.Files = append(s.Files, f)
	}
	slices.SortFunc(s.Files, func(a, b Attached) int { return cmp.Compare(a.Path, b.Path) })
	return s, nil
}
