package index

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
)

// maxKeys is how many keys of an index are held before they are written as a run,
// 16 bytes each.
const maxKeys = 1 << 20

// keys sorts what an index is of: a value of each row, and the row's id.
type keys struct {
	w    *Writer
	max  int // keys held
	held []key
	runs []string
}

type key struct{ value, id int64 }

func (k *keys) add(value, id int64) error {
	k.held = append(k.held, key{value, id})
	if len(k.held) < k.max {
		return nil
	}
	held := k.sort()
	path, err := k.w.newRun(func(add func([]byte) error) error {
		for {
			row, err := held.next()
			if err == io.EOF {
				return nil
			}
			if err := cmp.Or(err, add(row)); err != nil {
				return err
			}
		}
	})
	k.runs, k.held = append(k.runs, path), k.held[:0]
	return err
}

// sort sorts what is held.
func (k *keys) sort() *heldKeys {
	slices.SortFunc(k.held, func(a, b key) int {
		if a.value != b.value {
			return cmp.Compare(a.value, b.value)
		}
		return cmp.Compare(a.id, b.id)
	})
	return &heldKeys{keys: k.held}
}

// each yields all keys in order.
func (k *keys) each(ctx context.Context, yield func(value, id int64) error) error {
	sources, err := k.w.open(ctx, k.runs)
	if err != nil {
		return err
	}
	return merge(ctx, append(sources, k.sort()), func(row []byte) error {
		return yield(flipped(row), flipped(row[8:]))
	})
}

// heldKeys is a source of sorted keys, as rows that compare like them.
type heldKeys struct {
	keys []key
	row  [16]byte
}

func (h *heldKeys) next() ([]byte, error) {
	if len(h.keys) == 0 {
		return nil, io.EOF
	}
	k := h.keys[0]
	h.keys = h.keys[1:]
	binary.BigEndian.PutUint64(h.row[:], uint64(k.value)^1<<63)
	binary.BigEndian.PutUint64(h.row[8:], uint64(k.id)^1<<63)
	return h.row[:], nil
}

func (h *heldKeys) close() error { return nil }

// flipped reads a number whose sign is flipped.
func flipped(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }
