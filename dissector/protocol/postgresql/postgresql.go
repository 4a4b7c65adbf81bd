// Package postgresql reads the PostgreSQL frontend/backend protocol, version 3
// (https://www.postgresql.org/docs/current/protocol.html).
//
// A call is a simple Query with all of its answer, up to ReadyForQuery, or in the
// extended protocol an Execute with the Parse and Bind before it, up to the message
// that completes it. What is followed by Sync without an Execute, such as the
// preparation of a statement, is a call of its own. The first call behind a Sync
// pairs in order, since it is always answered; the later ones of the same pipeline
// pair by their number in it: behind an error the server skips them, and they stay
// without an answer.
//
// Values are passed over. The data that a client sends for COPY is no part of its
// request's size; postgresql_copy_bytes counts it. Terminate, Flush and a Sync behind
// an Execute are no calls. A replication stream is not read: once it begins, the
// connection is opaque.
package postgresql

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxFrame      = 1 << 30   // bytes of a message of the protocol (PQ_LARGE_MESSAGE_LIMIT)
	maxStartup    = 10_000    // bytes of a packet that begins a session (MAX_STARTUP_PACKET_LENGTH)
	maxSeen       = 8 << 10   // bytes looked at of one message
	maxSeenDetail = 128 << 10 // bytes looked at of one message in detail
	maxQuery      = 4 << 10   // bytes of postgresql_query
	maxDetail     = 64 << 10  // bytes of postgresql_query, and of the parameters, in detail
	maxSummary    = 128       // bytes of the summary
	maxText       = 512       // bytes of an error's text, a name or a notice
	maxName       = 64        // bytes of the name of a prepared statement or portal: PostgreSQL's own limit
	maxHeld       = 512       // prepared statements, and portals, that are remembered
	maxHeldBytes  = 256 << 10 // bytes of all their queries
)

// The fields.
var (
	Command     = field.NewText("postgresql_command", "SQL verb: SELECT, INSERT and so on; for what is no statement the name of its message, such as STARTUP, PARSE or CANCEL, and EXECUTE where the statement is not known.", `postgresql && postgresql_command == "SELECT"`)
	Query       = field.NewText("postgresql_query", "Text of the statement, of a prepared one too; at most 4096 bytes, then ..., but ***, where a password stands in it. shark show has 64 KiB of it.", `postgresql && postgresql_query.contains("item")`)
	Statement   = field.NewText("postgresql_statement", "Name of the prepared statement; empty for the unnamed one.", `postgresql && postgresql_statement == "P_1"`)
	Parameters  = field.NewText("postgresql_parameters", "How many values are bound to the statement; shark show has the values.", `postgresql && postgresql_parameters == "2"`)
	Database    = field.NewText("postgresql_database", "Database of the session; empty where its beginning was not captured.", `postgresql && postgresql_database == "shop"`)
	User        = field.NewText("postgresql_user", "User of the session; empty where its beginning was not captured.", `postgresql && postgresql_user == "postgres"`)
	Application = field.NewText("postgresql_application", "Name of the program that the client gives as the session begins (application_name).", `postgresql && postgresql_application == "psql"`)
	Auth        = field.NewText("postgresql_auth", "How the client had to prove who it is: trust, password, md5, SCRAM-SHA-256, GSS, SSPI and others.", `postgresql && postgresql_auth == "md5"`)
	PID         = field.NewInt("postgresql_pid", "", "Process id of the session on the server: of STARTUP the own one, of CANCEL that whose command is to end, of NOTIFICATION the sender's.", `postgresql && postgresql_command == "CANCEL" && postgresql_pid > 0`)
	Rows        = field.NewInt("postgresql_rows", "", "Rows that were returned, written or copied, as the server counts them.", `postgresql && postgresql_rows > 100`)
	CopyBytes   = field.NewInt("postgresql_copy_bytes", "bytes", "Data copied by COPY, in either direction.", `postgresql && postgresql_copy_bytes > 1000`)
	Transaction = field.NewText("postgresql_transaction", "State of the transaction after the call: idle, open or failed; known where the answer ends with ReadyForQuery, not of an Execute.", `postgresql && postgresql_transaction == "failed"`)
	Severity    = field.NewText("postgresql_severity", "Severity of the error: ERROR, FATAL or PANIC.", `postgresql && postgresql_severity == "FATAL"`)
	ErrorCode   = field.NewText("postgresql_error_code", "SQLSTATE of the error; empty when there is none.", `postgresql && postgresql_error_code == "23505"`)
	ErrorText   = field.NewText("postgresql_error_message", "Error text.", `postgresql && postgresql_error_message.contains("duplicate key")`)
	Notice      = field.NewText("postgresql_notice", "First notice or warning of the answer.", `postgresql && postgresql_notice.contains("does not exist")`)
)

