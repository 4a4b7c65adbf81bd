// Package bucket keeps objects by key: in a folder, or in a bucket of S3, of Google
// Cloud Storage or of Azure Blob Storage. What a snapshot needs of them is the same
// everywhere: objects that are whole or not there, one that is never replaced, reads
// of any part, and lists in order.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"
)

// Bucket holds objects by key. All its methods may be called by several goroutines
// and programs at once.
//
// A key is relative, with slashes. Its parts have 1 to 200 bytes of a-z, A-Z, 0-9
// and "-_.=", and do not begin with a dot; in all it has at most 900 bytes. With any
// other key the error is fs.ErrInvalid. Two keys must not differ in case alone, and
// none may be the folder of another: folders on disks hold no such pairs.
//
// Errors say what was done on what and why it failed, without secrets, and wrap
// fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid or
// io.ErrUnexpectedEOF where that is the reason. Temporary tells whether the same
// call may succeed later. When a call that changes something fails otherwise than
// with one of these, it is open whether it took effect. Canceling its context ends
// any call.
type Bucket interface {
	// Open reads n bytes of an object from byte from on; n < 0: to its end. A range
	// that the object does not fill ends with io.ErrUnexpectedEOF, told by Open or
	// after what there is; so does a read that breaks off. It is never a bare io.EOF.
	// n = 0 reads nothing of an object that is there. The caller closes the reader;
	// ctx holds for it, too.
	Open(ctx context.Context, key string, from, n int64) (io.ReadCloser, error)

	// Stat says how large an object is and from when.
	Stat(ctx context.Context, key string) (Object, error)

	// Create begins an object. It appears whole when Close of the writer returns nil,
	// and takes the place of what is there; from then on it stays there, even when
	// the machine loses power. After Abort, a failed Close or a crash nothing has
	// changed. ctx holds for the writer, too.
	Create(ctx context.Context, key string) (Writer, error)

	// Publish writes a small object that must not exist: of several with different
	// data one succeeds and the others get fs.ErrExist. When the very same bytes are
	// there already it returns nil: an earlier try took effect.
	Publish(ctx context.Context, key string, data []byte) error

	// Remove removes an object. What is missing is no error.
	Remove(ctx context.Context, key string) error

	// List lists the objects whose keys begin with prefix, which may be "" and may
	// end within a part, in the order of the bytes of their keys. What others have
	// put there is listed whatever its letters, but for parts that begin with a dot.
	// An error ends the list.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Folders lists the first parts of the keys that have a slash, each once, in the
	// order of these keys: "a-b/" is before "a/". An error ends the list.
	Folders(ctx context.Context) iter.Seq2[string, error]

	// Rubbish lists what interrupted writers have left and nobody has touched since
	// before, and removes each thing that it lists if remove is set. Its keys are
	// those of drafts in a folder and, with a slash at the end, of folders there that are
	// empty, and of unfinished uploads in S3, which charges for them. Google and Azure hide theirs and drop them after a week. What a writer
	// works on at that time is rubbish too, if it is old enough: its Close then fails.
	Rubbish(ctx context.Context, before time.Time, remove bool) iter.Seq2[Object, error]

	// Sub is the part of the bucket below prefix + "/". It has all of the above with
	// keys from there on. Closing it does nothing.
	Sub(prefix string) Bucket

	// String is the location of the bucket without secrets, for messages.
	String() string

	// Close lets go of connections. The bucket and its parts are of no use then.
	Close() error
}

// Object is what a bucket says of an object.
type Object struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
}

// Writer writes one object. It is for one goroutine. Its caller calls Close or
// Abort. It holds at most 32 MiB. A write that fails is not tried again by any
// bucket, for the bytes are gone: the caller begins a new object.
type Writer interface {
	io.Writer
	// Close makes the object appear. When a Write or the context has failed it is
	// Abort, and its error says why.
	Close() error
	// Abort drops what was written. After Close or Abort it does nothing.
	Abort()
}

const (
	maxKey  = 900 // bytes; S3 and Azure take 1024, of which the location's prefix has some
	maxPart = 200 // bytes; file systems take 255
)

// errKey tells why a key cannot be one.
var errKey = fmt.Errorf("%w: a key has parts of letters, digits and -_.= that do not begin with a dot, with slashes between", fs.ErrInvalid)

// errAborted is what a writer gives after Abort.
var errAborted = errors.New("the write was aborted")

// check tells whether key can be one.
func check(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%.60q: %w", key, errKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || len(part) > maxPart || part[0] == '.' || strings.ContainsFunc(part, strange) {
			return fmt.Errorf("%.60q: %w", key, errKey)
		}
	}
	return nil
}

func strange(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.=", r)
}

// checkRange tells whether a range can be asked for.
func checkRange(key string, from, n int64) error {
	if from < 0 || n > 0 && from+n < 0 {
		return fmt.Errorf("%s: %w: there are no %d bytes from %d on", key, fs.ErrInvalid, n, from)
	}
	return nil
}

// hidden tells whether a part of a key begins with a dot, or is none, as in the
// empty objects that consoles leave for folders.
func hidden(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' {
			return true
		}
	}
	return false
}

// join puts the key of a part of a bucket behind its prefix.
func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "/" + key
}

// ErrTooLarge says that an object is larger than it may be.
var ErrTooLarge = errors.New("is larger than the limit")

// ReadAll reads a whole object of at most most bytes into memory. A larger one is an
// error.
func ReadAll(ctx context.Context, b Bucket, key string, most int64) ([]byte, error) {
	in, err := b.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s %w of %d bytes", key, ErrTooLarge, most)
	}
	return data, nil
}

// passing is an error that may pass.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// MayPass marks an error as one that may pass: what failed may succeed when it is
// tried again.
func MayPass(err error) error { return passing{err} }

// Temporary tells whether an error is marked by MayPass, at any depth.
func Temporary(err error) bool {
	var p passing
	return errors.As(err, &p)
}

// short ends a read that found fewer bytes than asked for.
func short(key string) error {
	return fmt.Errorf("%s ends early: %w", key, io.ErrUnexpectedEOF)
}

// none is a reader of nothing.
var none = io.NopCloser(strings.NewReader(""))
