package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shark/recorder/daemon"
	"shark/recorder/packets"
	"shark/recorder/parts"
)

// recorderPort is where recorders listen, unless told otherwise.
const recorderPort = "8898"

type recorderOptions struct {
	daemon.Options
	bytes, plaintextBytes, socketBytes byteSize
	tls, logForm                       string
	tlsNamespaces                      []string
	kubernetes                         kubernetesOptions
}

func newRecorder(a *app) *cobra.Command {
	o := recorderOptions{bytes: 4 << 30}
	cmd := &cobra.Command{
		Use:   "recorder",
		Short: "Record this node: the last packets, what makes TLS readable, who owns which address",
		Long: `Record this node until it is told to end (SIGTERM), in a ring of files of a fixed size: the last
packets, the secrets or the plaintext of TLS, and who owned which address. What the node does not
allow is left out, and the status says why. snapshot create --ring DIR, or --recorder URL from
elsewhere, keeps a window of it.

Flags may be set in the environment: SHARK_RECORDER_RING_BYTES for --ring-bytes and so on.

In a pod, or with --kubeconfig, the Kubernetes API says who has which address; --node has to be the
node's name there. --namespace, --pod and --selector choose pods: then nothing else is recorded,
nor is the node's own network, which pods of hostNetwork share; --netns adds what it names.
--tls-namespace bank=off leaves TLS of the pods of a namespace alone, or reads it in another way;
a pod that the API has not told of yet is left alone, too.

It needs Linux and root, or the capabilities NET_RAW, NET_ADMIN, SYS_ADMIN (to enter network
namespaces), SYS_PTRACE, DAC_READ_SEARCH, BPF and PERFMON. It gives up all others, and what
could gain more. The API wants its token from everybody; the token is made and kept in the ring's
folder unless --token-file names one:

  curl -k -H "Authorization: Bearer $(cat /var/lib/shark/ring/token)" https://127.0.0.1:8898/v1/status`,
		Example: `  shark recorder --ring /var/lib/shark/ring --ring-bytes 20Gi --ring-age 2h
  shark recorder --interface 'eth*' --filter 'not port 22' --snaplen 2048
  shark recorder --namespace shop,bank --selector 'tier!=db' --kubeconfig ~/.kube/config --node node-1
  shark recorder --tls keys --tls-namespace bank=off --tls-namespace lab=both
  shark recorder --netns host --tls keys --listen 0.0.0.0:8898 --cert tls.crt --key tls.key --token-file token`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRecorder(cmd.Context(), a, cmd.Flags(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "ring", "/var/lib/shark/ring", "folder of the ring (default /var/lib/shark/ring)")
	f.Var(&o.bytes, "ring-bytes", "how large the ring of packets may get (default 4Gi)")
	f.Var(&o.plaintextBytes, "plaintext-bytes", "how large the ring of plaintext may get (default: a quarter of --ring-bytes)")
	f.DurationVar(&o.Age, "ring-age", time.Hour, "how old packets may get; 0 for as old as there is room")
	f.StringVar(&o.Node, "node", "", "name of the node (default: NODE_NAME, else the host's name)")
	captureFlags(f, &o.Capture, "all")
	o.kubernetes.flags(f)
	f.Var(&o.socketBytes, "socket-memory", "memory of all sockets that packets are captured with, of which each network device needs 1Mi (default 512Mi, or half of the cgroup's)")
	tlsFlag(cmd, &o.tls)
	f.StringSliceVar(&o.tlsNamespaces, "tls-namespace", nil, "make TLS of pods in this Kubernetes namespace readable in another `way` than --tls says, such as bank=off; may be given for several")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:"+recorderPort, "address and port of the API; empty for none")
	f.StringVar(&o.Token, "token-file", "", "file of the token that the API wants (default: token in the ring's folder, made if it is not there)")
	f.StringVar(&o.Cert, "cert", "", "file of the API's certificate, PEM (default: certificate.pem in the ring's folder, made if it is not there; its fingerprint is logged)")
	f.StringVar(&o.Key, "key", "", "file of the certificate's key")
	f.StringVar(&o.logForm, "log", "text", "form of the log on standard error: text or json")
	f.Lookup("ring").DefValue, f.Lookup("ring-bytes").DefValue = "", ""
	_ = cmd.MarkFlagDirname("ring") // fails only if the flag is missing
	return cmd
}

// captureFlags are those that say which packets are recorded, where nothing is said of which
// namespaces.
func captureFlags(f *pflag.FlagSet, c *parts.Capture, where string) {
	f.StringArrayVarP(&c.Devices, "interface", "i", nil, "record this network device, or those of a pattern such as 'eth*'; may be given for several (default: all)")
	f.StringArrayVar(&c.Namespaces, "netns", nil, "only in this network namespace: host, own, a process's number, a name or a path; may be given for several (default: "+where+")")
	f.StringVar(&c.Expression, "filter", "", "record the packets that this pcap-filter(7) expression matches (default: all)")
	f.BoolVar(&c.DropReasons, "drop-reasons", false, "count the packets that the kernel drops, by its reason, device and network namespace")
	f.IntVar(&c.SnapLen, "snaplen", 0, "bytes that are kept of a packet; TLS is readable only with 0, which keeps all")
}

func tlsFlag(cmd *cobra.Command, mode *string) {
	cmd.Flags().StringVar(mode, "tls", string(parts.Auto), "make TLS readable: by `way` of keys, plaintext, both, off, or auto (secrets, and plaintext of those processes that have connections without)")
	var names []string
	for _, m := range parts.Modes {
		names = append(names, string(m))
	}
	_ = cmd.RegisterFlagCompletionFunc("tls", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // fails only if the flag is missing
}

// environment sets flags that are not given from the environment: --ring-bytes from
// PREFIX_RING_BYTES.
func environment(f *pflag.FlagSet, prefix string) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		name := prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok && !flag.Changed && v != "" {
			if err := f.Set(flag.Name, v); err != nil {
				errs = append(errs, usagef("%s: %w", name, err))
			}
		}
	})
	return errors.Join(errs...)
}

