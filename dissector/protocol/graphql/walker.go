package graphql

import (
	"bytes"
	"encoding/json"
)

// walker walks over JSON to the errors that stand in it, also where it is not all there:
// those of a response, of each in a batch, and of the parts that come later.
type walker struct {
	roles  [maxRoles]role // of the brackets that are open
	depth  int
	naming bool   // the next string is a member's name
	name   []byte // of the member at hand and the quote behind it, as far as that is needed
	quoted bool   // inside of a string
	escape bool   // the last byte of that was a backslash
	dead   bool   // it is over, or no JSON

	list  int    // how deep the list of errors is that is being kept; 0: there is none
	kept  []byte // of it
	first fault
	n     int
	over  bool // of a list there was more than is kept
}

// role is what stands between two brackets.
type role uint8

const (
	anything role = iota
	response      // an object that may have errors
	batch         // a list of such
)

// longName is longer than the names that are needed, each with the quote behind it.
const longName = len("incremental") + 2

func (w *walker) walk(b []byte) {
	from := 0 // where what is to be kept begins
	for i := 0; i < len(b) && !w.dead; {
		if w.quoted {
			i += w.string(b[i:])
			continue
		}
		switch c := b[i]; c {
		case '"':
			w.quoted, w.dead = true, w.depth == 0
			if w.naming {
				w.name = w.name[:0]
			}
		case '{', '[':
			if w.open(c == '[') {
				from = i
			}
		case '}', ']':
			if w.list == w.depth && w.list > 0 {
				w.keep(b[from : i+1])
				w.endList()
			}
			w.depth--
			w.naming, w.dead = false, w.depth <= 0
		case ',':
			w.naming = w.role() == response
		case ':':
			w.naming = false
		case ' ', '\t', '\r', '\n':
		default:
			w.dead = w.depth <= 0
		}
		i++
	}
	if w.list > 0 && !w.dead {
		w.keep(b[from:])
	}
}

// string takes what comes of a string, and returns how much that is.
func (w *walker) string(b []byte) (n int) {
	if w.escape {
		w.escape, n = false, 1
	}
	for w.quoted && !w.escape {
		i := bytes.IndexAny(b[n:], "\"\\")
		if i < 0 {
			n = len(b)
			break
		}
		n += i + 1
		switch {
		case b[n-1] == '"':
			w.quoted = false
		case n == len(b):
			w.escape = true
		default:
			n++
		}
	}
	if w.naming {
		w.name = append(w.name, b[:min(n, longName-len(w.name))]...)
	}
	return n
}

// role is that of the bracket at hand.
func (w *walker) role() role {
	if w.depth == 0 || w.depth > maxRoles {
		return anything
	}
	return w.roles[w.depth-1]
}

// open takes a bracket and tells whether it begins a list of errors.
func (w *walker) open(list bool) (errors bool) {
	within, outer := w.role(), w.depth == 0
	member := ""
	if within == response {
		member = string(w.name)
	}
	w.depth++
	is := anything
	switch {
	case list && (outer || member == `incremental"` || member == `completed"`):
		is = batch
	case !list && (outer || within == batch || member == `payload"`):
		is = response
	case list && member == `errors"`:
		w.list, errors = w.depth, true
	}
	if w.depth <= maxRoles {
		w.roles[w.depth-1] = is
	}
	w.naming = is == response
	return errors
}

// keep keeps what comes of a list of errors.
func (w *walker) keep(b []byte) {
	n := min(len(b), maxErrors-len(w.kept))
	w.kept = append(w.kept, b[:n]...)
	w.over = w.over || n < len(b)
}

// endList counts the errors of a list, as far as it is there.
func (w *walker) endList() {
	s := scanner{text: w.kept}
	s.elements(func() bool {
		one, ok := s.value()
		if ok && w.n == 0 {
			_ = json.Unmarshal(one, &w.first) // one of another form is an error, too
		}
		if ok {
			w.n++
		}
		return ok
	})
	w.list, w.kept = 0, w.kept[:0]
}

// end is called behind a text: another may follow.
func (w *walker) end() {
	if w.list > 0 {
		w.endList()
	}
	w.depth, w.naming, w.quoted, w.escape, w.dead = 0, false, false, false, false
}
