package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/workbench"
)

// dissected makes the index of a capture.
func dissected(t *testing.T, c *capture) (db string) {
	t.Helper()
	db = filepath.Join(t.TempDir(), "x.db")
	w, err := workbench.New(workbench.Config{Version: "test", Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Open(t.Context(), []string{c.path}, workbench.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Dissect(t.Context(), workbench.DissectOptions{Output: db}); err != nil {
		t.Fatal(err)
	}
	return db
}

// made makes the mix with a generator, this repository's if the folder is empty.
func made(t *testing.T, generator string, size int64) *capture {
	t.Helper()
	b := &bench{options: options{generator: generator, dir: t.TempDir(), seed: 7}, bytes: size}
	r := mixed("mix", 100)
	c, err := b.obtain(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIndexIsWhatTheGeneratorWrote(t *testing.T) {
	c := made(t, "", 3e6)
	db := dissected(t, c)
	if err := checkIntegrity(t.Context(), db); err != nil {
		t.Error(err)
	}
	same, err := c.verify(t.Context(), db)
	if err != nil || same < 40 {
		t.Errorf("%d numbers are the same: %v", same, err)
	}
	// One call more, or less, is seen.
	for _, d := range []int64{1, -1} {
		k := &c.checks[0]
		for name := range k.want {
			k.want[name] += d
			if _, err := c.verify(t.Context(), db); err == nil || !strings.Contains(err.Error(), k.name) {
				t.Errorf("%+d of %s %s: %v", d, k.name, name, err)
			}
			k.want[name] -= d
			break
		}
	}
}

func TestIndexIsWhatTheGivenGeneratorWrote(t *testing.T) {
	folder := os.Getenv("SHARK_BENCH")
	if folder == "" {
		t.Skip("SHARK_BENCH does not name the folder of make_bench_pcap.sh")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the generator needs python3: ", err)
	}
	c := made(t, folder, 3e6)
	if same, err := c.verify(t.Context(), dissected(t, c)); err != nil || same < 100 {
		t.Errorf("%d numbers are the same: %v", same, err)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	same, wrong := compare(check{name: "dns", want: map[string]int64{"A": 1, "AAAA": 2, "MX": 0}}, map[string]int64{"A": 1, "AAAA": 3, "NS": 4})
	if got, want := fmt.Sprint(wrong), `[dns "AAAA": there are 2, and 3 in the index dns "NS": there are 0, and 4 in the index]`; got != want || same != 2 {
		t.Errorf("%d the same, and %s", same, got)
	}
}

// Every stage does its work and leaves nothing behind.
func TestStages(t *testing.T) {
	c := made(t, "", 1e6)
	dir, profiles := t.TempDir(), t.TempDir()
	var before heap
	for _, s := range stages {
		h, err := runStage(t.Context(), s.name, c.path, dir, profiles)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if s.name == "write" && h.Bytes <= before.Bytes {
			t.Errorf("to write takes %d bytes, to encode %d", h.Bytes, before.Bytes)
		}
		before = h
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if made, err := os.ReadDir(profiles); err != nil || len(made) != 2*len(stages) {
		t.Errorf("%d profiles, %v", len(made), err)
	}
	if _, err := runStage(t.Context(), "guess", c.path, dir, ""); err == nil {
		t.Error("a stage that there is not can be run")
	}
}

func TestBudgetOfTheRepositoryIsComplete(t *testing.T) {
	budget, err := readBudget("BUDGET.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range budget {
		if a.stage != stages[i+1].name || a.ns <= 0 {
			t.Errorf("line %d of the budget is %+v, of the stages %s", i, a, stages[i+1].name)
		}
	}
}

func TestWrongBudgets(t *testing.T) {
	for text, want := range map[string]string{
		"read\t1\n":               "columns",
		"guess\t1\tpacket\n":      "no stage",
		"read\tx\tpacket\n":       "not nanoseconds",
		"read\t1\tcall\n":         "not nanoseconds",
		"# none\nread\t1\tpacket": "it has 1 stages",
	} {
		path := filepath.Join(t.TempDir(), "b.tsv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readBudget(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{0: nil, 3: {3}, 2: {3, 1}, 5: {9, 5, 1}, 4: {1, 5, 3, 9}} {
		if got := median(list, func(x float64) float64 { return x }); got != want {
			t.Errorf("the median of %v is %v", list, got)
		}
	}
}

func TestPaired(t *testing.T) {
	a := series{{cpu: 4 * time.Second}, {cpu: 90 * time.Second}, {cpu: 9 * time.Second}, {cpu: time.Second}}
	b := series{{cpu: 2 * time.Second}, {cpu: 30 * time.Second}, {cpu: time.Second}}
	if got := paired(a, b, cpuSeconds); got != 3 {
		t.Errorf("the median of 2, 3 and 9 is %v", got)
	}
	if got := paired(a[:1], b, cpuSeconds); got != 2 {
		t.Errorf("of one round: %v", got)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{"500": 500, "64k": 64e3, "20M": 20e6, "1G": 1e9, "": 0, "M": 0, "-1": 0, "1.5M": 0, "1T": 0} {
		if got, err := parseSize(s); got != want || (err != nil) != (want == 0) {
			t.Errorf("%q is %d, %v", s, got, err)
		}
	}
	for n, want := range map[int64]string{500: "500", 1500: "1500", 64e3: "64K", 200e6: "200M", 1e9: "1G", 4e9: "4G", 1_050_000_000: "1050M"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	tab := newTable(&out, "what", "a", "long")
	tab.row("a longer name", "1.5", "2")
	tab.print()
	if want := "what              a   long\na longer name   1.5      2\n\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
