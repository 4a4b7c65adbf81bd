// Package dubbo reads the Dubbo protocol, version 2
// (https://dubbo.apache.org/en/overview/reference/protocols/tcp/).
//
// A call is paired with its answer by request id. What it is about is read where the body
// is written in Hessian 2 (http://hessian.caucho.com/doc/hessian-serialization.html), as
// it is unless a service says otherwise; of other serializations the name is told, and
// what the header says. Arguments and results are passed over, and so are attachments.
//
// Either side may send requests of its own accord, such as heartbeats: those of the
// server are one-way, and the client's answers to them are passed over. So is the answer
// to a heartbeat whose id is 0, which some clients give to all of theirs.
package dubbo

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxSize    = 256 << 20 // bytes of a body; Dubbo's own default is 8 MiB
	maxHead    = 8 << 10   // bytes of a message that are looked at
	maxName    = 1024      // characters of a service, method or version
	maxText    = 512       // bytes kept of an error's text or of the types of parameters
	maxDepth   = 32        // values within values
	maxValues  = 4096      // values passed over on the way to an exception's text
	maxClasses = 64        // classes, and fields of each, that a body may define
	maxEvent   = 64        // bytes of an event's body
)

// The fields.
var (
	Service       = field.NewText("dubbo_service", "Service that is called, by its path: the name of its interface.", `dubbo_service == "demo.shop.Shop"`)
	Version       = field.NewText("dubbo_service_version", "Version of the service.", `dubbo_service_version == "1.0.0"`)
	Release       = field.NewText("dubbo_version", "Version of the protocol that the caller says it has.", `dubbo_version == "2.0.2"`)
	Types         = field.NewText("dubbo_parameter_types", "Types of the parameters, as Java describes them.", `dubbo_parameter_types == "Ljava/lang/String;"`)
	Generic       = field.NewBool("dubbo_generic", "The method is called by its name, through $invoke.", `dubbo_generic`)
	Serialization = field.NewText("dubbo_serialization", "How the body is written, such as hessian2 or fastjson2.", `dubbo_serialization != "hessian2"`)
	RequestID     = field.NewInt("dubbo_request_id", "", "Number by which an answer names its request.", `dubbo && dubbo_request_id == 3`)
	Exception     = field.NewText("dubbo_exception", "Class of the exception that the method threw.", `dubbo_exception.endsWith("SoldOutException")`)
	Error         = field.NewText("dubbo_error", "Text of the exception, or of the error that is the answer.", `dubbo_error.contains("exhausted")`)
)

// Protocol is Dubbo. A call has failed when its status is not OK, or when the method
// threw an exception.
var Protocol = &dissector.Protocol{
	Name:      "dubbo",
	Label:     "Dubbo",
	Doc:       "Calls of Apache Dubbo, in its protocol of version 2.",
	Transport: dissector.TCP,
	Ports:     []uint16{20880},
	Fields: field.Fields(
		field.NewAlias("dubbo_method", field.Operation, "Method that is called, or the event.", `dubbo_method == "find"`),
		Service, Version, Release, Types, Generic, Serialization, RequestID, Exception, Error,
	),
	Sync:    "\xda",
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return parse },
}

var errMalformed = errors.New("malformed dubbo message")
