package traffic

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/packet/pcapng"
	"shark/snapshot/identity"
)

// The shop is the bundled demonstration: three minutes of a small Kubernetes
// shop on two nodes, in which a rollout breaks payments and a batch job blocks
// the database. testdata/shop/STORY.md tells what happens.

// Moments of the shop, in time since its first minute began.
const (
	shopLength = 180 * second

	rolloutBegins = 60 * second // a new configuration of payment is applied
	newPodReady   = 68 * second
	rolloutDone   = 69 * second // the old pod stops listening; calls go to the new one
	oldPodGone    = 72 * second
	jobStarts     = 100 * second // a pod of a batch job gets the old pod's address
)

// blockades are when Redis is busy with KEYS, and for how long.
var blockades = []struct{ at, length int64 }{
	{104 * second, 640 * millisecond},
	{116 * second, 410 * millisecond},
	{128 * second, 870 * millisecond},
	{140 * second, 590 * millisecond},
	{152 * second, 760 * millisecond},
	{164 * second, 680 * millisecond},
}

// Names that the payment pods look up.
const (
	bankName    = "api.bank.example"
	bankMistype = "api.bank.exmaple"
)

// Shop is the capture of the shop and what is known of it.
type Shop struct {
	Files map[string][]byte // shop.pcapng.zst and identity.jsonl
	Truth *Truth
	Calls []Call // in the order of their conversations
}

// NewShop makes the shop. It is always the same.
func NewShop() (*Shop, error) {
	s := new(Shop)
	var capture bytes.Buffer
	file, err := pcapng.NewWriter(&capture, pcapng.Options{
		OS: "Linux", Application: "shark recorder", Comments: []string{"A small Kubernetes shop, made up: see STORY.md."},
	})
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	w := newWorld(file, []string{"node-a/eth0", "node-b/eth0"}, func(k *Call) error {
		s.Calls = append(s.Calls, *k)
		return nil
	})
	p := newPlan(w)
	p.everything()
	for _, l := range p.lines {
		c := l.conversation(p)
		c.refill()
		w.start(c)
	}
	if err := w.run(func(*conversation) bool { return false }); err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	if err := w.close(pcapng.Pcapng); err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	s.Truth = &w.truth
	log, err := p.cast.log()
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	packed, err := pack(capture.Bytes())
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	s.Files = map[string][]byte{"shop.pcapng.zst": packed, "identity.jsonl": log}
	return s, nil
}

func pack(b []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return z.EncodeAll(b, nil), nil
}

// log returns the identity log.
func (c *cast) log() ([]byte, error) {
	slices.SortStableFunc(c.records, func(a, b identity.Record) int { return a.Time.Compare(b.Time) })
	var b bytes.Buffer
	w := identity.NewWriter(&b)
	for i := range c.records {
		if err := w.Write(&c.records[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// shopStart is when the shop's first minute begins.
var shopStart = time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC).UnixNano()
