package field_test

import (
	"strings"
	"testing"

	"shark/dissector/field"
)

func group(name string, fields ...field.Any) field.Group {
	return field.Group{Name: name, Label: strings.ToUpper(name), Doc: "Entries of " + name + ".", Flag: true, Fields: field.Fields(fields...)}
}

func text(name string) *field.Field { return field.NewText(name, "A text.", name+` == "a"`).Field }

func TestOwnGroups(t *testing.T) {
	c, err := field.NewCatalogue(field.EntryGroup(), field.ConnGroup(), field.FlowGroup())
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Lookup("src.pod.name"); f != field.SrcPodName.Field {
		t.Errorf("src.pod.name: %v", f)
	}
	if c.Lookup("src") != nil || c.Lookup("") != nil {
		t.Error("found a name that is not declared")
	}
	for _, name := range []string{"tls", "conn", "conn_state", "id"} {
		if c.Lookup(name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
	if f := c.Lookup("conn"); !c.IsFlag(f) || c.Flag("conn") != f || f.Kind != field.Bool {
		t.Errorf("conn is not a flag: %v", f)
	}
	if c.IsFlag(c.Lookup("tcp_conn")) || c.Flag("entry") != nil || c.Lookup("entry") != nil {
		t.Error("a flag where none is declared")
	}
	if fs := c.Fields(); fs[0] != field.ID.Field || len(fs) < 120 {
		t.Errorf("%d fields, first %s", len(fs), fs[0].Name)
	}
	if g, ok := c.Group("flow"); !ok || g.Label != "Flow" {
		t.Errorf("group flow: %v", g)
	}
}

func TestSharedField(t *testing.T) {
	shared, own := text("shared"), text("own")
	c, err := field.NewCatalogue(group("a", shared), group("b", own, shared))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range c.Fields() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "a shared b own" {
		t.Errorf("fields %s", got)
	}
	if gs := c.GroupsOf(shared); len(gs) != 2 || gs[0].Name != "a" || gs[1].Name != "b" {
		t.Errorf("groups of the shared field: %v", gs)
	}
}

func TestWrongDeclarations(t *testing.T) {
	derived := *text("derived")
	derived.From = text("from")
	alias := field.NewAlias("alias", field.HasRequest, "A truth.", "alias")
	alias.Kind = field.Int
	for _, tt := range []struct {
		name, want string
		groups     []field.Group
	}{
		{"capitals", "lower snake case", []field.Group{group("g", text("requestPath"))}},
		{"empty part", "lower snake case", []field.Group{group("g", text("a..b"))}},
		{"quote", "lower snake case", []field.Group{group("g", text(`a"; drop table`))}},
		{"long", "lower snake case", []field.Group{group("g", text(strings.Repeat("a", 64)))}},
		{"reserved word", `"package" is a word`, []field.Group{group("g", text("package"))}},
		{"type name", `"string" is a word`, []field.Group{group("g", text("string.a"))}},
		{"keyword after a dot", `"in" is a word`, []field.Group{group("g", text("a.in"))}},
		{"flag is a word", `"map" is a word`, []field.Group{group("map")}},
		{"doc", "not a sentence", []field.Group{group("g", field.NewText("a", "no stop", "a"))}},
		{"example", "no example", []field.Group{group("g", field.NewText("a", "A text.", " "))}},
		{"two declarations", `group "h": field "a": declared before, as string`, []field.Group{group("g", text("a")), group("h", text("a"))}},
		{"flag and field", `field "g": declared before, as bool`, []field.Group{group("g", text("g"))}},
		{"twice in a group", "twice in one group", []field.Group{group("g", text("a"), text("b")), func() field.Group { a := text("c"); return group("h", a, a) }()}},
		{"group twice", `group "g": declared twice`, []field.Group{group("g"), group("g")}},
		{"group name", "lower snake case", []field.Group{group("a.b")}},
		{"name inside a name", `"a.b" is a field itself`, []field.Group{group("g", text("a.b.c"), text("a.b"))}},
		{"derived", "without a function", []field.Group{group("g", &derived)}},
		{"alias", "int cannot be another name of has_request", []field.Group{group("g", alias)}},
		{"nil", "a field is nil", []field.Group{{Name: "g", Label: "G", Doc: "A group.", Fields: []*field.Field{nil}}}},
	} {
		_, err := field.NewCatalogue(tt.groups...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := field.NewCatalogue(group("g", text("A"), text("B")))
	if err == nil || !strings.Contains(err.Error(), `"A"`) || !strings.Contains(err.Error(), `"B"`) {
		t.Errorf("not all errors at once: %v", err)
	}
}

func TestHash(t *testing.T) {
	hash := func(groups ...field.Group) string {
		t.Helper()
		c, err := field.NewCatalogue(groups...)
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	num := func(unit, doc string) field.Any { return field.NewInt("n", unit, doc, "n > 1") }
	base := hash(group("a", num("bytes", "A number.")), group("b", text("t")))
	if got := hash(group("b", text("t")), group("a", num("bytes", "Another doc."))); got != base {
		t.Error("order or doc changed the hash")
	}
	for name, groups := range map[string][]field.Group{
		"unit":      {group("a", num("packets", "A number.")), group("b", text("t"))},
		"kind":      {group("a", text("n")), group("b", text("t"))},
		"new field": {group("a", num("bytes", "A number."), text("u")), group("b", text("t"))},
		"moved":     {group("a", num("bytes", "A number."), text("t")), group("b")},
	} {
		if hash(groups...) == base {
			t.Errorf("%s did not change the hash", name)
		}
	}
	if len(base) != 64 {
		t.Errorf("hash %q", base)
	}
}

func TestCatalogueDoesNotChange(t *testing.T) {
	g := group("g", text("a"), text("b"))
	c, err := field.NewCatalogue(g)
	if err != nil {
		t.Fatal(err)
	}
	g.Fields[0] = text("x")
	c.Fields()[0] = text("y")
	c.Groups()[0].Name = "z"
	if got := c.Groups()[0]; got.Name != "g" || got.Fields[0].Name != "a" || c.Fields()[0].Name != "g" {
		t.Error("what it was made of or returned changed the catalogue")
	}
}

func TestCapture(t *testing.T) {
	for source, want := range map[string]struct {
		backend string
		code    int64
	}{"": {"", 0}, "unspecified": {"", 0}, "af_packet": {"af_packet", 1}, "ebpf": {"ebpf", 2}, "ebpf_tls": {"ebpf", 3}} {
		m := field.Capture.Derive(source).(map[string]string)
		if field.CaptureBackend.Derive(source) != want.backend || field.CaptureSourceCode.Derive(source) != want.code || m["source"] != source || m["backend"] != want.backend {
			t.Errorf("%q: %v %v %v", source, field.CaptureBackend.Derive(source), field.CaptureSourceCode.Derive(source), m)
		}
	}
}
