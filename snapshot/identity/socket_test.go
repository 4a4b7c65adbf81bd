package identity

import (
	"fmt"
	"testing"

	"shark/packet"
)

// proc is the record of a process, that begins or ends.
func proc(s int, op Op, uid, name, podUID string) Record {
	return Record{Time: at(s), Op: op, Source: "kernel", Kind: Process, UID: uid, Name: name, Node: "n1", Pod: podUID}
}

// sock is the record of a socket; without a peer it takes whatever comes.
func sock(s int, op Op, uid, owner, protocol, local string, port uint16, peer string, peerPort uint16) Record {
	r := Record{
		Time: at(s), Op: op, Source: "kernel", Kind: Socket, UID: uid, Name: uid, Node: "n1", Protocol: protocol,
		Addresses: []string{local}, Port: port, Peer: peer, PeerPort: peerPort, Owner: owner, Process: "of " + owner,
	}
	return r
}

// tcpEnd is an end of a TCP connection.
func tcpEnd(local string, port uint16, peer string, peerPort uint16) *End {
	return &End{Protocol: packet.TCP, Local: addr(local), Port: port, Peer: addr(peer), PeerPort: peerPort}
}

// TestOwner: the process of a socket is found by address, port, peer and time, and none is
// where two or nobody may be meant.
func TestOwner(t *testing.T) {
	l := logOf(t,
		proc(0, Upsert, "nginx", "nginx", ""), proc(0, Upsert, "worker", "nginx", ""), proc(0, Upsert, "curl", "curl", ""),
		proc(0, Upsert, "java", "java", ""), proc(0, Upsert, "dns1", "dns1", ""), proc(0, Upsert, "dns2", "dns2", ""),
		sock(10, Upsert, "s1", "nginx", "tcp", "127.0.0.1", 80, "", 0),
		sock(20, Upsert, "s2", "curl", "tcp", "127.0.0.1", 5000, "127.0.0.1", 80),
		sock(20, Upsert, "s3", "worker", "tcp", "127.0.0.1", 80, "127.0.0.1", 5000),
		sock(21, Delete, "s2", "curl", "tcp", "127.0.0.1", 5000, "127.0.0.1", 80),
		sock(500, Upsert, "s4", "java", "tcp", "127.0.0.1", 5000, "127.0.0.1", 80),
		sock(500, Upsert, "s5", "java", "tcp", "::ffff:10.0.0.1", 8080, "", 0),
		sock(600, Upsert, "s6", "java", "tcp", "10.0.0.1", 9000, "10.0.0.2", 80),
		sock(601, Delete, "s6", "java", "tcp", "10.0.0.1", 9000, "10.0.0.2", 80),
		sock(601, Upsert, "s7", "curl", "tcp", "10.0.0.1", 9000, "10.0.0.2", 80),
		sock(0, Upsert, "d1", "dns1", "udp", "10.0.0.1", 53, "", 0),
		sock(0, Upsert, "d2", "dns2", "udp", "10.0.0.1", 53, "", 0),
		sock(0, Upsert, "x", "of no record", "tcp", "10.0.0.9", 1, "", 0),
	)
	udp := tcpEnd("10.0.0.1", 53, "10.0.0.7", 1)
	udp.Protocol = packet.UDP
	const loopback, none = "? a loopback address, which every host has", "? the identity log has no record of it"
	for _, c := range []struct {
		name string
		end  *End
		at   int
		want string
	}{
		{"who connected", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 80), 20, "curl"},
		{"before it was told", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 80), 19, "curl"},
		{"after its end", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 80), 60, "curl"},
		{"long after its end", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 80), 200, loopback},
		{"the same port again", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 80), 501, "java"},
		{"another peer", tcpEnd("127.0.0.1", 5000, "127.0.0.1", 81), 20, loopback},
		{"who accepted", tcpEnd("127.0.0.1", 80, "127.0.0.1", 5000), 20, "nginx"},
		{"who listens", tcpEnd("127.0.0.1", 80, "127.0.0.1", 6000), 20, "nginx"},
		{"long before anybody listened", tcpEnd("127.0.0.1", 80, "127.0.0.1", 6000), -100, loopback},
		{"IPv4 in IPv6", tcpEnd("10.0.0.1", 8080, "10.0.0.2", 1), 501, "java"},
		{"the first of two", tcpEnd("10.0.0.1", 9000, "10.0.0.2", 80), 600, "java"},
		{"the second of two", tcpEnd("10.0.0.1", 9000, "10.0.0.2", 80), 601, "curl"},
		{"about the time of two", tcpEnd("10.0.0.1", 9000, "10.0.0.2", 80), 599, "? 2 processes had its port 9000 at once: java, curl"},
		{"two at once", udp, 20, "? 2 processes had its port 53 at once: dns1, dns2"},
		{"another protocol", tcpEnd("10.0.0.1", 53, "10.0.0.7", 1), 20, none},
		{"a process without a record", tcpEnd("10.0.0.9", 1, "10.0.0.7", 1), 0, "of of no record"},
		{"nobody", tcpEnd("10.0.0.8", 1, "10.0.0.7", 1), 0, none},
	} {
		o := l.Owner(c.end, at(c.at).UnixNano())
		got := o.Process
		if o.Unknown != "" {
			got += "? " + o.Unknown
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.want == "curl" && o.Node != "n1" {
			t.Errorf("%s: node %q", c.name, o.Node)
		}
	}
	if o := (*Log)(nil).Owner(udp, 0); o.Unknown == "" {
		t.Error("without a log")
	}
}

