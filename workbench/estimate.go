package workbench

import (
	"context"
	"fmt"
	"time"

	"shark/snapshot"
)

// What is assumed of reading and working, to say how long something takes. Of a bucket
// only how long a request waits is measured.
const (
	bucketRate   = 50e6  // bytes a second that a bucket gives, over all requests
	diskRate     = 500e6 // bytes a second that a disk gives
	atOnce       = 8     // requests that wait at a time
	exportRate   = 400e6 // bytes of packets that are unpacked and looked at in a second
	dissectRate  = 150e6 // bytes of packets that a processor dissects in a second
	estimateNote = "assumed: %s a second from the store, %s of packets%s"
)

// Estimate is what it would take to answer, worked out from the manifest and the indexes
// of blocks alone.
type Estimate struct {
	snapshot.Cost
	Latency time.Duration // of a request, measured; 0: the packets are on this machine
	Time    time.Duration // about
	Assumed string        // what that goes by, besides Latency
	// Ready says that an index database is at hand: nothing of the above is read for it.
	Ready bool
	// Published says that it is one that is published with the snapshot, of which the question
	// reads what it needs.
	Published bool
}

// EstimateExport tells what an export would take. With a KFL expression, and of a rich one,
// that is what the dissection takes that has to come first, if there is no index; what is
// selected is not known before.
func (e *Evidence) EstimateExport(ctx context.Context, q Export) (*Estimate, error) {
	if q.KFL != "" {
		if _, err := e.w.compile(q.KFL); err != nil {
			return nil, err
		}
	}
	if q.KFL != "" || q.Profile == Rich {
		if x, err := e.EstimateDissect(ctx); err != nil || !x.Ready {
			return x, err
		}
	}
	x := &exporter{e: e, q: q, result: new(Exported)}
	if err := x.prepare(ctx); err != nil {
		return nil, err
	}
	sel := x.selection()
	if x.index != nil {
		sel.Numbers = x.numbers
	}
	return e.estimate(ctx, sel, exportRate, 1)
}

// EstimateDissect tells what the dissection would take that a question needs: nothing if
// there is an index.
func (e *Evidence) EstimateDissect(ctx context.Context) (*Estimate, error) {
	if e.given != "" {
		return &Estimate{Ready: true}, nil
	}
	if ready, published, err := e.dissectedBefore(ctx); err != nil || ready {
		return &Estimate{Ready: ready, Published: published}, err
	}
	sel := whole
	sel.Once = true
	return e.estimate(ctx, sel, dissectRate, e.w.cfg.Workers)
}

// dissectedBefore tells whether there is an index, without making one, and without reading
// files of which it is not known: those are not far.
func (e *Evidence) dissectedBefore(ctx context.Context) (ready, published bool, err error) {
	if !e.remembered() {
		return false, false, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := e.startDigest(ctx)
	defer sum.stop()
	d := &Dissected{}
	if err := e.find(sum, DissectOptions{}, d); err != nil || d.Cached {
		return d.Cached, false, err
	}
	published, err = e.fetch(ctx, sum, DissectOptions{}, d)
	return published, published, err
}

// estimate works out what it takes to read a selection and to do something with it at a
// rate, by some workers.
func (e *Evidence) estimate(ctx context.Context, sel snapshot.Selection, rate float64, workers int) (*Estimate, error) {
	x := &Estimate{Cost: snapshot.Cost{Bytes: e.size(), Raw: e.size()}}
	store := float64(diskRate)
	if e.snapshot != nil {
		var err error
		if x.Cost, err = e.snapshot.Cost(ctx, sel); err != nil {
			return nil, err
		}
		if e.snapshot.Far() {
			store = bucketRate
			if x.Latency, err = e.snapshot.Latency(ctx); err != nil {
				return nil, err
			}
		}
	}
	waits := (x.Requests + atOnce - 1) / atOnce
	read := float64(x.Bytes) / store
	work := float64(x.Raw) / (rate * float64(workers))
	x.Time = time.Duration(waits)*x.Latency + time.Duration(max(read, work)*float64(time.Second)) // which go on side by side
	by := ""
	if workers > 1 {
		by = fmt.Sprintf(" by each of %d processors", workers)
	}
	x.Assumed = fmt.Sprintf(estimateNote, megabytes(store), megabytes(rate), by)
	return x, nil
}

func megabytes(n float64) string { return fmt.Sprintf("%.0f MB", n/1e6) }
