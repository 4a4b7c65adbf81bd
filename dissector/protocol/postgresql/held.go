package postgresql

// held is what is remembered of a prepared statement or a portal.
type held struct {
	statement string // its name
	query     string
	old       bool // prepared before bytes of the client were lost
}

// holder remembers prepared statements, or portals, by their names. What finds no
// room is not remembered.
type holder struct {
	names map[string]held
	bytes int // of the names and the queries
}

func (h *holder) init() { h.names = make(map[string]held) }

func (h *holder) put(name []byte, s held) {
	h.drop(name)
	if len(h.names) >= maxHeld || h.bytes+len(name)+len(s.query) > maxHeldBytes {
		return
	}
	h.bytes += len(name) + len(s.query)
	h.names[string(name)] = s
}

func (h *holder) get(name []byte) (held, bool) {
	s, ok := h.names[string(name)]
	return s, ok
}

func (h *holder) drop(name []byte) {
	if s, ok := h.names[string(name)]; ok {
		h.bytes -= len(name) + len(s.query)
		delete(h.names, string(name))
	}
}

// lose marks what is left after a loss: the named ones may still be the same.
func (h *holder) lose() {
	h.drop(nil)
	for name, s := range h.names {
		s.old = true
		h.names[name] = s
	}
}
