package kfl_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/kfl"
)

// endOf tells the side of fields that an address and its owner decide.
func endOf(f *field.Field) kfl.Side {
	switch f.Name {
	case "src.ip", "src.pod.name":
		return kfl.SrcSide
	case "dst.ip", "dst.pod.name":
		return kfl.DstSide
	}
	return kfl.NoSide
}

// someone is a row of both sides, with an address that has an owner.
type someone struct{ ip, pod string }

func (s someone) Value(f *field.Field) any {
	if strings.HasSuffix(f.Name, ".ip") {
		return s.ip
	}
	return s.pod
}

// TestProve: what is proven of the entries that an expression selects.
func TestProve(t *testing.T) {
	e := env(t, columns{})
	people := []someone{{"10.0.0.1", "web"}, {"10.0.0.2", "cart"}, {"192.168.0.1", ""}}
	now := time.Unix(1000, 0)
	for _, c := range []struct{ expr, want string }{
		{``, ""},
		{`status_code >= 500`, ""},
		{`http`, "flags http"},
		{`http && status_code >= 500 && dns`, "flags http; flags dns"},
		{`http || redis && failed`, "flags http|redis"},
		{`http || failed`, ""},
		{`!conn && !flow`, "not conn flow"},
		{`!(conn || flow)`, ""},
		{`src.ip == "10.0.0.1"`, "ends web"},
		{`"10.0.0.1" == src.ip && http`, "flags http; ends web"},
		{`src.pod.name == "web" || dst.pod.name == "cart"`, "ends web cart"},
		{`src.pod.name == "web" || failed`, ""},
		{`(src.pod.name == "web" && failed || dst.ip == "192.168.0.1") && redis`, "flags redis; ends web 192.168.0.1"},
		{`src.ip.startsWith("10.") && dst.pod.name in ["cart", "none"]`, "ends web cart; ends cart"},
		{`src.ip == dst.ip`, ""},
		{`src.pod.name != "web"`, "ends cart 192.168.0.1"},
		{`!(src.pod.name == "web")`, "ends cart 192.168.0.1"},
		{`src.pod.name.matches("^c")`, "ends cart"},
		{`src.pod.name == "nobody"`, "ends"},
		{`src.ip == "10.0.0.1" ? http : dns`, ""},
		{`int(src.pod.name) == 1`, "ends web cart 192.168.0.1"}, // which is an error, and says nothing
		{`timestamp >= timestamp("1970-01-01T00:00:10Z") && timestamp < now()`, "from 10 to 1000"},
		{`timestamp("1970-01-01T00:00:10Z") > timestamp`, "to 10"},
		{`timestamp == timestamp("1970-01-01T00:00:10Z")`, "from 10 to 10"},
		{`timestamp > now() - duration("1m") || http`, ""},
		{`timestamp != now()`, ""},
	} {
		plan, err := e.Compile(c.expr, now)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := proofText(plan.Prove(endOf), people); got != c.want {
			t.Errorf("%s: proves %q, want %q", c.expr, got, c.want)
		}
	}
}

func proofText(p kfl.Proof, people []someone) string {
	var out []string
	for _, list := range p.Flags {
		out = append(out, "flags "+strings.Join(list, "|"))
	}
	if len(p.Unset) > 0 {
		out = append(out, "not "+strings.Join(p.Unset, " "))
	}
	for i := range p.Ends {
		text := "ends"
		for _, s := range people {
			if p.Ends[i].May(s) {
				text += " " + max(s.pod, map[bool]string{true: s.ip}[s.pod == ""])
			}
		}
		out = append(out, text)
	}
	var span []string
	if p.From != math.MinInt64 {
		span = append(span, fmt.Sprint("from ", p.From/1e9))
	}
	if p.To != math.MaxInt64 {
		span = append(span, fmt.Sprint("to ", p.To/1e9))
	}
	if len(span) > 0 {
		out = append(out, strings.Join(span, " "))
	}
	return strings.Join(out, "; ")
}

// TestNeeds: which fields an expression names.
func TestNeeds(t *testing.T) {
	e := env(t, columns{})
	for expr, want := range map[string]bool{``: false, `http`: false, `http && src.ip != "" || failed`: true} {
		plan, err := e.Compile(expr, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Needs(func(f *field.Field) bool { return slices.Contains([]string{"src.ip", "dst.ip"}, f.Name) }); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
}
