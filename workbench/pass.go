package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
)

// pass is what becomes known as an export reads its input. It begins anew when that is
// read again.
type pass struct {
	extras    extras
	faces     faces
	sheet     *sheet   // the only file; nil until there is something to write
	dedupe    *dedupe  // nil: nobody asks which packets are sightings of one
	checked   int      // interfaces whose link type is known to suit the packet filter
	seen      Coverage // of the packets read
	span      [2]int64 // first and last time of those
	unfit     map[packet.LinkType]int64
	converted int64
	frame     []byte // memory of the packet that is converted
}

// readAll reads all packets and writes those that are asked for.
func (x *exporter) readAll(ctx context.Context) error {
	*x.result = Exported{Conns: x.result.Conns}
	x.pass = pass{
		extras: extras{format: x.q.Format, decrypt: x.q.Secrets},
		faces:  faces{rich: x.rich != nil, uniform: x.faces.uniform, plaintext: x.q.Plaintext},
		unfit:  make(map[packet.LinkType]int64),
	}
	if x.rich != nil {
		x.rich.begin(&x.extras)
	}
	src, err := x.source(ctx)
	if err != nil {
		return err
	}
	defer func() { src.Close() }() // only read from
	if x.q.Dedupe || x.rich != nil {
		x.dedupe = x.e.newDedupe(src)
	}
	progress := Progress{Task: "exporting", Total: x.e.size()}
	var b packet.Batch
	for {
		end := src.ReadBatch(&b)
		if end != nil && !errors.Is(end, io.EOF) {
			return end
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.batch(src, b.Records); err != nil {
			return err
		}
		progress.Packets, progress.Bytes = x.seen.Packets, x.seen.Bytes
		progress.Done = end != nil
		x.e.w.cfg.Progress(progress)
		if end != nil {
			return x.finish(src)
		}
	}
}

// again clears away what was written, to begin with what is known now of the interfaces.
func (x *exporter) again() error {
	if x.split != nil {
		return x.split.clear()
	}
	f, ok := x.out.(interface {
		io.Seeker
		Truncate(size int64) error
	})
	if ok {
		_, err := f.Seek(0, io.SeekStart)
		if err = errors.Join(err, f.Truncate(0)); err == nil {
			return nil
		}
	}
	return usage("the input has an interface of another link type or snap length behind packets, or a packet that is longer than it says, and what was written cannot be taken back: write to a file, or with --profile rich")
}

// source opens the packets. Those that KFL selects can be gone to directly, unless
// the input holds something beside packets that is to be kept. Plaintext is found as it comes:
// an index does not have that of connections which could be read.
func (x *exporter) source(ctx context.Context) (*selection, error) {
	if x.index == nil || x.looks() {
		return x.e.everything(ctx, x.selection())
	}
	return x.e.selection(ctx, x.index, x.numbers, x.index.account.Extras || x.rich != nil && x.index.account.Asides)
}

// chooses tells whether packets are left out by what they are.
func (x *exporter) chooses() bool {
	return x.q.KFL != "" || x.bpf != nil || x.ends != nil || x.q.Node != "" || x.from != math.MinInt64 || x.to != math.MaxInt64
}

// looks tells whether all packets are looked at for those that KFL selects.
func (x *exporter) looks() bool { return x.twins != nil && x.q.Plaintext != WithoutPlaintext }

// batch takes over what is known by now, counts packets, and writes those that are asked
// for, and before them what was met beside packets.
func (x *exporter) batch(src *selection, recs []packet.Record) error {
	if x.extras.read(src); x.sheet == nil {
		x.extras.asides = src.src.Asides()
	}
	if err := x.faces.read(src); err != nil {
		return err
	}
	if err := x.check(x.faces.in); err != nil {
		return err
	}
	if x.sheet != nil {
		if err := failed(x.sheet.extras(&x.extras)); err != nil {
			return err
		}
	}
	x.count(recs)
	all := x.q.Node == "" && x.bpf == nil && x.ends == nil && !x.looks()
	for i := range recs {
		r := &recs[i]
		if r.Time < x.from || r.Time >= x.to && x.to != math.MaxInt64 || !all && !x.selects(r) {
			continue
		}
		if x.faces.leavesOut(r.Interface) {
			if x.q.Plaintext == WithoutPlaintext {
				x.result.Plaintext++
			}
			continue
		}
		id := x.dedupe.first(r)
		if x.q.Dedupe && id != r.Number {
			x.result.Dropped++
			continue
		}
		if x.faces.outgrown(r) {
			return errLate
		}
		if x.sheet != nil && x.rich == nil && r.Link == x.faces.link { // nearly always
			x.result.Packets++
			r.Interface = x.faces.of[r.Interface]
			x.sheet.use(r.Interface, r.Time)
			if err := x.sheet.w.Write(r, x.faces.out); err != nil {
				return failed(err)
			}
			continue
		}
		if err := x.write(r, id); err != nil {
			return err
		}
	}
	return nil
}

// write writes a packet that is asked for. All of its sightings have the same id.
func (x *exporter) write(r *packet.Record, id uint64) error {
	if !x.faces.settled {
		if err := x.faces.settle(); err != nil {
			return err
		}
		if x.faces.outgrown(r) {
			return errLate
		}
	}
	in := r.Interface
	r.Interface = x.faces.of[in]
	switch {
	case x.rich != nil:
		x.rich.mark(r, in, id, &x.faces)
	case r.Link != x.faces.link:
		if !x.convert(r) {
			return nil
		}
	}
	x.result.Packets++
	if x.split != nil {
		return x.split.write(x, r, in)
	}
	if x.sheet == nil {
		var err error
		if x.sheet, err = x.begin(x.out, reorderBytes, false); err != nil {
			return err
		}
	}
	return x.put(x.sheet, r)
}

// put writes a packet to a file.
func (x *exporter) put(s *sheet, r *packet.Record) error {
	s.use(r.Interface, r.Time)
	return failed(s.w.Write(r, x.faces.out))
}

// convert makes Ethernet of a packet where the file has several link types. What has no
// such form is counted.
func (x *exporter) convert(r *packet.Record) bool {
	frame, size, ok := packet.AppendEthernet(x.frame[:0], r.Link, r.Data, int(r.OrigLen))
	x.frame = frame
	if !ok {
		x.unfit[r.Link]++
		return false
	}
	x.converted++
	r.Data, r.OrigLen, r.Link = frame, uint32(max(size, len(frame))), packet.Ethernet
	return true
}

// begin begins a file, or goes on with one.
func (x *exporter) begin(out io.Writer, window int, more bool) (*sheet, error) {
	hardware, system := pcapng.About(x.extras.asides)
	o := pcapng.Options{
		Hardware: hardware, OS: system,
		Format: x.q.Format, Nanosecond: true, Window: window, Reserve: true, Continue: more,
		Application: strings.TrimSpace("shark " + x.e.w.cfg.Version), Comments: x.extras.comments, Link: x.faces.link,
	}
	w, err := pcapng.NewWriter(out, o)
	if err != nil {
		return nil, failed(err)
	}
	s := &sheet{w: w}
	return s, failed(s.begin(&x.extras))
}

// failed says what went wrong with writing.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("writing packets: %w", err)
}

