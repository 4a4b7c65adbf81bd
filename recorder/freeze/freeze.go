// Package freeze gives what rings hold to snapshots.
//
// In: the folders of rings, one a node. Out: recordings, of which package snapshot pins a
// window and keeps it.
package freeze

import (
	"time"

	"shark/recorder/ring"
	"shark/snapshot"
)

// Rings opens the rings in some folders, whoever writes them meanwhile.
func Rings(dirs ...string) ([]snapshot.Recording, error) {
	var all []snapshot.Recording
	for _, dir := range dirs {
		r, err := ring.Open(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, recording{r})
	}
	return all, nil
}

// recording is a ring as a snapshot.Recording.
type recording struct{ *ring.Ring }

// Pin implements snapshot.Recording.
func (r recording) Pin(from, to time.Time) (snapshot.Pinned, error) {
	p, err := r.Ring.Pin(from, to)
	if err != nil {
		return nil, err
	}
	return p, nil
}
