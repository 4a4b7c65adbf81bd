package cassandra

import (
	"bytes"

	"shark/dissector/secret"
	"shark/dissector/wire"
)

// appendQuery appends the text of a statement, at most limit bytes of it and "..." if
// there is more; *** from a secret on. cut says that the statement goes on.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	n, mask := secrets.Shown(query, cut)
	query, cut = query[:n], cut && mask == ""
	if head := wire.Cut(query, limit); len(head) < len(query) {
		query, cut = head, true
	}
	if dst = append(dst, bytes.ToValidUTF8(query, []byte("\uFFFD"))...); cut {
		dst = append(dst, "..."...)
	}
	return append(dst, mask...)
}

// secrets finds passwords and keys in statements. A server names a whole statement in
// brackets.
var secrets = secret.Dialect{
	Words: ['z' + 1][]string{
		'a': {"access_key"},
		'p': {"password", "passwd", "passphrase", "pwd"},
		's': {"salted_hash", "secret"},
	},
	List: `"`, Close: `"`, Value: "'$;", Comments: []string{"//"}, Quote: "[$",
}

// skipComments returns a statement from its first word on.
func skipComments(query []byte) []byte {
	for {
		query = bytes.TrimLeft(query, " \t\r\n;")
		var end int
		switch {
		case bytes.HasPrefix(query, []byte("/*")):
			if end = bytes.Index(query, []byte("*/")); end >= 0 {
				end += 2
			}
		case bytes.HasPrefix(query, []byte("--")), bytes.HasPrefix(query, []byte("//")):
			end = bytes.IndexByte(query, '\n')
		default:
			return query
		}
		if end < 0 {
			return nil
		}
		query = query[end:]
	}
}

// printable tells whether b is text as statements and names are.
func printable(b []byte) bool { return wire.Printable(b, "\n\t\r") }
