package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"shark/traffic"
)

func TestRunWritesAllFiles(t *testing.T) {
	dir := t.TempDir()
	capture, truth, calls := filepath.Join(dir, "x.pcapng"), filepath.Join(dir, "x.json"), filepath.Join(dir, "x.jsonl")
	args := []string{"-n", "2K", "-seed", "3", "-nodes", "2", "-mix", "http=2,redis", "-o", capture, "-truth", truth, "-calls", calls}
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(capture)
	if err != nil || !bytes.HasPrefix(data, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		t.Errorf("no pcapng file: %v", err)
	}
	var counts traffic.Truth
	read(t, truth, func(b []byte) error { return json.Unmarshal(b, &counts) })
	if counts.Calls < 2000 || len(counts.Protocols) != 2 || counts.Seed != 3 {
		t.Errorf("the truth is %+v", counts)
	}
	var n int64
	read(t, calls, func(b []byte) error {
		lines := bufio.NewScanner(bytes.NewReader(b))
		for ; lines.Scan(); n++ {
			var k traffic.Call
			if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
				return err
			}
			if k.Method == "" || k.Status == "" || k.Start < counts.First || k.Start+k.Elapsed > counts.Last || !k.Client.IsValid() {
				t.Fatalf("a call is %+v", k)
			}
		}
		return lines.Err()
	})
	if n != counts.Calls {
		t.Errorf("%d calls are listed; there are %d", n, counts.Calls)
	}
}

func read(t *testing.T, name string, f func([]byte) error) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f(b); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-o"},
		{"-o", "x", "y"},
		{"-size", "many", "-o", "x"},
		{"-size", "-1", "-o", "x"},
		{"-mix", "ftp=1", "-o", "x"},
		{"-mix", "http=lots", "-o", "x"},
		{"-loss", "2", "-o", filepath.Join(t.TempDir(), "x")},
		{"-o", filepath.Join(t.TempDir(), "no", "x")},
	} {
		if err := run(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{"500": 500, "64K": 64_000, "200M": 200_000_000, "3g": 3_000_000_000} {
		var n int64
		if err := size(s, &n); err != nil || n != want {
			t.Errorf("%s is %d, %v", s, n, err)
		}
	}
}
