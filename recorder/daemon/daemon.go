// Package daemon runs a recorder as a node's daemon: its rights, its memory, its API.
//
// In: what is to be recorded, where it is kept and who may ask for it. Out: a ring in a folder,
// and answers over HTTP, until it is told to end. What it needs of the system it takes first,
// then gives up what rights it has no use for, and only then opens the parts, so that what works
// works without them.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shark/recorder"
	"shark/recorder/api"
	"shark/recorder/parts"
	"shark/recorder/privilege"
	"shark/recorder/ring"
)

// Memory, in bytes. The sockets' rings are the kernel's and come on top of the program's own.
const (
	// ownMemory is what the program keeps to: buffers of the rings, of plaintext and of streams of
	// the API, and tables of processes, files, connections and identity.
	ownMemory = 384 << 20
	// socketMemory is what the sockets' rings may have, unless the cgroup has less than twice
	// that.
	socketMemory = 512 << 20
)

// tokenName is the file of the token in the ring's folder, where none is named.
const tokenName = "token"

// certificateName is that of the API's certificate and its key, where none is named.
const certificateName = "certificate.pem"

// Options say what a daemon does.
type Options struct {
	Node           string
	Dir            string // of the rings
	Bytes          int64
	PlaintextBytes int64         // 0: a quarter of Bytes
	Age            time.Duration // 0: any
	Capture        parts.Capture
	TLS            parts.Policy
	Listen         string // address of the API; empty: there is none
	Token          string // file; empty: one is made in Dir
	Cert, Key      string // files; empty: a certificate is made for this run
	Version        string
	Log            *slog.Logger
}

// Run records until ctx ends. Then the API ends, then the parts, and the rings are sealed.
func Run(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	limit := privilege.Confine(ownMemory)
	o.Capture.MemoryBytes = cmp.Or(o.Capture.MemoryBytes, socketBytes())
	list, err := parts.List(o.Node, &o.Capture, o.TLS)
	if err != nil {
		return err
	}
	server, err := o.listen()
	if err != nil {
		return err
	}
	rights := o.drop()
	r, err := recorder.Open(ctx, recorder.Options{
		Dir: o.Dir, Ring: ring.Options{Node: o.Node, Bytes: o.Bytes, Age: o.Age}, PlaintextBytes: o.PlaintextBytes,
		Parts: list, Version: o.Version, Log: o.Log, Capabilities: rights,
	})
	if err != nil {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
		return err
	}
	o.Log.Info("recorder started", "node", o.Node, "ring", o.Dir, "bytes", o.Bytes, "age", o.Age, "tls", o.TLS.Mode, "tls_namespaces", o.TLS.Namespaces,
		"memory", limit, "socket_memory", o.Capture.MemoryBytes, "capabilities", rights)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() {
		defer stop()
		o.serve(ctx, server, r)
	})
	err = r.Run(running)
	work.Wait()
	o.Log.Info("recorder ended")
	return err
}

// serve answers until ctx ends. Without its API a recorder records on.
func (o *Options) serve(ctx context.Context, server *api.Server, r *recorder.Recorder) {
	if server != nil {
		if err := server.Serve(ctx, r, func() any { return r.Status() }); err != nil {
			o.Log.Error("the API ended", "error", err)
		}
	}
	<-ctx.Done()
}

// listen takes the address of the API.
func (o *Options) listen() (*api.Server, error) {
	if o.Listen == "" {
		return nil, nil
	}
	token := o.Token
	if token == "" {
		token = filepath.Join(o.Dir, tokenName)
		if err := api.MakeToken(token); err != nil {
			return nil, err
		}
	}
	cert, key := o.Cert, o.Key
	if cert == "" && key == "" { // as the token, it stays: clients know it by its fingerprint
		cert = filepath.Join(o.Dir, certificateName)
		key = cert
		if err := api.MakeCertificate(cert, o.Node); err != nil {
			return nil, err
		}
	}
	s, err := api.Listen(api.Options{Listen: o.Listen, Cert: cert, Key: key, Token: token, Node: o.Node, Log: o.Log})
	if err != nil {
		return nil, err
	}
	o.Log.Info("API", "address", "https://"+s.Addr(), "certificate", s.Fingerprint(), "token_file", token)
	return s, nil
}

// drop gives up rights. A system that has none of the kind is no reason not to record.
func (o *Options) drop() []string {
	rights, err := privilege.Drop()
	if err != nil {
		o.Log.Warn("rights that are not needed could not be given up", "error", err, "capabilities", rights)
	}
	return rights
}

// socketBytes returns how much memory sockets may have: half of the cgroup's at most.
func socketBytes() int64 {
	if group := privilege.GroupMemory(); group < math.MaxInt64 {
		return max(min(socketMemory, group/2), 16<<20)
	}
	return socketMemory
}
