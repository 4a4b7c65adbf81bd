// Package object tells which TLS library an ELF file has in it and where that library can be
// asked for its secrets, whatever its version, stripped or not, a shared library or part of an
// executable.
//
// In: a file that processes execute, of anybody's making. Out: the library, by the symbols that
// the file defines and the texts that are in it, never by its name; the function that gets each
// secret with its label (the point); and where the object that this function gets keeps the
// client's random, if the library has a function to ask and that can be read. Memory is bounded
// whatever the file says of itself: it is read in pieces of windowSize, tables within limits.
package object

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"shark/recorder/plaintext/golang"
)

// Library names a family of TLS libraries.
type Library string

// The libraries that are told from others. None is a file without TLS; Other has the labels of
// a key log, but nothing tells of whose making it is.
const (
	None      Library = ""
	OpenSSL   Library = "openssl"
	BoringSSL Library = "boringssl"
	GnuTLS    Library = "gnutls"
	NSS       Library = "nss"
	Go        Library = "go"
	Rustls    Library = "rustls"
	Other     Library = "other"
)

// Limits of a file.
const (
	maxFile     = 1 << 30 // bytes; the largest programs have half of it
	maxSegments = 128
	maxSections = 1 << 14
	maxNotes    = 64 << 10 // bytes of notes that are looked through for a build id
	maxBuildID  = 64       // bytes
	maxPlaces   = 1 << 12  // of a label in the data, or references to labels in the code
	maxPasses   = 8        // times its size that is read of a file whose parts lie over each other
	windowSize  = 1 << 20  // bytes of the file in memory at a time
)

// Errors of Inspect besides those of reading.
var (
	ErrNotELF   = errors.New("not an ELF file of 64 bits, little endian")
	ErrTooLarge = fmt.Errorf("larger than %d bytes", maxFile)
	errTooMuch  = fmt.Errorf("parts of it lie over each other: %w", ErrTooLarge)
)

// Found says how the point was found.
type Found string

// The ways to find a point: a symbol of the file; references in the code to the texts that begin
// the lines of a key log; the table of functions that Go's runtime has.
const (
	BySymbol Found = "symbol"
	ByLabels Found = "labels"
	ByTable  Found = "table"
)

// Random is where an object keeps the client's random: at Offset, or with Deref at Offset in
// what the pointer at Pointer points to.
type Random struct {
	Deref   bool
	Pointer uint32
	Offset  uint32
}

// Object is what is known of a file.
type Object struct {
	Library Library
	BuildID string // hexadecimal; what the file says of itself
	Shared  bool   // its functions can be called by other files: it defines them as symbols

	Point  uint64  // of the function that gets secrets and labels, in the file; 0 if there is none
	Found  Found   // how
	Random *Random // of the object that the point gets; nil if it has to be found otherwise
	Why    string  // there is no point
}

// Inspect reads a file of some size.
func Inspect(r io.ReaderAt, size int64) (*Object, error) {
	if size > maxFile {
		return nil, ErrTooLarge
	}
	m, err := open(r, size)
	if err != nil {
		return nil, err
	}
	o := &Object{BuildID: m.buildID()}
	if m.section(".gopclntab") || m.section(".data.rel.ro.gopclntab") || m.section(".go.buildinfo") {
		golangPoint(r, o)
		return o, nil
	}
	symbols, err := m.symbols(wanted())
	if err != nil {
		return nil, err
	}
	o.Library = symbols.library()
	o.Shared = o.Library != None
	if o.Library == NSS {
		o.Why = "NSS gives its key log a handle of the secret, not the secret"
		return o, nil
	}
	labels, loose, err := m.labels()
	if err != nil {
		return nil, err
	}
	if o.Library == None {
		if o.Library, err = m.library(labels, loose); err != nil || o.Library == None {
			return o, err
		}
	}
	if err := m.point(o, symbols, labels); err != nil {
		return nil, err
	}
	if at, ok := symbols.first(accessors); ok && o.Point != 0 {
		o.Random, err = m.random(at)
	}
	return o, err
}

// golangPoint finds the function in an executable of Go, whose runtime knows all functions.
func golangPoint(r io.ReaderAt, o *Object) {
	const name = "crypto/tls.(*Config).writeKeyLog"
	b, err := golang.Open(r)
	if err == nil {
		var all map[string]golang.Function
		if all, err = b.Functions(name); err == nil {
			if f, ok := all[name]; ok {
				o.Library, o.Point, o.Found = Go, f.Entry, ByTable
			}
			return // or there is no TLS in it
		}
	}
	o.Library, o.Why = Go, err.Error()
}

// point finds the function that gets secrets.
func (m *image) point(o *Object, symbols symbols, labels map[uint64]string) error {
	if at, ok := symbols.first(points); ok {
		if off, ok := m.offset(at); ok {
			o.Point, o.Found = off, BySymbol
			return nil
		}
	}
	if len(labels) == 0 {
		o.Why = "it has no key log: none of the labels is in it"
		return nil
	}
	at, err := m.called(labels)
	if err != nil {
		return err
	}
	off, ok := m.offset(at)
	if !ok {
		o.Why = "no function is called with two of the labels or more"
		return nil
	}
	o.Point, o.Found = off, ByLabels
	return nil
}

// buildID returns what GNU's linker, or else Go's, wrote into the notes.
func (m *image) buildID() string {
	for _, s := range m.segments {
		if s.kind != segmentNote || s.size > maxNotes {
			continue
		}
		b := make([]byte, s.size)
		if n, _ := m.r.ReadAt(b, int64(s.off)); n < len(b) {
			continue
		}
		if id := noteID(b); len(id) > 0 && len(id) <= maxBuildID {
			return hex.EncodeToString(id)
		}
	}
	return ""
}

// noteID returns the description of the first note that is a build id.
func noteID(b []byte) []byte {
	const gnuBuildID = 3
	for len(b) >= 12 {
		name, desc, kind := int64(order.Uint32(b)), int64(order.Uint32(b[4:])), order.Uint32(b[8:])
		from := 12 + (name+3)&^3
		to := from + desc
		if to > int64(len(b)) {
			return nil
		}
		if kind == gnuBuildID && bytes.Equal(b[12:12+name], []byte("GNU\x00")) {
			return b[from:to]
		}
		b = b[min((to+3)&^3, int64(len(b))):]
	}
	return nil
}
