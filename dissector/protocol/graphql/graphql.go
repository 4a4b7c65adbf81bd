// Package graphql reads GraphQL over HTTP
// (https://graphql.github.io/graphql-over-http/draft/): requests in the JSON body of a POST
// or in the query of a GET, alone or in batches, and the errors that stand in answers
// whose HTTP status says nothing of them.
//
// What is GraphQL is told by the body of a request: a member query that begins as a document of
// the language does, or the hash of one (https://www.apollographql.com/docs/react/api/link/persisted-queries).
// It may be alone, in a batch, or in a form with files
// (https://github.com/jaydenseric/graphql-multipart-request-spec). A media type of GraphQL says so
// by itself, and so does a query in the target that is a document. At a path with a segment
// graphql or gql, or of a client of GraphQL, any member will do that requests have. A response is
// GraphQL if its request is, also one that comes bit by bit as multipart/mixed
// (https://github.com/graphql/graphql-over-http/blob/main/rfcs/IncrementalDelivery.md).
// Subscriptions over WebSocket are not read, and neither are responses of server-sent events.
package graphql

import (
	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
)

// Protocol is GraphQL over HTTP of any version. It stands behind V1 and V2 in the list of
// protocols: the last that claims a call names it.
var Protocol = &dissector.Protocol{
	Name:      "gql",
	Label:     "GraphQL",
	Doc:       "GraphQL calls over HTTP, of either version.",
	Transport: dissector.TCP,
	Fields:    field.Fields(Type, Name, RootFields, Batch, Persisted, Errors, Error, ErrorCode, Cut),
	Implies:   []string{"http"},
	Over:      "http",
	Carry:     &dissector.Rider{Claim: claim, Body: body, Done: done, Keep: keep},
}

// V1 is the flag of calls over HTTP/1.
var V1 = &dissector.Protocol{
	Name:      "gqlv1",
	Label:     "GraphQL over HTTP/1",
	Doc:       "GraphQL calls over HTTP/1.",
	Transport: dissector.TCP,
	Implies:   []string{"gql", "http"},
	Over:      "http",
	Carry:     &dissector.Rider{Claim: func(m *dissector.Message) bool { return claim(m) && !isHTTP2(m) }, Keep: keep},
}

// V2 is the flag of calls over HTTP/2.
var V2 = &dissector.Protocol{
	Name:      "gqlv2",
	Label:     "GraphQL over HTTP/2",
	Doc:       "GraphQL calls over HTTP/2.",
	Transport: dissector.TCP,
	Implies:   []string{"gql", "http"},
	Over:      "http",
	Carry:     &dissector.Rider{Claim: func(m *dissector.Message) bool { return claim(m) && isHTTP2(m) }, Keep: keep},
}

// The fields of GraphQL beyond those of HTTP.
var (
	Type       = field.NewText("gql_type", "Type of the operation: query, mutation or subscription; of a batch, of its first one.", `gql && gql_type == "mutation"`)
	Name       = field.NewText("gql_operation", "Name of the operation, if it has one; of a batch, of its first one.", `gql && gql_operation == "Add"`)
	RootFields = field.NewList("gql_fields", "Fields at the root of the operation, of the schema and not as they are renamed.", `gql && "addItem" in gql_fields`)
	Batch      = field.NewInt("gql_batch", "", "Operations of a batch; not set for a call that is none.", `gql && gql_batch > 2`)
	Persisted  = field.NewText("gql_persisted", "Hash by which a query is asked for that the server may know.", `gql && gql_persisted != ""`)
	Errors     = field.NewInt("gql_errors", "", "Errors in the response, whatever its HTTP status.", `gql && gql_errors > 0`)
	Error      = field.NewText("gql_error", "Message of the first error.", `gql && gql_error.contains("not allowed")`)
	ErrorCode  = field.NewText("gql_error_code", "Code of the first error, from its extensions.", `gql && gql_error_code == "FORBIDDEN"`)
	Cut        = field.NewBool("gql_cut", "A body is longer than is read, or not all of it was captured: what stands in its rest is not known.", `gql && gql_cut`)
)

// The limits of what is kept.
const (
	maxBody      = 256 << 10 // bytes of a body
	maxForm      = 64 << 10  // bytes of a form with files, in front of which stands what it asks for
	maxBoundary  = 70        // bytes of a boundary between parts (RFC 2046, section 5.1.1)
	maxErrors    = 64 << 10  // bytes of a list of errors
	maxRoles     = 8         // brackets in one another between which errors are looked for
	maxUnpacked  = 1 << 20   // bytes that it unpacks to, and not more than
	freeUnpacked = 64 << 10  // bytes that any body may unpack to, and
	maxRatio     = 64        // for each packed one these more
	maxKept      = 64 << 10  // bytes of a buffer that is used again
	maxName      = 200       // bytes of a name, a hash or a code
	maxError     = 1 << 10   // bytes of an error's message
	maxFields    = 16        // fields at the root
	maxBatch     = 1000      // operations of a batch that are counted
	maxDepth     = 100       // of selections in one another
	maxHeaders   = 8 << 10   // bytes of headers that are searched for GraphQL's
)

// isHTTP2 tells whether a call is one over HTTP/2: its request says so, where an upgrade comes
// between that and the response.
func isHTTP2(m *dissector.Message) bool {
	if m.From == dissector.Server {
		if req := m.Peer(); req != nil {
			m = req
		}
	}
	return len(http.Version.Get(&m.Values)) == len("HTTP/2")
}
