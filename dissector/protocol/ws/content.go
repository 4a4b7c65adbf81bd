package ws

import (
	"errors"

	"shark/dissector"
)

var errLost = errors.New("bytes of the message are missing")

// content returns what a message says, of which the frames stand in m.Raw: unmasked, put
// together, and inflated with what went before it.
func content(m *dissector.Message, raw []byte, limit int) ([]byte, error) {
	if len(m.Raw) == 0 {
		return raw[:min(len(raw), limit)], nil
	}
	if m.Lost > 0 {
		return nil, errLost
	}
	var out []byte
	packed := Compressed.Get(&m.Values)
	for b := m.Raw; len(b) > 0 && (packed || len(out) < limit); {
		f, _, err := readFrame(b)
		if err != nil {
			return out, err
		}
		n := min(int64(len(b)-f.size), f.length)
		out = f.unmask(out, b[f.size:int64(f.size)+n], 0)
		b = b[int64(f.size)+n:]
	}
	if packed {
		dictionary, _ := m.Ride.([]byte)
		return inflateAll(out, dictionary, limit)
	}
	return out[:min(len(out), limit)], nil
}
