package field

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Group is the fields that belong together: those of one protocol, or those
// that every entry has.
type Group struct {
	Name  string // of the protocol, such as "redis", or "entry"
	Label string // for people: "Redis"
	Doc   string // a sentence
	// Flag says that a truth value of the group's name tells which entries are
	// of the group. The catalogue declares it.
	Flag   bool
	Fields []*Field
}

// Catalogue is all fields there are. It does not change once made and may be
// used by several goroutines.
type Catalogue struct {
	groups []Group
	fields []*Field
	byName map[string]*Field
	of     map[*Field][]int // indexes into groups
	flags  map[string]*Field
	hash   string
}

// legal is what a field may be called: lower snake case, parts joined by dots.
// SQL takes such a name in double quotes without escapes.
var legal = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// maxName is the length of the longest name, in bytes.
const maxName = 63

// taken are words that CEL keeps for itself, where an identifier starts:
// keywords, reserved words and names of types (CEL specification, "Syntax" and
// "Values").
var taken = []string{
	"as", "bool", "break", "bytes", "const", "continue", "double", "dyn", "else", "false", "for", "function", "if", "import", "in", "int",
	"let", "list", "loop", "map", "namespace", "null", "null_type", "package", "return", "string", "true", "type", "uint", "var", "void", "while",
}

// keywords are the words that may not follow a dot either.
var keywords = []string{"false", "in", "null", "true"}

// NewCatalogue checks the groups and makes a catalogue of them. Their order is
// kept. A field may be in several groups, but a name has one declaration. All
// that is wrong is reported at once.
func NewCatalogue(groups ...Group) (*Catalogue, error) {
	c := &Catalogue{
		byName: make(map[string]*Field),
		of:     make(map[*Field][]int),
		flags:  make(map[string]*Field),
	}
	var errs []error
	for _, g := range groups {
		if err := c.add(g); err != nil {
			errs = append(errs, fmt.Errorf("group %q: %w", g.Name, err))
		}
	}
	if err := c.checkDots(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.hash = c.sum()
	return c, nil
}

func (c *Catalogue) add(g Group) error {
	if slices.ContainsFunc(c.groups, func(o Group) bool { return o.Name == g.Name }) {
		return errors.New("declared twice")
	}
	var errs []error
	if !legal.MatchString(g.Name) || strings.Contains(g.Name, ".") {
		errs = append(errs, errors.New("name is not lower snake case"))
	}
	if !sentence(g.Doc) {
		errs = append(errs, errors.New("doc is not a sentence that ends with a full stop"))
	}
	if g.Label == "" {
		errs = append(errs, errors.New("no label"))
	}
	g.Fields = slices.Clone(g.Fields)
	at := len(c.groups)
	if g.Flag {
		f := declare(Bool, g.Name, g.Doc, g.Name)
		errs = append(errs, c.put(at, f))
		c.flags[g.Name] = f
	}
	for _, f := range g.Fields {
		errs = append(errs, c.put(at, f))
	}
	c.groups = append(c.groups, g)
	return errors.Join(errs...)
}

func (c *Catalogue) put(group int, f *Field) error {
	if f == nil {
		return errors.New("a field is nil")
	}
	if err := f.check(); err != nil {
		return fmt.Errorf("field %q: %w", f.Name, err)
	}
	switch old := c.byName[f.Name]; {
	case old == nil:
		c.byName[f.Name] = f
		c.fields = append(c.fields, f)
	case old != f:
		return fmt.Errorf("field %q: declared before, as %s", f.Name, old.Kind)
	}
	if slices.Contains(c.of[f], group) {
		return fmt.Errorf("field %q: twice in one group", f.Name)
	}
	c.of[f] = append(c.of[f], group)
	return nil
}

// check tells what is wrong with one declaration.
func (f *Field) check() error {
	if len(f.Name) > maxName || !legal.MatchString(f.Name) {
		return fmt.Errorf("name is not lower snake case with dots, of at most %d bytes", maxName)
	}
	for i, part := range strings.Split(f.Name, ".") {
		if i == 0 && slices.Contains(taken, part) || slices.Contains(keywords, part) {
			return fmt.Errorf("%q is a word of the query language", part)
		}
	}
	switch {
	case f.Kind > Time:
		return fmt.Errorf("unknown kind %d", f.Kind)
	case !sentence(f.Doc):
		return errors.New("doc is not a sentence that ends with a full stop")
	case strings.TrimSpace(f.Example) == "":
		return errors.New("no example")
	case (f.From == nil) != (f.Derive == nil):
		return errors.New("derived from a field without a function, or the other way round")
	case f.Alias != None && f.From != nil:
		return errors.New("both another name and derived")
	case f.Alias != None && NewAlias(f.Name, f.Alias, f.Doc, f.Example).Kind != f.Kind:
		return fmt.Errorf("%s cannot be another name of %s", f.Kind, f.Alias)
	}
	return nil
}

func sentence(s string) bool {
	return len(s) > 1 && strings.HasSuffix(s, ".") && !strings.ContainsAny(s, "\n\r\t") && s == strings.TrimSpace(s)
}

// checkDots finds names that go on where another ends: in "a.b", a would be
// read as the field a.
func (c *Catalogue) checkDots() error {
	var errs []error
	for _, f := range c.fields {
		for i, r := range f.Name {
			if r == '.' && c.byName[f.Name[:i]] != nil {
				errs = append(errs, fmt.Errorf("field %q: %q is a field itself", f.Name, f.Name[:i]))
			}
		}
	}
	return errors.Join(errs...)
}

// Lookup returns the field of a name, nil when there is none.
func (c *Catalogue) Lookup(name string) *Field { return c.byName[name] }

// Fields returns all fields, flags among them, each once: in the order of the
// groups, a group's flag before its fields.
func (c *Catalogue) Fields() []*Field { return slices.Clone(c.fields) }

// Groups returns the groups in order.
func (c *Catalogue) Groups() []Group { return slices.Clone(c.groups) }

// Group returns the group of a name.
func (c *Catalogue) Group(name string) (Group, bool) {
	for _, g := range c.groups {
		if g.Name == name {
			return g, true
		}
	}
	return Group{}, false
}

// GroupsOf returns the groups that f is in, in order.
func (c *Catalogue) GroupsOf(f *Field) []Group {
	var out []Group
	for _, i := range c.of[f] {
		out = append(out, c.groups[i])
	}
	return out
}

// Flag returns the truth value that tells which entries are of a group, nil
// when the group has none.
func (c *Catalogue) Flag(group string) *Field { return c.flags[group] }

// IsFlag tells whether f is the flag of the group of its name.
func (c *Catalogue) IsFlag(f *Field) bool { return f != nil && c.flags[f.Name] == f }

// Hash identifies the schema: it changes when a field is added or taken away or
// changes its meaning to a store (kind, unit, what it is derived from, whose it
// is), and not with docs, examples, labels or order.
func (c *Catalogue) Hash() string { return c.hash }

func (c *Catalogue) sum() string {
	lines := make([]string, 0, len(c.fields)+len(c.groups))
	for _, g := range c.groups {
		lines = append(lines, fmt.Sprintf("group %q flag=%t", g.Name, g.Flag))
	}
	for _, f := range c.fields {
		var groups []string
		for _, g := range c.GroupsOf(f) {
			groups = append(groups, g.Name)
		}
		sort.Strings(groups)
		from := ""
		if f.From != nil {
			from = f.From.Name
		}
		lines = append(lines, fmt.Sprintf("field %q %s unit=%q alias=%q from=%q in=%q", f.Name, f.Kind, f.Unit, f.Alias, from, groups))
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}
