package workbench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shark/dissector/field"
	"shark/workbench/index"
)

// maxKeepers is how many rows a ledger may have.
const maxKeepers = 100_000

// UnknownLibrary stands for a TLS library that nobody told of.
const UnknownLibrary = "unknown"

// Ledger says which connections with TLS could be read, and why the others could not.
type Ledger struct {
	Total    Readings `json:"total"` // each connection once
	Keepers  []Keeper `json:"keepers"`
	Coverage Coverage `json:"coverage"`
}

// Keeper is a pod, or whoever else was at an end of connections, with the TLS library that told
// their secrets. A connection is with the keepers of both ends.
type Keeper struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"` // of a pod, service, host or process, else the address
	Workload  string `json:"workload,omitempty"`
	Library   string `json:"library"`
	Readings
}

// Readings counts connections with TLS by how they could be read.
type Readings struct {
	Connections int64            `json:"connections"`
	Readable    int64            `json:"readable"`  // in full: the next two
	Decrypted   int64            `json:"decrypted"` // with session secrets
	Plaintext   int64            `json:"plaintext"` // which was taken from a TLS library
	Partly      int64            `json:"partly"`
	Opaque      int64            `json:"opaque"`
	Reasons     map[string]int64 `json:"reasons,omitempty"` // why not in full
}

// add counts n connections, in the words that the fields conn_tls and conn_tls_reason have.
func (r *Readings) add(how, why string, n int64) {
	r.Connections += n
	switch how {
	case "decrypted":
		r.Decrypted += n
	case "plaintext":
		r.Plaintext += n
	case "partly":
		r.Partly += n
	default:
		r.Opaque += n
	}
	r.Readable = r.Decrypted + r.Plaintext
	if why == "" {
		return
	}
	if r.Reasons == nil {
		r.Reasons = make(map[string]int64)
	}
	r.Reasons[why] += n
}

// Ledger tells of the connections that a query selects how they could be read. What is read the
// least comes first.
func (e *Evidence) Ledger(ctx context.Context, q Query) (*Ledger, error) {
	if q.KFL != "" { // alone, as it was written: what is around it must not make sense of it
		if _, err := e.w.compile(q.KFL); err != nil {
			return nil, err
		}
	}
	chosen := q.KFL != ""
	q.KFL = secured(q.KFL)
	parts, plan, err := e.ask(ctx, q, needCalls)
	if err != nil {
		return nil, err
	}
	opts, err := e.options(parts, q)
	if err != nil {
		return nil, err
	}
	l := newLedgerBook(e.w)
	opts.Fields = l.fields()
	var u undecided
	opts.Undecided = u.add
	for row, err := range parts.query(ctx, plan, opts) {
		if err != nil {
			return nil, err
		}
		if err := l.add(row); err != nil {
			return nil, err
		}
	}
	l.ledger.Coverage = e.asked(parts, opts)
	l.ledger.Coverage.recorded(slices.Concat(plan.Hints, u.hints()), false)
	if c := &l.ledger.Coverage; chosen && l.ledger.Total.Connections == 0 && len(c.TLS) > 0 {
		c.recorded([]string{notOfConnections}, false)
	}
	return l.done(), nil
}

// notOfConnections is for an expression that chooses none of the connections that there are.
const notOfConnections = `there are connections with TLS, but none was chosen: the expression is asked of connections, not of the calls in them, which have a protocol where it could be read, as in "HTTP" in conn_l7_detected`

// SnapshotTLS tells how the connections with TLS of a snapshot could be read, if it was dissected
// before, here or by whoever published that; nil if not, or if that cannot be found out: the
// index is a cache, and nothing fails for want of it.
func (w *Workbench) SnapshotTLS(ctx context.Context, ref string) (_ *Readings, err error) {
	e, err := w.Open(ctx, []string{ref}, OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if known, _, err := e.dissectedBefore(ctx); err != nil || !known {
		return nil, ctx.Err()
	}
	r := new(Readings)
	for how, n := range e.ready().account.Report.TLS {
		how, why, _ := strings.Cut(how, ": ")
		r.add(how, why, n)
	}
	return r, nil
}

// secured selects of what an expression does the connections with TLS.
func secured(expr string) string {
	const all = `conn && conn_tls != ""`
	if expr == "" {
		return all
	}
	return all + " && (" + expr + "\n)" // which may end in a comment
}

// ledgerBook is a Ledger that is being filled.
type ledgerBook struct {
	ledger               Ledger
	keepers              map[keeperKey]*Keeper
	names, spaces, loads [2]*field.Field // of client and server
	how, why, told       *field.Field
}

type keeperKey struct{ space, name, library string }

func newLedgerBook(w *Workbench) *ledgerBook {
	pair := func(name string) [2]*field.Field {
		return [2]*field.Field{w.catalogue.Lookup("src." + name), w.catalogue.Lookup("dst." + name)}
	}
	return &ledgerBook{
		keepers: make(map[keeperKey]*Keeper), names: pair("name"), spaces: pair("namespace"), loads: pair("workload.name"),
		how: field.ConnTLS.Field, why: field.ConnTLSReason.Field, told: field.ConnTLSLibrary.Field,
	}
}

// fields are those that are read of every row.
func (b *ledgerBook) fields() []*field.Field {
	list := []*field.Field{b.how, b.why, b.told, field.SrcIP.Field, field.DstIP.Field}
	return append(list, slices.Concat(b.names[:], b.spaces[:], b.loads[:])...)
}

// add takes a connection down with both of its ends.
func (b *ledgerBook) add(row *index.Row) error {
	get := func(f *field.Field) string {
		s, _ := row.Value(f).(string)
		return s
	}
	how, why, library := get(b.how), get(b.why), cmp.Or(get(b.told), UnknownLibrary)
	b.ledger.Total.add(how, why, 1)
	var before *Keeper
	for side, ip := range [2]*field.Field{field.SrcIP.Field, field.DstIP.Field} {
		key := keeperKey{get(b.spaces[side]), cmp.Or(get(b.names[side]), get(ip)), library}
		k := b.keepers[key]
		if k == nil {
			if len(b.keepers) == maxKeepers {
				return usage("more than %s ends: select some of them with KFL", Grouped(maxKeepers))
			}
			k = &Keeper{Namespace: key.space, Name: key.name, Workload: get(b.loads[side]), Library: library}
			b.keepers[key] = k
		}
		if k != before { // who speaks with itself has the connection once
			k.add(how, why, 1)
		}
		before = k
	}
	return nil
}

// done puts what is read the least first.
func (b *ledgerBook) done() *Ledger {
	b.ledger.Keepers = make([]Keeper, 0, len(b.keepers))
	for _, k := range b.keepers {
		b.ledger.Keepers = append(b.ledger.Keepers, *k)
	}
	slices.SortFunc(b.ledger.Keepers, func(x, y Keeper) int {
		return cmp.Or(
			cmp.Compare(y.Connections-y.Readable, x.Connections-x.Readable), cmp.Compare(y.Connections, x.Connections),
			cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Library, y.Library),
		)
	})
	return &b.ledger
}

// Why writes the reasons for people, the most frequent first.
func (r *Readings) Why() string {
	type reason struct {
		text string
		n    int64
	}
	var list []reason
	for text, n := range r.Reasons {
		list = append(list, reason{text, n})
	}
	slices.SortFunc(list, func(a, b reason) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text)) })
	text := ""
	for i, x := range list {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s: %s", x.text, Grouped(x.n))
	}
	return text
}
