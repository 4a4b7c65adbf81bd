// Package dhcp reads DHCP (RFC 2131, RFC 2132) and DHCPv6 (RFC 8415).
//
// A client that has no address yet speaks from 0.0.0.0 to everybody, and is answered
// from the server's address to everybody or to the address it is offered: question
// and answer are between different addresses, which no two messages of one
// conversation are. Both are one-way then, and dhcp_transaction_id tells what belongs
// together. So it is in DHCPv6, where clients speak to a group, and with relays that
// speak to the server from another address than the one they have in the client's
// network, to which the server answers. Elsewhere, as in renewals, answers pair with
// questions by transaction, kind and client; one whose question is not seen is one-way.
package dhcp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxListed = 8   // routers, servers, addresses and options listed of one message
	maxText   = 255 // bytes of a text
	maxID     = 130 // bytes of an identifier, RFC 8415 section 11.1
	maxNested = 4   // options in options that are shown
	maxHops   = 8   // relays that a message of DHCPv6 went through, RFC 8415 section 7.6
)

// The fields.
var (
	Version       = field.NewInt("dhcp_version", "", "Version of IP that addresses are given for: 4 or 6.", `dhcp && dhcp_version == 6`)
	TransactionID = field.NewText("dhcp_transaction_id", "Transaction, which all messages from a client's question to its answer share, hexadecimal.", `dhcp_transaction_id == "0000cafe"`)
	ClientMAC     = field.NewText("dhcp_client_mac", "Hardware address of the client; in DHCPv6, of its DUID or what the relay says.", `dhcp_client_mac == "02:00:00:00:09:02"`)
	ClientID      = field.NewText("dhcp_client_id", "Client identifier, in DHCPv6 the client's DUID, hexadecimal.", `dhcp_client_id.startsWith("01")`)
	ClientAddress = field.NewText("dhcp_client_address", "Address that the client uses already.", `dhcp_client_address == "10.9.0.100"`)
	Requested     = field.NewText("dhcp_requested_address", "Address that the client asks for.", `dhcp_requested_address == "10.9.0.100"`)
	Address       = field.NewText("dhcp_address", "Address or prefix that is offered or given.", `dhcp_address.startsWith("10.9.")`)
	LeaseTime     = field.NewInt("dhcp_lease_time", "s", "How long it is offered or given for; 4294967295 is for ever.", `dhcp && dhcp_lease_time > 60`)
	ServerID      = field.NewText("dhcp_server_id", "Server that is meant or answers: its address, in DHCPv6 its DUID, hexadecimal.", `dhcp_server_id == "10.9.0.1"`)
	Relay         = field.NewText("dhcp_relay", "Relay that the message went through: its address in the client's network.", `dhcp_relay == "10.7.0.2"`)
	Hostname      = field.NewText("dhcp_hostname", "Name of the client, as it says or is told.", `dhcp_hostname == "laptop"`)
	VendorClass   = field.NewText("dhcp_vendor_class", "Kind of the client's software.", `dhcp_vendor_class.startsWith("udhcp")`)
	SubnetMask    = field.NewText("dhcp_subnet_mask", "Mask of the network that the address is in.", `dhcp_subnet_mask == "255.255.255.0"`)
	Routers       = field.NewList("dhcp_routers", "Routers that the client is told; at most 8.", `"10.9.0.1" in dhcp_routers`)
	NameServers   = field.NewList("dhcp_name_servers", "DNS servers that the client is told; at most 8.", `"10.9.0.53" in dhcp_name_servers`)
	Domain        = field.NewText("dhcp_domain", "Domain that the client is told, the first one.", `dhcp_domain == "shop.example"`)
	BootServer    = field.NewText("dhcp_boot_server", "Server that the client is to boot from.", `dhcp_boot_server == "10.9.0.1"`)
	BootFile      = field.NewText("dhcp_boot_file", "File that the client is to boot.", `dhcp_boot_file.endsWith(".efi")`)
	Text          = field.NewText("dhcp_message", "What server or client say about a refusal.", `dhcp_message.contains("not available")`)
)

// Protocol is DHCP of both versions. A call has failed when it is answered with NAK or
// with a status code that is not Success.
var Protocol = &dissector.Protocol{
	Name:      "dhcp",
	Label:     "DHCP",
	Doc:       "Addresses given by DHCP and DHCPv6.",
	Transport: dissector.UDP,
	Ports:     []uint16{67, 68, 546, 547},
	Fields: field.Fields(
		Version, TransactionID, ClientMAC, ClientID, ClientAddress, Requested, Address, LeaseTime, ServerID, Relay, Hostname,
		VendorClass, SubnetMask, Routers, NameServers, Domain, BootServer, BootFile, Text,
		field.NewAlias("dhcp_message_type", field.Operation, "Kind of the message that asks, or that is alone: DISCOVER, OFFER, REQUEST and so on, SOLICIT and so on.", `dhcp_message_type == "DISCOVER"`),
		field.NewAlias("dhcp_request_size", field.RequestSize, "Size of the message that asks, or that is alone.", `dhcp_request_size > 200`),
		field.NewAlias("dhcp_response_size", field.ResponseSize, "Size of the answer.", `dhcp_response_size > 200`),
		field.NewAlias("dhcp_total_size", field.TotalSize, "Size of both.", `dhcp_total_size > 500`),
	),
	Probe:   probe,
	Outline: outlined,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed dhcp message")
