package kfl

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

// Function documents one function, operator or macro.
type Function struct {
	Name  string
	Usage string // how it is written
	Doc   string // a sentence
}

// Functions lists what expressions may use besides fields, the usual first.
func Functions() []Function {
	return []Function{
		{"&&", "a && b", "Both are true."},
		{"||", "a || b", "One of them is true."},
		{"!", "!a", "It is not true."},
		{"==", "a == b", "Equal; also != < <= > >=."},
		{"in", `"x" in list`, "The list has the item, or the map has the key."},
		{"?:", "a ? b : c", "When a is true, b, else c."},
		{"+", "a + b", "Sum, or one text after the other; also - * / %."},
		{"contains", `path.contains("cart")`, "The text has the other inside it."},
		{"startsWith", `path.startsWith("/api")`, "The text begins with the other."},
		{"endsWith", `dst.dns.endsWith(".example.com")`, "The text ends with the other."},
		{"matches", `path.matches("^/v[0-9]+/")`, "The regular expression (RE2) is found in the text."},
		{"size", "size(dns_answers)", "Number of characters, bytes, items or keys."},
		{"map_get", `map_get(request.headers, "accept", "")`, "The value of a key, or the third argument when the map does not have it."},
		{"ip_in_range", `ip_in_range(src.ip, "10.0.0.0/8")`, "The address is in the range; false for what is not an address."},
		{"exists", `dns_questions.exists(q, q.endsWith(".example"))`, "The condition is true of one item or key; also all, exists_one, filter and map."},
		{"has", "has(request.headers.accept)", "The map has the key."},
		{"now", "now()", "The time when the filter was made."},
		{"timestamp", `timestamp("2026-03-14T22:00:00Z")`, "A time in RFC 3339."},
		{"duration", `duration("5m")`, "A length of time."},
		{"lowerAscii", "method.lowerAscii()", "The text with its letters A to Z made small; also upperAscii."},
		{"trim", "summary.trim()", "The text without white space at its ends."},
		{"substring", "path.substring(0, 4)", "The characters from one position up to another; an error when there are not so many."},
		{"indexOf", `path.indexOf("?")`, "Position of the other text, or -1; also lastIndexOf and charAt."},
		{"split", `path.split("/")`, "The parts of the text between separators."},
		{"int", `int("12")`, "Conversion; also string, double, bool, bytes and uint."},
		{"getHours", "timestamp.getHours()", "The hour, in UTC; also getMinutes, getSeconds, getDayOfWeek, getDate, getMonth and getFullYear."},
	}
}

// nowName is the variable behind now(). No expression can write it.
const nowName = "@now"

// library declares the functions.
func library() []cel.EnvOption {
	k, v := cel.TypeParamType("K"), cel.TypeParamType("V")
	return []cel.EnvOption{
		ext.Strings(ext.StringsVersion(0)),
		cel.Variable(nowName, cel.TimestampType),
		cel.Macros(cel.GlobalMacro("now", 0, func(f cel.MacroExprFactory, _ ast.Expr, _ []ast.Expr) (ast.Expr, *cel.Error) {
			return f.NewIdent(nowName), nil
		})),
		cel.Function("map_get", cel.Overload("map_get_map_key_default", []*cel.Type{cel.MapType(k, v), k, v}, v,
			cel.FunctionBinding(mapGet))),
		cel.Function("ip_in_range", cel.Overload("ip_in_range_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(ipInRange))),
	}
}

// unbounded are functions of the strings library whose result may be many times
// larger than what they are given. Compile refuses them.
var unbounded = []string{"replace", "join"}

func mapGet(args ...ref.Val) ref.Val {
	m, ok := args[0].(traits.Mapper)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	if v, ok := m.Find(args[1]); ok {
		return v
	}
	return args[2]
}

func ipInRange(ip, cidr ref.Val) ref.Val {
	a, ok1 := ip.(types.String)
	r, ok2 := cidr.(types.String)
	if !ok1 || !ok2 {
		return types.MaybeNoSuchOverloadErr(ip)
	}
	prefix, err := parseRange(string(r))
	if err != nil {
		return types.WrapErr(err)
	}
	addr, err := netip.ParseAddr(string(a))
	return types.Bool(err == nil && prefix.Contains(addr))
}

// parseRange reads "10.0.0.0/8", or a single address.
func parseRange(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
	} else if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	return netip.Prefix{}, fmt.Errorf("%q is not a range of addresses such as 10.0.0.0/8", s)
}
