package kfl_test

import (
	"testing"

	"shark/dissector/field"
	"shark/kfl"
)

// fixed is a row as an index would give it: values by field, made when asked for.
type fixed struct {
	http, code, ns, path, elapsed, headers *field.Field
	h                                      map[string]string
}

func (r *fixed) Value(f *field.Field) any {
	switch f {
	case r.http:
		return true
	case r.code:
		return int64(503)
	case r.ns:
		return "prod"
	case r.path:
		return "/api/v1/cart/checkout"
	case r.elapsed:
		return int64(123456)
	case r.headers:
		return r.h
	}
	return nil
}

var typical = []struct{ name, expr string }{
	{"simple", `status_code >= 500`},
	{"typical", `http && status_code >= 500 && dst.pod.namespace == "prod" && path.contains("cart") && elapsed_time > 10`},
	{"deep", `http && "authorization" in request.headers && map_get(request.headers, "content-type", "") == "application/json" && method in ["", "POST"]`},
	{"matches", `http && path.matches("^/api/v[0-9]+/")`},
	{"macro", `dns_questions.exists(q, q.endsWith(".example")) || http`},
}

// BenchmarkMatch is CEL alone: nothing has a column.
func BenchmarkMatch(b *testing.B) {
	e := env(b, nil)
	l := e.Catalogue().Lookup
	r := &fixed{
		l("http"), l("status_code"), l("dst.pod.namespace"), l("path"), l("elapsed_time"), l("request.headers"),
		map[string]string{"authorization": "x", "content-type": "application/json", "accept": "*/*"},
	}
	for _, q := range typical {
		p := compile(b, e, q.expr)
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := p.Match(r); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	e := env(b, columns{})
	for _, q := range typical {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				compile(b, e, q.expr)
			}
		})
	}
}

func BenchmarkNewEnv(b *testing.B) {
	cat := catalogue(b)
	for b.Loop() {
		if _, err := kfl.NewEnv(cat, columns{}); err != nil {
			b.Fatal(err)
		}
	}
}
