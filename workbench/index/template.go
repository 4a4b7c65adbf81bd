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

// template is a block that was split before.
type template struct {
	parts []templatePart
	id    int64 // of its steady lines
}

// templatePart is what comes next in a block: steady lines, all the same, or a line
// that begins so and changes behind it.
type templatePart struct {
	text    []byte
	changes bool
	bare    bool // the text stands with the steady lines, and is no part of what changes
}

// lay splits a block of a column: the lines that change are appended to changing,
// the rest is a word. It is not ok where the rest is no word.
func (v *vocabulary) lay(column int, block, changing []byte) (_ []byte, id int64, ok bool) {
	known := &v.blocks[column]
	for i := range known {
		t := &known[i]
		if out, ok := t.match(block, changing); ok {
			if i > 0 { // the next is probably like it
				known[i], known[0] = known[0], known[i]
				t = &known[0]
			}
			return out, t.id, true
		}
	}
	steady, changes := v.split(block)
	if id, ok = v.word(steady); !ok {
		return changing, 0, false
	}
	if len(block) <= maxTemplate {
		copy(known[1:], known[:maxTemplates-1])
		known[0] = newTemplate(block, steady, id)
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
		end := bytes.IndexByte(block, '\n') + 1
		from := 0
		if p.bare {
			from = min(len(p.text), end)
		}
		changing = append(changing, block[from:end]...)
		block = block[end:]
	}
	return changing, len(block) == 0
}

// newTemplate makes a template of a block and of its steady lines, which end with
// the name of the first that changes.
func newTemplate(block, steady []byte, id int64) template {
	t := template{id: id}
	bare := true
	for len(block) > 0 {
		end := bytes.IndexByte(block, '\n') + 1
		line := block[:end]
		block = block[end:]
		if bytes.HasPrefix(steady, line) {
			steady = steady[len(line):]
			if n := len(t.parts) - 1; n >= 0 && !t.parts[n].changes {
				t.parts[n].text = append(t.parts[n].text, line...)
			} else {
				t.parts = append(t.parts, templatePart{text: bytes.Clone(line)})
			}
			continue
		}
		name := bytes.IndexByte(line, ':') + 1
		if bare && line[name] == ' ' {
			name++
		}
		t.parts = append(t.parts, templatePart{text: bytes.Clone(line[:name]), changes: true, bare: bare})
		bare = false
	}
	return t
}
