package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shark/dissector"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// account is what a dissection says of its input; it is kept in the index.
type account struct {
	Report  dissector.Report `json:"report"`
	Damage  []packet.Damage  `json:"damage,omitempty"`
	Origins []pcapng.Origin  `json:"origins,omitempty"`
	Nodes   []string         `json:"nodes,omitempty"`   // of each interface
	Dropped uint64           `json:"dropped,omitempty"` // packets, by the capture's own statistics
	Named   bool             `json:"named"`             // an identity log was there
}

// optionsText names the options that decide what the entries are. A change of any
// makes another index.
const optionsText = "protocols=all"

// DissectOptions say how to dissect.
type DissectOptions struct {
	Output string // path of the index database; empty: in the cache
	Force  bool   // dissect even if it has been done
}

// Dissected is what Dissect did.
type Dissected struct {
	Path     string
	Cached   bool // it had been done before
	Entries  int64
	Coverage Coverage
}

// Dissect makes the index, unless it is there.
func (e *Evidence) Dissect(ctx context.Context, o DissectOptions) (*Dissected, error) {
	if e.given != "" {
		return nil, usage("%s is an index database already", e.given)
	}
	source, err := e.digest(ctx)
	if err != nil {
		return nil, err
	}
	path := o.Output
	if path == "" {
		path = e.w.cachePath(source)
	}
	d := &Dissected{Path: path}
	if !o.Force && e.open(path, source) == nil {
		d.Cached = true
	} else if err := e.dissect(ctx, path, source); err != nil {
		return nil, err
	} else if err := e.open(path, source); err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	d.Entries, d.Coverage = e.db.Meta().Entries, e.coverage()
	return d, nil
}

// index opens the index, dissecting first if need be.
func (e *Evidence) index(ctx context.Context) (*index.DB, error) {
	if e.db != nil {
		return e.db, nil
	}
	if e.given != "" {
		err := e.open(e.given, "")
		return e.db, err
	}
	if _, err := e.Dissect(ctx, DissectOptions{}); err != nil {
		return nil, err
	}
	return e.db, nil
}

// open opens an index database and its account. It must be of the input source,
// unless that is empty.
func (e *Evidence) open(path, source string) error {
	db, err := index.Open(path, e.w.schema)
	if err != nil {
		return err
	}
	var a account
	if err := json.Unmarshal(db.Meta().Coverage, &a); err != nil {
		return errors.Join(fmt.Errorf("%s: coverage: %w", path, err), db.Close())
	}
	if source != "" && db.Meta().Source != source {
		return errors.Join(fmt.Errorf("%s: %w", path, index.ErrStale), db.Close())
	}
	if e.db != nil {
		e.db.Close()
	}
	e.db, e.account = db, a
	return nil
}

// dissect reads all packets and writes the index to path.
func (e *Evidence) dissect(ctx context.Context, path, source string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("folder of the index: %w", err)
	}
	src, err := e.packets()
	if err != nil {
		return err
	}
	defer src.Close()
	opts := index.Options{Schema: e.w.schema}
	if e.identity != nil {
		opts.Resolver = e.identity
	}
	out, err := index.Create(path, opts)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Abort())
		}
	}()
	progress := Progress{Task: "dissecting", Total: e.size()}
	report, err := dissector.Run(ctx, src, dissector.Options{
		Protocols: e.w.protocols, Workers: e.w.cfg.Workers, Memory: e.w.cfg.Memory,
		Progress: func(packets, bytes int64) {
			progress.Packets, progress.Bytes = packets, bytes
			e.w.cfg.Progress(progress)
		},
	}, func(int) dissector.Sink { return out.Shard() })
	if err != nil {
		return err
	}
	e.w.cfg.Progress(Progress{Task: "indexing", Packets: report.Packets, Bytes: report.Bytes, Total: progress.Total})
	meta, err := e.meta(src, report, source)
	if err != nil {
		return err
	}
	if err := out.Finish(ctx, meta); err != nil {
		return err
	}
	e.w.cfg.Progress(Progress{Task: "indexing", Packets: report.Packets, Done: true})
	return nil
}

// meta is what the index says of itself.
func (e *Evidence) meta(src *pcapng.Merged, report *dissector.Report, source string) (index.Meta, error) {
	a := account{Report: *report, Damage: src.Damage(), Origins: src.Origins(), Nodes: e.nodes(src), Named: e.identity != nil}
	interfaces := slices.Clone(src.Interfaces())
	for i := range interfaces {
		interfaces[i].Node = a.Nodes[i]
		if n := interfaces[i].Dropped; n != nil {
			a.Dropped += *n
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return index.Meta{}, fmt.Errorf("coverage: %w", err)
	}
	m := index.Meta{Source: source, Version: e.w.cfg.Version, Options: optionsText, Coverage: text, Interfaces: interfaces}
	for _, p := range src.Points() {
		state, err := json.Marshal(p)
		if err != nil {
			return index.Meta{}, fmt.Errorf("restart point: %w", err)
		}
		m.Points = append(m.Points, index.Point{File: e.inputs[p.File].path, Offset: p.Offset, Packet: p.Number, State: state})
	}
	return m, nil
}

// cachePath is where the index of an input, made by this version with these
// options, stands.
func (w *Workbench) cachePath(source string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", source, w.cfg.Version, w.catalogue.Hash(), optionsText))
	return filepath.Join(w.cfg.Cache, "index", hex.EncodeToString(sum[:16])+".db")
}
