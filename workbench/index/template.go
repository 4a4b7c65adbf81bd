package index

import "bytes"

// Blocks of lines mostly differ from one before in the same lines only. A template
// is such a block: to compare with it takes a quarter of the time of looking at
// every line anew.

// maxTemplates is how many of them a column has in a partition; maxTemplate bounds
// a block that becomes one, in bytes.
const (
	maxTemplates = 4
	maxTemplate  = 2 << 10
)

// template is a block that was split before, as it came.
type template struct {
	block []byte
	parts []templatePart
	id    int64 // of its steady lines
}

// templatePart is what comes next in a block: steady lines, all the same, or a line
// that begins so and changes behind it.
type templatePart struct {
	text    []byte // of the block
	changes bool
	bare    bool // the text stands with the steady lines, and is no part of what changes
}

// match splits a block of a column that is like one before: the lines that change are
// appended to changing, each ended by \n alone, the rest is a word.
func (v *vocabulary) match(column int, block, changing []byte) (_ []byte, id int64, ok bool) {
	known := v.blocks[column]
	if known == nil {
		return nil, 0, false
	}
	for i := range known {
		if out, ok := known[i].match(block, changing); ok {
			if i > 0 { // the next is probably like it
				known[i], known[0] = known[0], known[i]
			}
			return out, known[0].id, true
		}
	}
	return nil, 0, false
}

// lay is match for a block that is like none before; lines is the block with each
// line ended by \n alone. It is not ok where the rest is no word.
func (v *vocabulary) lay(column int, block, lines, changing []byte) (_ []byte, id int64, ok bool) {
	steady, changes := v.split(lines)
	if id, ok = v.word(steady); !ok {
		return nil, 0, false
	}
	if len(lines) <= maxTemplate && len(block) <= 2*maxTemplate { // it may have many empty lines
		known := v.blocks[column]
		if known == nil {
			known = new([maxTemplates]template)
			v.blocks[column] = known
		}
		t := known[maxTemplates-1]
		copy(known[1:], known[:maxTemplates-1])
		t.set(block, steady, id)
		known[0] = t
	}
	return append(changing, changes...), id, true
}

// match appends what of a block changes, if the rest is the template's.
func (t *template) match(block, changing []byte) ([]byte, bool) {
	if len(t.parts) == 0 {
		return nil, false
	}
	for i := range t.parts {
		p := &t.parts[i]
		if !bytes.HasPrefix(block, p.text) {
			return nil, false
		}
		if !p.changes {
			block = block[len(p.text):]
			continue
		}
		var line []byte
		line, block = cutLine(block)
		if p.bare {
			line = line[len(p.text):]
		}
		changing = append(append(changing, line...), '\n')
	}
	return changing, len(block) == 0
}

// cutLine cuts off the first line, without its end.
func cutLine(block []byte) (line, rest []byte) {
	end := bytes.IndexByte(block, '\n')
	if end < 0 {
		return block, nil
	}
	line, rest = block[:end], block[end+1:]
	if end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	return line, rest
}

// set makes t a template of a block and of its steady lines, which end with the name
// of the first that changes.
func (t *template) set(block, steady []byte, id int64) {
	t.id, t.block, t.parts = id, append(t.block[:0], block...), t.parts[:0]
	bare, begin := true, 0 // of the steady lines at hand
	for at := 0; at < len(block); {
		line, rest := cutLine(block[at:])
		from := at
		at = len(block) - len(rest)
		n := len(line)
		if n == 0 {
			continue
		}
		if len(steady) > n && steady[n] == '\n' && bytes.HasPrefix(steady, line) {
			steady = steady[n+1:]
			continue
		}
		if begin < from {
			t.parts = append(t.parts, templatePart{text: t.block[begin:from]})
		}
		begin = at
		name := bytes.IndexByte(line, ':') + 1
		if bare && name < n && line[name] == ' ' {
			name++
		}
		t.parts = append(t.parts, templatePart{text: t.block[from : from+name], changes: true, bare: bare})
		bare = false
	}
	if begin < len(block) {
		t.parts = append(t.parts, templatePart{text: t.block[begin:]})
	}
}
