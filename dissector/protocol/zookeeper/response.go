package zookeeper

import "shark/dissector"

// response is what a reply holds behind its header.
type response struct {
	created  []byte
	version  int32
	hasStat  bool
	dataAt   int
	dataSize int // -1 when it has none
	children int // -1 when it has none
	err      int32
}

func nothing(*jute, *response) {}

// stat reads what is known of a node (Stat).
func stat(j *jute, r *response) {
	created, modified := j.i64(), j.i64()
	ctime, mtime := j.i64(), j.i64()
	version, cversion, aversion := j.i32(), j.i32(), j.i32()
	j.i64()
	size, children := j.i32(), j.i32()
	j.i64()
	if j.cut || j.bad {
		return
	}
	if created < 0 || modified < created || ctime < 0 || mtime < 0 || version < 0 || cversion < -1 || aversion < 0 || size < 0 || children < 0 {
		j.bad = true
	}
	r.version, r.hasStat = version, true
}

func created(j *jute, r *response) { r.created = j.path() }

func createdAndStat(j *jute, r *response) {
	r.created = j.path()
	stat(j, r)
}

func synced(j *jute, _ *response) { j.path() }

func data(j *jute, r *response) {
	at, n := j.buffer()
	if !j.bad {
		r.dataAt, r.dataSize = at, max(0, n)
	}
	stat(j, r)
}

func acls(j *jute, r *response) {
	j.each(func() { acl(j) })
	stat(j, r)
}

func children(j *jute, r *response) { r.children = j.each(func() { j.text() }) }

func childrenAndStat(j *jute, r *response) {
	children(j, r)
	stat(j, r)
}

func number(j *jute, r *response) { r.children = int(j.i32()) }

func answerToken(j *jute, _ *response) { j.buffer() }

func clients(j *jute, _ *response) {
	j.each(func() {
		j.text()
		j.text()
	})
}

// results reads the answers to the operations of a transaction. The first error that
// is not about another operation's failing is the transaction's.
func results(j *jute, r *response) {
	for n := 0; n < maxRecords && !j.bad && !j.cut; n++ {
		code, last := j.i32(), j.boolean()
		j.i32()
		if j.bad || j.cut || last {
			return
		}
		if code == opError {
			if err := j.i32(); err != 0 && (r.err == 0 || r.err == errRuntimeInconsistency) {
				r.err = err
			}
			continue
		}
		o := ops[code]
		if o == nil {
			j.bad = true
			return
		}
		var one response
		o.response(j, &one)
	}
}

// set puts what a reply holds into a message.
func (r *response) set(m *dissector.Message) {
	v := &m.Values
	setText(v, Created, r.created)
	if r.hasStat {
		NodeVer.Set(v, int64(r.version))
	}
	if r.dataSize >= 0 {
		DataSize.Set(v, int64(r.dataSize))
		m.SetBody(4+r.dataAt, int64(r.dataSize))
	}
	if r.children >= 0 {
		Children.Set(v, int64(r.children))
	}
}

// setStatus says how a call of an opcode was answered.
func setStatus(code, err int32, m *dissector.Message) {
	v := &m.Values
	dissector.Status.SetString(v, nameOf(errorNames, err))
	dissector.StatusCode.Set(v, int64(err))
	dissector.Failed.Set(v, err != 0 && !(code == opExists && err == errNoNode))
}
