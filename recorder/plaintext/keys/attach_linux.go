package keys

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cilium/ebpf/link"

	kernel "shark/bpf/keylog"
	"shark/recorder/plaintext/libraries"
	"shark/recorder/plaintext/object"
)

// attachment is a file that is attached to, or could not be.
type attachment struct {
	calibration
	number  uint32
	path    string
	library object.Library
	link    link.Link // nil if it could not be
	place   kernel.Place
	random  string // how it is known where the random is
	digest  string // of a file that is calibrated
	reason  string
	secrets uint64
	retry   time.Time
	gone    time.Time // since when no process maps it that may be read
}

// describe fills in what is known of the file.
func (a *attachment) describe(of *FileStatus) {
	of.Attached, of.Random, of.Secrets, of.Waiting = a.link != nil, a.random, a.secrets, len(a.waiting)
	of.Reason = a.reason
	if a.link != nil && !a.place.Known && of.Reason == "" {
		of.Reason = fmt.Sprintf("waits for %d handshakes that agree where the client's random is", want)
	}
}

// reconcile attaches to files that are new and lets go of those that are gone.
func (k *Keys) reconcile(files []libraries.File, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = files
	here := make(map[libraries.ID]bool)
	unsure := make(map[uint32]uint32) // network namespaces to listen to, and a process in each
	for i := range files {
		f := &files[i]
		at := slices.IndexFunc(f.Processes, k.allowed)
		if f.Object.Point == 0 || at < 0 {
			continue
		}
		here[f.ID] = true
		a := k.attached[f.ID]
		if a == nil {
			a = &attachment{path: f.Path, library: f.Object.Library}
			k.attached[f.ID] = a
		}
		a.gone = time.Time{}
		if a.link == nil && !now.Before(a.retry) {
			a.retry = now.Add(again)
			if err := k.attach(f, a); err != nil {
				a.reason = err.Error()
			}
		}
		if a.link != nil && !a.place.Known {
			for _, p := range f.Processes[at:] {
				if k.allowed(p) && len(unsure) < maxSockets {
					unsure[p.NetNS] = p.TGID
				}
			}
		}
	}
	for id, a := range k.attached {
		switch {
		case here[id]:
		case a.gone.IsZero():
			a.gone = now
		case now.Sub(a.gone) >= k.o.linger:
			delete(k.attached, id)
			k.detach(a) //nolint:errcheck // it is gone in any case
		}
	}
	k.listenTo(unsure)
}

// allowed asks once a process whether it may be read.
func (k *Keys) allowed(p libraries.Process) bool {
	return k.may(kernel.Process{TGID: p.TGID, NetNS: p.NetNS, Cgroup: p.Cgroup, Started: p.Started}, p.Comm)
}

// attach sets a file's probe.
func (k *Keys) attach(f *libraries.File, a *attachment) error {
	file, err := f.OpenFile()
	if err != nil {
		return err
	}
	defer file.Close()
	golang := f.Object.Library == object.Go
	switch {
	case golang:
		a.place, a.random = kernel.Place{Known: true}, "argument"
	case f.Object.Random != nil && !k.o.calibrate:
		r := f.Object.Random
		a.place, a.random = kernel.Place{Known: true, Deref: r.Deref, Pointer: r.Pointer, Offset: r.Offset}, "accessor"
	default:
		// Not by the build id: anybody may write another's into a file, and spoil its secrets.
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
		a.digest = string(sum.Sum(nil))
		if place, ok := k.results[a.digest]; ok {
			a.place, a.random = place, "cached"
		}
	}
	if len(k.numbers) >= kernel.MaxFiles {
		return fmt.Errorf("attach to %s: %d files are attached to, which is the limit", f.Path, len(k.numbers))
	}
	k.last++
	if err := k.set.Put(k.last, a.place); err != nil {
		return err
	}
	l, err := k.set.Attach(file, f.Object.Point, golang, k.last)
	if err != nil {
		return errors.Join(fmt.Errorf("attach to %s: %w", f.Path, err), k.set.Drop(k.last))
	}
	a.number, a.link, a.reason = k.last, l, ""
	k.numbers[a.number] = a
	return nil
}

// detach takes a file's probe off.
func (k *Keys) detach(a *attachment) error {
	if a.link == nil {
		return nil
	}
	k.status.Uncalibrated += uint64(len(a.waiting))
	k.waiting -= len(a.waiting)
	delete(k.numbers, a.number)
	return errors.Join(a.link.Close(), k.set.Drop(a.number))
}

// detachAll takes all probes off, and closes the sockets.
func (k *Keys) detachAll() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for id, a := range k.attached {
		delete(k.attached, id)
		errs = append(errs, k.detach(a))
	}
	k.listenTo(nil)
	return errors.Join(errs...)
}

// listenTo hears the hellos of some network namespaces, and of no others.
func (k *Keys) listenTo(namespaces map[uint32]uint32) {
	for ns, f := range k.sockets {
		if _, ok := namespaces[ns]; !ok {
			f.Close() //nolint:errcheck // a socket that was only read; it ends hear
			delete(k.sockets, ns)
		}
	}
	for ns, tgid := range namespaces {
		if k.sockets[ns] != nil {
			continue
		}
		f, err := listen(tgid)
		if err != nil {
			k.status.Deaf = err.Error()
			continue
		}
		k.sockets[ns] = f
		k.worker.Go(func() { k.hear(f) })
	}
}