// notEmpty refuses flags that were given without a value, such as of a variable that is not set:
// nobody means all by that.
func notEmpty(f *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		flag := f.Lookup(name)
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if flag.Changed && (len(values) == 0 || slices.Contains(values, "")) {
			return usagef("--%s is empty: name what is meant, or leave the flag out for the default", name)
		}
	}
	return nil
}

// needsLinux is what commands that record say elsewhere.
func needsLinux(what string) error {
	if runtime.GOOS == "linux" {
		return nil
	}
	return fmt.Errorf("%s: recording needs Linux, and this is %s; capture files of any system can be asked, see shark query --help", what, runtime.GOOS)
}

func runRecorder(ctx context.Context, a *app, f *pflag.FlagSet, o recorderOptions) error {
	if err := environment(f, "SHARK_RECORDER"); err != nil {
		return err
	}
	if err := notEmpty(f, "netns", "interface", "namespace", "exclude-namespace", "tls-namespace", "pod", "selector", "kubeconfig", "context"); err != nil {
		return err
	}
	if err := needsLinux("recorder"); err != nil {
		return err
	}
	var err error
	if o.TLS, err = parts.ParsePolicy(o.tls, o.tlsNamespaces); err != nil {
		return usagef("--tls, --tls-namespace: %w", err)
	}
	o.kubernetes.needed = len(o.tlsNamespaces) > 0
	if _, err := o.Capture.Options(); err != nil {
		return usageError{err}
	}
	if o.Age < 0 {
		return usagef("--ring-age %s: a time such as 2h, or 0 for as old as there is room", o.Age)
	}
	if o.socketBytes > 0 && o.socketBytes < packets.LeastMemory {
		return usagef("--socket-memory %d: one network device needs %d at least, and each more as much", int64(o.socketBytes), packets.LeastMemory)
	}
	switch o.logForm {
	case "text":
		o.Log = slog.New(slog.NewTextHandler(a.err, nil))
	case "json":
		o.Log = slog.New(slog.NewJSONHandler(a.err, nil))
	default:
		return usagef("--log %q: it is text or json", o.logForm)
	}
	o.Bytes, o.PlaintextBytes, o.Capture.MemoryBytes = int64(o.bytes), int64(o.plaintextBytes), int64(o.socketBytes)
	o.Node, o.Version = cmp.Or(o.Node, os.Getenv("NODE_NAME"), hostName()), version
	if err := o.kubernetes.apply(o.Node, &o.Capture); err != nil {
		return err
	}
	if err := o.Capture.Present(); err != nil {
		o.Log.Warn("not all is there that is to be recorded: waiting for it", "reason", err)
	}
	if err := daemon.Run(ctx, o.Options); err != nil {
		return err
	}
	return errEnded
}

// errEnded ends a command that was told to end and did so as it should.
var errEnded = errors.New("ended")

// hostName returns the name of this machine.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
