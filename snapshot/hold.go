package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"shark/snapshot/bucket"
)

const (
	// holdName is the name of the hold in the folder of a snapshot.
	holdName = "hold.json"
	// maxHold is the largest hold that is read, and written, in bytes.
	maxHold = 64 << 10
)

// ErrHeld says that a snapshot is held and so is not removed.
var ErrHeld = errors.New("the snapshot is held")

// Hold keeps a snapshot from being removed until it is released. It lies beside the
// snapshot and is no part of it: it is of one place, and copies have none.
type Hold struct {
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// Unreadable says that there is a hold, and nothing is known of it. It holds too.
	Unreadable bool `json:"unreadable,omitempty"`
}

// String says for people since when, by whom and why.
func (h *Hold) String() string {
	if h.Unreadable {
		return "by a " + holdName + " that cannot be read"
	}
	text := "since " + h.Since.UTC().Format(time.DateTime) + " UTC"
	if h.By != "" {
		text += " by " + h.By
	}
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}

// held is the error of a snapshot with a hold.
func (h *Hold) held() error { return fmt.Errorf("%w %s", ErrHeld, h) }

// Hold holds the snapshot that ref names, damaged or not, and returns its id. Only one
// can hold it: with another hold the error wraps ErrHeld. When Hold returns nil, no Delete
// or Prune that runs at the time removes the snapshot.
func (s *Store) Hold(ctx context.Context, ref string, h Hold) (id string, err error) {
	if id, err = s.resolve(ctx, ref); err == nil {
		err = hold(ctx, s.files.Sub(id), &h)
	}
	if err != nil {
		return "", fmt.Errorf("hold snapshot %s: %w", ref, err)
	}
	return id, nil
}

func hold(ctx context.Context, files bucket.Bucket, h *Hold) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if data = append(data, '\n'); len(data) > maxHold {
		return fmt.Errorf("the reason is too long: a hold has at most %d bytes", maxHold)
	}
	err = files.Publish(ctx, holdName, data)
	if errors.Is(err, fs.ErrExist) {
		if err := unheld(ctx, files); err != nil {
			return err
		}
		return errors.New("another hold was released just now: try again")
	}
	if err != nil {
		return err
	}
	// Who deletes removes the manifest and then looks for a hold once more: so one of the
	// two sees the other.
	if _, err := files.Stat(ctx, manifestName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(fmt.Errorf("%w: it was deleted meanwhile", ErrNotFound), files.Remove(context.WithoutCancel(ctx), holdName))
}

// Release ends the hold of the snapshot that ref names, or of what is left below an id. It
// returns the id, and the hold that there was: nil when there was none.
func (s *Store) Release(ctx context.Context, ref string) (id string, h *Hold, err error) {
	id, err = s.resolveID(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	files := s.files.Sub(id)
	if h, err = readHold(ctx, files); err == nil && h != nil {
		err = files.Remove(ctx, holdName)
	}
	if err != nil {
		return "", nil, fmt.Errorf("release snapshot %s: %w", id, err)
	}
	return id, h, nil
}

// Held returns the hold of the snapshot; nil when it is not held.
func (s *Snapshot) Held(ctx context.Context) (*Hold, error) {
	h, err := readHold(ctx, s.files)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", s.Manifest.ID, err)
	}
	return h, nil
}

// readHold reads the hold that lies in the folder of a snapshot; nil when there is none.
func readHold(ctx context.Context, files bucket.Bucket) (*Hold, error) {
	data, err := bucket.ReadAll(ctx, files, holdName, maxHold)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, bucket.ErrTooLarge):
		return &Hold{Unreadable: true}, nil
	case err != nil:
		return nil, err
	}
	h := new(Hold)
	if json.Unmarshal(data, h) != nil || h.Since.IsZero() {
		return &Hold{Unreadable: true}, nil
	}
	return h, nil
}

// unheld is an error when there is a hold in the folder of a snapshot.
func unheld(ctx context.Context, files bucket.Bucket) error {
	h, err := readHold(ctx, files)
	if err == nil && h != nil {
		err = h.held()
	}
	return err
}
