package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// perRepeat is how many calls each repeat of the small capture has.
const perRepeat = 13

var largeBytes = sync.OnceValues(func() ([]byte, error) {
	const header, record, addresses = 24, 16, 14 + 12 // the addresses of IPv4 in Ethernet
	small, err := os.ReadFile("../../testdata/http/server.pcap")
	if err != nil {
		return nil, err
	}
	large := append([]byte(nil), small[:header]...)
	for i := range repeats {
		copied := append([]byte(nil), small[header:]...)
		for at := 0; at < len(copied); {
			r := copied[at:]
			binary.LittleEndian.PutUint32(r, binary.LittleEndian.Uint32(r)+uint32(i))
			for _, a := range []int{0, 4} {
				binary.BigEndian.PutUint16(r[record+addresses+a+1:], uint16(i))
			}
			at += record + int(binary.LittleEndian.Uint32(r[8:]))
		}
		large = append(large, copied...)
	}
	return large, nil
})

// largeCapture writes the large capture, in which each repeat is between another pair
// of addresses, and returns its path.
func largeCapture(t *testing.T, dir string) string {
	t.Helper()
	b, err := largeBytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "large.pcap")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
