package main

import (
	"strings"
	"testing"
)

const run1 = `{"Action":"run","Package":"shark/a","Test":"TestA"}
{"Action":"output","Package":"shark/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"shark/a","Test":"TestA","Output":"noise\n"}
{"Action":"output","Package":"shark/a","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"shark/a","Test":"TestA"}
{"Action":"output","Package":"shark/a","Output":"PASS\n"}
{"Action":"output","Package":"shark/a","Output":"ok  \tshark/a\t0.1s\n"}
{"Action":"pass","Package":"shark/a"}
`

func skipped(reason string) string {
	return `{"Action":"output","Package":"shark/b","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"shark/b","Test":"TestB","Output":"    b_test.go:7: ` + reason + `\n"}
{"Action":"output","Package":"shark/b","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"shark/b","Test":"TestB"}
{"Action":"output","Package":"shark/c","Output":"?   \tshark/c\t[no test files]\n"}
{"Action":"skip","Package":"shark/c"}
`
}

func TestReport(t *testing.T) {
	env := map[string]string{"SHARK_SET": "x"}
	for _, c := range []struct {
		name, events string
		strict       bool
		want         string // all that is printed
		err          string // part of the error, empty for none
	}{
		{"passes", run1, true, "ok  \tshark/a\t0.1s\n1 passed, 0 failed, 0 skipped\n", ""},
		{
			"tests that take long are told, the longest first",
			`{"Action":"pass","Package":"shark/a","Test":"TestA","Elapsed":9.9}
{"Action":"pass","Package":"shark/a","Test":"TestB","Elapsed":10}
{"Action":"pass","Package":"shark/b","Test":"TestC/part","Elapsed":70.4}
{"Action":"pass","Package":"shark/b","Test":"TestC","Elapsed":70.6}`,
			false,
			"71 s: shark/b: TestC\n10 s: shark/a: TestB\n4 passed, 0 failed, 0 skipped\n", "",
		},
		{"nothing ran", "", false, "0 passed, 0 failed, 0 skipped\n", "no test ran"},
		{
			"a failure shows what it wrote",
			`{"Action":"output","Package":"shark/a","Test":"TestA","Output":"boom\n"}
{"Action":"fail","Package":"shark/a","Test":"TestA"}
{"Action":"output","Package":"shark/a","Output":"FAIL\n"}
{"Action":"output","Package":"shark/a","Output":"FAIL\tshark/a\t0.1s\n"}
{"Action":"fail","Package":"shark/a"}`,
			false,
			"shark/a: TestA\nboom\nFAIL\tshark/a\t0.1s\n0 passed, 1 failed, 0 skipped\n", "",
		},
		{
			"a test that a panic ended is shown too",
			`{"Action":"output","Package":"shark/a","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"shark/a"}`,
			false,
			"shark/a: TestA\npanic: boom\n0 passed, 1 failed, 0 skipped\n", "",
		},
		{
			"build failures and go's own words are passed on",
			`{"Action":"build-output","ImportPath":"shark/a","Output":"a.go:1: no\n"}
go: warning
`,
			false,
			"a.go:1: no\ngo: warning\n0 passed, 0 failed, 0 skipped\n", "no test ran",
		},
		{
			"a skip for a reason", run1 + skipped("tshark is not installed"), false,
			"ok  \tshark/a\t0.1s\nskipped: shark/b: TestB: b_test.go:7: tshark is not installed\n1 passed, 0 failed, 1 skipped\n", "",
		},
		{
			"a skip for a reason, where nothing may be", run1 + skipped("tshark is not installed"), true,
			"ok  \tshark/a\t0.1s\nskipped: shark/b: TestB: b_test.go:7: tshark is not installed\n1 passed, 0 failed, 1 skipped\n", "TestB was skipped, and here",
		},
		{
			"a skip without a reason", run1 + skipped(""), false,
			"ok  \tshark/a\t0.1s\nskipped: shark/b: TestB: b_test.go:7:\n1 passed, 0 failed, 1 skipped\n", "without a reason",
		},
		{
			"a skip for data that are not there", run1 + skipped("SHARK_UNSET names no folder"), true,
			"ok  \tshark/a\t0.1s\nskipped: shark/b: TestB: b_test.go:7: SHARK_UNSET names no folder\n1 passed, 0 failed, 1 skipped\n", "",
		},
		{
			"a skip for data that are there", run1 + skipped("SHARK_SET names no folder"), true,
			"ok  \tshark/a\t0.1s\nskipped: shark/b: TestB: b_test.go:7: SHARK_SET names no folder\n1 passed, 0 failed, 1 skipped\n", "TestB was skipped, and here",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			err := r.finish(c.strict, func(name string) string { return env[name] })
			if out.String() != c.want {
				t.Errorf("printed %q, want %q", out.String(), c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}
