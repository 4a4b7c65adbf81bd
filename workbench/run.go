package workbench

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"shark/dissector"
	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/snapshot/block"
)

// work says what is dissected, and who takes what is found.
type work struct {
	making  *making // which packets; nil: all
	parts   uint64  // of a snapshot, a bit each
	options dissector.Options
	sink    func(worker int) dissector.Sink
	// done is told of each part of a snapshot when its sink has all of its entries; nil: nobody is.
	done func(number int, p *part, r *dissector.Report, secrets *keylog.Table) error
}

// run dissects: capture files as src has them, a snapshot part by part.
func (e *Evidence) run(ctx context.Context, src source, w work) (*findings, error) {
	twice := new(seenTwice)
	if e.snapshot == nil {
		once := e.once(w.making.choose(withKeys(src, w.options.Secrets)))
		report, err := dissector.Run(ctx, once, w.options, w.sink)
		twice.add(once)
		if err == nil && w.options.Secrets.Stats().Late {
			err = errLateKeys
		}
		return &findings{damage: src.Damage(), report: report, twice: twice}, err
	}
	var b packet.Batch
	for { // what is beside packets is met as it is read
		if err := src.ReadBatch(&b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	pcapng.AddSecrets(w.options.Secrets, src.Secrets())
	place, n, err := e.snapshot.Parts(ctx)
	if err != nil {
		return nil, err
	}
	w.options.Split = n
	parts := make([]*part, block.Partitions)
	if w.done != nil {
		w.options.Done = func(i int, r *dissector.Report, secrets *keylog.Table) error { return w.done(i, parts[i], r, secrets) }
	}
	report, err := dissector.RunParts(ctx, len(parts), func(ctx context.Context, i int) (packet.Source, error) {
		if w.parts>>i&1 == 0 {
			return nil, nil
		}
		sel := w.making.selection()
		sel.Partition = func(p int) bool { return place(p) == i }
		packets, err := e.snapshot.Packets(ctx, sel)
		if err != nil {
			return nil, err
		}
		parts[i] = &part{Source: e.once(w.making.choose(packets)), packets: packets, making: w.making}
		return parts[i], nil
	}, w.options, w.sink)
	damage := src.Damage()
	for _, p := range parts {
		if p != nil {
			damage = append(damage, p.damage...)
			twice.add(p.Source)
		}
	}
	slices.SortFunc(damage, func(a, b packet.Damage) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
	return &findings{damage: damage, report: report, twice: twice}, err
}
