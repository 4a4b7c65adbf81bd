package workbench

import (
	"slices"

	"shark/packet"
	"shark/packet/pcapng"
)

// extras is what the input of an export says beside its packets. It becomes known
// as the input is read.
type extras struct {
	interfaces []packet.Interface
	nodes      []string             // of each interface
	same       []uint32             // for each interface, the first that is the same
	used       []bool               // those that packets were written of
	known      map[described]uint32 // first interface of each kind

	comments []string
	secrets  []pcapng.Secret
	names    []pcapng.Name
	written  struct{ comments, secrets, names int }
}

// described is what tells the interfaces of one file apart.
type described struct {
	file  uint32
	iface packet.Interface
}

// read takes over what is known by now.
func (x *extras) read(src *selection) {
	x.comments, x.secrets, x.names = src.src.Comments(), src.src.Secrets(), src.src.Names()
	x.interfaces = src.Interfaces()
	if len(x.interfaces) == len(x.same) {
		return
	}
	origins := src.Origins()
	x.nodes = src.Nodes()
	if x.known == nil {
		x.known = make(map[described]uint32)
	}
	for i := len(x.same); i < len(x.interfaces); i++ {
		x.same = append(x.same, x.first(uint32(i), origins[i].File))
		x.used = append(x.used, false)
	}
}

// first returns the first interface that is the same as interface i. Each of the files
// that a node's packets come from may have described it; of files without a node no two
// are the same.
func (x *extras) first(i, file uint32) uint32 {
	if x.nodes[i] == "" {
		return i
	}
	d := described{file, x.interfaces[i]}
	d.iface.Received, d.iface.Dropped = nil, nil
	if _, ok := x.known[d]; !ok {
		x.known[d] = i
	}
	return x.known[d]
}

// use returns the interface to write a packet under.
func (x *extras) use(i uint32) uint32 {
	i = x.same[i]
	x.used[i] = true
	return i
}

// describe returns the interfaces as they are to be written: where a node is known
// and nothing else is said, the description names it.
func (x *extras) describe() []packet.Interface {
	out := slices.Clone(x.interfaces)
	for i := range out {
		if out[i].Description == "" && x.nodes[i] != "" {
			out[i].Description = "node " + x.nodes[i]
		}
	}
	return out
}

// write writes the secrets and names that were met since: before the packets that
// they are for.
func (x *extras) write(w *pcapng.Writer, format pcapng.Format) error {
	if format != pcapng.Pcapng {
		return nil
	}
	for _, s := range x.secrets[x.written.secrets:] {
		if err := w.WriteSecrets(s); err != nil {
			return err
		}
	}
	if names := x.names[x.written.names:]; len(names) > 0 {
		if err := w.WriteNames(names); err != nil {
			return err
		}
	}
	x.written.secrets, x.written.names = len(x.secrets), len(x.names)
	return nil
}

// finish writes the statistics of the interfaces that packets were written of, or of
// all if there are no packets.
func (x *extras) finish(w *pcapng.Writer, format pcapng.Format, at int64) error {
	if format != pcapng.Pcapng {
		return nil
	}
	all := x.describe()
	for i := range all { // a later one knows more than the first
		if first := &all[x.same[i]]; all[i].Received != nil || all[i].Dropped != nil {
			first.Received, first.Dropped = all[i].Received, all[i].Dropped
		}
	}
	none := !slices.Contains(x.used, true)
	for i := range all {
		if !x.used[i] && (!none || x.same[i] != uint32(i)) {
			continue
		}
		if err := w.WriteInterface(uint32(i), all); err != nil {
			return err
		}
		if err := w.WriteStatistics(uint32(i), all, at); err != nil {
			return err
		}
	}
	return nil
}

// notes says what was left out.
func (x *extras) notes(format pcapng.Format) []string {
	switch {
	case format == pcapng.Pcap && len(x.comments)+len(x.secrets)+len(x.names) > 0:
		return []string{"a pcap file has no place for the comments, address names and TLS secrets of the input: pcapng has"}
	case format == pcapng.Pcapng && len(x.comments) > x.written.comments:
		return []string{Count(int64(len(x.comments)-x.written.comments), "comments") + " on later sections of the input left out"}
	}
	return nil
}
