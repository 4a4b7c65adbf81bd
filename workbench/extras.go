package workbench

import (
	"cmp"

	"shark/packet/pcapng"
)

// extras is what the input of an export says beside its packets. It becomes known
// as the input is read.
type extras struct {
	format   pcapng.Format
	decrypt  bool // secrets are written
	comments []string
	secrets  []pcapng.Secret
	names    []pcapng.Name
	own      int // of the first names, which are not the input's
}

// read takes over what is known by now.
func (x *extras) read(src *selection) {
	x.comments, x.secrets = src.src.Comments(), src.src.Secrets()
	if names := src.src.Names(); len(names) != len(x.names)-x.own {
		x.names = append(x.names[:x.own:x.own], names...)
	}
}

// sheet is one file that is being written.
type sheet struct {
	w       *pcapng.Writer
	used    []bool // interfaces that packets were written of
	last    int64  // latest time of a packet
	packets int64
	written struct{ comments, secrets, names int } // of the extras
}

// begin writes what the file begins with: secrets come first.
func (s *sheet) begin(x *extras) error {
	s.written.comments = len(x.comments)
	return s.extras(x)
}

// extras writes the secrets and names that were met since: before the packets that
// they are for.
func (s *sheet) extras(x *extras) error {
	if x.format != pcapng.Pcapng {
		return nil
	}
	if x.decrypt {
		for _, secret := range x.secrets[s.written.secrets:] {
			if err := s.w.WriteSecrets(secret); err != nil {
				return err
			}
		}
		s.written.secrets = len(x.secrets)
	}
	if names := x.names[s.written.names:]; len(names) > 0 {
		if err := s.w.WriteNames(names); err != nil {
			return err
		}
	}
	s.written.names = len(x.names)
	return nil
}

// use notes that a packet of interface i is written, at a time.
func (s *sheet) use(i uint32, t int64) {
	if int(i) >= len(s.used) {
		s.used = append(s.used, make([]bool, int(i)+1-len(s.used))...)
	}
	s.used[i] = true
	if s.packets++; t > s.last || s.packets == 1 {
		s.last = t
	}
}

// finish writes the statistics of the interfaces that packets were written of, of pods
// those of the interface they were captured at, or of all if there are no packets. Then
// it ends the file.
func (s *sheet) finish(x *extras, f *faces) error {
	if x.format == pcapng.Pcapng {
		if err := s.statistics(f); err != nil {
			return err
		}
	}
	return s.w.Close()
}

func (s *sheet) statistics(f *faces) error {
	f.count()
	wanted := make([]bool, len(f.out))
	for i := range f.out {
		switch {
		case s.packets == 0:
			wanted[i] = true
		case i < len(s.used) && s.used[i]:
			wanted[i], wanted[f.of[f.from[i]]] = true, true
		}
	}
	for i := range f.out {
		if !wanted[i] {
			continue
		}
		if err := cmp.Or(s.w.WriteInterface(uint32(i), f.out), s.w.WriteStatistics(uint32(i), f.out, s.last)); err != nil {
			return err
		}
	}
	return nil
}

// notes says what was left out.
func (x *extras) notes(first int) (notes []string) {
	if n := int64(len(x.secrets)); n > 0 && !x.decrypt {
		notes = append(notes, Count(n, "TLS session secrets")+" left out: --secrets puts them in")
	}
	switch {
	case x.format == pcapng.Pcap && len(x.comments)+len(x.names) > 0:
		notes = append(notes, "a pcap file has no place for the comments and address names of the input: pcapng has")
	case x.format == pcapng.Pcapng && len(x.comments) > first:
		notes = append(notes, Count(int64(len(x.comments)-first), "comments")+" on later sections of the input left out")
	}
	return notes
}
