package workbench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// maxKeyLog is how many bytes a file of secrets may have: those of a table's sessions.
const maxKeyLog = 256 << 20

// readKeyLog reads a file of secrets; of no file there are none.
func readKeyLog(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key log: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyLog+1))
	if err != nil {
		return nil, fmt.Errorf("key log: %w", err)
	}
	if len(b) > maxKeyLog {
		return nil, usage("%s has more than %d MiB: leave out the secrets of other times", path, maxKeyLog>>20)
	}
	var one keylog.Table
	if one.Add(b); one.Stats().Sessions == 0 {
		return nil, usage("%s has no line with a secret of TLS, such as CLIENT_RANDOM and two hexadecimal numbers", path)
	}
	return b, nil
}

// keyLogSum tells the secrets given by hand from others; empty when there are none.
func (w *Workbench) keyLogSum() string {
	if w.keyLog == nil {
		return ""
	}
	sum := sha256.Sum256(w.keyLog)
	return hex.EncodeToString(sum[:16])
}

// keys returns a table with the secrets given by hand.
func (w *Workbench) keys() *keylog.Table {
	t := new(keylog.Table)
	if w.keyLog != nil {
		t.Add(w.keyLog)
	}
	return t
}

// keyed is a source whose secrets go into a table as they are met.
type keyed struct {
	source
	read packet.Source
}

func withKeys(src source, table *keylog.Table) source {
	if table == nil {
		return src
	}
	return &keyed{src, pcapng.Keyed(src, table)}
}

// ReadBatch implements packet.Source.
func (k *keyed) ReadBatch(b *packet.Batch) error { return k.read.ReadBatch(b) }

// errLateKeys says that secrets were met behind packets that they are for: with all of them at hand
// the packets are to be dissected once more.
var errLateKeys = errors.New("secrets of TLS sessions stand behind their packets")

// dissect reads all packets and writes the index. Unless it is known that there is
// none yet, it looks for one as soon as the digest is there, and then ends with
// errDissected.
func (e *Evidence) dissect(ctx context.Context, o DissectOptions, sum *digesting, known bool) error {
	keys := e.w.keys()
	err := e.dissectWith(ctx, o, sum, known, keys, sum.see)
	if errors.Is(err, errLateKeys) {
		keys.Again()
		err = e.dissectWith(ctx, o, sum, known, keys, unseen)
	}
	return err
}

// unseen shows an input's bytes to nobody.
func unseen(int) func([]byte) { return nil }

// allKeys returns the secrets that the packets of an index were dissected with, for those who
// dissect some of them once more.
func (e *Evidence) allKeys(ctx context.Context, x *opened) (*keylog.Table, error) {
	table := e.w.keys()
	left := x.account.Secrets
	if left == 0 || !e.hasPackets() {
		return table, nil
	}
	src, err := e.packets(ctx, beside)
	if err != nil {
		return nil, err
	}
	defer func() { src.Close() }() // only read from
	var b packet.Batch
	for len(src.Secrets()) < left {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := src.ReadBatch(&b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	pcapng.AddSecrets(table, src.Secrets())
	return table, nil
}

// tls tells how the connections with TLS could be read, and what became of the secrets.
func (c *Coverage) tls(a *account) {
	c.TLS = maps.Clone(a.Report.TLS)
	var all, read int64
	var reasons []string
	for how, n := range c.TLS {
		all += n
		_, why, partly := strings.Cut(how, ": ")
		if !partly {
			read += n
			continue
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s", why, Grouped(n)))
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		c.note(fmt.Sprintf("%s with TLS, of which %s could be read in full; %s", Count(all, "connections"), Grouped(read), strings.Join(reasons, ", ")))
	}
	s := a.Keys
	if a.Excerpt == nil && a.Chosen == "" {
		c.count(s.Sessions-s.Used, "TLS sessions", "with secrets that open nothing: of no handshake in the packets")
	}
	c.count(s.Dropped, "TLS secrets", "left out: there are too many")
	c.count(s.Bad, "lines", "among the TLS secrets that are none")
}
