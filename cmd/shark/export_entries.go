package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shark/workbench"
	"shark/workbench/format"
)

// exportEntries writes entries in one of the formats.
func exportEntries(ctx context.Context, a *app, args []string, form string, o exportOptions) error {
	if err := o.checkEntries(a, form); err != nil {
		return err
	}
	all := calls
	if form == "zeek" {
		all = "!flow"
	}
	refs, expr, err := splitQuery(args)
	if err != nil {
		return err
	}
	read := append(slices.Clone(refs), o.identity)
	if form == "zeek" {
		err = checkFolder(o.file)
	} else {
		err = checkTarget(o.file, read, o.force)
	}
	if err != nil {
		return err
	}
	question := questionOptions{windowOptions: o.windowOptions, output: "table", identity: o.identity}
	q, err := question.open(ctx, a, args, o.fields)
	if err != nil {
		return err
	}
	defer q.e.Close()
	if expr == "" {
		q.KFL = all
	}
	if form == "parquet" && len(q.fields) == 0 {
		if q.fields, err = q.e.Columns(ctx); err != nil {
			return err
		}
	}
	answer, err := q.e.Query(ctx, q.Query)
	if err != nil {
		return err
	}
	n, err := a.entriesTo(q, answer, form, o.file)
	if err != nil {
		return err
	}
	return a.footer(workbench.Count(n, "entries"), answer.Coverage, answer.Hints)
}

// checkEntries refuses what goes with packets only.
func (o *exportOptions) checkEntries(a *app, form string) error {
	packets := map[string]string{"bpf": o.bpf, "node": o.node, "workload": o.workload, "ip": o.ip, "split-by": o.splitBy}
	for _, name := range []string{"bpf", "node", "workload", "ip", "split-by"} {
		if packets[name] != "" {
			return usagef("--%s goes with packets: say in KFL which entries to write as %s", name, form)
		}
	}
	switch {
	case o.secrets, o.plaintext != "", o.profile == "rich", o.dedupe:
		return usagef("--secrets, --plaintext, --profile and --dedupe go with packets, and %s has none", form)
	case len(o.fields) > 0 && (form == "har" || form == "zeek"):
		return usagef("--fields goes with jsonl, csv and parquet; %s has its own", form)
	case form == "zeek" && o.file == "-":
		return usagef("zeek is a folder of logs, which does not go to standard output: name one with -w")
	case form == "parquet" && o.file == "-" && a.terminal:
		return usagef("Parquet is not for a terminal: send standard output to a file or a program")
	}
	return nil
}

// entriesTo writes the entries of an answer to a file, or with zeek to a folder.
func (a *app) entriesTo(q *question, answer *workbench.Answer, form, path string) (n int64, err error) {
	switch {
	case form == "zeek":
		err = writeFolder(path, modeOfEntries(answer.Coverage), func(create func(string) (io.WriteCloser, error)) error {
			n, err = a.formatted(answer, format.NewZeek(create, q.w.Catalogue(), time.Now()))
			return err
		})
	case path == "-":
		n, err = a.entriesIn(q, answer, form, a.out)
	default:
		err = writeFile(path, modeOfEntries(answer.Coverage), func(out io.Writer) error {
			n, err = a.entriesIn(q, answer, form, out)
			return err
		})
	}
	return n, err
}

// entriesIn writes the entries of an answer to out.
func (a *app) entriesIn(q *question, answer *workbench.Answer, form string, out io.Writer) (n int64, err error) {
	switch form {
	case "har":
		w, err := format.NewHAR(out, q.w.Catalogue(), version)
		if err != nil {
			return 0, err
		}
		return a.formatted(answer, w)
	case "parquet":
		w, err := format.NewParquet(out, q.fields)
		if err != nil {
			return 0, err
		}
		return a.formatted(answer, w)
	}
	to := *a // what query prints, elsewhere
	to.out = out
	n, _, err = to.writeEntries(q.w, answer, q.fields, queryOptions{questionOptions: questionOptions{output: form}})
	return n, err
}

// formatted writes the rows of an answer. What has no place in the format is noted.
func (a *app) formatted(answer *workbench.Answer, w format.Writer) (n int64, err error) {
	for row, rowErr := range answer.Rows {
		if err = rowErr; err == nil {
			err = w.Write(row)
		}
		if err != nil {
			break
		}
		n++
	}
	a.bar.clear()
	if err = errors.Join(err, w.Close()); err != nil {
		return n, err
	}
	if s := w.Skipped(); s > 0 {
		answer.Hints = append(answer.Hints, fmt.Sprintf("%s left out, which the format has no place for", workbench.Count(s, "entries")))
	}
	return n - w.Skipped(), nil
}

// checkFolder refuses a folder that has something in it.
func checkFolder(dir string) error {
	if workbench.InSnapshot(filepath.Join(dir, "x")) {
		return usagef("%s is in the folder of a snapshot, which never changes: write to another", dir)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return usagef("%s is there already and is no folder: name a new one", dir)
	case len(entries) > 0:
		return usagef("%s is there already and not empty: name a new folder", dir)
	}
	return nil
}

// writeFolder makes a folder of files, which appears under its name only when it is whole.
func writeFolder(dir string, mode os.FileMode, write func(create func(name string) (io.WriteCloser, error)) error) error {
	part, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".shark.part-*")
	if err != nil {
		return writing(dir, "", err)
	}
	err = write(func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(part, name)) })
	if err == nil {
		err = os.Chmod(part, mode|mode>>2&0o111) // who may read may enter
	}
	if err == nil {
		if err = os.Remove(dir); errors.Is(err, os.ErrNotExist) { // an empty one, if any
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(part, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return nil
}