// finish ends the files and gives account.
func (x *exporter) finish(src *selection) error {
	if err := x.outside(); err != nil {
		return err
	}
	if err := x.faces.read(src); err != nil { // those without packets
		return err
	}
	if err := x.faces.settle(); err != nil {
		return err
	}
	x.extras.omitted.Add(src.src.Omitted())
	x.extras.set(src.src.Asides(), x.rich != nil && x.split == nil, x.chooses())
	if err := x.end(); err != nil {
		return err
	}
	x.result.Coverage = x.coverage(src).within(x.window[0], x.window[1])
	x.result.Coverage.recorded(x.notes(), len(x.unfit) > 0)
	return nil
}

// end ends the files; an only one is there without packets too.
func (x *exporter) end() error {
	if x.split != nil {
		return x.split.finish(x)
	}
	if x.sheet == nil {
		var err error
		if x.sheet, err = x.begin(x.out, reorderBytes, false); err != nil {
			return err
		}
	}
	if err := failed(x.sheet.finish(&x.extras, &x.faces)); err != nil {
		return err
	}
	x.account(x.sheet)
	x.result.Files = 1
	return nil
}

// account adds up what was written.
func (x *exporter) account(s *sheet) {
	x.result.Bytes += s.w.Size()
	x.result.OutOfOrder += s.w.Late()
	x.extras.omitted.Add(s.w.Omitted())
}

