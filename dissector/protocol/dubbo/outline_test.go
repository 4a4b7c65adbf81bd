package dubbo

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// What the client said of the same calls.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"dubbo_calls.pcap": {
			"message: request\nid: 1\nserialization: 2 (hessian2)\ntwo-way: true\nevent: false\nbody: 138 bytes\ndubbo version: 2.0.2\nservice: demo.shop.Shop\nservice version: 1.0.0\n" +
				"method: find\nparameter types\n  type: Ljava/lang/String;\nattachments\n  application: dubbo-js\n  interface: demo.shop.Shop\n  path: demo.shop.Shop\n  version: 1.0.0",
			"status: 20 (OK)\nevent: false\nbody: 20 bytes\nresult: 4 (value)\nattachments\n  dubbo: 2.0.2",
		},
	})
}

func TestOutlineOfAttachments(t *testing.T) {
	text := func(s string) string { return string(rune(len(s))) + s }
	body := text("2.0.2") + text("S") + text("1.0") + text("m") + text("[ILj/S;J") + "\x79\x91" + text("x") + "\xe0" + // an array of one int, a text, a long
		"H" + text("token") + text("hunter22") + text("n") + "\x91" + text("list") + "\x79" + text("a") + text("path") + text("S") + "Z"
	raw := "\xda\xbb\xc2\x00" + "\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00" + string(rune(len(body))) + body
	got := string(outlined(&dissector.Message{Raw: []byte(raw)}, nil, 4096))
	want := "parameter types\n  type: [I\n  type: Lj/S;\n  type: J\nattachments\n  token: ***\n  n: ...\n  list: ...\n  path: S\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
