package traffic

import (
	"net/netip"
	"strconv"

	"shark/packet"
	"shark/packet/pcapng"
)

// world is one run: the conversations under way, the capture they are written
// to and the truth about them.
type world struct {
	out        *pcapng.Writer
	interfaces []packet.Interface
	flaws      Flaws
	truth      Truth
	onCall     func(*Call) error
	stop       func(w *world) bool // tells that enough was said
	err        error

	heap    []turn
	planned int64 // bytes of all packets that were queued so far
	record  packet.Record
	buf     [maxFrame]byte
}

// turn is a conversation in the heap, by the time of its next packet.
type turn struct {
	at   int64
	c    *conversation
	from side
}

// newWorld returns a world that writes to out.
func newWorld(out *pcapng.Writer, nodes []string, onCall func(*Call) error) *world {
	w := &world{out: out, onCall: onCall, stop: func(*world) bool { return false }}
	w.truth.Protocols = make(map[string]*ProtocolTruth)
	for _, n := range nodes {
		w.interfaces = append(w.interfaces, packet.Interface{
			Link: ethernet, SnapLen: 262144, Name: n, Received: new(uint64), Dropped: new(uint64),
		})
	}
	w.record.Link = ethernet
	return w
}

// full tells scripts to come to an end.
func (w *world) full() bool { return w.err != nil || w.stop(w) }

// start puts a conversation that has packets queued among those under way.
func (w *world) start(c *conversation) {
	at, from, ok := c.due()
	if !ok {
		return
	}
	w.heap = append(w.heap, turn{at, c, from})
	for i := len(w.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if w.heap[up].at <= w.heap[i].at {
			return
		}
		w.heap[up], w.heap[i] = w.heap[i], w.heap[up]
		i = up
	}
}

// run writes all packets in the order of time. A conversation that has ended is
// given to again, which may begin another one with it.
func (w *world) run(again func(c *conversation) bool) error {
	for len(w.heap) > 0 && w.err == nil {
		top := &w.heap[0]
		w.emit(top.c, top.from)
		at, from, ok := top.c.due()
		for !ok && (top.c.refill() || again(top.c)) {
			at, from, ok = top.c.due()
		}
		if ok {
			top.at, top.from = at, from
		} else {
			n := len(w.heap) - 1
			w.heap[0] = w.heap[n]
			w.heap[n] = turn{}
			w.heap = w.heap[:n]
		}
		w.sink()
	}
	return w.err
}

// sink restores the heap after its top has changed.
func (w *world) sink() {
	h := w.heap
	for i := 0; ; {
		low := 2*i + 1
		if low >= len(h) {
			return
		}
		if r := low + 1; r < len(h) && h[r].at < h[low].at {
			low = r
		}
		if h[i].at <= h[low].at {
			return
		}
		h[i], h[low] = h[low], h[i]
		i = low
	}
}

// emit writes the next packet of a side.
func (w *world) emit(c *conversation, from side) {
	q := &c.queues[from]
	s := &q.segments[q.next]
	q.next++
	r := &w.record
	r.Data = c.frames[from].frame(w.buf[:], s)
	r.Time, r.OrigLen, r.Interface = s.at, uint32(len(r.Data)), c.home
	if s.elsewhere {
		r.Interface = c.away
	}
	if w.err = w.out.Write(r, w.interfaces); w.err != nil {
		return
	}
	t := &w.truth
	if t.Packets == 0 {
		t.First = s.at
	}
	t.Last = s.at
	t.Packets++
	t.Bytes += int64(len(r.Data))
	*w.interfaces[r.Interface].Received++
}

// close completes the capture with the statistics of its interfaces, which pcap
// has no place for.
func (w *world) close(f pcapng.Format) error {
	if f == pcapng.Pcapng {
		for i := range w.interfaces {
			if err := w.out.WriteStatistics(uint32(i), w.interfaces, w.truth.Last); err != nil {
				return err
			}
		}
	}
	return w.out.Close()
}

// plan counts a packet that will be written, with about what it takes in a file.
func (w *world) plan(s *segment, c *conversation) {
	head := etherHeader + ip4Header + 16
	if c.frames[client].v6 {
		head = etherHeader + ip6Header + 16
	}
	if c.tcp {
		head += tcpHeader + stampOption
	} else {
		head += udpHeader
	}
	w.planned += int64(head + len(s.payload))
}

// report notes a call. path is used only until report returns.
func (c *conversation) report(k Call, path []byte) {
	w := c.world
	k.Partial = k.Partial || c.missing
	w.truth.count(&k)
	if w.onCall == nil || w.err != nil {
		return
	}
	k.Path = string(path)
	k.Client = address(c.ends[client])
	k.Server = address(c.ends[server])
	w.err = w.onCall(&k)
}

func address(e endpoint) netip.AddrPort { return netip.AddrPortFrom(e.host.addr.IP(), e.port) }

// number appends n in decimal.
func number(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
