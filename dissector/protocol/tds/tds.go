// Package tds reads the Tabular Data Stream of Microsoft SQL Server, versions 7.0 to 7.4
// ([MS-TDS]; section numbers are those of its version 38).
//
// A message is one or more packets; requests and responses take turns. All results of a
// request are one response: its tokens are read, values are passed over. ATTENTION,
// which asks the server to stop, is one-way: that it did is said by the status of the
// response. A login may be encrypted on its own, and all behind PRELOGIN may be: the
// latter makes the connection opaque. TDS 8.0 begins with TLS, and is TLS here. Several
// sessions in one connection (MARS, [MC-SMP]) are not read.
package tds

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxPacket     = 32767     // bytes of a packet: the protocol's own limit (section 2.2.3.1.3)
	maxHead       = 64 << 10  // bytes of a request that are looked at
	maxQuery      = 4 << 10   // bytes of tds_query
	maxDetail     = 64 << 10  // bytes of tds_query, and of the parameters, in detail
	maxSummary    = 128       // bytes of the summary
	maxText       = 512       // bytes of an error's text or of a name
	maxValue      = 256       // bytes of a parameter's value in detail
	maxColumns    = 4096      // columns of a result: SQL Server's own limit
	maxEmpty      = 64        // columns of a result whose values take no bytes: rows cost time for each
	maxCarry      = 128 << 10 // bytes of a token that waits for its end
	maxStatements = 256       // prepared statements whose text is remembered
	maxHeld       = 128 << 10 // bytes of all their texts
)

// The fields.
var (
	Message      = field.NewText("tds_message", "Type of the request: PRELOGIN, LOGIN7, SQL_BATCH, RPC, TRANSACTION_MANAGER, ATTENTION, BULK_LOAD, FEDAUTH_TOKEN, SSPI; TLS where all that follows is encrypted.", `tds && tds_message == "RPC"`)
	Procedure    = field.NewText("tds_procedure", "Procedure that is called; those with a number by their name, such as sp_executesql.", `tds && tds_procedure == "sp_executesql"`)
	Query        = field.NewText("tds_query", "Text of the batch or of the statement that a procedure runs, of one prepared before too; at most 4096 bytes, then ...; *** for the rest from a password on. shark show has 64 KiB of it.", `tds && tds_query.contains("items")`)
	Parameters   = field.NewText("tds_parameters", "How many parameters the procedure is given; shark show has the values.", `tds && tds_parameters == "3"`)
	Handle       = field.NewInt("tds_handle", "", "Number of the prepared statement.", `tds && tds_handle == 1`)
	Database     = field.NewText("tds_database", "Database of the session.", `tds && tds_database == "shop"`)
	User         = field.NewText("tds_user", "User of the session; empty where its login was encrypted or not captured.", `tds && tds_user == "sa"`)
	Application  = field.NewText("tds_application", "Name of the program that logs in.", `tds && tds_application == "till"`)
	Library      = field.NewText("tds_library", "Name of the library that the program uses.", `tds && tds_library == "Tedious"`)
	Host         = field.NewText("tds_host", "Name of the client's machine, as it says it.", `tds && tds_host != ""`)
	Server       = field.NewText("tds_server", "Name and version of the server.", `tds && tds_server.contains("16.0")`)
	Version      = field.NewText("tds_version", "Version of the protocol: that which the client wants in a login, or the one agreed on.", `tds && tds_version < "7.4"`)
	Encryption   = field.NewText("tds_encryption", "What is encrypted, as PRELOGIN agrees: nothing, login or all.", `tds && tds_encryption == "nothing"`)
	SPID         = field.NewInt("tds_spid", "", "Number of the session on the server.", `tds && tds_spid == 57`)
	Columns      = field.NewInt("tds_columns", "", "Columns of the first result.", `tds && tds_columns > 3`)
	Rows         = field.NewInt("tds_rows", "", "Rows that were returned or changed, as the server counts them.", `tds && tds_rows > 100`)
	ReturnStatus = field.NewInt("tds_return_status", "", "What the procedure returned.", `tds && tds_return_status != 0`)
	Transaction  = field.NewText("tds_transaction", "What became of a transaction: began, committed or rolled back.", `tds && tds_transaction == "rolled back"`)
	ErrorNumber  = field.NewInt("tds_error_number", "", "Number of the first error; 0 when there is none.", `tds && tds_error_number == 2627`)
	ErrorClass   = field.NewInt("tds_error_class", "", "Class (severity) of that error.", `tds && tds_error_class >= 16`)
	ErrorMessage = field.NewText("tds_error_message", "Text of that error, at most 512 bytes.", `tds && tds_error_message.contains("duplicate key")`)
	InfoNumber   = field.NewInt("tds_info_number", "", "Number of the first informational message.", `tds && tds_info_number == 5701`)
	InfoMessage  = field.NewText("tds_info_message", "Text of the first informational message.", `tds && tds_info_message.contains("Changed database")`)
)

