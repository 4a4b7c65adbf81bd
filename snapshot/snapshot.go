// Package snapshot is the snapshot format, and the store that snapshots are kept
// in.
//
// In: capture files of nodes and the log of who had which address. Out: a folder
// of standard files with a manifest that says what they hold, how large they are
// and what is missing. A snapshot is evidence: it does not change once it is
// there, it is there only when it is whole, and anyone can check it.
//
//	<id>/manifest.json                     written last: without it there is no snapshot
//	<id>/nodes/<node>/packets.pcapng.zst   zstd frames of one pcapng section each
//	<id>/nodes/<node>/secrets.pcapng       TLS session secrets, where there are any
//	<id>/nodes/<node>/identity.jsonl.zst   who had which address when
package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"shark/snapshot/identity"
)

// Errors that a caller acts upon.
var (
	// ErrNotFound says that there is no such snapshot.
	ErrNotFound = errors.New("no such snapshot")
	// ErrAmbiguous says that more than one snapshot is meant.
	ErrAmbiguous = errors.New("more than one snapshot is meant")
	// ErrIntegrity says that a snapshot is not what its manifest says, or the
	// manifest not what a manifest can be.
	ErrIntegrity = errors.New("the snapshot is damaged")
)

// manifestName is the name of the manifest in the folder of a snapshot.
const manifestName = "manifest.json"

// Snapshot is a snapshot that was opened. It may be used by several goroutines.
type Snapshot struct {
	Manifest *Manifest
	Digest   string // SHA-256 of the manifest, in hex: of the same content, since it has those of all objects
	files    folder
}

// PacketFile is a capture file of a snapshot.
type PacketFile struct {
	Path string // in the file system
	Node string // that captured it
	Size int64  // in bytes, as packed
	// SHA256 is what the manifest says, in hex; reading the file does not check it.
	SHA256 string
}

// Find opens the snapshot that ref names: its folder, or its id, the beginning of
// its id or its name in the store. An empty store has none.
func Find(ctx context.Context, store, ref string) (*Snapshot, error) {
	if info, err := os.Stat(ref); err == nil && info.IsDir() {
		s, err := openFolder(ref)
		if store == "" || !errors.Is(err, ErrNotFound) {
			return s, err
		}
	}
	if store == "" {
		return nil, fmt.Errorf("%s: %w, and no store is set", ref, ErrNotFound)
	}
	s, err := OpenStore(ctx, store)
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, ref)
}

// openFolder opens the snapshot in a folder, whatever the folder is called.
func openFolder(dir string) (*Snapshot, error) {
	s, err := load(folder{dir})
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return s, nil
}

// load reads the manifest of a snapshot.
func load(files folder) (*Snapshot, error) {
	data, err := files.read(manifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNotFound, manifestName)
	}
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	return &Snapshot{m, hex.EncodeToString(digest[:]), files}, nil
}

// check compares what is there with the manifest as far as that takes no reading.
func (s *Snapshot) check() error {
	for i := range s.Manifest.Objects {
		o := &s.Manifest.Objects[i]
		size, err := s.files.size(o.Path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrIntegrity, err)
		}
		if size != o.Size {
			return fmt.Errorf("%w: %s has %d bytes, by the manifest %d", ErrIntegrity, o.Path, size, o.Size)
		}
	}
	return nil
}

// PacketFiles lists the capture files of the snapshot, to be read together. Of a
// node with TLS session secrets the file that holds them, and no packets, is one.
func (s *Snapshot) PacketFiles() []PacketFile {
	var files []PacketFile
	for _, kind := range []ObjectKind{Secrets, Packets} { // secrets come before what they decrypt
		for _, o := range s.Manifest.Objects {
			if o.Kind == kind {
				files = append(files, PacketFile{s.files.path(o.Path), o.Node, o.Size, o.SHA256})
			}
		}
	}
	return files
}

// Identity reads who had which address when, of all nodes together. It is nil
// when the snapshot does not tell.
func (s *Snapshot) Identity() (*identity.Log, error) {
	var inputs []identity.Input
	for _, o := range s.Manifest.Objects {
		if o.Kind != Identity {
			continue
		}
		f, err := s.files.open(o.Path)
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", s.Manifest.ID, err)
		}
		defer f.Close()
		inputs = append(inputs, identity.Input{Name: o.Path, Reader: f})
	}
	if len(inputs) == 0 {
		return nil, nil
	}
	log, err := identity.ReadAll(inputs...)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: identity: %w", s.Manifest.ID, err)
	}
	return log, nil
}
