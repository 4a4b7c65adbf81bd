package main

import (
	"strconv"
	"strings"
)

// The protocols of services: what is asked, and whether it failed.
const (
	kindMySQL      = "mysql"
	kindPostgreSQL = "pgsql" // statements that came with their text
	kindLDAP       = "ldap"
	kindRADIUS     = "radius"
	kindAMQP       = "amqp" // methods that ask for something
	kindMongo      = "mongo"
	kindDiameter   = "diameter"
	kindQUIC       = "quic" // hellos of clients
	kindCQL        = "cql"  // queries, beside the numbers of each opcode
)

const (
	formatMySQL      = "%s %s error %s @%d"             // number of the command, statement
	formatPostgreSQL = "%s error %s @%d"                // statement, SQLSTATE
	formatLDAP       = "%s id %d code %s @%d"           // operation
	formatRADIUS     = "%s id %d user %s -> %s @%d..%d" // code, code of the answer
	formatAMQP       = "%s channel %d @%d"              // method
	formatMongo      = "id %d @%d..%d"
	formatDiameter   = "%s of %s hop %d -> %s @%d..%d" // codes of command, application and result
	formatQUIC       = "client %s alpn %s"             // name
	formatCQL        = "stream %d %s @%d"              // query
)

// serviceTables turns rows into items of these kinds, as tables does.
var serviceTables = map[string]func(tally, row){
	"mysql_calls": func(t tally, r row) {
		t.add(kindMySQL, formatMySQL, r.code("command"), statement(r.text("query")), dash(r.text("error")), r.number("frame"))
	},
	"pgsql_calls": func(t tally, r row) {
		t.add(kindPostgreSQL, formatPostgreSQL, statement(r.text("query")), dash(r.text("error")), r.number("frame"))
	},
	"ldap_calls": func(t tally, r row) {
		t.add(kindLDAP, formatLDAP, ldapOperation(r.text("op")), r.number("id"), r.code("result"), r.number("frame"))
	},
	"radius_calls": func(t tally, r row) {
		t.add(kindRADIUS, formatRADIUS, r.code("code"), r.number("id"), plain(r.text("user")), r.code("answer"), r.number("frame"), r.number("resp_frame"))
	},
	"diameter_calls": func(t tally, r row) {
		t.add(kindDiameter, formatDiameter, r.code("cmd"), r.code("app"), r.number("hopbyhop"), dash(r.text("result")), r.number("frame"), r.number("resp_frame"))
	},
	"mongo_calls": func(t tally, r row) {
		t.add(kindMongo, formatMongo, r.number("request_id"), r.number("frame"), r.number("resp_frame"))
	},
	"cql_queries": func(t tally, r row) {
		t.add(kindCQL, formatCQL, r.number("stream_id"), statement(r.text("query")), r.number("frame"))
	},
	"amqp_methods": func(t tally, r row) {
		if m := strings.ToLower(r.text("method")); asksAMQP(m) {
			t.add(kindAMQP, formatAMQP, m, r.number("channel"), r.number("frame"))
		}
	},
}

// service writes down an entry of one of these protocols.
func (s sightings) service(protocol string, req, resp *half) {
	switch protocol {
	case "mysql":
		if n := mysqlCommands[req.text("mysql_command")]; n != 0 {
			s.add(kindMySQL, formatMySQL, strconv.Itoa(n), mysqlStatement(n, req), resp.number("mysql_error_code"), req.last)
		}
	case "postgresql":
		if req.has("postgresql_query") {
			s.add(kindPostgreSQL, formatPostgreSQL, statement(req.text("postgresql_query")), dash(resp.text("postgresql_error_code")), req.last)
		}
	case "ldap":
		if op := req.text("operation"); op != "extended" && req.seen {
			s.add(kindLDAP, formatLDAP, op, req.ints["ldap_message_id"], resp.number("ldap_result_code"), req.last)
		}
	case "radius":
		if req.seen {
			s.add(kindRADIUS, formatRADIUS, req.number("radius_code"), req.ints["radius_identifier"], plain(req.text("radius_user")), resp.number("status_code"), req.last, resp.last)
		}
	case "diameter":
		if req.seen {
			s.add(kindDiameter, formatDiameter, req.number("diameter_command_code"), req.number("diameter_application_id"), req.ints["diameter_hop_by_hop"],
				diameterResult(resp), req.last, resp.last)
		}
	case "quic":
		if req.has("tlsx_ja3") {
			s.add(kindQUIC, formatQUIC, plain(req.text("tlsx_sni")), plain(strings.Join(req.texts["tlsx_alpn_offered"], ",")))
		}
	case "mongodb":
		if req.seen {
			s.add(kindMongo, formatMongo, req.ints["mongodb_request_id"], req.last, resp.last)
		}
	case "cassandra":
		if req.text("cassandra_opcode") == "QUERY" {
			s.add(kindCQL, formatCQL, req.ints["cassandra_stream"], statement(req.text("cassandra_query")), req.last)
		}
	case "amqp":
		if m := req.text("operation"); asksAMQP(m) {
			s.add(kindAMQP, formatAMQP, m, req.ints["amqp_channel"], req.first)
		}
	}
}

// diameterResult is the Result-Code of an answer: the oracles have no experimental ones.
func diameterResult(resp *half) string {
	if resp.has("diameter_result_vendor") {
		return "-"
	}
	return resp.number("diameter_result_code")
}

// mysqlCommands are the commands, by the numbers of the protocol.
var mysqlCommands = map[string]int{
	"COM_QUIT": 1, "COM_INIT_DB": 2, "COM_QUERY": 3, "COM_FIELD_LIST": 4, "COM_CREATE_DB": 5, "COM_DROP_DB": 6,
	"COM_STATISTICS": 9, "COM_PROCESS_INFO": 10, "COM_PING": 14, "COM_CHANGE_USER": 17, "COM_STMT_PREPARE": 22, "COM_STMT_EXECUTE": 23,
	"COM_STMT_SEND_LONG_DATA": 24, "COM_STMT_CLOSE": 25, "COM_STMT_RESET": 26, "COM_SET_OPTION": 27, "COM_STMT_FETCH": 28, "COM_RESET_CONNECTION": 31,
}

// mysqlStatement is the statement that came with a command: shark has the text of
// a prepared one with the commands that use it too.
func mysqlStatement(command int, req *half) string {
	switch command {
	case mysqlCommands["COM_QUERY"], mysqlCommands["COM_STMT_PREPARE"], mysqlCommands["COM_INIT_DB"]:
		return statement(req.text("mysql_query"))
	}
	return "-"
}

// statement is plain for a statement: nothing is compared of its white space.
func statement(s string) string {
	return plain(strings.Join(strings.Fields(s[:min(len(s), maxText)]), " "))
}

// ldapOperation returns the operation of "searchRequest".
func ldapOperation(s string) string {
	switch op := strings.TrimSuffix(s, "Request"); op {
	case "del":
		return "delete"
	case "modDN":
		return "modifyDN"
	default:
		return op
	}
}

// asksAMQP tells whether a method begins an exchange of the client.
func asksAMQP(method string) bool {
	switch method {
	case "", "protocol-header", "connection.start", "connection.secure", "connection.tune", "channel.close", "connection.close",
		"basic.get-empty", "basic.ack", "basic.nack", "basic.reject":
		return false
	}
	return !strings.HasSuffix(method, "-ok")
}
