// Package field says what a field is: a name, a type, a unit, a doc and an
// example, declared once by the protocol that sets it and read by the query
// language, the index database, JSON, the command line and the reference.
//
// A field is a typed handle: setting text into a number does not compile.
// Values collects what one message sets, in one arena, without a map and, once
// warm, without an allocation.
package field

import "hash/fnv"

// Kind is the type of a field's values.
type Kind uint8

// The kinds; their zero value is what an absent field reads as.
const (
	Bool  Kind = iota // false
	Int               // 0; 64 bits signed
	Float             // 0
	Text              // ""; valid UTF-8 once stored
	Bytes             // empty
	List              // []; of text
	Map               // {}; text to text
	Time              // 1970-01-01; nanoseconds
)

func (k Kind) String() string {
	return [...]string{"bool", "int", "double", "string", "bytes", "list(string)", "map(string, string)", "timestamp"}[k]
}

// Field is the declaration of one field.
type Field struct {
	Name    string // KFL name and SQL column: "redis_key", "request.headers"
	Kind    Kind
	Unit    string // "bytes", "µs"; empty when there is none
	Doc     string // a sentence
	Example string // a KFL expression that uses it

	// A field may be stored (both below empty), be another name of a common
	// one, or be worked out from a stored one when it is asked for.
	Alias  Common
	From   *Field             // the field Derive reads
	Derive func(s string) any // value of From (text, or a map's lines) to a value of Kind

	// Rare fields are set by few of the entries that might. The index keeps them behind
	// the others, where an entry without them takes no room for them.
	Rare bool

	bit uint8 // in the set of a Values
}

// Common is a property that every entry has, under which protocols may offer a
// name of their own.
type Common string

// The common properties an Alias may name.
const (
	None         Common = ""
	RequestSize  Common = "request_size"  // bytes of the request, headers and body
	ResponseSize Common = "response_size" // bytes of the response
	TotalSize    Common = "total_size"    // both
	HasRequest   Common = "has_request"   // the request was seen
	HasResponse  Common = "has_response"  // the response was seen
	Summary      Common = "summary"       // one line on what the call is about
	Operation    Common = "operation"     // what was asked for, in the protocol's word
	Succeeded    Common = "succeeded"     // answered, and not with a failure
)

// Unit sets the unit.
func (f *Field) unit(u string) *Field { f.Unit = u; return f }

// The typed handles: what NewBool and the like return.
type (
	// BoolField is a truth value.
	BoolField struct{ *Field }
	// IntField is a whole number.
	IntField struct{ *Field }
	// FloatField is a number with a fraction.
	FloatField struct{ *Field }
	// TextField is a text.
	TextField struct{ *Field }
	// BytesField is a byte string.
	BytesField struct{ *Field }
	// ListField is a list of texts.
	ListField struct{ *Field }
	// MapField is a map from text to text.
	MapField struct{ *Field }
)

func declare(k Kind, name, doc, example string) *Field {
	f := &Field{Name: name, Kind: k, Doc: doc, Example: example}
	h := fnv.New32a()
	h.Write([]byte(name))
	f.bit = uint8(h.Sum32())
	return f
}

// NewBool declares a truth value.
func NewBool(name, doc, example string) BoolField {
	return BoolField{declare(Bool, name, doc, example)}
}

// NewInt declares a number; unit may be empty.
func NewInt(name, unit, doc, example string) IntField {
	return IntField{declare(Int, name, doc, example).unit(unit)}
}

// NewFloat declares a number with a fraction; unit may be empty.
func NewFloat(name, unit, doc, example string) FloatField {
	return FloatField{declare(Float, name, doc, example).unit(unit)}
}

// NewText declares a text.
func NewText(name, doc, example string) TextField {
	return TextField{declare(Text, name, doc, example)}
}

// NewBytes declares a byte string.
func NewBytes(name, doc, example string) BytesField {
	return BytesField{declare(Bytes, name, doc, example)}
}

// NewList declares a list of texts.
func NewList(name, doc, example string) ListField {
	return ListField{declare(List, name, doc, example)}
}

// NewMap declares a map from text to text.
func NewMap(name, doc, example string) MapField {
	return MapField{declare(Map, name, doc, example)}
}

// NewAlias declares another name of a common property: the same number, truth
// or text, but only on entries of the declaring protocol.
func NewAlias(name string, of Common, doc, example string) *Field {
	f := declare(Int, name, doc, example)
	f.Alias = of
	switch of {
	case HasRequest, HasResponse, Succeeded:
		f.Kind = Bool
	case Summary, Operation:
		f.Kind = Text
	default:
		f.Unit = "bytes"
	}
	return f
}

// NewDerived declares a field of kind k that is worked out from another one,
// when asked for: it takes no room in the index. derive gets the stored text of
// from (for a Map its lines, "name: value\n" each) and returns a bool, int64,
// float64, string, []string or map[string]string by k.
func NewDerived(k Kind, name string, from *Field, derive func(s string) any, doc, example string) *Field {
	f := declare(k, name, doc, example)
	f.From, f.Derive = from, derive
	return f
}

// Any is what every handle is: a declaration.
type Any interface{ Declaration() *Field }

// Rarely marks a field that is rare, where it is declared.
func Rarely[T Any](f T) T {
	f.Declaration().Rare = true
	return f
}

// Declaration returns f itself, so that a handle and a plain *Field both serve as Any.
func (f *Field) Declaration() *Field { return f }

// Fields makes the list a protocol declares.
func Fields(fs ...Any) []*Field {
	out := make([]*Field, len(fs))
	for i, f := range fs {
		out[i] = f.Declaration()
	}
	return out
}
