package dns

import (
	"testing"

	"shark/dissector/dissectortest"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, Protocol) }

func TestMdns(t *testing.T) {
	mdns := *Mdns
	mdns.Fields = nil // they are those of DNS, whose captures set them all
	dissectortest.Run(t, &mdns)
}
