package snapshot

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxPart bounds one part of a path, in bytes; file systems hold 255.
const maxPart = 200

// newID returns an id that sorts by time: 20260301t120000123z-k3v9q2mx7a.
func newID(now time.Time) string {
	t := strings.Replace(now.UTC().Format("20060102t150405.000z"), ".", "", 1)
	return t + "-" + strings.ToLower(rand.Text()[:10])
}

// PathPart makes one part of a path of a name that comes from anywhere. Different
// names give different parts, on file systems that do not tell case apart too.
func PathPart(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if edge := i == 0 || i == len(name)-1; !plain(c) || c == '.' && edge || i == 0 && reserved(name) {
			fmt.Fprintf(&b, "=%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	if b.Len() <= maxPart {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(b.String()[:maxPart-34], ".") + "==" + hex.EncodeToString(sum[:16])
}

// plain tells whether c stands for itself in a path on every system and in every
// object store.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// reserved tells whether Windows takes a file of this name for a device.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	if len(stem) == 4 && stem[3] >= '0' && stem[3] <= '9' {
		return stem[:3] == "com" || stem[:3] == "lpt"
	}
	return slices.Contains([]string{"con", "prn", "aux", "nul"}, stem)
}
