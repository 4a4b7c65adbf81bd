package index

import (
	"cmp"
	"fmt"
	"slices"

	"shark/dissector"
	"shark/dissector/field"
)

// A shape is which fields an entry has, in the order in which they were set, and
// where they go. Entries have few shapes: to know one again is several times
// cheaper than to sort the fields of every entry by their columns.
//
// A value is known by its place among those of the request and, behind them, those
// of the response.
type shape struct {
	request int // values of the request

	// Where the fields of all protocols stand, which go to the table entries, or
	// nowhere. An entry has failed if either half says so.
	operation, summary, status, code int
	failed                           [2]int

	rows []shapeRow // by table
}

const nowhere = -1

// shapeRow is a row of a protocol's table.
type shapeRow struct {
	table int
	cells []shapeCell // by column
}

// shapeCell is a column that the entry sets, or several one after another that are
// whole numbers.
type shapeCell struct {
	at     spot
	field  *field.Field
	kind   field.Kind // Int for all whole numbers
	half   uint8      // 1: the first value is the response's
	gap    int        // columns before it that are not set
	number int        // of the column, for words
	from   int        // the first value
	to     int        // behind the last; others may stand between those of a list or map
	inHalf int        // the first value in its half
}

// step is a field that entries set behind others. The steps of all shapes make a
// tree, so that entries are told apart by looking at each field once.
type step struct {
	field *field.Field // nil: the response begins
	next  *step        // the first of those that come behind
	other *step        // another that comes behind the same
	shape *shape       // of the entries that end here
}

// maxShapes bounds the shapes that are remembered, maxSteps the steps to them, but
// for those of one entry.
const (
	maxShapes = 4096
	maxSteps  = 1 << 16
)

// shapes knows shapes again.
type shapes struct {
	first         step
	steps, shapes int
}

// of returns the shape of an entry.
func (x *shapes) of(s *Schema, request, response *field.Values) (*shape, error) {
	if x.steps >= maxSteps || x.shapes >= maxShapes {
		*x = shapes{}
	}
	at := &x.first
	for i := range request.Len() {
		f := request.Field(i)
		if n := at.next; n != nil && n.field == f {
			at = n
		} else {
			at = x.step(at, f)
		}
	}
	at = x.step(at, nil)
	for i := range response.Len() {
		f := response.Field(i)
		if n := at.next; n != nil && n.field == f {
			at = n
		} else {
			at = x.step(at, f)
		}
	}
	if at.shape != nil {
		return at.shape, nil
	}
	made, err := s.shape(request, response)
	if err != nil {
		return nil, err
	}
	at.shape = made
	x.shapes++
	return made, nil
}

// step goes on by a field.
func (x *shapes) step(at *step, f *field.Field) *step {
	to := &at.next
	for *to != nil {
		if (*to).field == f {
			return *to
		}
		to = &(*to).other
	}
	x.steps++
	*to = &step{field: f}
	return *to
}

// shape works out where values go: all of the request, and of the response what the
// request did not set. Of a field with one value that was set twice, the first
// counts.
func (s *Schema) shape(request, response *field.Values) (*shape, error) {
	out := &shape{
		request: request.Len(), operation: nowhere, summary: nowhere, status: nowhere, code: nowhere, failed: [2]int{nowhere, nowhere},
	}
	var cells []shapeCell
	add := func(f *field.Field, half uint8, in, pos int) error {
		if to := out.shared(f, half); to != nil {
			*to = pos
			return nil
		}
		at, known := s.stored[f]
		if !known {
			return errUnknownField(f)
		}
		if j := slices.IndexFunc(cells, func(x shapeCell) bool { return x.at == at }); j >= 0 {
			if f.Kind == field.List || f.Kind == field.Map {
				cells[j].to = pos + 1
			}
			return nil
		}
		cells = append(cells, shapeCell{
			at: at, field: f, kind: f.Kind, half: half, number: s.tables[at.table].columns[at.column].number,
			from: pos, to: pos + 1, inHalf: in,
		})
		return nil
	}
	for i := range request.Len() {
		f := request.Field(i)
		if err := add(f, 0, i, i); err != nil {
			return nil, err
		}
	}
	for i := range response.Len() {
		f := response.Field(i)
		if f != dissector.Failed.Field && f.Kind != field.Map && request.Has(f) {
			continue
		}
		if err := add(f, 1, i, request.Len()+i); err != nil {
			return nil, err
		}
	}
	out.place(cells)
	return out, nil
}

// shared returns where to note the place of a field of all protocols.
func (x *shape) shared(f *field.Field, half uint8) *int {
	switch f {
	case dissector.Operation.Field:
		return &x.operation
	case dissector.Summary.Field:
		return &x.summary
	case dissector.Status.Field:
		return &x.status
	case dissector.StatusCode.Field:
		return &x.code
	case dissector.Failed.Field:
		return &x.failed[half]
	}
	return nil
}

// place puts cells in rows.
func (x *shape) place(cells []shapeCell) {
	slices.SortFunc(cells, func(a, b shapeCell) int {
		return cmp.Or(cmp.Compare(a.at.table, b.at.table), cmp.Compare(a.at.column, b.at.column))
	})
	column := 0
	for _, c := range cells {
		if n := len(x.rows); n == 0 || x.rows[n-1].table != c.at.table {
			x.rows = append(x.rows, shapeRow{table: c.at.table})
			column = 0
		}
		c.gap = c.at.column - column
		column = c.at.column + 1
		switch c.kind {
		case field.Map:
			column++ // its lines that come again
		case field.Bool, field.Time:
			c.kind = field.Int
		}
		row := &x.rows[len(x.rows)-1]
		if n := len(row.cells) - 1; n >= 0 && row.cells[n].goesOn(&c) {
			row.cells[n].to = c.to
			continue
		}
		row.cells = append(row.cells, c)
	}
}

// goesOn tells whether another cell is the next of whole numbers that stand one
// after another.
func (x *shapeCell) goesOn(next *shapeCell) bool {
	return x.kind == field.Int && next.kind == field.Int && next.gap == 0 && next.half == x.half && next.from == x.to
}

func errUnknownField(f *field.Field) error {
	return fmt.Errorf("it sets field %s, which no protocol declares as stored", f.Name)
}
