package redis

import (
	"bytes"
	"strings"
)

// masked stands for a word that is or may be a secret.
const masked = "***"

// secretive are the commands that some words of are secrets.
var secretive = set("AUTH", "HELLO", "MIGRATE", "ACL", "CONFIG", "SENTINEL")

// secret returns what stands for argument i of a command that may have secrets, nothing
// where it is none.
func (c *command) secret(i int, b []byte) (mask string) {
	if c.hide > 0 {
		if c.hide--; c.hide == 0 {
			return masked
		}
		return ""
	}
	switch string(c.name) {
	case "AUTH":
		return masked // a password, or a user and a password
	case "HELLO":
		if is(b, "AUTH") {
			c.hide = 2 // behind the user
		}
	case "MIGRATE":
		switch {
		case is(b, "AUTH"):
			c.hide = 1
		case is(b, "AUTH2"):
			c.hide = 2
		}
	case "ACL":
		if i > 2 && len(b) > 1 && bytes.IndexByte([]byte("><#!"), b[0]) >= 0 {
			return string(b[:1]) + masked // a password, or the hash of one
		}
	default: // a parameter of CONFIG SET or SENTINEL SET, before its value
		if name := strings.ToLower(string(b[:min(len(b), maxArg)])); strings.Contains(name, "pass") || name == "masterauth" {
			c.hide = 1
		}
	}
	return ""
}

func is(b []byte, word string) bool { return strings.EqualFold(string(b), word) }
