//go:build linux

package content

import (
	"errors"
	"io"
	"maps"
	"slices"

	"shark/bpf/plaintext"
	"shark/recorder/plaintext/golang"
	"shark/recorder/plaintext/object"
)

// errNoFunctions says that a file cannot be looked at.
var errNoFunctions = errors.New("it has no symbols of functions that read and write")

// functions are what reads and writes in the libraries, by name.
var functions = map[string]plaintext.Mode{
	// OpenSSL, BoringSSL. SSL_peek takes nothing off the stream.
	"SSL_read":             0,
	"SSL_write":            plaintext.Write,
	"SSL_read_ex":          plaintext.Ex,
	"SSL_write_ex":         plaintext.Write | plaintext.Ex,
	"SSL_read_early_data":  plaintext.Ex,
	"SSL_write_early_data": plaintext.Write | plaintext.Ex,
	// GnuTLS
	"gnutls_record_recv":     0,
	"gnutls_record_recv_seq": 0,
	"gnutls_record_send":     plaintext.Write,
	"gnutls_record_send2":    plaintext.Write,
	// NSPR, which reads and writes everything
	"PR_Read":  plaintext.Mixed,
	"PR_Recv":  plaintext.Mixed | plaintext.Flags,
	"PR_Write": plaintext.Mixed | plaintext.Write,
	"PR_Send":  plaintext.Mixed | plaintext.Write,
}

// closes are functions that end a connection.
var closes = []string{"SSL_free", "gnutls_deinit", "PR_Close"}

// tailCalled are functions that go over into others, which have all they were called with: to
// look at both would be to see each call twice.
var tailCalled = map[string]string{"gnutls_record_send": "gnutls_record_send2"}

// probes finds where to look in a file.
func probes(r io.ReaderAt, size int64, o *object.Object) (plaintext.Probes, error) {
	if o.Library == object.Go {
		return goProbes(r)
	}
	names := slices.Concat(slices.Sorted(maps.Keys(functions)), closes)
	found, err := object.Functions(r, size, names...)
	if err != nil {
		return plaintext.Probes{}, err
	}
	for from, to := range tailCalled {
		if _, ok := found[to]; ok {
			delete(found, from)
		}
	}
	var p plaintext.Probes
	for _, name := range names {
		at, ok := found[name]
		if !ok {
			continue
		}
		if slices.Contains(closes, name) {
			p.Closes = append(p.Closes, plaintext.Probe{Offset: at})
		} else {
			p.Calls = append(p.Calls, plaintext.Probe{Offset: at, Mode: functions[name]})
		}
	}
	if len(p.Calls) == 0 {
		return p, errNoFunctions
	}
	if o.Random != nil && o.Library != object.NSS {
		p.Random = &plaintext.Random{Deref: o.Random.Deref, Pointer: o.Random.Pointer, Offset: o.Random.Offset}
	}
	return p, nil
}

// goProbes finds where to look in an executable of Go: at the entries of functions and at
// everywhere they return, for a probe on the return itself would break its stacks.
func goProbes(r io.ReaderAt) (plaintext.Probes, error) {
	var p plaintext.Probes
	b, err := golang.Open(r)
	if err != nil {
		return p, err
	}
	const read, write, shut = "crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write", "crypto/tls.(*Conn).Close"
	found, err := b.Functions(read, write, shut)
	if err != nil {
		return p, err
	}
	for name, mode := range map[string]plaintext.Mode{read: plaintext.Go, write: plaintext.Go | plaintext.Write} {
		f, ok := found[name]
		if !ok {
			continue
		}
		p.Calls = append(p.Calls, plaintext.Probe{Offset: f.Entry, Mode: mode})
		for _, at := range f.Returns {
			p.Returns = append(p.Returns, plaintext.Probe{Offset: at, Mode: mode})
		}
	}
	if f, ok := found[shut]; ok {
		p.Closes = append(p.Closes, plaintext.Probe{Offset: f.Entry, Mode: plaintext.Go})
	}
	if len(p.Calls) == 0 {
		return p, errNoFunctions
	}
	return p, nil
}
