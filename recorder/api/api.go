// Package api is how a recorder is asked from afar: HTTP with TLS and a token.
//
// In: requests of those who have the token. Out: the status, metrics, and windows of what was
// recorded, which are pinned first and then read as streams. It can freeze and report, and
// nothing else; what it answers to whoever has no token tells nothing.
//
//	GET    /v1/status                 what is recorded, what is not and why (JSON)
//	GET    /v1/boundaries             whose recorder it is and what time could be frozen (Boundaries)
//	GET    /metrics                   for Prometheus
//	POST   /v1/pins                   keeps a Window from being overwritten: a Pin
//	GET    /v1/pins/ID                the Pin as it is, for another lease
//	GET    /v1/pins/ID/packets        its packets as pcapng; after=N leaves out the first N
//	GET    /v1/pins/ID/secrets        its TLS secrets, as the Decryption Secrets Blocks of a pcapng file
//	GET    /v1/pins/ID/identity       its identity log
//	DELETE /v1/pins/ID                lets go of it
//
// Who asks for more at a time than is given is told when to ask again (429, Retry-After). What
// fails is answered with a Failure in JSON.
//
// A stream that ends before its end, as HTTP has it, was cut, and may be asked for again. A pin
// of which nobody asks anything for the time of its lease is let go of.
package api

import (
	"time"

	"shark/packet"
)

// Limits of what clients may ask for.
const (
	// maxBody is how large the body of a request may be, and maxHeader its head, in bytes.
	maxBody   = 4 << 10
	maxHeader = 16 << 10
	// maxConns is how many connections there may be at a time, maxPins how many pins, and
	// maxStreams how many of these are read.
	maxConns   = 64
	maxPins    = 16
	maxStreams = 4
	// maxDamage is how many places of damage a Pin lists, and how many losses.
	maxDamage = 100
)

// How long clients may take.
const (
	requestTime = 10 * time.Second // to say what they want
	writeTime   = 30 * time.Second // to take some kilobytes
	idleTime    = time.Minute      // before they ask again
	leaseTime   = time.Minute      // before a pin that nobody asks for is let go of
	endTime     = 5 * time.Second  // to end when the recorder does
)

// Window is a time, both ends included.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Boundaries say what could be frozen. Zero times: nothing is recorded.
type Boundaries struct {
	Node string `json:"node"`
	Window
}

// Pin is a window that is kept. Damage and Losses are what the last reading of its packets met.
type Pin struct {
	ID    string `json:"id"`
	Node  string `json:"node"`
	Lease int    `json:"lease_seconds"`
	Window
	Bytes  int64           `json:"bytes"` // that are about to be read
	Notes  []string        `json:"notes"` // what of it was not recorded
	Damage []packet.Damage `json:"damage,omitempty"`
	Losses []packet.Loss   `json:"losses,omitempty"`
}

// Failure is the body of an answer that is none.
type Failure struct {
	Error string `json:"error"`
}
