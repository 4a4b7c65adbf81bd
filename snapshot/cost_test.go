package snapshot

import (
	"errors"
	"io"
	"testing"

	"shark/packet"
	"shark/snapshot/block"
	"shark/snapshot/cache"
)

// What reading costs is known before, with and without a cache.
func TestCost(t *testing.T) {
	_, store, id := farStore(t)
	s, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(t.TempDir(), 1<<30)
	s.Keep(c)
	window := Selection{Selection: block.Selection{From: began.UnixNano(), To: began.UnixNano() + 1e6}}
	for name, sel := range map[string]Selection{"all": {}, "a window": window, "none": {Node: "n9"}} {
		for _, what := range []string{" at first", " again"} {
			before, err := s.Cost(t.Context(), sel)
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Packets(t.Context(), sel)
			if err != nil {
				t.Fatal(err)
			}
			var b packet.Batch
			packets := uint64(0)
			for !errors.Is(err, io.EOF) {
				err = p.ReadBatch(&b)
				packets += uint64(len(b.Records))
			}
			requests, bytes := p.Fetched()
			p.Close()
			if before.Requests != requests || before.Bytes != bytes || before.Packets != packets {
				t.Errorf("%s%s: %+v, but %d requests for %d bytes and %d packets", name, what, before, requests, bytes, packets)
			}
			if what == " again" && (bytes != 0 || before.Cached == 0 && packets > 0) {
				t.Errorf("%s%s: %+v", name, what, before)
			}
		}
		if _, err := c.Clear(); err != nil {
			t.Fatal(err)
		}
	}
}
