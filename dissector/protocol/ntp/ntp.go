// Package ntp reads NTP: time asked for and told (RFC 5905 and the versions before it),
// control messages (RFC 9327) and the private messages of ntpd's mode 7.
//
// A server's answer pairs with the request whose transmit time it repeats as origin.
// Symmetric and broadcast messages are one-way: what peers tell each other answers
// nothing. Control and private messages pair by sequence; those that go on in another
// datagram are interim answers. In interleaved mode (RFC 9769) an answer repeats another
// time, so request and answer stand alone.
package ntp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxText = 200 // bytes of a control message's text in a summary
)

// The fields.
var (
	Version        = field.NewInt("ntp_version", "", "Version of the protocol, of the request where there is one.", `ntp && ntp_version < 4`)
	Mode           = field.NewText("ntp_mode", "Mode: client, server, symmetric active, symmetric passive, broadcast, control or private; the request's where there is one.", `ntp_mode == "control"`)
	Leap           = field.NewText("ntp_leap", "Leap indicator: no warning, 61 seconds, 59 seconds or unsynchronized.", `ntp_leap == "unsynchronized"`)
	Stratum        = field.NewInt("ntp_stratum", "", "Steps from the server to a reference clock: 1 has one of its own; 0 is unknown.", `ntp && ntp_stratum > 1`)
	Poll           = field.NewInt("ntp_poll", "s", "Interval between requests.", `ntp && ntp_poll == 1`)
	Precision      = field.NewInt("ntp_precision", "", "Precision of the server's clock in seconds, as a power of 2.", `ntp && ntp_precision > -10`)
	RootDelay      = field.NewInt("ntp_root_delay", "µs", "Round trip from the server to the reference clock.", `ntp_root_delay > 10`)
	RootDispersion = field.NewInt("ntp_root_dispersion", "µs", "How wrong the server's clock may be besides.", `ntp_root_dispersion > 1000000`)
	ReferenceID    = field.NewText("ntp_reference_id", "Where the server has its time from: kind of reference clock, else an address of IPv4, or what stands for one of IPv6.", `ntp_reference_id == "GPS"`)
	KissCode       = field.NewText("ntp_kiss_code", "Kiss code: why the server gives no time.", `ntp_kiss_code == "RATE"`)
	Offset         = field.NewInt("ntp_offset", "µs", "By how much the server's clock is ahead of the clock that the capture was made with, if the ways there and back took equal time.", `ntp_offset > 1 || ntp_offset < -1`)
	KeyID          = field.NewInt("ntp_key_id", "", "Number of the key that the message is authenticated with.", `ntp && ntp_key_id > 0`)
	Association    = field.NewInt("ntp_association", "", "Association that a control message is about; 0 is the server itself.", `ntp && ntp_association > 0`)
)

// Protocol is NTP. A call has failed when the server gives a kiss code, is not
// synchronized, or answers a control or private message with an error.
var Protocol = &dissector.Protocol{
	Name:      "ntp",
	Label:     "NTP",
	Doc:       "Time by NTP, and how its servers are controlled.",
	Transport: dissector.UDP,
	Ports:     []uint16{123},
	Fields: field.Fields(
		Version, Mode, Leap, Stratum, Poll, Precision, RootDelay, RootDispersion, ReferenceID, KissCode, Offset, KeyID, Association,
		field.NewAlias("ntp_operation", field.Operation, "Mode, or what a control or private message asks for, such as read variables or MON_GETLIST_1.", `ntp_operation == "MON_GETLIST_1"`),
		field.NewAlias("ntp_request_size", field.RequestSize, "Size of the request.", `ntp_request_size > 50`),
		field.NewAlias("ntp_response_size", field.ResponseSize, "Size of the answer.", `ntp_response_size > 100`),
		field.NewAlias("ntp_total_size", field.TotalSize, "Size of both.", `ntp_total_size > 100`),
	),
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed ntp message")