// Protocol is TDS. A call has failed when its response holds an error.
var Protocol = &dissector.Protocol{
	Name:      "tds",
	Label:     "TDS",
	Doc:       "Batches and procedure calls to Microsoft SQL Server.",
	Transport: dissector.TCP,
	Ports:     []uint16{1433},
	Fields: field.Fields(
		Message, Procedure, Query, Parameters, Handle, Database, User, Application, Library, Host, Server, Version, Encryption,
		SPID, Columns, Rows, ReturnStatus, Transaction, ErrorNumber, ErrorClass, ErrorMessage, InfoNumber, InfoMessage,
		field.NewAlias("tds_success", field.Succeeded, "Answered, and not with an error.", `tds && !tds_success`),
		field.NewAlias("tds_request_size", field.RequestSize, "Size of the request.", `tds && tds_request_size > 10000`),
		field.NewAlias("tds_response_size", field.ResponseSize, "Size of the response.", `tds && tds_response_size > 10000`),
		field.NewAlias("tds_total_size", field.TotalSize, "Size of request and response.", `tds && tds_total_size > 10000`),
	),
	Sync:  "\x01\x03\x04\x0e",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return newParser().parse },
}

var errMalformed = errors.New("malformed tds packet")

// parser reads one connection.
type parser struct {
	session
	up      upstream
	open    bool // the server's message goes on
	tokens  tokens
	offered byte // what the client's PRELOGIN says of encryption
	secret  encryption
	login   bool // an encrypted login was sent
	waiting bool // a request is not answered yet
	line    []byte
	text    []byte // of a statement, with what is not shown of it
}

// upstream is the client's message under way.
type upstream struct {
	open bool
	kind byte
	head []byte // its first bytes
	told bool   // they were looked at in full
}

func newParser() *parser {
	p := new(parser)
	p.tokens.session = &p.session
	p.statements.texts = make(map[int64][]byte)
	return p
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose(from)
	}
	if p.secret != encryptNothing && len(buf) > 0 && buf[0] >= 0x14 && buf[0] <= 0x17 {
		return p.record(from, buf, m)
	}
	if len(buf) < headerSize {
		m.Need = headerSize
		return 0, dissector.ErrShort
	}
	h, ok := readHeader(buf)
	if !ok || !h.of(from) {
		return 0, errMalformed
	}
	if len(buf) < h.length {
		m.Need = h.length
		return 0, dissector.ErrShort
	}
	payload := buf[headerSize:h.length]
	if from == dissector.Client {
		return int64(h.length), p.request(h, payload, m)
	}
	return int64(h.length), p.response(h, payload, m)
}

// lose forgets what bytes that were not seen may have changed.
func (p *parser) lose(from dissector.Side) {
	p.doubt()
	if from == dissector.Client {
		p.up = upstream{head: p.up.head[:0]}
	} else {
		p.open = false
	}
}
