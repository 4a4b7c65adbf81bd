package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shark/snapshot"
)

// keyPassword is the variable with the password of a secret key.
const keyPassword = "SHARK_KEY_PASSWORD"

// maxKey bounds what is read of the file of a key, in bytes: more is none.
const maxKey = 64 << 10

func newSnapshotSign(a *app) *cobra.Command {
	var key string
	var force bool
	cmd := &cobra.Command{
		Use:   "sign SNAPSHOT --key FILE",
		Short: "Sign a snapshot with a minisign key",
		Long: `Sign the manifest of a snapshot, and with it every byte of the snapshot, with a secret
key of minisign. The signature is the snapshot's manifest.json.minisig; verify --key
checks it, and so does minisign itself. The password of the key is asked for at the
terminal, unless ` + keyPassword + ` has it.`,
		Example:           `  shark snapshot sign outage --key shark.key`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: a.completeSnapshot,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSnapshotSign(cmd.Context(), a, args[0], key, force)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` of the secret key, as minisign -G writes it")
	cmd.Flags().BoolVar(&force, "force", false, "replace the signature that there is")
	_ = cmd.MarkFlagFilename("key") // fails only if the flag is missing
	return cmd
}

func runSnapshotSign(ctx context.Context, a *app, ref, file string, force bool) error {
	if file == "" {
		return usagef("--key is missing: the file of a secret key, which minisign -G makes")
	}
	text, err := readKey(file)
	if err != nil {
		return err
	}
	w, err := a.workbench()
	if err != nil {
		return err
	}
	if _, err := w.Snapshot(ctx, ref); err != nil {
		return err // before anybody is asked for a password
	}
	key, err := snapshot.ParseSecretKey(text, a.password)
	if err != nil {
		return keyError(file, err)
	}
	id, err := w.SignSnapshot(ctx, ref, key, force)
	if errors.Is(err, snapshot.ErrSigned) {
		return fmt.Errorf("%w: --force replaces the signature", err)
	}
	if err == nil && !a.quiet {
		fmt.Fprintf(a.err, "%s: signed by key %s\n", id, key.ID())
	}
	return err
}

// readKey reads the file of a key.
func readKey(path string) ([]byte, error) {
	if err := checkFiles([]string{path}); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKey))
}

// keyError says of which file it is, and that what is no key is wrong usage.
func keyError(file string, err error) error {
	err = fmt.Errorf("--key %s: %w", file, err)
	if errors.Is(err, snapshot.ErrKey) {
		return usageError{err}
	}
	return err
}

// password asks for the password of a secret key.
func (a *app) password() (string, error) {
	if word, ok := os.LookupEnv(keyPassword); ok {
		return word, nil
	}
	in, ok := a.in.(*os.File)
	if !ok || !isTerminal(in) {
		return "", usagef("the key has a password, and there is no terminal to ask for it: set %s", keyPassword)
	}
	fmt.Fprint(a.err, "Password of the key: ")
	word, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(a.err)
	return string(word), err
}
