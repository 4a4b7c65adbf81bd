package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// A sealed text is a JSON object whose last key, "sum", is the SHA-256 in hex of the text before
// it, up to the comma. It finds damage where nobody signed; who means to change the text writes a
// new sum.

// errSeal says that a sealed text is another than was written.
var errSeal = errors.New("its last key is not the sum of what stands before it: it was changed")

// seals are what stands around the sum in each form of JSON, and how the object would have ended
// without it.
var seals = map[string]struct{ head, tail, end string }{
	"":   {`,"sum":"`, "\"}\n", "}\n"},
	"  ": {",\n  \"sum\": \"", "\"\n}\n", "\n}\n"},
}

// seal encodes an object that has a key at least, indented or not, and seals it.
func seal(v any, indent string) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	form := seals[indent]
	text := bytes.TrimSuffix(buf.Bytes(), []byte(form.end))
	return fmt.Appendf(text, "%s%x%s", form.head, sha256.Sum256(text), form.tail), nil
}

// checkSeal compares a text with the sum at its end.
func checkSeal(text []byte) error {
	at := max(bytes.LastIndexByte(text, ','), 0)
	sum := sha256.Sum256(text[:at])
	for _, form := range seals {
		if string(text[at:]) == form.head+hex.EncodeToString(sum[:])+form.tail {
			return nil
		}
	}
	return errSeal
}
