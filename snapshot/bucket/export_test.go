package bucket

import (
	"errors"
	"os"
)

// WithoutLinks makes a folder be on a file system that has no links.
func WithoutLinks(b Bucket) Bucket {
	f := *b.(*folder)
	f.link = func(*os.Root, string, string) error { return errors.ErrUnsupported }
	return &f
}