// coverage tells of what was read.
func (x *exporter) coverage(src *selection) Coverage {
	if x.index != nil {
		c := x.e.coverage(x.index)
		x.e.met(&c, src.src.Damage())
		c.recorded(x.hints, false)
		return c
	}
	c := x.e.readCoverage(src.src)
	c.Packets, c.Bytes = x.seen.Packets, x.seen.Bytes
	if c.Packets > 0 {
		c.From, c.To = time.Unix(0, x.span[0]).UTC(), time.Unix(0, x.span[1]).UTC()
	}
	if x.q.Dedupe {
		c.sightings(x.dedupe.seen(x.e))
	}
	if x.rich != nil {
		notes := x.e.identityDamage()
		c.recorded(notes, len(notes) > 0)
	}
	return c
}

// notes says what of the input is not as it was, or not there.
func (x *exporter) notes() []string {
	first := len(x.extras.comments)
	if x.sheet != nil {
		first = x.sheet.written.comments
	}
	notes := x.extras.notes(first, x.rich != nil)
	if n := x.faces.unsaid(); n > 0 && x.q.Format == pcapng.Pcapng {
		notes = append(notes, Count(n, "interfaces")+" without what else their capture says of them (addresses, speed, hardware...): --profile rich has it")
	}
	if x.converted > 0 {
		notes = append(notes, Count(x.converted, "packets")+" of other link types written as Ethernet; --profile rich leaves them as they are")
	}
	for _, link := range slices.Sorted(maps.Keys(x.unfit)) {
		notes = append(notes, fmt.Sprintf("%s of link type %d left out, which do not go into Ethernet; --profile rich has them", Count(x.unfit[link], "packets"), link))
	}
	if n := x.result.Plaintext; n > 0 {
		notes = append(notes, Count(n, "segments")+" of TLS plaintext left out: --plaintext puts them in")
	}
	if x.q.Plaintext != WithoutPlaintext {
		notes = append(notes, x.unclear()...)
	}
	if x.rich != nil {
		notes = append(notes, x.rich.notes(&x.faces)...)
	}
	return notes
}

// unclear says why no TLS plaintext was written, where that was asked for.
func (x *exporter) unclear() []string {
	switch {
	case !slices.Contains(x.faces.plain, true):
		return []string{"there is no TLS plaintext in it: a recorder takes that where it is told to, with --tls plaintext or --tls both, before TLS is spoken"}
	case x.q.Plaintext == PlaintextOnly && x.result.Packets == 0:
		return []string{"there is TLS plaintext, but none of what was selected"}
	}
	return nil
}

// outside refuses a window that nothing was recorded in, once all is read. Nothing
// is written then.
func (x *exporter) outside() error {
	if x.index != nil || x.seen.Packets == 0 {
		return nil
	}
	_, _, err := x.e.window(x.q.From, x.q.To, time.Unix(0, x.span[0]).UTC(), time.Unix(0, x.span[1]).UTC())
	return err
}

// count takes packets that were read into the account.
func (x *exporter) count(recs []packet.Record) {
	if len(recs) == 0 {
		return
	}
	if x.seen.Packets == 0 {
		x.span = [2]int64{recs[0].Time, recs[0].Time}
	}
	first, last, size := x.span[0], x.span[1], int64(0)
	for i := range recs {
		r := &recs[i]
		first, last = min(first, r.Time), max(last, r.Time)
		size += int64(len(r.Data))
	}
	x.span = [2]int64{first, last}
	x.seen.Packets += int64(len(recs))
	x.seen.Bytes += size
}

// check refuses a packet filter that cannot be answered on an interface's link
// type, which else would silently match nothing.
func (x *exporter) check(interfaces []packet.Interface) error {
	for ; x.bpf != nil && x.checked < len(interfaces); x.checked++ {
		if x.checked < len(x.faces.of) && x.faces.leavesOut(uint32(x.checked)) {
			continue
		}
		if err := x.bpf.Check(interfaces[x.checked].Link); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

// selects tells whether a packet of the window is asked for; the cheap conditions
// come first.
func (x *exporter) selects(r *packet.Record) bool {
	if x.q.Node != "" && x.faces.nodes[r.Interface] != x.q.Node {
		return false
	}
	if x.bpf != nil && !x.bpf.Match(r.Link, r.Data, r.OrigLen) {
		return false
	}
	if x.looks() && !x.twins.selects(r, x.faces.plain[r.Interface]) {
		return false
	}
	return x.ends.match(r)
}
