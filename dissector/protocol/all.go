// Package protocol is the one list of all protocols and of their fields.
package protocol

import (
	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/amqp"
	"shark/dissector/protocol/dns"
	"shark/dissector/protocol/dubbo"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/dissector/protocol/icmp"
	"shark/dissector/protocol/kafka"
	"shark/dissector/protocol/kerberos"
	"shark/dissector/protocol/ldap"
	"shark/dissector/protocol/memcached"
	"shark/dissector/protocol/mongodb"
	"shark/dissector/protocol/mqtt"
	"shark/dissector/protocol/mysql"
	"shark/dissector/protocol/nats"
	"shark/dissector/protocol/postgresql"
	"shark/dissector/protocol/proxy"
	"shark/dissector/protocol/radius"
	"shark/dissector/protocol/redis"
	"shark/dissector/protocol/smb2"
	"shark/dissector/protocol/ssh"
	"shark/dissector/protocol/thrift"
	"shark/dissector/protocol/tls"
	"shark/dissector/protocol/zookeeper"
)

// All returns the protocols in the order in which probes are asked: where two
// claim the same bytes and neither has the port, the first wins.
func All() []*dissector.Protocol {
	return []*dissector.Protocol{
		http.Protocol,
		http2.Protocol,
		grpc.Protocol,
		tls.Protocol,
		dns.Protocol,
		dns.Mdns,
		dns.Llmnr,
		redis.Protocol,
		memcached.Protocol,
		zookeeper.Protocol, // its first message may be one of Kafka
		kafka.Protocol,
		thrift.Protocol,
		dubbo.Protocol,
		mongodb.Protocol,
		mqtt.Protocol,
		nats.Protocol,
		postgresql.Protocol,
		mysql.Protocol,
		amqp.Protocol,
		ldap.Protocol,
		kerberos.Protocol,
		smb2.Protocol,
		ssh.Protocol,
		radius.Protocol,
		icmp.Protocol,
		proxy.Protocol,
	}
}

// Catalogue returns all fields there are: those that every entry has, those of
// connections and flows, those of each protocol, and the reserved ones.
func Catalogue() (*field.Catalogue, error) {
	entry := field.EntryGroup()
	entry.Fields = append(entry.Fields, field.Fields(
		dissector.Operation, dissector.Summary, dissector.Status, dissector.StatusCode, dissector.Failed,
	)...)
	groups := []field.Group{entry, field.ConnGroup(), field.FlowGroup()}
	for _, p := range All() {
		groups = append(groups, field.Group{Name: p.Name, Label: p.Label, Doc: p.Doc, Flag: true, Fields: p.Fields})
	}
	return field.NewCatalogue(append(groups, field.ReservedGroups()...)...)
}
