// Package kafka reads the Apache Kafka protocol
// (https://kafka.apache.org/protocol.html): all requests up to Kafka 4.1 by name,
// and of the bodies what says which topics and groups they are about and how they
// were answered.
//
// A response does not say what it answers: it is read with the API key and version
// that its request, found by correlation id, left in its notes. Records are passed
// over, but for the heads of batches, which say how many there are (records.go), and what
// stands behind them is read (walk.go). That there was no error is said of a response that
// was read whole, and only of one. Topics are given as they are sent: newer versions send
// ids, not names.
package kafka

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxSize       = 1 << 30  // bytes of a message; Kafka's own default is 100 MiB
	maxHead       = 16 << 10 // bytes of a message that are waited for at once
	maxRead       = 64 << 10 // bytes of a message that are read, records not counted
	maxHoles      = 64       // records of a message that are passed over unseen
	maxTopics     = 64       // topics listed of one message
	maxPartitions = 64       // partitions listed of one message
	maxSummary    = 256      // bytes of the summary
	maxClient     = 255      // bytes of a client id that is taken for one
	newer         = 3        // versions of an API above the newest known that are still believed in
	newerKeys     = 32       // keys of APIs above the last known that are, on a connection known to be Kafka
)

// The fields.
var (
	APIKey      = field.NewInt("kafka_api_key", "", "Number of the API: 0 produce, 1 fetch, 3 metadata and so on.", `kafka && kafka_api_key == 1`)
	APIName     = field.NewText("kafka_api_key_name", "Name of the API, such as PRODUCE, FETCH or OFFSET_COMMIT.", `kafka_api_key_name == "PRODUCE"`)
	APIVersion  = field.NewInt("kafka_api_version", "", "Version of the request.", `kafka && kafka_api_version < 3`)
	Correlation = field.NewInt("kafka_correlation_id", "", "Number by which a response names its request.", `kafka_correlation_id == 42`)
	ClientID    = field.NewText("kafka_client_id", "What the client calls itself.", `kafka_client_id.startsWith("till-")`)
	Size        = field.NewInt("kafka_size", "bytes", "Size of the request, or of the response if the request was not seen, as the message says it: without the 4 bytes that say it.", `kafka_size > 10000`)
	Topics      = field.NewList("kafka_topics", "Topics of request and response, by name, or by id where only that is sent.", `"orders" in kafka_topics`)
	Partitions  = field.NewList("kafka_partitions", "Partitions that the request names, or else the response: the first 64, each behind its topic, such as orders-0.", `"orders-0" in kafka_partitions`)
	Records     = field.NewInt("kafka_records", "", "Records that a request produces or a response to a fetch holds, by what their batches say, without a batch that was cut at the end and the marks of transactions. Not set where they are not all counted: compressed as before Kafka 0.11, in batches that contradict themselves or in more partitions than are read, or where the bytes that tell their number are lost.", `kafka_records > 100`)
	Compression = field.NewList("kafka_compression", "How these records are compressed: none, gzip, snappy, lz4 or zstd.", `"zstd" in kafka_compression`)
	Group       = field.NewText("kafka_group", "Consumer group.", `kafka_group == "workers"`)
	ErrorCode   = field.NewInt("kafka_error_code", "", "First error code of the response that is not 0.", `kafka_error_code == 3`)
	Error       = field.NewText("kafka_error", "Name of that error, such as NOT_LEADER_OR_FOLLOWER; NONE when all went well.", `kafka_error == "OFFSET_OUT_OF_RANGE"`)
)

// Protocol is Kafka. A call has failed when its response holds an error code. A
// produce request that wants no acknowledgement is one-way.
var Protocol = &dissector.Protocol{
	Name:      "kafka",
	Label:     "Kafka",
	Doc:       "Apache Kafka requests and responses.",
	Transport: dissector.TCP,
	Ports:     []uint16{9092},
	Fields: field.Fields(
		APIKey, APIName, APIVersion, Correlation, ClientID, Size, Topics, Partitions, Records, Compression, Group, ErrorCode, Error,
		field.NewAlias("kafka_request", field.HasRequest, "The request was seen.", `kafka_request && !kafka_response`),
		field.NewAlias("kafka_response", field.HasResponse, "The response was seen.", `kafka_response && elapsed_time > 500000`),
		field.NewAlias("kafka_request_summary", field.Summary, "Topics of the request, or else its group or client.", `kafka_request_summary.contains("orders")`),
		field.NewAlias("kafka_request_size", field.RequestSize, "Size of the request.", `kafka_request_size > 10000`),
		field.NewAlias("kafka_response_size", field.ResponseSize, "Size of the response.", `kafka_response_size > 10000`),
	),
	Probe:   probe,
	Content: content,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed kafka message")
