// Package workbench answers questions about captured traffic. It is the one
// service behind the command line and every other face.
//
// In: what a user calls a snapshot (capture files, a snapshot of the store, an
// index database) and a question. Out: entries, one entry in full, aggregates,
// workloads, packets. Every answer carries its coverage: what of the traffic
// was not there to be asked.
//
// What is not dissected yet is dissected on first use, into a cache keyed by
// content.
package workbench

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol"
	"shark/kfl"
	"shark/snapshot/cache"
	"shark/workbench/index"
)

// Errors that a caller acts upon; the command line has an exit code for each.
var (
	// ErrUsage: the question itself is wrong.
	ErrUsage = errors.New("usage")
	// ErrNotFound: there is no such snapshot, file or entry.
	ErrNotFound = errors.New("not found")
	// ErrOutside: the time asked for is not in the recorded window.
	ErrOutside = errors.New("outside the recorded window")
	// ErrNoPackets: the answer needs packets and only an index database is at hand.
	ErrNoPackets = errors.New("the packets are not at hand")
)

// DefaultCacheSize is how many bytes the cache may have.
const DefaultCacheSize = 10e9

// Config is what a Workbench works with. The zero value of everything but
// Version is usable.
type Config struct {
	Version string // of the program
	Build   string // of the program: another build dissects anew; empty: the Version tells
	Store   string // folder or URL of the snapshot store; empty: none
	Cache   string // folder of index databases and of what was read of buckets; empty: "shark" in the user's cache folder, if there is one
	// CacheSize is how many bytes the cache may have: index databases and what was read of
	// buckets. What is in use may be more. 0: DefaultCacheSize.
	CacheSize int64
	Workers   int   // 0: one for each CPU
	Memory    int64 // bytes that a dissection may keep; 0: dissector.DefaultMemory
	// Protocols are the names of those to look for, +name to add one to the usual ones,
	// -name to leave one out; nil: the usual ones.
	Protocols []string
	// KeyLog is the path of a file with secrets of TLS sessions, as SSLKEYLOGFILE names one, to
	// use besides those that the packets come with.
	KeyLog  string
	NoFetch bool // do not use index databases that are published with snapshots
	// Partial tells when a question is answered from part of a snapshot: PartialAuto, which is
	// also the empty one, PartialAlways or PartialNever.
	Partial string
	// Progress is told how far a long piece of work has come; it may be nil.
	Progress func(Progress)
	Now      func() time.Time // nil: time.Now
}

// Progress is how far a piece of work has come.
type Progress struct {
	Task    string // "dissecting", "indexing"
	Packets int64
	Bytes   int64
	Total   int64 // bytes there are, 0 when unknown
	Done    bool
}

// Workbench answers questions. It may be used by several goroutines.
type Workbench struct {
	cfg       Config
	cache     *cache.Cache
	protocols []*dissector.Protocol // that there are
	choice    choice                // those to look for
	keyLog    []byte                // secrets given by hand
	partial   string
	margins   margins
	catalogue *field.Catalogue
	schema    *index.Schema
	env       *kfl.Env
}

// New makes a Workbench.
func New(cfg Config) (*Workbench, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.NumCPU()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	if cfg.Memory <= 0 {
		cfg.Memory = dissector.DefaultMemory
	}
	if cfg.Cache == "" {
		// Without a home there is none: a folder that others can write to, such as
		// that of temporary files, is no place for what will be believed.
		if dir, err := os.UserCacheDir(); err == nil {
			cfg.Cache = filepath.Join(dir, "shark")
		}
	}
	w := &Workbench{cfg: cfg, margins: usualMargins, cache: cache.New(cfg.Cache, cmp.Or(cfg.CacheSize, DefaultCacheSize)), protocols: append(slices.Concat(protocol.All(), protocol.Transports()), dissector.ConnProtocol, dissector.FlowProtocol)}
	var err error
	if w.choice, err = choose(cfg.Protocols); err != nil {
		return nil, err
	}
	if w.keyLog, err = readKeyLog(cfg.KeyLog); err != nil {
		return nil, err
	}
	if w.partial, err = partialOf(cfg.Partial); err != nil {
		return nil, err
	}
	if w.catalogue, err = protocol.Catalogue(); err != nil {
		return nil, fmt.Errorf("fields: %w", err)
	}
	if w.schema, err = index.NewSchema(w.protocols, w.catalogue); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if w.env, err = kfl.NewEnv(w.catalogue, w.schema); err != nil {
		return nil, fmt.Errorf("query language: %w", err)
	}
	return w, nil
}

// Catalogue returns all fields there are.
func (w *Workbench) Catalogue() *field.Catalogue { return w.catalogue }

// Env returns the query language.
func (w *Workbench) Env() *kfl.Env { return w.env }

// usage makes an error of a wrong question.
func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUsage, fmt.Errorf(format, args...))
}
