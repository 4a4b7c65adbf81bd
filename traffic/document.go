package traffic

// document is a JSON text and its packed form.
type document struct{ plain, packed []byte }

// library holds the bodies of a run, which all its messages share.
type library struct {
	small []document
	big   *document // what all HTTP bodies are, or nil
}

// newLibrary makes the bodies; of size bytes, if that is not 0.
func newLibrary(seed uint64, size int) *library {
	r := newRandom(seed, 'L')
	l := new(library)
	if size > 0 {
		l.big = newDocument(&r, size)
	}
	for range 96 {
		l.small = append(l.small, *newDocument(&r, int(r.skewed(60, 6000))))
	}
	return l
}

// pick returns the body of an HTTP message.
func (l *library) pick(r *random) *document {
	if l.big != nil {
		return l.big
	}
	return l.value(r)
}

// value returns something small.
func (l *library) value(r *random) *document { return &l.small[r.below(len(l.small))] }

var (
	goods  = []string{"lamp", "teapot", "notebook", "umbrella", "scarf", "mug", "basket", "candle", "clock", "cushion", "vase", "blanket"}
	shades = []string{"red", "blue", "green", "white", "black", "amber", "grey", "olive"}
)

// newDocument returns a document of the size in bytes, or a little more when
// that is too little to say anything.
func newDocument(r *random, size int) *document {
	b := append(make([]byte, 0, size+64), `{"id":`...)
	b = number(b, r.below(1e6))
	b = append(b, `,"items":[`...)
	for first := true; len(b) < size-120; first = false {
		if !first {
			b = append(b, ',')
		}
		b = append(b, `{"sku":"`...)
		b = number(b, 100000+r.below(900000))
		b = append(b, `","name":"`...)
		b = append(append(append(b, pick(r, shades)...), ' '), pick(r, goods)...)
		b = append(b, `","quantity":`...)
		b = number(b, 1+r.below(9))
		b = append(b, `,"price":`...)
		b = number(b, 1+r.below(200))
		b = append(b, ".50}"...)
	}
	b = append(b, `],"etag":"`...)
	const hex = "0123456789abcdef"
	for len(b) < size-2 {
		b = append(b, hex[r.below(16)])
	}
	b = append(b, `"}`...)
	return &document{b, gzipped(b)}
}
