package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shark/snapshot"
	"shark/workbench"
)

func newSnapshotVerify(a *app) *cobra.Command {
	var key, form string
	var o snapshot.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify SNAPSHOT",
		Short: "Read all of a snapshot and compare it with its manifest and signature",
		Long: `Read all of a snapshot and compare it with its manifest: each object, and each block of
packets with what the index says of it. With --key the manifest must be signed by that
key. Each problem is a line on standard output; with any, the exit code is 4. Damage is found
without a signature too, but who changed the packets and the manifest on purpose is found by
--key alone.

With --read-data-subset only some blocks of packets are read, all else as ever: 5% or 10G
of them at random, or 2/7 for the second of seven parts, which together are all.`,
		Example: `  shark snapshot verify outage
  shark snapshot verify outage --key shark.pub
  shark snapshot verify outage --key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
  shark snapshot verify outage --read-data-subset 5%`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSnapshotVerify(cmd.Context(), a, args[0], key, form, o)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "minisign public `key` that must have signed the snapshot, or a file with it")
	cmd.Flags().Var((*subset)(&o.Subset), "read-data-subset", "read only some of the packets: 5%, 2/7 or a size such as 10G")
	cmd.Flags().StringVarP(&form, "output", "o", "text", "form of the answer: text, json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // as does the next line
	_ = cmd.MarkFlagFilename("key")                                                                                                    // fails only if the flag is missing
	return cmd
}

// subset is a flag such as 5%, 2/7 or 10G.
type subset snapshot.Subset

// String implements pflag.Value. The flag is not shown with a default.
func (s *subset) String() string { return "" }

// Type implements pflag.Value.
func (s *subset) Type() string { return "share" }

// Set implements pflag.Value.
func (s *subset) Set(text string) error {
	*s = subset{}
	if share, ok := strings.CutSuffix(text, "%"); ok {
		f, err := strconv.ParseFloat(share, 64)
		if err != nil || !(f > 0 && f <= 100) { // not a number compares with nothing
			return fmt.Errorf("%q is not a share above 0%% and up to 100%%", text)
		}
		s.Percent = f
		return nil
	}
	if part, of, ok := strings.Cut(text, "/"); ok {
		n, err := strconv.Atoi(part)
		m, wrong := strconv.Atoi(of)
		if err != nil || wrong != nil || n < 1 || n > m {
			return fmt.Errorf("%q is not a part such as 2/7", text)
		}
		s.Part, s.Of = n, m
		return nil
	}
	var size byteSize
	if err := size.Set(text); err != nil || size < 1 {
		return fmt.Errorf("%q is not a share such as 5%%, 2/7 or 10G", text)
	}
	s.Bytes = int64(size)
	return nil
}

