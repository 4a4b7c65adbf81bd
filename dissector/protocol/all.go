// Package protocol is the one list of all protocols and of their fields.
package protocol

import (
	"slices"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/amqp"
	"shark/dissector/protocol/amqp1"
	"shark/dissector/protocol/cassandra"
	"shark/dissector/protocol/dhcp"
	"shark/dissector/protocol/diameter"
	"shark/dissector/protocol/dns"
	"shark/dissector/protocol/dubbo"
	"shark/dissector/protocol/ftp"
	"shark/dissector/protocol/graphql"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/dissector/protocol/http3"
	"shark/dissector/protocol/icmp"
	"shark/dissector/protocol/kafka"
	"shark/dissector/protocol/kerberos"
	"shark/dissector/protocol/ldap"
	"shark/dissector/protocol/memcached"
	"shark/dissector/protocol/mongodb"
	"shark/dissector/protocol/mqtt"
	"shark/dissector/protocol/mysql"
	"shark/dissector/protocol/nats"
	"shark/dissector/protocol/ntp"
	"shark/dissector/protocol/postgresql"
	"shark/dissector/protocol/proxy"
	"shark/dissector/protocol/quic"
	"shark/dissector/protocol/radius"
	"shark/dissector/protocol/redis"
	"shark/dissector/protocol/sctp"
	"shark/dissector/protocol/sip"
	"shark/dissector/protocol/smb2"
	"shark/dissector/protocol/smtp"
	"shark/dissector/protocol/snmp"
	"shark/dissector/protocol/sse"
	"shark/dissector/protocol/ssh"
	"shark/dissector/protocol/syslog"
	"shark/dissector/protocol/tcp"
	"shark/dissector/protocol/tds"
	"shark/dissector/protocol/thrift"
	"shark/dissector/protocol/tls"
	"shark/dissector/protocol/udp"
	"shark/dissector/protocol/ws"
	"shark/dissector/protocol/xmpp"
	"shark/dissector/protocol/zookeeper"
)

// All returns the protocols in the order in which probes are asked: where two
// claim the same bytes and neither has the port, the first wins.
func All() []*dissector.Protocol {
	return []*dissector.Protocol{
		http.Protocol,
		http2.Protocol,
		http3.Protocol,
		grpc.Protocol,
		sse.Protocol,
		graphql.V1, // before what names the call
		graphql.V2,
		graphql.Protocol,
		ws.Protocol,
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
		cassandra.Protocol,
		tds.Protocol,
		amqp.Protocol,
		amqp1.Protocol,
		ldap.Protocol,
		kerberos.Protocol,
		smb2.Protocol,
		ssh.Protocol,
		radius.Protocol,
		quic.Protocol,
		diameter.Protocol,
		dhcp.Protocol,
		snmp.Protocol,
		ntp.Protocol,
		syslog.Protocol,
		icmp.Protocol,
		proxy.Protocol,
		smtp.Protocol,
		ftp.Protocol,
		sip.Protocol,
		xmpp.Protocol,
	}
}

// Transports returns the transports as protocols: each packet that no other entry has a
// use for is one of theirs. They are dissected for those who ask for them only.
func Transports() []*dissector.Protocol {
	return []*dissector.Protocol{tcp.Protocol, udp.Protocol, sctp.Protocol}
}

// Catalogue returns all fields there are: those that every entry has, those of
// connections and flows, and those of each protocol.
func Catalogue() (*field.Catalogue, error) {
	entry := field.EntryGroup()
	entry.Fields = append(entry.Fields, field.Fields(
		dissector.Operation, dissector.Summary, dissector.Status, dissector.StatusCode, dissector.Failed,
	)...)
	groups := []field.Group{entry, field.ConnGroup(), field.FlowGroup()}
	for _, p := range slices.Concat(All(), Transports()) {
		groups = append(groups, field.Group{Name: p.Name, Label: p.Label, Doc: p.Doc, Flag: true, Fields: p.Fields})
	}
	return field.NewCatalogue(groups...)
}
