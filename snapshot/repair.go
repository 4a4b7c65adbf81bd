package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"shark/packet"
	"shark/snapshot/block"
	"shark/snapshot/bucket"
)

// RepairOptions say how a snapshot is repaired.
type RepairOptions struct {
	Workers int // goroutines that check blocks of packets; 0: one a processor
	// Progress, which may be nil, is told how many bytes of all were read.
	Progress func(done, total int64)
}

// Repaired is what Repair found and did.
type Repaired struct {
	ID       string
	Objects  int       // checked
	Repaired []string  // paths of objects that are again what the manifest says, or of published indexes that were removed
	Left     []Problem // that could not be repaired, and why
}

// Repair reads the snapshot that ref names, whole or damaged, and makes anew what can be
// made: the index of blocks that is lost or damaged, of the packets. What it writes has
// the SHA-256 of the manifest, else nothing is written: so the manifest stays what it is,
// and a signature good. With something left its error wraps ErrIntegrity.
func Repair(ctx context.Context, store, ref string, o RepairOptions) (*Repaired, error) {
	s, err := findDamaged(ctx, store, ref)
	if err != nil {
		return nil, err
	}
	return s.Repair(ctx, o)
}

// Repair is the function Repair for a snapshot that was opened.
func (s *Snapshot) Repair(ctx context.Context, o RepairOptions) (*Repaired, error) {
	v, err := s.Verify(ctx, VerifyOptions{Workers: o.Workers, Progress: o.Progress})
	if err != nil && !errors.Is(err, ErrIntegrity) {
		return nil, fmt.Errorf("repair: %w", err)
	}
	done := &Repaired{ID: v.ID, Objects: v.Objects}
	for _, p := range v.Problems {
		reason, err := s.repair(ctx, p)
		switch {
		case err != nil:
			return done, fmt.Errorf("repair %s of snapshot %s: %w", p.Path, v.ID, err)
		case reason == "":
			done.Repaired = append(done.Repaired, p.Path)
		default:
			done.Left = append(done.Left, Problem{p.Path, reason})
		}
	}
	if n := len(done.Left); n > 0 {
		return done, fmt.Errorf("snapshot %s: %w: %d of %d objects cannot be repaired", v.ID, ErrIntegrity, n, v.Objects)
	}
	return done, nil
}

// repair makes an object anew. It returns why it cannot. A published index that is damaged
// goes: whoever has the program makes it again.
func (s *Snapshot) repair(ctx context.Context, p Problem) (string, error) {
	if name, ok := dissectionOf(p.Path); ok {
		return "", s.Unpublish(ctx, name)
	}
	o := s.Manifest.object(p.Path)
	if o == nil || o.Kind != KindBlocks {
		return p.Reason + ": only a copy has it", nil
	}
	packets := s.packetsOf(o)
	if packets == nil {
		return p.Reason + ": it is the index of no packets", nil
	}
	f, err := s.files.Open(ctx, packets.Path, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("%s, and %s, which it could be made of, is missing too: only a copy has it", p.Reason, packets.Path), nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	index, err := block.Rebuild(ctx, f, packets.Groups, s.known(packets))
	var data []byte
	if err == nil {
		data, err = index.Encode()
	}
	if err != nil {
		if bucket.Temporary(err) || ctx.Err() != nil {
			return "", err
		}
		return fmt.Sprintf("%s, and it cannot be made of %s: %v", p.Reason, packets.Path, err), nil
	}
	if sum := sha256.Sum256(data); int64(len(data)) != o.Size || hex.EncodeToString(sum[:]) != o.SHA256 {
		return fmt.Sprintf("%s, and what %s gives is another, with SHA-256 %x, by the manifest %s: nothing was written", p.Reason, packets.Path, sum, o.SHA256), nil
	}
	return "", s.put(ctx, o.Path, data)
}

// packetsOf returns the packets that an object is the index of; nil when there are none.
func (s *Snapshot) packetsOf(index *Object) *Object {
	for i := range s.Manifest.Objects {
		if o := &s.Manifest.Objects[i]; o.blocked() && o.Index == index.Path {
			return o
		}
	}
	return nil
}

// known returns what the manifest says of the interfaces of packets. Their counts are in the
// file of packets, if there are any.
func (s *Snapshot) known(packets *Object) (list []block.Known) {
	for _, n := range s.Manifest.Nodes {
		if n.Name != packets.Node {
			continue
		}
		for _, i := range n.Interfaces {
			if (i.Name == packet.PlaintextInterface) != (packets.Kind == KindPlaintext) {
				continue
			}
			list = append(list, block.Known{Packets: i.Packets, Interface: packet.Interface{
				Name: i.Name, Description: i.Description, OS: i.OS, Filter: i.Filter, Link: packet.LinkType(i.LinkType), SnapLen: i.SnapLen,
			}})
		}
	}
	return list
}
