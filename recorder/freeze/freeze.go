// Package freeze gives what rings hold to snapshots.
//
// In: the folders of rings, one a node, with rings of plaintext in them. Out: recordings, of
// which package snapshot pins a window and keeps it.
package freeze

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/ring"
	"shark/snapshot"
)

// Plaintext is the folder of a node's ring of plaintext, in that of its packets.
const Plaintext = "plaintext"

// Rings opens the rings in some folders, whoever writes them meanwhile.
func Rings(dirs ...string) ([]snapshot.Recording, error) {
	var all []snapshot.Recording
	for _, dir := range dirs {
		r, err := ring.Open(dir)
		if err != nil {
			return nil, err
		}
		rec := recording{Ring: r}
		rec.plaintext, err = ring.Open(filepath.Join(dir, Plaintext))
		if err != nil && !errors.Is(err, ring.ErrNoRing) {
			return nil, err
		}
		all = append(all, rec)
	}
	return all, nil
}

// recording is a ring as a snapshot.Recording.
type recording struct {
	*ring.Ring
	plaintext *ring.Ring // nil: there is none
}

// Pin implements snapshot.Recording.
func (r recording) Pin(from, to time.Time) (snapshot.Pinned, error) {
	p, err := r.Ring.Pin(from, to)
	if err != nil {
		return nil, err
	}
	if r.plaintext == nil {
		return p, nil
	}
	plain, err := r.plaintext.Pin(from, to)
	if err != nil {
		return nil, errors.Join(err, p.Release())
	}
	return &pinned{p, plain}, nil
}

// pinned is a window of packets and of plaintext.
type pinned struct {
	*ring.Pinned
	plaintext *ring.Pinned
}

// Open implements snapshot.Pinned.
func (p *pinned) Open() packet.Source {
	packets, plain := p.Pinned.Open(), p.plaintext.Open()
	return &source{pcapng.Merge(packets, plain), []packet.Source{packets, plain}}
}

// source is packets and plaintext in order of time.
type source struct {
	*pcapng.Merged
	parts []packet.Source
}

// Read returns how many bytes were read.
func (s *source) Read() (n int64) {
	for _, part := range s.parts {
		if r, ok := part.(interface{ Read() int64 }); ok {
			n += r.Read()
		}
	}
	return n
}

// Losses tells when packets and plaintext were lost, in this order.
func (s *source) Losses() (all []packet.Loss) {
	for _, part := range s.parts {
		if r, ok := part.(interface{ Losses() []packet.Loss }); ok {
			all = append(all, r.Losses()...)
		}
	}
	return all
}

// Notes implements snapshot.Pinned. That there is no plaintext of a time is no loss, unless there
// was.
func (p *pinned) Notes() []string {
	notes := p.Pinned.Notes()
	if from, is := p.plaintext.Shortened(); is {
		notes = append(notes[:len(notes):len(notes)], fmt.Sprintf("plaintext is there from %s on only", from.Format(time.RFC3339Nano)))
	}
	return notes
}

// Size implements snapshot.Pinned.
func (p *pinned) Size() int64 { return p.Pinned.Size() + p.plaintext.Size() }

// Release implements snapshot.Pinned.
func (p *pinned) Release() error { return errors.Join(p.Pinned.Release(), p.plaintext.Release()) }
