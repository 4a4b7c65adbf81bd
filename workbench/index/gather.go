package index

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
)

// fileURI is how SQLite opens a finished file of this machine. It never changes: without
// locks, and without looking for a journal that somebody may have put beside it.
func fileURI(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // a drive letter
	}
	uri := url.URL{Scheme: "file", Path: abs, RawQuery: "mode=ro&immutable=1"}
	return uri.String(), nil
}

// Gather writes a database anew to a file that is not there, with the pages of each table
// behind each other. As it is made they are in the order in which they got full, which is
// as good on a disk; but from afar they are read by requests, and those of a small table
// would be one each. The guide is for OpenAt: where lies what questions read.
func Gather(ctx context.Context, from, to string) (guide []byte, err error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("index %s: putting its tables in order: %w", from, err)
	}
	uri, err := fileURI(from)
	if err != nil {
		return fail(err)
	}
	conn, err := sqlite.OpenConn(uri, sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	err = query(conn, `VACUUM INTO ?`, func(*sqlite.Stmt) error { return nil }, to)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fail(err)
	}
	if guide, err = makeGuide(ctx, to); err != nil {
		return fail(err)
	}
	return guide, nil
}