// Protocol is PostgreSQL. A call has failed when its answer holds an ErrorResponse.
var Protocol = &dissector.Protocol{
	Name:      "postgresql",
	Label:     "PostgreSQL",
	Doc:       "PostgreSQL commands: the simple and the extended protocol, COPY, sessions.",
	Transport: dissector.TCP,
	Ports:     []uint16{5432},
	Fields: field.Fields(
		Command, Query, Statement, Parameters, Database, User, Application, Auth, PID, Rows, CopyBytes,
		Transaction, Severity, ErrorCode, ErrorText, Notice,
		field.NewAlias("postgresql_success", field.Succeeded, "Answered, and not with an error.", `postgresql && !postgresql_success`),
		field.NewAlias("postgresql_request_size", field.RequestSize, "Size of the command.", `postgresql && postgresql_request_size > 1000`),
		field.NewAlias("postgresql_response_size", field.ResponseSize, "Size of the answer.", `postgresql && postgresql_response_size > 1000`),
		field.NewAlias("postgresql_total_size", field.TotalSize, "Size of command and answer.", `postgresql && postgresql_total_size > 1000`),
	),
	Sync:  "QPBTDCZE12",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return newParser().parse },
}

var errMalformed = errors.New("malformed postgresql message")

// parser reads one connection.
type parser struct {
	client   client
	server   server
	copyIn   copyIn
	user     []byte
	database []byte
	asked    byte // what the last packet without a type asked for: a byte answers it
	doubt    bool // a side has lost bytes since an answer was paired
	middle   bool // the client's first message was none that begins a session
	headless bool // the beginning of the session was lost: who the user is, is unknown
}

// copyIn is the data that the client sends for COPY.
type copyIn struct {
	bytes int64
	ended bool // CopyDone or CopyFail was seen
	gap   bool // some of the client's bytes are missing
}

// Kinds of requests, as Notes tell them to the parser of the answer; the number of
// the pipeline is from bit kindBits on.
const (
	kindSimple uint64 = iota + 1 // the answer ends with ReadyForQuery
	kindExtended
	kindStartup
	kindBits = 4
)

func newParser() *parser {
	p := new(parser)
	p.client.pipeline = 1
	p.client.statements.init()
	p.client.portals.init()
	return p
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.doubt = true
		if from == dissector.Client {
			p.copyIn.gap = true
			p.headless = p.headless || len(p.user) == 0 && !p.middle
			p.client.lose()
		} else {
			p.asked = 0
			p.server.lose(&p.client)
		}
	}
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	if from == dissector.Client {
		return p.request(buf, m)
	}
	return p.answer(buf, m)
}

// session sets the fields that every call of a session has.
func (p *parser) session(m *dissector.Message) {
	m.Resumed = m.Resumed || p.headless
	if len(p.user) > 0 {
		User.Set(&m.Values, p.user)
		Database.Set(&m.Values, p.database)
	}
}

// name sets what a call is named by.
func name(m *dissector.Message, s string) {
	Command.SetString(&m.Values, s)
	dissector.Operation.SetString(&m.Values, s)
}
