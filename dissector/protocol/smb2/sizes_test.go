package smb2_test

import (
	"testing"

	"shark/dissector/dissectortest"
	"shark/dissector/protocol/smb2"
)

func TestSizes(t *testing.T) {
	dissectortest.Sized(t, smb2.Protocol, nil, "nbss", "smb", "smb2")
}
