// Package cassandra reads the CQL binary protocol of Apache Cassandra and its kin,
// versions 3 to 5 (native_protocol_v3.spec to native_protocol_v5.spec of Cassandra;
// section numbers are those of version 5).
//
// An envelope, which versions before 5 call a frame, is a message. Requests and
// responses pair by stream id, which clients use again and again: the parser counts
// the uses. EVENT is one-way. From the end of STARTUP on, version 5 packs envelopes
// into frames with checksums: of those the header's is checked, which tells a frame
// anywhere in a stream, the payload's is not. Bodies compressed with LZ4 or Snappy are
// decompressed as far as they are looked at.
//
// Values and rows are passed over. The text of a prepared statement is known where
// its PREPARE was seen on the same connection.
package cassandra

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxBody       = 256 << 20 // bytes of an envelope's body: the protocol's own limit (section 2.5)
	maxHead       = 64 << 10  // bytes of a body that are looked at, compressed or not
	maxPayload    = 1<<17 - 1 // bytes of a frame's payload in version 5 (section 2.2)
	maxQuery      = 4 << 10   // bytes of cassandra_query
	maxDetail     = 64 << 10  // bytes of cassandra_query, and of the parameters, in detail
	maxSummary    = 128       // bytes of the summary
	maxText       = 512       // bytes of an error's text, of a warning or of a name
	maxWarnings   = 16        // warnings of one response
	maxStatements = 512       // prepared statements that are remembered
	maxHeld       = 256 << 10 // bytes of all their texts
	maxID         = 64        // bytes of a prepared statement's id
	maxColumns    = 4096      // columns that are passed over to find the number of rows
)

// The fields.
var (
	Version           = field.NewInt("cassandra_version", "", "Version of the protocol.", `cassandra && cassandra_version < 5`)
	Opcode            = field.NewText("cassandra_opcode", "What is asked: QUERY, PREPARE, EXECUTE, BATCH, STARTUP, OPTIONS, REGISTER, AUTH_RESPONSE; EVENT of what the server tells by itself.", `cassandra && cassandra_opcode == "EXECUTE"`)
	Stream            = field.NewInt("cassandra_stream", "", "Stream id, by which a response names its request; -1 of an event.", `cassandra && cassandra_stream == 12`)
	Query             = field.NewText("cassandra_query", "Text of the statement, of a prepared one too where its PREPARE was seen; of a batch that of the first, and at most 4096 bytes, then ...; *** for the rest from a password on. shark show has 64 KiB of it.", `cassandra && cassandra_query.contains("items")`)
	PreparedID        = field.NewText("cassandra_prepared_id", "Id of the prepared statement, in hexadecimal digits.", `cassandra && cassandra_prepared_id.startsWith("3030")`)
	Parameters        = field.NewText("cassandra_parameters", "How many values are bound to the statement; shark show has the values.", `cassandra && cassandra_parameters == "2"`)
	Consistency       = field.NewText("cassandra_consistency", "Consistency level that the request asks for.", `cassandra && cassandra_consistency == "QUORUM"`)
	SerialConsistency = field.NewText("cassandra_serial_consistency", "Consistency level of the serial phase of a conditional update: SERIAL or LOCAL_SERIAL.", `cassandra && cassandra_serial_consistency == "LOCAL_SERIAL"`)
	Keyspace          = field.NewText("cassandra_keyspace", "Keyspace that the request names or that the session uses.", `cassandra && cassandra_keyspace == "shop"`)
	Table             = field.NewText("cassandra_table", "Table, with its keyspace, of the rows or of the prepared statement.", `cassandra && cassandra_table == "shop.items"`)
	User              = field.NewText("cassandra_user", "User who logged in with a password.", `cassandra && cassandra_user == "shop"`)
	Driver            = field.NewText("cassandra_driver", "Name and version that the client's driver gives in STARTUP.", `cassandra && cassandra_driver.contains("gocql")`)
	PageSize          = field.NewInt("cassandra_page_size", "", "Rows that the client wants in one response.", `cassandra && cassandra_page_size > 1000`)
	BatchType         = field.NewText("cassandra_batch_type", "Type of the batch: logged, unlogged or counter.", `cassandra && cassandra_batch_type == "logged"`)
	BatchSize         = field.NewInt("cassandra_batch_size", "", "Statements of the batch.", `cassandra && cassandra_batch_size > 2`)
	Rows              = field.NewInt("cassandra_rows", "", "Rows of the response.", `cassandra && cassandra_rows > 20`)
	Columns           = field.NewInt("cassandra_columns", "", "Columns of the rows.", `cassandra && cassandra_columns > 10`)
	MorePages         = field.NewBool("cassandra_more_pages", "There are more rows than those of the response.", `cassandra && cassandra_more_pages`)
	Event             = field.NewText("cassandra_event", "Type of the event: TOPOLOGY_CHANGE, STATUS_CHANGE or SCHEMA_CHANGE.", `cassandra && cassandra_event == "STATUS_CHANGE"`)
	Compression       = field.NewText("cassandra_compression", "How the request, or else the response, is compressed: lz4 or snappy, unknown where it cannot be told; empty when it is not.", `cassandra && cassandra_compression == "lz4"`)
	Tracing           = field.NewText("cassandra_tracing", "Id of the trace that the server keeps of the request.", `cassandra && cassandra_tracing != ""`)
	Warnings          = field.NewList("cassandra_warnings", "Warnings of the server.", `cassandra && size(cassandra_warnings) > 0`)
	ErrorCode         = field.NewInt("cassandra_error_code", "", "Error code; 0 is a server error too, so that cassandra_error tells whether there is one.", `cassandra && cassandra_error_code == 4352`)
	Error             = field.NewText("cassandra_error", "Name of the error, such as Write_timeout or Syntax_error; empty when there is none.", `cassandra && cassandra_error == "Write_timeout"`)
	ErrorMessage      = field.NewText("cassandra_error_message", "Error text, at most 512 bytes.", `cassandra && cassandra_error_message.contains("unconfigured table")`)
)

