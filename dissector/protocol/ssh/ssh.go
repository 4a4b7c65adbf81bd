// Package ssh reads how an SSH connection begins (RFC 4253): the two identification
// strings, the two KEXINIT messages, from which follows what algorithms both sides use,
// and the server's host key. They are one call; all that comes after is passed over,
// encrypted as it is.
//
// A client and a server say the same in the same way. Who is who is told by the TCP
// handshake, or else by what only one of them says: an algorithm that stands for an
// extension (RFC 8308 section 2.1), or the number of the message behind KEXINIT. A
// connection without any of these is left unknown.
package ssh

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxIdent   = 255      // bytes of an identification string with its end, RFC 4253 section 4.2
	maxText    = 4 << 10  // bytes of lines that a server may send before
	maxPacket  = 35000    // bytes of a packet, RFC 4253 section 6.1
	maxLists   = 32 << 10 // bytes of the name-lists of a KEXINIT
	maxNameLen = 64       // bytes of an algorithm's name, RFC 4251 section 6
)

// The fields.
var (
	ClientID        = field.NewText("ssh_client", "Identification string of the client: protocol version, software and comment.", `ssh_client.contains("keyscan")`)
	ServerID        = field.NewText("ssh_server", "Identification string of the server.", `ssh_server.contains("OpenSSH_9")`)
	Version         = field.NewText("ssh_version", "Protocol version of the server: 2.0, or 1.99 where it also speaks older ones.", `ssh_version == "2.0"`)
	Kex             = field.NewText("ssh_kex", "Key exchange method that both agree on.", `ssh_kex == "diffie-hellman-group14-sha256"`)
	HostKey         = field.NewText("ssh_host_key", "Algorithm of the server's host key.", `ssh_host_key == "rsa-sha2-512"`)
	Fingerprint     = field.NewText("ssh_host_key_fingerprint", "Fingerprint of the server's host key as OpenSSH writes it.", `ssh_host_key_fingerprint.startsWith("SHA256:")`)
	CipherUp        = field.NewText("ssh_cipher_to_server", "Encryption from the client to the server.", `ssh_cipher_to_server.endsWith("-ctr")`)
	CipherDown      = field.NewText("ssh_cipher_to_client", "Encryption from the server to the client.", `ssh_cipher_to_client.endsWith("-ctr")`)
	MACUp           = field.NewText("ssh_mac_to_server", "Message authentication from the client to the server; implicit where the cipher does it.", `ssh_mac_to_server == "hmac-sha1"`)
	MACDown         = field.NewText("ssh_mac_to_client", "Message authentication from the server to the client; implicit where the cipher does it.", `ssh_mac_to_client == "hmac-sha1"`)
	CompressionUp   = field.NewText("ssh_compression_to_server", "Compression from the client to the server.", `ssh_compression_to_server != "none"`)
	CompressionDown = field.NewText("ssh_compression_to_client", "Compression from the server to the client.", `ssh_compression_to_client != "none"`)
	HASSH           = field.NewText("ssh_hassh", "Fingerprint of what the client offers: HASSH, an MD5.", `ssh_hassh == "472b5de333ad665af5cbf10ff892c4df"`)
	HASSHServer     = field.NewText("ssh_hassh_server", "Fingerprint of what the server offers.", `ssh_hassh_server == "425d29fe50d8e4f5e37efb6e24bcf660"`)
)

// Protocol is SSH. A connection has failed when the sides have no algorithm in common
// (RFC 4253 section 7.1).
var Protocol = &dissector.Protocol{
	Name:      "ssh",
	Label:     "SSH",
	Doc:       "SSH connections: software of both sides and the algorithms they agree on.",
	Transport: dissector.TCP,
	Ports:     []uint16{22},
	Fields: field.Fields(
		ClientID, ServerID, Version, Kex, HostKey, Fingerprint, CipherUp, CipherDown, MACUp, MACDown, CompressionUp, CompressionDown, HASSH, HASSHServer,
	),
	Sync:  "S\x00",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed ssh message")
