package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shark/packet"
	"shark/recorder/packets"
	"shark/recorder/ring"
)

// ringBytes is the size of the ring.
const ringBytes = 256 << 20

// capture records a device of the process's own namespace as a recorder does, and prints what
// became of the packets.
func capture(ctx context.Context, o options) (err error) {
	w, err := ring.Create(filepath.Join(o.dir, "ring"), ring.Options{Node: "bench", Bytes: ringBytes, BufferBytes: 64 << 20})
	if err != nil {
		return err
	}
	if err := goRound(ctx, w); err != nil {
		return errors.Join(err, w.Close())
	}
	before := w.Status().Recorded
	c, err := packets.Open(packets.Options{
		Namespaces: func(n packets.Namespace) bool { return n.Own },
		Devices:    func(d packets.Device) bool { return d.Name == o.capture },
		RingBytes:  64 << 20,
		HostSides:  true,
	})
	if err != nil {
		return errors.Join(err, w.Close())
	}
	err = errors.Join(c.Run(ctx, w), w.Close())
	s := w.Status()
	fmt.Printf("recorded %d dropped %d\n", s.Recorded-before, s.Dropped)
	return err
}

// goRound fills a ring once with packets of nothing: what comes then is written over them.
func goRound(ctx context.Context, w *ring.Writer) error {
	of := []packet.Interface{{Link: 1, Name: "before"}}
	many := make([]packet.Record, 64)
	for i := range many {
		many[i] = packet.Record{Data: make([]byte, 16<<10), OrigLen: 16 << 10, Link: 1, Time: 1}
	}
	for range ringBytes / len(many) / (16 << 10) {
		w.Write(many, of)
		if err := w.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
