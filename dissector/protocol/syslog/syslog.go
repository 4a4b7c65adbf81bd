// Package syslog reads syslog messages: RFC 5424, what RFC 3164 describes and what
// has no more than a priority; over UDP (RFC 5426) and over TCP with octet counting
// or with a line a message (RFC 6587).
//
// All messages are one-way. A line of a stream that has no priority, such as the
// second line of a message that has two, is passed over like lost bytes: RFC 6587
// section 3.4.2 knows no way to tell what it belongs to.
package syslog

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxHead    = 8 << 10 // bytes of a message in which its header is looked for
	maxCount   = 7       // digits of the length of a message
	maxText    = 1 << 10 // bytes of a message's text that are kept
	maxSummary = 200     // bytes of a summary
	maxParams  = 32      // parameters of structured data that are kept
)

// The longest parts of a header, in bytes (RFC 5424 section 6).
const (
	maxHost  = 255
	maxApp   = 48
	maxProc  = 128
	maxMsgID = 32
	maxName  = 32 // SD-ID and PARAM-NAME
)

// The fields.
var (
	Facility     = field.NewText("syslog_facility", "Facility by name: kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, audit, alert, clock, local0 to local7.", `syslog_facility == "authpriv"`)
	Severity     = field.NewText("syslog_severity", "Severity by name: emerg, alert, crit, err, warning, notice, info or debug.", `syslog_severity == "err"`)
	SeverityCode = field.NewInt("syslog_severity_code", "", "Severity as a number, from 0, the worst, to 7.", `syslog && syslog_severity_code <= 3`)
	Format       = field.NewText("syslog_format", "Form of the header: rfc5424, rfc3164, or pri where there is only a priority.", `syslog_format == "rfc3164"`)
	Timestamp    = field.NewText("syslog_timestamp", "Time by the sender's clock, as it was sent.", `syslog_timestamp.startsWith("2026-")`)
	Hostname     = field.NewText("syslog_hostname", "Machine that the message says it comes from.", `syslog_hostname == "web-1"`)
	AppName      = field.NewText("syslog_app_name", "Program that logs: APP-NAME, or the name in the tag of RFC 3164.", `syslog_app_name == "app"`)
	ProcID       = field.NewText("syslog_proc_id", "Process that logs, mostly its number.", `syslog_proc_id == "4711"`)
	MsgID        = field.NewText("syslog_msg_id", "MSGID: kind of the message.", `syslog_msg_id == "ID47"`)
	Data         = field.NewMap("syslog_structured_data", "Parameters of the structured data by SD-ID, a dot and their name; at most 32.", `syslog_structured_data["timequality.issynced"] == "0"`)
	Text         = field.NewText("syslog_message", "Beginning of the message's text, at most 1024 bytes.", `syslog_message.contains("failed")`)
)

// Protocol is syslog. Nothing answers a message, so none has failed.
var Protocol = &dissector.Protocol{
	Name:      "syslog",
	Label:     "Syslog",
	Doc:       "Syslog messages over UDP and TCP.",
	Transport: dissector.UDP | dissector.TCP,
	Ports:     []uint16{514, 601, 1514, 5514},
	Fields: field.Fields(
		Facility, Severity, SeverityCode, Format, Timestamp, Hostname, AppName, ProcID, MsgID, Data, Text,
		field.NewAlias("syslog_size", field.RequestSize, "Size of the message, header included.", `syslog_size > 1024`),
	),
	Sync:  "<123456789",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed syslog message")
