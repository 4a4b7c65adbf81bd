package workbench

import (
	"slices"

	"shark/packet"
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

	asides  []pcapng.Aside // that are written at the end, or from which the file's header is made before that
	unfit   int64          // blocks of them that this file has not
	chosen  int64          // and those left out since packets are chosen
	omitted pcapng.Omitted
}

// hasAsides tells whether an input has what only rich files have.
func hasAsides(src source) bool {
	return len(src.Asides()) > 0 || slices.ContainsFunc(src.Interfaces(), func(f packet.Interface) bool { return f.Options != "" })
}

// set takes what is known at the end of the input beside its packets. Only a rich file that is one
// has it; where packets are chosen, nobody knows what of it belongs to them, but for statistics
// and headers of sections.
func (x *extras) set(list []pcapng.Aside, rich, chooses bool) {
	x.asides = nil
	for _, a := range list {
		general := a.IsStatistics() || a.IsSection()
		switch {
		case rich && (general || !chooses):
			x.asides = append(x.asides, a)
		case rich:
			x.chosen++
		case !general:
			x.unfit++
		}
	}
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
		if err := s.statistics(x, f); err != nil {
			return err
		}
		if err := s.asides(x); err != nil {
			return err
		}
	}
	return s.w.Close()
}

// asides writes the sections of the input with what stood in them, behind all else. Comments that
// the file's own header has are not said again.
func (s *sheet) asides(x *extras) error {
	list := slices.DeleteFunc(slices.Clone(x.asides), func(a pcapng.Aside) bool { return a.IsStatistics() })
	for _, a := range pcapng.WithoutComments(list, s.written.comments) {
		if err := s.w.WriteAside(&a, nil); err != nil {
			return err
		}
	}
	return nil
}

// said writes the statistics of the input's that are of interfaces which are wanted, and tells
// for which of these no more is to be said.
func (s *sheet) said(x *extras, f *faces, wanted []bool) ([]bool, error) {
	var list []pcapng.Aside
	for _, a := range x.asides {
		if !a.IsStatistics() || int(a.Interface) >= len(f.of) || f.of[a.Interface] == leftOut {
			continue
		}
		if a.Interface = f.of[a.Interface]; wanted[a.Interface] {
			list = append(list, a)
		}
	}
	for i := range list {
		if err := s.w.WriteAside(&list[i], f.out); err != nil {
			return nil, err
		}
	}
	return pcapng.Covers(list, f.out), nil
}

func (s *sheet) statistics(x *extras, f *faces) error {
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
		if err := s.w.WriteInterface(uint32(i), f.out); err != nil {
			return err
		}
	}
	said, err := s.said(x, f, wanted)
	for i := range f.out {
		if err == nil && wanted[i] && !said[i] {
			err = s.w.WriteStatistics(uint32(i), f.out, s.last)
		}
	}
	return err
}

// notes says what was left out.
func (x *extras) notes(first int, rich bool) (notes []string) {
	if n := int64(len(x.secrets)); n > 0 && !x.decrypt {
		notes = append(notes, Count(n, "TLS session secrets")+" left out: --secrets puts them in")
	}
	switch {
	case x.format == pcapng.Pcap && len(x.comments)+len(x.names) > 0:
		notes = append(notes, "a pcap file has no place for the comments and address names of the input: pcapng has")
	case x.format == pcapng.Pcapng && len(x.comments) > first && len(x.asides) == 0: // else these have them
		notes = append(notes, Count(int64(len(x.comments)-first), "comments")+" on later sections of the input left out")
	}
	switch {
	case x.unfit > 0 && rich:
		notes = append(notes, Count(x.unfit, "blocks")+" beside packets (custom ones, journal entries...) left out: a file that is not split has them")
	case x.unfit > 0:
		notes = append(notes, Count(x.unfit, "blocks")+" beside packets (custom ones, journal entries...) left out: --profile rich has them")
	}
	if x.chosen > 0 {
		notes = append(notes, Count(x.chosen, "blocks")+" beside packets left out, since packets are chosen: an export of all has them")
	}
	return append(notes, x.omitted.Notes()...)
}
