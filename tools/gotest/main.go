// Command gotest runs go test with the arguments it gets, and shows of it what a
// reader needs: a line for each package, all that failing tests wrote, the tests that
// took longest, and those that were skipped with their reasons.
//
// A skip without a reason fails. Where CI or SHARK_CI is set, every skip does: there
// all that tests need is installed. Only a reason that names a variable which is not
// set, such as SHARK_CAPTURES, still stands, for data cannot be installed.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

func main() {
	strict := os.Getenv("CI") != "" || os.Getenv("SHARK_CI") != ""
	if err := run(os.Args[1:], strict, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func run(args []string, strict bool, out io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := newReport(out)
	if err := r.read(events); err != nil {
		return errors.Join(err, cmd.Wait())
	}
	return errors.Join(cmd.Wait(), r.finish(strict, os.Getenv))
}

// event is what go test -json writes of each step (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// id names a test; the name is empty for what belongs to the package.
type id struct{ pkg, test string }

type skip struct {
	id
	reason string
}

// Of tests that take long, this many are shown.
const (
	longest   = 15
	longAfter = 10.0 // seconds
)

type long struct {
	id
	seconds float64
}

type report struct {
	out            io.Writer
	running        map[id][]string // what each unfinished test wrote, by line
	passed, failed int
	skipped        []skip
	long           []long
}

func newReport(out io.Writer) *report {
	return &report{out: out, running: make(map[id][]string)}
}

func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		switch {
		case line == "":
		case json.Unmarshal([]byte(line), &e) != nil:
			fmt.Fprint(r.out, line) // not of a test: go's own word
		default:
			r.take(e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	t := id{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if e.Test == "" {
			r.packageLine(e.Output)
			return
		}
		r.running[t] = append(r.running[t], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		if e.Elapsed >= longAfter && e.Test != "" && !strings.Contains(e.Test, "/") {
			r.long = append(r.long, long{t, e.Elapsed})
		}
		delete(r.running, t)
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, skip{t, reason(r.running[t])})
		}
		delete(r.running, t)
	case "fail":
		if e.Test == "" {
			r.packageFailed(e.Package)
			return
		}
		r.failed++
		r.show(t)
	}
}

// packageLine shows a line that no test wrote, but for those that say nothing.
func (r *report) packageLine(line string) {
	if line != "PASS\n" && line != "FAIL\n" && !strings.Contains(line, "[no test files]") {
		fmt.Fprint(r.out, line)
	}
}

// packageFailed shows what the tests wrote that were running when a panic or the
// time limit ended their package.
func (r *report) packageFailed(pkg string) {
	for t := range r.running {
		if t.pkg == pkg {
			r.failed++
			r.show(t)
		}
	}
}

func (r *report) show(t id) {
	fmt.Fprintf(r.out, "%s: %s\n%s", t.pkg, t.test, strings.Join(r.running[t], ""))
	delete(r.running, t)
}

// reason returns what a skipped test said, with its place, without go test's frame.
func reason(lines []string) string {
	var said []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "=== ") && !strings.HasPrefix(l, "--- ") {
			said = append(said, l)
		}
	}
	return strings.Join(said, " ")
}

var (
	place    = regexp.MustCompile(`^\S+_test\.go:\d+:\s*`)
	variable = regexp.MustCompile(`\bSHARK_[A-Z_]+\b`)
)

// showLongest shows where the time went.
func (r *report) showLongest() {
	slices.SortStableFunc(r.long, func(a, b long) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, l := range r.long[:min(len(r.long), longest)] {
		fmt.Fprintf(r.out, "%.0f s: %s: %s\n", l.seconds, l.pkg, l.test)
	}
}

// finish shows the skips and the sums, and tells what is wrong with them.
func (r *report) finish(strict bool, getenv func(string) string) error {
	r.showLongest()
	var errs []error
	for _, s := range r.skipped {
		fmt.Fprintf(r.out, "skipped: %s: %s: %s\n", s.pkg, s.test, s.reason)
		switch v := variable.FindString(s.reason); {
		case place.ReplaceAllString(s.reason, "") == "":
			errs = append(errs, fmt.Errorf("%s: %s was skipped without a reason", s.pkg, s.test))
		case strict && (v == "" || getenv(v) != ""):
			errs = append(errs, fmt.Errorf("%s: %s was skipped, and here nothing may be", s.pkg, s.test))
		}
	}
	if r.passed+r.failed == 0 {
		errs = append(errs, errors.New("no test ran"))
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	return errors.Join(errs...)
}