func runSnapshotVerify(ctx context.Context, a *app, ref, key, form string, o snapshot.VerifyOptions) (err error) {
	if form != "text" && form != "json" {
		return usagef("--output %q: text or json", form)
	}
	if key != "" {
		if o.Key, err = publicKey(key); err != nil {
			return err
		}
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	v, err := w.VerifySnapshot(ctx, ref, o)
	if v == nil {
		return err
	}
	a.bar.clear()
	if form == "json" {
		return cmp.Or(a.verifiedJSON(v, err), err)
	}
	for _, p := range v.Problems {
		fmt.Fprintf(a.out, "%s: %s\n", sanitize(p.Path, false), sanitize(p.Reason, false))
	}
	for _, u := range v.Unlisted {
		fmt.Fprintf(a.err, "  %s is no part of the snapshot\n", sanitize(u, false))
	}
	for _, p := range v.Unchecked {
		fmt.Fprintf(a.err, "  %s was not checked: %s\n", sanitize(p.Path, false), sanitize(p.Reason, false))
	}
	if !a.quiet {
		a.signature(v)
	}
	if len(v.Problems) > 0 && errors.Is(err, snapshot.ErrIntegrity) {
		return fmt.Errorf("snapshot %s: %w: %s", v.ID, snapshot.ErrIntegrity, v.Summary()) // which stand above
	}
	if err != nil {
		return err
	}
	read := fmt.Sprintf("%s, %s", workbench.Count(int64(v.Objects), "objects"), byteText(v.Bytes))
	if v.AllBlocks > 0 {
		read += fmt.Sprintf(" read, of packets %s of %d with %s of %s", workbench.Count(int64(v.Blocks), "blocks"), v.AllBlocks, byteText(v.BlockBytes), byteText(v.AllBlockBytes))
	}
	_, err = fmt.Fprintf(a.out, "%s: %s, all as the manifest says\n", v.ID, read)
	return err
}

// verifiedJSON writes what was found as an object, with why not all could be read.
func (a *app) verifiedJSON(v *snapshot.Verification, failed error) error {
	type problem struct {
		Path   string `json:"path"`
		Reason string `json:"reason"`
	}
	type signature struct {
		KeyID   string `json:"key_id,omitempty"`
		Checked bool   `json:"checked"`
		Comment string `json:"comment,omitempty"`
	}
	type blocks struct {
		Read     int   `json:"read"`
		All      int   `json:"all"`
		Bytes    int64 `json:"bytes"`
		AllBytes int64 `json:"all_bytes"`
	}
	found := struct {
		ID        string     `json:"id"`
		Sound     bool       `json:"sound"` // all that was to be read was, and is
		Objects   int        `json:"objects"`
		Bytes     int64      `json:"bytes"`
		Problems  []problem  `json:"problems"`
		Unlisted  []string   `json:"unlisted,omitempty"`
		Unchecked []problem  `json:"unchecked,omitempty"` // beside the evidence
		Error     string     `json:"error,omitempty"`     // why not all was read
		Signature *signature `json:"signature,omitempty"`
		Blocks    *blocks    `json:"blocks,omitempty"` // where a subset was read
	}{ID: v.ID, Sound: failed == nil, Objects: v.Objects, Bytes: v.Bytes, Problems: []problem{}, Unlisted: v.Unlisted}
	for _, p := range v.Problems {
		found.Problems = append(found.Problems, problem(p))
	}
	for _, p := range v.Unchecked {
		found.Unchecked = append(found.Unchecked, problem(p))
	}
	if failed != nil && !errors.Is(failed, snapshot.ErrIntegrity) {
		found.Error = failed.Error()
	}
	if v.Signature != nil {
		s := signature(*v.Signature)
		found.Signature = &s
	}
	if v.AllBlocks > 0 {
		found.Blocks = &blocks{v.Blocks, v.AllBlocks, v.BlockBytes, v.AllBlockBytes}
	}
	return a.writeJSON(found)
}

// signature tells who signed a snapshot.
func (a *app) signature(v *snapshot.Verification) {
	switch s := v.Signature; {
	case s == nil:
		fmt.Fprintln(a.err, "  not signed: nobody vouches for what the manifest alone says: names, notes, the time asked for, filters, what is missing")
	case s.Checked:
		fmt.Fprintf(a.err, "  signed by key %s: %s\n", s.KeyID, sanitize(strings.ReplaceAll(s.Comment, "\t", ", "), false))
	case s.KeyID == "":
		fmt.Fprintln(a.err, "  manifest.json.minisig is no signature")
	case len(v.Problems) == 0 || v.Problems[0].Path != "manifest.json.minisig":
		fmt.Fprintf(a.err, "  signed by key %s, which was not checked: --key PUBLICKEY does\n", s.KeyID)
	}
}

// keyLetters is how many letters a public key has.
const keyLetters = 56

// publicKey reads a key that is a file, or stands there itself.
func publicKey(arg string) (*snapshot.PublicKey, error) {
	text := []byte(arg)
	if _, err := os.Stat(arg); err == nil {
		if text, err = readKey(arg); err != nil {
			return nil, err
		}
	}
	key, err := snapshot.ParsePublicKey(text)
	switch {
	case err == nil:
		return key, nil
	case string(text) == arg && len(arg) != keyLetters:
		return nil, missingError{arg}
	}
	return nil, keyError(arg, err)
}
