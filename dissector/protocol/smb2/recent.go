package smb2

import (
	"strings"

	"shark/dissector/wire"
)

// recent remembers names by key, of limit keys at most, and forgets the older half of
// them at once when there are more.
type recent[K comparable] struct{ young, old map[K]string }

func (r *recent[K]) get(k K) (string, bool) {
	if s, ok := r.young[k]; ok {
		return s, true
	}
	s, ok := r.old[k]
	return s, ok
}

func (r *recent[K]) put(k K, name []byte, limit int) {
	if len(r.young) >= limit/2 {
		r.old, r.young = r.young, nil
	}
	if r.young == nil {
		r.young = make(map[K]string)
	}
	r.young[k] = kept(name)
}

func (r *recent[K]) drop(k K) {
	delete(r.young, k)
	delete(r.old, k)
}

// kept cuts a name that is to be remembered.
func kept(name []byte) string {
	if len(name) <= maxKept {
		return string(name)
	}
	return strings.ToValidUTF8(string(name[:maxKept]), "") + wire.CutMark
}
