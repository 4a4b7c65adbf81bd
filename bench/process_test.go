package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// standIn in the environment makes this program one that ends at once, with that code.
const standIn = "BENCH_TEST_EXIT"

func TestMain(m *testing.M) {
	if text := os.Getenv(standIn); text != "" {
		code, err := strconv.Atoi(text)
		if err != nil {
			panic(err)
		}
		os.Stderr.WriteString("something is missing\n")
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{"0": "", "4": "something is missing"} {
		t.Setenv(standIn, code)
		u, err := measure(t.Context(), nil, self, "an argument")
		if u.cpu <= 0 || u.wall <= 0 {
			t.Errorf("exit code %s: %+v", code, u)
		}
		if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "an argument")) {
			t.Errorf("exit code %s: %v", code, err)
		}
	}
	if _, err := measure(t.Context(), nil, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a program that is not there was run")
	}
}

// A dissection that left something out is measured, and is no success.
func TestPartialDissection(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{shark: self, tmp: t.TempDir()}
	d := &dissections{capture: &capture{path: "x.pcap"}}
	t.Setenv(standIn, strconv.Itoa(exitPartial))
	if u, err := b.dissect(t.Context(), d, 1, false); err != nil || u.cpu <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if d.verdict.wrong == nil || !strings.Contains(d.verdict.wrong.Error(), "something is missing") {
		t.Errorf("%+v", d.verdict)
	}
	t.Setenv(standIn, "1")
	var exit *exec.ExitError
	if _, err := b.dissect(t.Context(), d, 1, false); !errors.As(err, &exit) {
		t.Errorf("a failure is no error: %v", err)
	}
	if left, err := os.ReadDir(b.tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
