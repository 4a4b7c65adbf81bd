package redis

import (
	"bytes"
	"strings"
)

// masked stands for a word that is or may be a secret.
const masked = "***"

// secretive are the commands that some words of are secrets.
var secretive = set("AUTH", "HELLO", "MIGRATE", "ACL", "CONFIG", "SENTINEL")

// hidden returns what stands for argument i of a command that may have secrets, nothing
// where it is none. A line whose quotes do not match is cut at its blanks alone, so that of a
// quoted word the rest may be a secret too, and the ones behind it are not where they seem to be:
// nothing of the line is shown from there on.
func (c *command) hidden(i int, b []byte) (mask string) {
	mask = c.secret(i, b)
	switch {
	case c.exact:
		return mask
	case mask == "" && !quoted(b):
		return ""
	case mask == "":
		mask = masked
	}
	c.shut = true
	return mask
}

// quoted tells whether a word of a line has what makes it another one.
func quoted(b []byte) bool { return bytes.ContainsAny(b, "\"'\\") }

// secret is hidden for a command whose words are known.
func (c *command) secret(i int, b []byte) (mask string) {
	switch {
	case c.spare > 0:
		c.spare--
		return ""
	case c.hide > 0:
		if c.hide--; c.hide == 0 {
			return masked
		}
		return ""
	}
	switch string(c.name) {
	case "AUTH":
		return masked // a password, or a user and a password
	case "HELLO":
		switch {
		case is(b, "AUTH"):
			c.hide = 2 // behind the user
		case is(b, "SETNAME"):
			c.spare = 1
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
	default:
		c.parameter(i, b)
	}
	return ""
}

// parameter looks at a word of CONFIG or SENTINEL. Behind CONFIG SET, SENTINEL SET and
// the name of a master, or SENTINEL CONFIG SET, parameters and values take turns.
func (c *command) parameter(i int, b []byte) {
	sentinel := string(c.name) == "SENTINEL"
	switch {
	case i == 1:
		c.sub.set(b)
		return
	case i == 2 && sentinel:
		return
	case !c.sub.is("SET") && (!sentinel || !c.sub.is("CONFIG")):
		return
	}
	name := strings.ToLower(string(b[:min(len(b), maxArg)]))
	switch {
	case strings.Contains(name, "pass") || name == "masterauth":
		c.hide = 1
	case sentinel && name == "rename-command":
		c.spare = 2
	default:
		c.spare = 1
	}
}

func is(b []byte, word string) bool { return strings.EqualFold(string(b), word) }
