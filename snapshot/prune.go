package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"shark/snapshot/bucket"
)

// RubbishAge is how old what was left behind is before Prune removes it: nobody writes
// one object for longer.
const RubbishAge = 24 * time.Hour

// far is when all that there is has been left behind.
const far = 100 * 365 * 24 * time.Hour

// PruneOptions say what Prune removes. The zero value removes no snapshot.
type PruneOptions struct {
	Rules Rules         // for which snapshots are kept; None: all
	Name  string        // pattern (path.Match) of the names of those that the rules are for; empty: all
	Age   time.Duration // of what was left behind; 0: RubbishAge
	// Indexes is how old a published index is before it is removed, whoever made it: it can be
	// made again. 0: none is.
	Indexes time.Duration
	DryRun  bool      // nothing is removed
	Now     time.Time // zero: it is now
}

// Pruned is a snapshot, or something left behind below an id or published with it, and what
// becomes of it.
type Pruned struct {
	ID      string    `json:"id"`
	Path    string    `json:"path,omitempty"` // of something published: its folder below the id
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created,omitzero"` // of what was left behind: last changed
	Rubbish bool      `json:"rubbish,omitempty"`
	Remove  bool      `json:"remove"`
	Why     string    `json:"why"`
	Objects int       `json:"objects"`
	Bytes   int64     `json:"bytes"`
	// Unreadable says that there is a manifest, and it is not known what it says.
	Unreadable bool     `json:"unreadable,omitempty"`
	Failed     string   `json:"failed,omitempty"` // why it was not removed, although it should be
	Digest     string   `json:"-"`                // of its manifest, in hex
	drafts     bool     // it is drafts alone
	keys       []string // of something published: what is removed, in this order
	orphans    bool     // there is an index, which has none of them
}

