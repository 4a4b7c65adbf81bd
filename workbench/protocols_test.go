package workbench

import (
	"errors"
	"strings"
	"testing"

	"shark/dissector/protocol"
)

func TestChoose(t *testing.T) {
	all := len(protocol.All())
	for _, c := range []struct {
		words, text, note string
		n                 int
	}{
		{"", "all", "", all},
		{"+tcp", "", "", all + 1},
		{"+tcp,+udp,-dns", "", "not looked for: dns", all + 1},
		{"redis", "redis", "looked for only: redis", 1},
		{"Redis", "redis", "looked for only: redis", 1},
		{"redis,kafka", "redis,kafka", "looked for only: redis, kafka", 2},
		{"grpc", "http,http2,http3,grpc,quic", "looked for only: http, http2, http3, grpc, quic", 5},
		{"http3", "http3,quic", "looked for only: http3, quic", 2},
		{"-quic", "", "not looked for: quic", all - 1},
		{"-redis,+redis", "all", "", all},
	} {
		var words []string
		if c.words != "" {
			words = strings.Split(c.words, ",")
		}
		got, err := choose(words)
		if err != nil || len(got.list) != c.n || got.note != c.note || c.text != "" && got.text != c.text || c.text == "" && got.text == "all" {
			t.Errorf("%q: %d protocols, %q, %q, %v", c.words, len(got.list), got.text, got.note, err)
		}
	}
	for _, word := range []string{"gopher", "++tcp", "+-tcp", "-", "+"} {
		if _, err := choose([]string{word}); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "there are http, ") {
			t.Errorf("%q: %v", word, err)
		}
	}
}
