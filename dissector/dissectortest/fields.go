package dissectortest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

func run(t testing.TB, recs []packet.Record, opts dissector.Options, c *collector) {
	t.Helper()
	_, err := dissector.Run(context.Background(), &source{recs}, opts, func(int) dissector.Sink { return c })
	if err != nil {
		t.Fatal(err)
	}
}

// note takes what an entry sets. Other names of common properties are those of the protocol's
// own entries.
func (c *collector) note(e *dissector.Entry) {
	e.Each(func(f *field.Field, _ field.Value) { c.fields[f] = true })
	if e.Protocol != c.of && !slices.Contains(e.Carriers, c.of) && !slices.Contains(e.Protocol.Implies, c.of.Name) {
		return
	}
	failed := false
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			continue
		}
		size, has := field.RequestSize, field.HasRequest
		if m == e.Response {
			size, has = field.ResponseSize, field.HasResponse
		}
		sized := m.Size > 0
		c.common[has] = true
		c.common[size] = c.common[size] || sized
		c.common[field.TotalSize] = c.common[field.TotalSize] || sized
		c.common[field.Summary] = c.common[field.Summary] || len(dissector.Summary.Get(&m.Values)) > 0
		c.common[field.Operation] = c.common[field.Operation] || len(dissector.Operation.Get(&m.Values)) > 0
		failed = failed || dissector.Failed.Get(&m.Values)
	}
	c.common[field.Succeeded] = c.common[field.Succeeded] || e.Response != nil && !failed
}

// fields checks that the declarations are legal, and that the captures show each stored
// field, and each that is another name of a common property, at least once.
func fields(t *testing.T, p *dissector.Protocol, seen *collector) {
	if _, err := field.NewCatalogue(field.Group{Name: p.Name, Label: p.Label, Doc: p.Doc, Flag: true, Fields: p.Fields}); err != nil {
		t.Error(err)
	}
	for _, f := range p.Fields {
		if f.From == nil && !seen.fields[f] && !seen.common[f.Alias] {
			t.Errorf("no capture in testdata/%s sets %s", p.Name, f.Name)
		}
	}
}

// strangers checks that the protocol claims no capture of another one.
func strangers(t *testing.T, protocols []*dissector.Protocol, root string) {
	p := protocols[0]
	if p.Probe == nil {
		return
	}
	dirs, err := os.ReadDir(filepath.Join(root, "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for i, dir := range dirs {
		if !dir.IsDir() || dir.Name() == p.Name || (i+len(p.Name))%Part != 0 {
			continue
		}
		for _, file := range captures(t, filepath.Join(root, "testdata", dir.Name())) {
			claimed, _ := dissect(t, readCapture(t, file), dissector.Options{Protocols: []*dissector.Protocol{p}})
			if len(claimed) > 0 && !shares(protocols, dir.Name()) {
				t.Errorf("claims %d messages of %s, such as:\n%s", len(claimed), file, claimed[0].text)
			}
		}
	}
}

// begins lists the protocols that others are changed to from, that stand before them, or
// whose messages they send: their captures hold it too.
var begins = map[string][]string{
	"dns":   {"mdns"},
	"http":  {"http2", "grpc", "gql", "sse", "ws", "proxy"},
	"http2": {"grpc", "gql", "sse"},
	"quic":  {"http3"},
	"tlsx":  {"mysql", "postgresql", "ldap", "smtp", "ftp", "xmpp", "diameter"},
}

// shares tells whether another protocol's captures may hold the first of the
// protocols: what it says it is too, what it leads to or comes from, and whole
// clusters.
func shares(protocols []*dissector.Protocol, folder string) bool {
	p := protocols[0]
	carrier := func(c *dissector.Protocol) bool { return c.Name == folder }
	return folder == "shop" || slices.ContainsFunc(protocols[1:], carrier) || slices.Contains(p.Implies, folder) || slices.Contains(begins[p.Name], folder)
}
