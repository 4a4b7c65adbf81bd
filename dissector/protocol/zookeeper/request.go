package zookeeper

import (
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
)

// request is what a request is about.
type request struct {
	path     []byte
	mode     int32 // -1 when it has none
	version  int32
	expects  bool // version is one that the node must have
	watches  bool // watch is said
	watch    bool
	dataAt   int
	dataSize int // -1 when it has none
	scheme   []byte
	zxid     int64
	ops      []operation
	count    int // of operations or watches
}

// operation is one of a transaction.
type operation struct {
	name string
	path []byte
}

func (r *request) reset() {
	*r = request{mode: -1, dataSize: -1, ops: r.ops[:0]}
}

func empty(*jute, *request) {}

func pathOnly(j *jute, r *request) { r.path = j.path() }

func watched(j *jute, r *request) {
	r.path = j.path()
	r.watch = j.boolean()
	r.watches = !j.cut
}

func versioned(j *jute, r *request) {
	r.path = j.path()
	r.version = j.i32()
	r.expects = !j.cut
}

func acl(j *jute) {
	j.i32()
	j.text()
	j.text()
}

func create(j *jute, r *request) {
	r.path = j.path()
	if j.cut || j.bad {
		return
	}
	r.dataAt, r.dataSize = j.buffer()
	createRest(j, r)
}

// createRest reads what stands behind the value of a node to be made.
func createRest(j *jute, r *request) {
	j.each(func() { acl(j) })
	if mode := j.i32(); !j.cut && !j.bad {
		r.mode = mode
		j.bad = modes[mode] == ""
	}
}

func createTTL(j *jute, r *request) {
	create(j, r)
	j.i64()
}

func setData(j *jute, r *request) {
	r.path = j.path()
	if j.cut || j.bad {
		return
	}
	r.dataAt, r.dataSize = j.buffer()
	setDataRest(j, r)
}

// setDataRest reads what stands behind the new value of a node.
func setDataRest(j *jute, r *request) {
	r.version = j.i32()
	r.expects = !j.cut && !j.bad
}

func setACL(j *jute, r *request) {
	r.path = j.path()
	j.each(func() { acl(j) })
	r.version = j.i32()
	r.expects = !j.cut
}

// typed reads a path and what kind of watch it is about.
func typed(j *jute, r *request) {
	r.path = j.path()
	j.i32()
}

func reconfig(j *jute, _ *request) {
	j.text()
	j.text()
	j.text()
	j.i64()
}

// auth reads a proof of who the client is, of which only the scheme is kept.
func auth(j *jute, r *request) {
	j.i32()
	r.scheme = j.text()
	if !j.cut && (len(r.scheme) == 0 || len(r.scheme) > maxScheme || !printable(r.scheme)) {
		j.bad = true
	}
	j.buffer()
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func token(j *jute, _ *request) { j.buffer() }

// setWatches reads lists of the paths that a client watches, when it has come back.
func setWatches(j *jute, r *request, lists int) {
	r.zxid = j.i64()
	for range lists {
		r.count += j.each(func() {
			if p := j.path(); r.path == nil {
				r.path = p
			}
		})
	}
}

// multi reads a transaction: operations, each behind a header (MultiHeader), up to one
// that says it is the last. Transactions do not nest.
func multi(j *jute, r *request) {
	for !j.bad && !j.cut {
		code, last := j.i32(), j.boolean()
		j.i32()
		if j.bad || j.cut || last {
			return
		}
		o := ops[code]
		if o == nil || code <= 0 || r.count >= maxRecords {
			j.bad = true
			return
		}
		var one request
		o.request(j, &one)
		if r.count++; len(r.ops) < maxOps && one.path != nil {
			r.ops = append(r.ops, operation{o.name, one.path})
		}
	}
}

// set puts what a request holds into a message.
func (r *request) set(code int32, name string, m *dissector.Message) {
	v := &m.Values
	Opcode.Set(v, int64(code))
	dissector.Operation.SetString(v, name)
	setText(v, Path, r.path)
	r.setRest(v)
	if r.watches {
		Watch.Set(v, r.watch)
	}
	if r.dataSize >= 0 {
		DataSize.Set(v, int64(r.dataSize))
		m.SetBody(4+r.dataAt, int64(r.dataSize))
	}
	setText(v, Scheme, r.scheme)
	for _, o := range r.ops {
		Operations.AddString(v, o.name+" "+string(o.path))
	}
	if len(r.ops) == maxOps && r.count > maxOps {
		Operations.AddString(v, "...")
	}
	r.summarise(v)
}

// setRest puts what may stand behind a value into a message.
func (r *request) setRest(v *field.Values) {
	if r.mode >= 0 {
		Mode.SetString(v, modes[r.mode])
	}
	if r.expects {
		Version.Set(v, int64(r.version))
	}
}

func (r *request) summarise(v *field.Values) {
	switch {
	case r.count > 0:
		text := strconv.Itoa(r.count) + " operations"
		if len(r.ops) == 0 {
			text = strconv.Itoa(r.count) + " watches"
		}
		first := r.path
		if len(r.ops) > 0 {
			first = append([]byte(r.ops[0].name+" "), r.ops[0].path...)
		}
		dissector.Summary.SetString(v, text+": "+clip(first))
	case len(r.path) > 0:
		dissector.Summary.SetString(v, clip(r.path))
	case len(r.scheme) > 0:
		dissector.Summary.SetString(v, string(r.scheme)+" ***")
	}
}

// clip is a path as a summary has it.
func clip(path []byte) string {
	if len(path) > maxSummary {
		return string(path[:maxSummary]) + "..."
	}
	return string(path)
}

func setText(v *field.Values, f field.TextField, b []byte) {
	if len(b) > 0 {
		f.Set(v, b)
	}
}