// The process of a socket says which of the pods is meant that share their node's address,
// and leaves a pod that has its own as it is.
func TestOwnerOfHostNetwork(t *testing.T) {
	l := logOf(t,
		node(0, "n1", "192.168.0.1"), host(pod(0, "agent", "n1", "192.168.0.1")), host(pod(0, "proxy", "n1", "192.168.0.1")), pod(0, "cart-1", "n1", "10.0.0.1"),
		proc(0, Upsert, "p1", "agentd", "uid-agent"), proc(0, Upsert, "p2", "sshd", ""), proc(0, Upsert, "p3", "java", "uid-cart-1"),
		sock(0, Upsert, "s1", "p1", "tcp", "192.168.0.1", 9100, "", 0),
		sock(0, Upsert, "s2", "p2", "tcp", "192.168.0.1", 22, "", 0),
		sock(0, Upsert, "s3", "p3", "tcp", "10.0.0.1", 80, "", 0),
		gone(50, host(pod(0, "agent", "n1", "192.168.0.1"))),
	)
	for _, c := range []struct {
		addr string
		port uint16
		at   int
		want string
	}{
		{"192.168.0.1", 9100, 10, "agent//n1/192.168.0.1/agent/agentd"},
		{"192.168.0.1", 9100, 51, "agent//n1/192.168.0.1/agent/agentd"},
		{"192.168.0.1", 22, 10, "//n1/192.168.0.1//sshd"},
		{"192.168.0.1", 23, 10, "//n1/192.168.0.1//"},
		{"10.0.0.1", 80, 10, "cart-1//n1/192.168.0.1/cart/java"},
		{"10.0.0.1", 81, 10, "cart-1//n1/192.168.0.1/cart/"},
	} {
		e := tcpEnd(c.addr, c.port, "10.9.9.9", 1)
		o := l.Owner(e, at(c.at).UnixNano())
		if got := short(o); got != c.want {
			t.Errorf("%s:%d at %d: %s, want %s", c.addr, c.port, c.at, got, c.want)
		}
		found := false
		for _, x := range l.Owners(e.Local, at(0).UnixNano(), at(60).UnixNano()) {
			x.NodeIP = o.NodeIP
			found = found || fmt.Sprint(x) == fmt.Sprint(o)
		}
		if !found {
			t.Errorf("%s:%d at %d: %+v is not among all owners", c.addr, c.port, c.at, o)
		}
	}
}

// Processes stand beside pods and nodes in the list of addresses, from their first socket to
// their last.
func TestIPsOfProcesses(t *testing.T) {
	l := logOf(t,
		node(0, "n1", "192.168.0.1"),
		proc(0, Upsert, "p1", "curl", ""), proc(0, Upsert, "p2", "curl", ""), proc(0, Upsert, "p3", "nginx", ""),
		sock(10, Upsert, "s1", "p1", "tcp", "192.168.0.1", 5000, "10.0.0.1", 80),
		sock(11, Delete, "s1", "p1", "tcp", "192.168.0.1", 5000, "10.0.0.1", 80),
		sock(20, Upsert, "s2", "p2", "tcp", "192.168.0.1", 5001, "10.0.0.1", 80),
		sock(21, Delete, "s2", "p2", "tcp", "192.168.0.1", 5001, "10.0.0.1", 80),
		sock(15, Upsert, "s3", "p3", "tcp", "127.0.0.1", 80, "", 0),
	)
	list := func(f IPFilter) (out string) {
		t.Helper()
		found, err := l.IPs(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range found {
			for _, r := range i.Records {
				to := "end"
				if !r.To.IsZero() {
					to = fmt.Sprint(r.To.Sub(began).Seconds())
				}
				out += fmt.Sprintf("%s %s %s %v-%s; ", i.IP, r.Kind, r.Name, r.From.Sub(began).Seconds(), to)
			}
		}
		return out
	}
	const all = "127.0.0.1 process nginx 15-end; 192.168.0.1 node n1 0-end; 192.168.0.1 process curl 10-21; "
	for _, c := range []struct {
		name   string
		filter IPFilter
		want   string
	}{
		{"all", IPFilter{}, all},
		{"by address", IPFilter{IP: "127.0.0.1"}, "127.0.0.1 process nginx 15-end; "},
		{"by name", IPFilter{NameRegex: "^cu"}, "192.168.0.1 process curl 10-21; "},
		{"at a time", IPFilter{At: at(20), NameRegex: "x$|^cu"}, "127.0.0.1 process nginx 15-end; 192.168.0.1 process curl 20-21; "},
		{"of a namespace", IPFilter{Namespaces: []string{"shop"}}, ""},
	} {
		if got := list(c.filter); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
