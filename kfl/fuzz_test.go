package kfl_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"shark/kfl"
)

// FuzzCompile checks that any text either compiles, to a plan that gives an
// answer, or is an Error with a place inside the text.
func FuzzCompile(f *testing.F) {
	for _, q := range queries {
		f.Add(q.expr)
	}
	for _, expr := range wrong {
		f.Add(expr)
	}
	for _, expr := range explained {
		f.Add(expr)
	}
	e := env(f, columns{})
	full := row{
		"http": true, "path": "/v1/users", "status_code": int64(500), "dns_questions": []string{"a", "b"},
		"request.headers": map[string]string{"a": "b"}, "timestamp": now,
	}
	f.Fuzz(func(t *testing.T, expr string) {
		p, err := e.Compile(expr, now)
		if err != nil {
			var ke *kfl.Error
			if !errors.As(err, &ke) || len(ke.Problems) == 0 {
				t.Fatalf("%v is not an Error", err)
			}
			for _, p := range ke.Problems {
				lines := strings.Split(expr, "\n")
				if strings.HasPrefix(p.Message, "internal") || p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
					t.Fatalf("%+v", p)
				}
			}
			return
		}
		if n := strings.Count(p.Where, "?"); n != len(p.Args) {
			t.Fatalf("%s: %d parameters, %d arguments", p.Where, n, len(p.Args))
		}
		p.Explain()
		for _, r := range []row{{}, full} {
			all, allErr := p.MatchAll(r)
			rest, restErr := p.Match(r)
			if all && (!rest || restErr != nil) || allErr != nil && all {
				t.Fatalf("CEL %v (%v), residual %v (%v)", all, allErr, rest, restErr)
			}
		}
	})
}

// FuzzPattern checks that what a regular expression is narrowed to loses no
// match.
func FuzzPattern(f *testing.F) {
	for _, p := range patterns {
		for _, s := range nastyTexts[:10] {
			f.Add(p, s)
		}
	}
	e := env(f, columns{})
	f.Fuzz(func(t *testing.T, pattern, s string) {
		re, err := regexp.Compile(pattern)
		if err != nil || strings.ContainsAny(pattern, "\"\\\n\r") {
			return
		}
		p, err := e.Compile(`path.matches("`+pattern+`")`, now)
		if err != nil {
			return
		}
		if p.Where != "" && re.MatchString(s) && !strings.Contains(s, p.Args[0].(string)) {
			t.Fatalf("%q matches %q and lacks %q", pattern, s, p.Args[0])
		}
	})
}
