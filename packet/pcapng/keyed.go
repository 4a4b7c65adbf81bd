package pcapng

import (
	"shark/packet"
	"shark/packet/keylog"
)

// WithSecrets is a source that may have secrets.
type WithSecrets interface {
	packet.Source
	Secrets() []Secret // met so far
}

// Keyed returns src, and has the secrets of TLS that are met as it is read added to a table:
// before the packets that come behind them are given.
func Keyed(src WithSecrets, table *keylog.Table) packet.Source {
	return &keyed{WithSecrets: src, table: table}
}

type keyed struct {
	WithSecrets
	table *keylog.Table
	seen  int // secrets
}

// ReadBatch implements packet.Source.
func (k *keyed) ReadBatch(b *packet.Batch) error {
	err := k.WithSecrets.ReadBatch(b)
	all := k.Secrets()
	AddSecrets(k.table, all[k.seen:])
	k.seen = len(all)
	return err
}

// AddSecrets adds those that are of TLS to a table.
func AddSecrets(table *keylog.Table, list []Secret) {
	for _, s := range list {
		if s.Type == SecretTLS {
			table.Add(s.Data)
		}
	}
}