// Protocol is Cassandra. A call has failed when its answer is ERROR.
var Protocol = &dissector.Protocol{
	Name:      "cassandra",
	Label:     "Cassandra",
	Doc:       "CQL requests and responses of Apache Cassandra and its kin.",
	Transport: dissector.TCP,
	Ports:     []uint16{9042},
	Fields: field.Fields(
		Version, Opcode, Stream, Query, PreparedID, Parameters, Consistency, SerialConsistency, Keyspace, Table, User, Driver,
		PageSize, BatchType, BatchSize, Rows, Columns, MorePages, Event, Compression, Tracing, Warnings, ErrorCode, Error, ErrorMessage,
		field.NewAlias("cassandra_success", field.Succeeded, "Answered, and not with an error.", `cassandra && !cassandra_success`),
		field.NewAlias("cassandra_request_size", field.RequestSize, "Size of the request.", `cassandra && cassandra_request_size > 1000`),
		field.NewAlias("cassandra_response_size", field.ResponseSize, "Size of the response.", `cassandra && cassandra_response_size > 100`),
		field.NewAlias("cassandra_total_size", field.TotalSize, "Size of request and response.", `cassandra && cassandra_total_size > 1000`),
	),
	Sync:  "\x03\x04\x05\x83\x84\x85",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return newParser().parse },
}

var errMalformed = errors.New("malformed cassandra message")

// parser reads one connection.
type parser struct {
	sides      [2]flow
	uses       streams
	statements statements
	algorithm  algorithm // of compressed bodies, as STARTUP asked for
	keyspace   []byte
	user       []byte
	lost       bool // bytes were
	unsure     bool // such that may have changed the keyspace
	nobody     bool // such that may have said who the user is
	choosing   bool // a keyspace, and the answer is not there yet
	preparing  int  // statements of which the answer is not there yet
	scratch    []byte
	line       []byte
}

func newParser() *parser {
	p := new(parser)
	p.uses.latest = make(map[uint16]use)
	p.statements.texts = make(map[string][]byte)
	return p
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	f := &p.sides[from]
	if m.Gap > 0 {
		f.reset()
		p.uses.lose(from)
		p.lost, p.unsure, p.keyspace = true, true, p.keyspace[:0]
		p.nobody = p.nobody || len(p.user) == 0
	}
	switch {
	case len(f.plain) > 0:
		return p.packed(from, m)
	case f.left > 0:
		return p.within(from, buf, m)
	}
	if f.version != 3 && f.version != 4 {
		if s, ok := readFrame(buf, f.packs); ok {
			return p.frame(from, s, buf, m)
		}
		if h, ok := readHeader(buf); maybeFrame(buf) && (f.framed || !ok || h.from != from) {
			m.Need = compressedHeader
			return 0, dissector.ErrShort
		}
	}
	h, err := p.header(from, buf, m)
	if err != nil {
		return 0, err
	}
	if f.framed {
		return 0, errMalformed
	}
	head := min(h.size(), headerSize+maxHead)
	if int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	f.version = h.version
	return h.size(), p.envelope(from, h, buf[headerSize:head], m)
}
