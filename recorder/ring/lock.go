package ring

import (
	"errors"
	"os"
)

// lock is a file that is locked. The lock ends with the process, whatever becomes of it.
type lock struct{ f *os.File }

// acquire locks the file at path, which it makes; nil when somebody else has it.
func acquire(path string) (*lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		got, err := tryLock(f)
		if err != nil || !got {
			return nil, errors.Join(err, f.Close())
		}
		there, err := os.Stat(path)
		own, bad := f.Stat()
		if err == nil && bad == nil && os.SameFile(there, own) {
			return &lock{f}, nil
		}
		if err := f.Close(); err != nil { // it was removed in between
			return nil, err
		}
	}
}

// held tells whether somebody has the lock at path.
func held(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, os.ErrPermission) // whoever may not know assumes so
	}
	defer f.Close()
	got, err := tryLock(f)
	return err == nil && !got
}

func (l *lock) release() error { return l.f.Close() }
