package index

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"unsafe"

	"shark/dissector/field"
)

// A shape is which fields an entry has, in the order in which they were set, and
// where they go. Entries have few shapes: to know one again is several times
// cheaper than to sort the fields of every entry by their columns.
type shape struct {
	fields []*field.Field
	cells  []shapeCell // by table and column
}

// shapeCell is a column that the entry sets.
type shapeCell struct {
	at       spot
	from, to int // the first and the last of its values; a list or map may have several
}

// each yields the positions of the values of the column.
func (x shapeCell) each(vals []stored) iter.Seq[int] {
	return func(yield func(int) bool) {
		f := vals[x.from].f
		for i := x.from; i <= x.to; i++ {
			if vals[i].f == f && !yield(i) {
				return
			}
		}
	}
}

// maxShapes bounds the shapes that are remembered.
const maxShapes = 4096

// shapeOf returns the shape of values.
func (c *encoder) shapeOf(vals []stored) (*shape, error) {
	h := uint64(len(vals))
	for i := range vals {
		h = (h ^ uint64(uintptr(unsafe.Pointer(vals[i].f)))) * 0x9e3779b97f4a7c15
	}
	if s := c.shapes[h]; s != nil && s.is(vals) {
		return s, nil
	}
	s, err := c.schema.shape(vals)
	if err != nil {
		return nil, err
	}
	if c.shapes == nil || len(c.shapes) == maxShapes {
		c.shapes = make(map[uint64]*shape)
	}
	c.shapes[h] = s
	return s, nil
}

// is tells whether values have the shape.
func (s *shape) is(vals []stored) bool {
	if len(s.fields) != len(vals) {
		return false
	}
	for i, f := range s.fields {
		if vals[i].f != f {
			return false
		}
	}
	return true
}

// shape works out where values go. Of a field with one value that was set twice,
// the first counts.
func (s *Schema) shape(vals []stored) (*shape, error) {
	out := new(shape)
	for i := range vals {
		f := vals[i].f
		out.fields = append(out.fields, f)
		at, known := s.stored[f]
		if !known {
			return nil, errUnknownField(f)
		}
		if j := slices.IndexFunc(out.cells, func(x shapeCell) bool { return x.at == at }); j >= 0 {
			out.cells[j].to = i
			continue
		}
		out.cells = append(out.cells, shapeCell{at: at, from: i, to: i})
	}
	slices.SortFunc(out.cells, func(a, b shapeCell) int {
		return cmp.Or(cmp.Compare(a.at.table, b.at.table), cmp.Compare(a.at.column, b.at.column))
	})
	return out, nil
}

func errUnknownField(f *field.Field) error {
	return fmt.Errorf("it sets field %s, which no protocol declares as stored", f.Name)
}
