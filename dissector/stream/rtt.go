package stream

import "shark/dissector/field"

// rtt measures round-trip times: from a segment to its acknowledgement, one at a
// time for each side, never over a segment that was sent again (RFC 6298,
// section 3).
type rtt struct {
	sent          [2]timed
	n             int64
	min, max, sum int64 // ns
}

type timed struct {
	running bool
	end     uint32
	time    int64
}

// send begins a measurement, if none is running, with a segment that ends at end.
func (r *rtt) send(side int, end uint32, time int64) {
	if s := &r.sent[side]; !s.running {
		*s = timed{true, end, time}
	}
}

// again gives up the running measurement of a side.
func (r *rtt) again(side int) { r.sent[side].running = false }

// acked ends the measurement of a side whose bytes up to ack were received.
func (r *rtt) acked(side int, ack uint32, time int64) {
	s := &r.sent[side]
	if !s.running || after(s.end, ack) {
		return
	}
	s.running = false
	d := time - s.time
	if r.n == 0 || d < r.min {
		r.min = d
	}
	r.max = max(r.max, d)
	r.sum += d
	r.n++
}

func (r *rtt) describe(v *field.Values) {
	if r.n == 0 {
		return
	}
	field.ConnRTTSamples.Set(v, r.n)
	field.ConnRTTMin.Set(v, r.min/1000)
	field.ConnRTTAvg.Set(v, r.sum/r.n/1000)
	field.ConnRTTMax.Set(v, r.max/1000)
}
