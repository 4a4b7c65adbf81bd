package workbench

import (
	"strconv"
	"strings"
)

// Count writes a number with what it counts, which is given in the plural: "1
// packet", "2 entries", "1 connection or call".
func Count(n int64, what string) string {
	if n != 1 {
		return Grouped(n) + " " + what
	}
	words := strings.Split(what, " or ")
	for i, w := range words {
		words[i] = singular(w)
	}
	return "1 " + strings.Join(words, " or ")
}

// singular knows the plurals that are written here.
func singular(plural string) string {
	if stem, ok := strings.CutSuffix(plural, "ies"); ok {
		return stem + "y"
	}
	if stem, ok := strings.CutSuffix(plural, "sses"); ok {
		return stem + "ss"
	}
	return strings.TrimSuffix(plural, "s")
}

// Grouped writes a number with its thousands apart.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
