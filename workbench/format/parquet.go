package format

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"shark/dissector/field"
	"shark/workbench/index"
)

// A row group is held in memory until it is written.
const (
	// groupRows is how many entries it has at most.
	groupRows = 16 << 10
	// groupBytes is after how many bytes of texts it is written.
	groupBytes = 32 << 20
)

// parquetWriter writes Parquet, packed with zstd: a column for each field, nested at the
// dots as in JSON. What an entry does not have is null. Times are in nanoseconds, UTC.
type parquetWriter struct {
	out    *parquet.GenericWriter[any]
	schema *parquet.Schema
	cells  parquet.Row // of the entry at hand, by column
	leaves []leaf
	row    reflect.Value // of the struct that stands for an entry
	size   int
}

// leaf is a column; of a map two, of which this is that of the keys.
type leaf struct {
	field  *field.Field
	path   []int // in the struct
	column int
}

// branch is a struct of columns, or one.
type branch struct {
	name  string
	field *field.Field // nil: a struct
	inner []*branch
}

// NewParquet begins a file with columns of some fields.
func NewParquet(out io.Writer, fields []*field.Field) (Writer, error) {
	root := new(branch)
	for _, f := range fields {
		root.add(strings.Split(f.Name, "."), f)
	}
	p := new(parquetWriter)
	kind, err := p.structOf(root, nil)
	if err != nil {
		return nil, err
	}
	p.row = reflect.New(kind)
	p.schema = parquet.SchemaOf(p.row.Interface())
	for i, l := range p.leaves {
		name := strings.Split(l.field.Name, ".")
		if l.field.Kind == field.Map {
			at, _ := p.schema.Lookup(append(name, "key_value", "key")...)
			p.leaves[i].column = at.ColumnIndex
		}
	}
	p.out = parquet.NewGenericWriter[any](out, p.schema,
		parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("shark", "", ""))
	return p, nil
}

// add puts a field where its name leads to.
func (b *branch) add(name []string, f *field.Field) {
	if len(name) == 0 {
		b.field = f
		return
	}
	for _, in := range b.inner {
		if in.name == name[0] {
			in.add(name[1:], f)
			return
		}
	}
	in := &branch{name: name[0]}
	b.inner = append(b.inner, in)
	in.add(name[1:], f)
}

// structOf makes the struct that stands for a branch, which lies at path.
func (p *parquetWriter) structOf(b *branch, path []int) (reflect.Type, error) {
	members := make([]reflect.StructField, len(b.inner))
	for i, in := range b.inner {
		at := append(path[:len(path):len(path)], i)
		kind, tag := reflect.Type(nil), in.name
		var err error
		if in.field == nil {
			kind, err = p.structOf(in, at)
		} else {
			var options string
			kind, options, err = columnOf(in.field)
			tag += options
			p.leaves = append(p.leaves, leaf{field: in.field, path: at})
		}
		if err != nil {
			return nil, err
		}
		members[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: kind, Tag: reflect.StructTag(`parquet:"` + tag + `"`)}
	}
	return reflect.StructOf(members), nil
}

// columnOf returns the type of a field's column, and what Parquet has to know of it.
func columnOf(f *field.Field) (reflect.Type, string, error) {
	switch f.Kind {
	case field.Bool:
		return reflect.TypeFor[*bool](), "", nil
	case field.Int:
		return reflect.TypeFor[*int64](), "", nil
	case field.Float:
		return reflect.TypeFor[*float64](), "", nil
	case field.Text:
		return reflect.TypeFor[*string](), "", nil
	case field.Bytes:
		return reflect.TypeFor[[]byte](), ",optional", nil
	case field.List:
		return reflect.TypeFor[[]string](), ",list,optional", nil
	case field.Map:
		return reflect.TypeFor[map[string]string](), ",optional", nil
	case field.Time:
		return reflect.TypeFor[*int64](), ",timestamp(nanosecond)", nil
	}
	return nil, "", fmt.Errorf("field %s: there is no Parquet type for %s", f.Name, f.Kind)
}

// Write implements Writer.
func (p *parquetWriter) Write(r *index.Row) error {
	for _, l := range p.leaves {
		v, has := r.Get(l.field)
		column := p.row.Elem().FieldByIndex(l.path)
		if !has {
			column.SetZero()
			continue
		}
		switch v := v.(type) {
		case time.Time:
			column.Set(reflect.ValueOf(new(v.UnixNano())))
		case string:
			p.size += len(v)
			column.Set(reflect.ValueOf(new(strings.ToValidUTF8(v, "\ufffd"))))
		case bool:
			column.Set(reflect.ValueOf(&v))
		case int64:
			column.Set(reflect.ValueOf(&v))
		case float64:
			column.Set(reflect.ValueOf(&v))
		default:
			p.size += sizeOf(v)
			column.Set(reflect.ValueOf(v))
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	p.cells = p.schema.Deconstruct(p.cells[:0], p.row.Interface())
	p.sortMaps()
	if _, err := p.out.WriteRows([]parquet.Row{p.cells}); err != nil {
		return fmt.Errorf("writing Parquet: %w", err)
	}
	if p.size < groupBytes {
		return nil
	}
	p.size = 0
	return p.wrap(p.out.Flush())
}

// sortMaps puts the members of maps in the order of their keys: the library takes Go's, which is
// another one each time, and the same entries are the same file.
func (p *parquetWriter) sortMaps() {
	columns := make(map[int][]parquet.Value)
	p.cells.Range(func(i int, values []parquet.Value) bool {
		columns[i] = values
		return true
	})
	for _, l := range p.leaves {
		keys, values := columns[l.column], columns[l.column+1]
		if l.field.Kind != field.Map || len(keys) < 2 {
			continue
		}
		order := make([]int, len(keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a].ByteArray(), keys[b].ByteArray()) })
		for _, list := range [][]parquet.Value{keys, values} {
			as := slices.Clone(list)
			for i, from := range order {
				list[i] = as[from].Level(as[i].RepetitionLevel(), as[i].DefinitionLevel(), as[i].Column())
			}
		}
	}
}

// sizeOf is how many bytes a value of several parts has.
func sizeOf(v any) (n int) {
	switch v := v.(type) {
	case []byte:
		n = len(v)
	case []string:
		for _, s := range v {
			n += len(s)
		}
	case map[string]string:
		for k, s := range v {
			n += len(k) + len(s)
		}
	}
	return n
}

func (p *parquetWriter) wrap(err error) error {
	if err != nil {
		return fmt.Errorf("writing Parquet: %w", err)
	}
	return nil
}

// Skipped implements Writer: there is a place for all.
func (p *parquetWriter) Skipped() int64 { return 0 }

// Close implements Writer.
func (p *parquetWriter) Close() error { return p.wrap(p.out.Close()) }