// Prune removes snapshots that no rule keeps, and what interrupted imports, copies, uploads
// and deletions have left behind: what lies below an id without a manifest, drafts, and
// uploads that nobody finished, and databases that no published index has, once all of it is
// older than Age; and published indexes older than Indexes. It returns an entry for each snapshot,
// from oldest to newest, and for each id below which something was left.
//
// It removes nothing that is held, nothing whose manifest cannot be read, and nothing
// below an id that has files which no snapshot has. When something cannot be removed it
// goes on with the rest, and the error says so.
func (s *Store) Prune(ctx context.Context, o PruneOptions) ([]Pruned, error) {
	if _, err := path.Match(o.Name, ""); err != nil {
		return nil, fmt.Errorf("prune: the pattern %q: %w", o.Name, err)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Age <= 0 {
		o.Age = RubbishAge
	}
	p := &pruner{s: s, o: o, before: o.Now.Add(-o.Age)}
	if err := p.plan(ctx); err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	failed := p.failed
	if o.DryRun {
		return p.list, errors.Join(failed...)
	}
	for i := range p.list {
		x := &p.list[i]
		if !x.Remove {
			continue
		}
		if err := p.remove(ctx, x); err != nil {
			x.Failed = err.Error()
			if ctx.Err() == nil || len(failed) == 0 { // what was not begun needs no words
				failed = append(failed, fmt.Errorf("prune %s: %w", x.ID, err))
			}
		}
	}
	return p.list, errors.Join(failed...)
}

// pruner prunes one store.
type pruner struct {
	s      *Store
	o      PruneOptions
	before time.Time // rubbish is older
	list   []Pruned
	failed []error // of snapshots that could not be looked at
}

// plan decides about all that there is.
func (p *pruner) plan(ctx context.Context) error {
	drafts := make(map[string][]bucket.Object) // by id
	for o, err := range p.s.files.Rubbish(ctx, p.o.Now.Add(far), false) {
		if err != nil {
			return err
		}
		if id, _, ok := strings.Cut(o.Key, "/"); ok && validID(id) {
			drafts[id] = append(drafts[id], o)
		}
	}
	all, err := p.s.all(ctx, true)
	if err != nil {
		return err
	}
	p.snapshots(all)
	for i := range all {
		l := &all[i]
		if errors.Is(l.Err, ErrNotFound) {
			if err := p.leftovers(ctx, l, drafts[l.ID]); err != nil {
				return err
			}
		} else {
			p.drafts(l.ID, drafts[l.ID])
		}
		delete(drafts, l.ID)
	}
	for id, list := range drafts { // without an object
		p.drafts(id, list)
	}
	if err := p.allPublished(ctx, all); err != nil {
		return err
	}
	slices.SortStableFunc(p.list, func(a, b Pruned) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// snapshots decides about those that have a manifest.
func (p *pruner) snapshots(all []Listed) {
	var candidates []*Manifest
	for _, l := range all {
		if l.Manifest != nil && p.named(l.Manifest) {
			candidates = append(candidates, l.Manifest)
		}
	}
	keeps := p.o.Rules.keeps(candidates, p.o.Now)
	for _, l := range all {
		x := Pruned{ID: l.ID}
		switch m := l.Manifest; {
		case errors.Is(l.Err, ErrNotFound):
			continue
		case m == nil:
			x.Unreadable, x.Why = true, l.Err.Error()
			if bucket.Temporary(l.Err) || errors.Is(l.Err, fs.ErrPermission) { // it may be sound, and one to be removed
				x.Failed = x.Why
				p.failed = append(p.failed, fmt.Errorf("prune %s: %w", l.ID, l.Err))
			}
		case p.o.Rules.None():
			x.Why = "no rule is given"
		case !p.named(m):
			x.Why = "its name is another"
		case keeps[l.ID] != "":
			x.Why = keeps[l.ID]
		default:
			x.Remove, x.Why = true, "no rule keeps it"
		}
		if l.Manifest != nil {
			x.Name, x.Created, x.Digest = l.Manifest.Name, l.Manifest.Created, l.digest
			x.Objects = len(l.Manifest.Objects)
			for _, o := range l.Manifest.Objects {
				x.Bytes += o.Size
			}
		}
		if x.Remove && l.Hold != nil {
			x.Remove, x.Why = false, "held "+l.Hold.String()
		}
		p.list = append(p.list, x)
	}
}

// named tells whether the rules are for a snapshot.
func (p *pruner) named(m *Manifest) bool {
	if p.o.Name == "" {
		return true
	}
	ok, _ := path.Match(p.o.Name, m.Name) // the pattern is sound
	return ok
}

// leftovers decides about what lies below an id without a manifest.
func (p *pruner) leftovers(ctx context.Context, l *Listed, drafts []bucket.Object) error {
	x := Pruned{ID: l.ID, Rubbish: true, Remove: true}
	foreign, own := "", len(drafts) > 0
	for o, err := range p.s.files.List(ctx, l.ID+"/") {
		if err != nil {
			return err
		}
		switch key := o.Key[len(l.ID)+1:]; {
		case validKey(key), key == manifestName, key == signatureName, key == holdName:
			own = true
		case foreign == "":
			foreign = key
		}
		x.count(o)
	}
	for _, o := range drafts {
		x.count(o)
	}
	switch {
	case !own: // it was removed since, or never was of a snapshot
		return nil
	case foreign != "":
		x.Remove, x.Why = false, fmt.Sprintf("no manifest, but files that no snapshot has, such as %s: delete removes all of it", foreign)
	case l.Hold != nil:
		x.Remove, x.Why = false, "no manifest, but held "+l.Hold.String()
	case !x.Created.Before(p.before):
		x.Remove, x.Why = false, "no manifest, but somebody may be writing it: younger than "+durationText(p.o.Age)
	default:
		x.Why = "no manifest: what an import, a copy or a deletion has left"
	}
	p.list = append(p.list, x)
	return nil
}

// count adds something left behind.
func (x *Pruned) count(o bucket.Object) {
	x.Objects++
	x.Bytes += o.Size
	if o.Modified.After(x.Created) {
		x.Created = o.Modified
	}
}

// drafts decides about what interrupted writers have left below an id: below that of a
// snapshot too.
func (p *pruner) drafts(id string, list []bucket.Object) {
	old, young := Pruned{ID: id, Rubbish: true, Remove: true, drafts: true}, Pruned{ID: id, Rubbish: true}
	for _, o := range list {
		if o.Modified.Before(p.before) {
			old.count(o)
		} else {
			young.count(o)
		}
	}
	old.Why = "drafts and uploads that nobody finished"
	young.Why = "drafts, but somebody may be writing them: younger than " + durationText(p.o.Age)
	for _, x := range []Pruned{old, young} {
		if x.Objects > 0 {
			p.list = append(p.list, x)
		}
	}
}

// remove removes what the plan says, unless it is another by now.
func (p *pruner) remove(ctx context.Context, x *Pruned) error {
	files := p.s.files.Sub(x.ID)
	switch {
	case x.Path != "":
		return removePublished(ctx, files, x)
	case !x.Rubbish:
		return remove(ctx, files)
	case !x.drafts:
		if err := unheld(ctx, files); err != nil {
			return err
		}
		if _, err := files.Stat(ctx, manifestName); !errors.Is(err, fs.ErrNotExist) {
			return cmp.Or(err, errors.New("it has a manifest by now"))
		}
		if err := removeAll(ctx, files); err != nil {
			return err
		}
	}
	for _, err := range files.Rubbish(ctx, p.before, true) {
		if err != nil {
			return err
		}
	}
	return nil
}
