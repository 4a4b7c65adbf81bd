package ws

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// Credentials are not in what is shown of a message.
func TestSecretsAreNotKept(t *testing.T) {
	for text, want := range map[string]string{
		`{"op":"login","password":"hunter2","x":1}`:                            `{"op":"login","password":"***","x":1}`,
		`{"type":"connection_init","payload":{"Authorization" : "B hunter2"}}`: `{"type":"connection_init","payload":{"Authorization" : "***"}}`,
		`42["auth",{"access_token":"a\"hunter2","id":7}]`:                      `42["auth",{"access_token":"***","id":7}]`,
		`{"secret": {"a": "}", "b": ["hunter2"]}, "c": 1}`:                     `{"secret": ***, "c": 1}`,
		`{"passcode":7532,"x":[1]}`:                                            `{"passcode":***,"x":[1]}`,
		`{"clientSecret":"hunter2`:                                             `{"clientSecret":"***`,
		`{"m":"{\"token\":\"hunter2\",\"x\":1}","y":2}`:                        `{"m":"{\"token\":\"***\",\"x\":1}","y":2}`,
		`{"m":"{\"secret\":{\"a\":\"}\",\"b\":\"hunter2\"}}"}`:                 `{"m":"{\"secret\":***}"}`,
		"CONNECT\nlogin:ann\npasscode:hunter2 \\n hunter2\nhost:x\n\n\x00":     "CONNECT\nlogin:ann\npasscode:***\nhost:x\n\n\x00",
		"CONNECT\r\nAuthorization: Bearer hunter2\r\n\r\n\x00":                 "CONNECT\r\nAuthorization:***\r\n\r\n\x00",
		`["CONNECT\nlogin:ann\npasscode:hunter2\nhost:x\n\n\u0000"]`:           `["CONNECT\nlogin:ann\npasscode:***\nhost:x\n\n\u0000"]`,
		`{"max_tokens":5,"passenger":"ann","note":"the password: none"}`:       `{"max_tokens":5,"passenger":"ann","note":"the password: none"}`,
		"::":         "::",
		`"token":`:   `"token":`,
		`{"token":\`: `{"token":***`,
	} {
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			m := new(dissector.Message)
			setData(from, m, []byte(text), int64(len(text)))
			got := string(RequestData.Get(&m.Values)) + string(ResponseData.Get(&m.Values))
			if got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
			}
			for f, v := range m.All() {
				if strings.Contains(string(v.Bytes), "hunter2") {
					t.Errorf("%s: %s is %s", text, f.Name, v.Bytes)
				}
			}
		}
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add([]byte(`{"token":"x","secret":{"a":"}"},"m":"{\"pass\":\"x\"}"}`))
	f.Add([]byte("CONNECT\npasscode:x\n\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer dissectortest.Bounded(t)()
		for n := range len(b) + 1 {
			hideSecrets(b[:n])
		}
	})
}
