package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"shark/recorder/api"
	"shark/recorder/freeze"
	"shark/recorder/metrics"
	"shark/snapshot"
)

// serve NAME DIR serves a ring, as the recorder of its node does, until the script ends. The
// address is in $NAME, the certificate's fingerprint in $NAME_CA and the token in the file token.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	list, err := freeze.Rings(ts.MkAbs(args[1]))
	ts.Check(err)
	token := filepath.Join(ts.Getenv("WORK"), "token")
	ts.Check(os.WriteFile(token, []byte("the token of a script\n"), 0o600))
	s, err := api.Listen(api.Options{Listen: "127.0.0.1:0", Token: token})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, held{list[0]}, func() any { return nil }) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
	ts.Setenv(args[0], "https://"+s.Addr())
	ts.Setenv(args[0]+"_CA", s.Fingerprint())
}

// held is a recorder of which only its ring is asked for.
type held struct{ ring snapshot.Recording }

func (h held) Recording() snapshot.Recording { return h.ring }
func (held) Metrics() []metrics.Family       { return nil }
