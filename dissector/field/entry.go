package field

// The fields that every entry has, whatever its protocol, under the names that
// KFL2 gives them and some more.
//
// Source and destination are the roles of an exchange, not the direction of a
// packet: src is the client, who asks, and dst the server, who answers. KFL2's
// local and remote are the same two: local is src, remote is dst.
//
// An address that nobody is known to own leaves the names of its side empty, and
// src.unknown or dst.unknown says why.

// Identity of an entry, its time and its place.
var (
	ID        = NewInt("id", "", "Number of the entry in its dissection, in the order of time.", `id == 42`)
	NodeID    = NewText("node_id", "Id of the node that captured the entry.", `node_id == "node-a"`)
	Index     = NewInt("index", "", "Position among the entries of the same connection, from 0; that of a flow is 4294967295, behind them all.", `index == 0`)
	Stream    = NewText("stream", "Id of the connection as a hexadecimal number, the same as conn_id.", `stream == "1f"`)
	Worker    = NewText("worker", "Id of the recorder that captured the entry.", `worker == "node-a"`)
	Timestamp = timestamp("timestamp", "When the first byte of the entry was captured, in UTC.", `timestamp >= timestamp("2026-03-14T22:00:00Z")`)
	Protocol  = NewText("protocol", "Name of the protocol, as people write it.", `protocol == "HTTP"`)

	SrcIP    = NewText("src.ip", "Address of the client.", `ip_in_range(src.ip, "10.0.0.0/8")`)
	DstIP    = NewText("dst.ip", "Address of the server.", `dst.ip == "10.96.0.10"`)
	SrcPort  = NewInt("src.port", "", "Port of the client; 0 where the transport has none.", `src.port > 1023`)
	DstPort  = NewInt("dst.port", "", "Port of the server; 0 where the transport has none.", `dst.port in [80, 443]`)
	Carrier  = NewText("transport", "What carried the entry: tcp, udp, sctp, icmp or icmpv6.", `transport == "udp"`)
	VLAN     = NewInt("vlan", "", "Outermost VLAN id; 0 when untagged.", `vlan == 100`)
	Tunnel   = NewText("tunnel", "Encapsulation the packets were found in: gre, ipip, vxlan, geneve, gtpu or capwap; empty when none.", `tunnel == "vxlan"`)
	TunnelID = NewInt("tunnel_id", "", "Number of the tunnel, such as its VNI, GRE key or TEID; 0 when it has none.", `tunnel == "vxlan" && tunnel_id == 4096`)

	ConnID      = NewInt("conn_id", "", "Number of the connection that the entry belongs to: that of its first packet.", `conn_id == 17`)
	FlowID      = NewInt("flow_id", "", "Number of the flow that the entry belongs to: that of one of its connections.", `flow_id == 17`)
	FirstPacket = NewInt("first_packet", "", "Number of the first packet of the entry, from 1: of capture files in the order of the input, of a snapshot its place there.", `first_packet >= 1000`)
	LastPacket  = NewInt("last_packet", "", "Number of the last packet of the entry.", `last_packet < 2000`)
)

// Size, time and completeness of an entry.
var (
	ElapsedTime   = NewInt("elapsed_time", "µs", "Time from the first byte of the request to the last byte of the response; 0 when one of them is missing.", `http && elapsed_time > 1000000`)
	FirstByteTime = NewInt("first_byte_time", "µs", "Time from the last byte of the request to the first byte of the response; 0 when one of them is missing.", `first_byte_time > 500000`)

	RequestBytes  = NewAlias("request_size", RequestSize, "Size of the request on the wire, head and body.", `request_size > 100000`)
	ResponseBytes = NewAlias("response_size", ResponseSize, "Size of the response on the wire, head and body.", `response_size > 10000`)
	TotalBytes    = NewAlias("total_size", TotalSize, "Size of request and response together.", `total_size > 100000`)
	RequestSeen   = NewAlias("has_request", HasRequest, "The request was captured.", `has_response && !has_request`)
	ResponseSeen  = NewAlias("has_response", HasResponse, "The response was captured.", `http && !has_response`)

	OneWay    = NewBool("one_way", "A message that nothing answers.", `one_way`)
	Complete  = NewBool("complete", "Nothing of the entry is missing or uncertain: request and response were seen, or it is one_way; none of truncated, resumed, unpaired and evicted; no lost_bytes.", `http && !complete`)
	LostBytes = NewInt("lost_bytes", "bytes", "Bytes inside the entry that were never captured.", `lost_bytes > 0`)
	Truncated = NewBool("truncated", "The entry ended before it was complete.", `truncated`)
	Resumed   = NewBool("resumed", "It is the first message after a loss, or its beginning was not captured.", `resumed`)
	Unpaired  = NewBool("unpaired", "Its other half may exist but could not be told, after a loss or for a limit.", `unpaired`)
	Evicted   = NewBool("evicted", "It was cut short by a memory limit.", `evicted`)
)

// How an entry was captured. KFL2's other names for it are derived from
// capture_source.
var (
	HasPcap        = NewBool("has_pcap", "The packets of the entry are stored.", `has_pcap`)
	TLS            = NewBool("tls", "It was said in TLS and could be read, with session secrets or from a TLS library; of a connection, that something in it could. A handshake is tlsx.", `tls && http`)
	CaptureSource  = NewText("capture_source", "How it was captured: unspecified, af_packet, ebpf or ebpf_tls, the last one for plaintext taken from a TLS library.", `capture_source == "af_packet" && http`)
	CaptureBackend = NewDerived(Text, "capture_backend", CaptureSource.Field, func(s string) any { return backend(s) },
		"What captured it: af_packet or ebpf.", `capture_backend == "af_packet"`)
	CaptureSourceCode = NewDerived(Int, "capture_source_code", CaptureSource.Field, sourceCode,
		"Number of capture_source: unspecified 0, af_packet 1, ebpf 2, ebpf_tls 3.", `capture_source_code == 1`)
	Capture = NewDerived(Map, "capture", CaptureSource.Field, func(s string) any {
		return map[string]string{"source": s, "backend": backend(s)}
	}, "The values of capture_source and capture_backend under the keys source and backend.", `capture["source"] == "af_packet"`)
)

func backend(source string) string {
	switch source {
	case "ebpf", "ebpf_tls":
		return "ebpf"
	case "af_packet":
		return source
	}
	return ""
}

func sourceCode(source string) any {
	switch source {
	case "af_packet":
		return int64(1)
	case "ebpf":
		return int64(2)
	case "ebpf_tls":
		return int64(3)
	}
	return int64(0)
}

// Who the two sides were, in Kubernetes' words.
var (
	SrcName          = NewText("src.name", "Best name of the client: its pod, else service, else DNS name, else process.", `src.name.startsWith("checkout-")`)
	DstName          = NewText("dst.name", "Best name of the server: its pod, else service, else DNS name, else process.", `dst.name == "cart"`)
	SrcNamespace     = NewText("src.namespace", "Namespace of the client's pod, else of its service.", `src.namespace == "shop"`)
	DstNamespace     = NewText("dst.namespace", "Namespace of the server's pod, else of its service.", `dst.namespace == "payments"`)
	SrcPodName       = NewText("src.pod.name", "Pod of the client, else its service.", `src.pod.name.startsWith("checkout-")`)
	DstPodName       = NewText("dst.pod.name", "Pod of the server, else its service.", `dst.pod.name.startsWith("payment-")`)
	SrcPodNamespace  = NewText("src.pod.namespace", "Namespace of the client's pod, else of its service.", `src.pod.namespace != dst.pod.namespace`)
	DstPodNamespace  = NewText("dst.pod.namespace", "Namespace of the server's pod, else of its service.", `dst.pod.namespace == "payments"`)
	SrcServiceName   = NewText("src.service.name", "Service of the client.", `src.service.name == "checkout"`)
	DstServiceName   = NewText("dst.service.name", "Service of the server.", `dst.service.name == "payment"`)
	SrcServiceNS     = NewText("src.service.namespace", "Namespace of the client's service.", `src.service.namespace == "shop"`)
	DstServiceNS     = NewText("dst.service.namespace", "Namespace of the server's service.", `dst.service.namespace == "payments"`)
	SrcWorkloadName  = NewText("src.workload.name", "Workload that owns the client's pod, such as its Deployment.", `src.workload.name == "checkout"`)
	DstWorkloadName  = NewText("dst.workload.name", "Workload that owns the server's pod, such as its Deployment.", `dst.workload.name == "payment"`)
	SrcWorkloadKind  = NewText("src.workload.kind", "Kind of the client's workload, as Kubernetes writes it.", `src.workload.kind == "CronJob"`)
	DstWorkloadKind  = NewText("dst.workload.kind", "Kind of the server's workload, as Kubernetes writes it.", `dst.workload.kind == "StatefulSet"`)
	SrcUnknown       = NewText("src.unknown", "Why nobody is known to own the client's address; empty when somebody is.", `src.unknown != ""`)
	DstUnknown       = NewText("dst.unknown", "Why nobody is known to own the server's address; empty when somebody is.", `dst.unknown != ""`)
	SrcDNS           = NewText("src.dns", "DNS name that was seen to resolve to the client's address.", `src.dns.endsWith(".example")`)
	DstDNS           = NewText("dst.dns", "DNS name that was seen to resolve to the server's address.", `dst.dns != "" && !dst.dns.endsWith(".svc.cluster.local")`)
	SrcLabels        = NewMap("src.labels", "Labels of the client's pod, else of its service; another name of local_labels.", `map_get(src.labels, "app.kubernetes.io/name", "") == "checkout"`)
	DstLabels        = NewMap("dst.labels", "Labels of the server's pod, else of its service; another name of remote_labels.", `map_get(dst.labels, "app.kubernetes.io/name", "") == "payment"`)
	LocalLabels      = NewMap("local_labels", "Labels of the client's pod, else of its service.", `map_get(local_labels, "app.kubernetes.io/name", "") == "checkout"`)
	RemoteLabels     = NewMap("remote_labels", "Labels of the server's pod, else of its service.", `map_get(remote_labels, "app.kubernetes.io/name", "") == "payment"`)
	LocalAnnotation  = NewMap("local_annotations", "Annotations of the client's pod, else of its service.", `"shop.example/team" in local_annotations`)
	RemoteAnnotation = NewMap("remote_annotations", "Annotations of the server's pod, else of its service.", `"shop.example/team" in remote_annotations`)

	Namespaces     = NewList("namespaces", "Namespaces of both sides, each once.", `"payments" in namespaces`)
	Pods           = NewList("pods", "Pods of both sides, each once.", `pods.exists(p, p.startsWith("cart-"))`)
	Services       = NewList("services", "Services of both sides, each once.", `"payment" in services`)
	DNSResolutions = NewList("dns_resolutions", "DNS names of both sides, each once.", `"api.bank.example" in dns_resolutions`)

	Node          = NewMap("node", "Node that captured the entry, under the keys name and ip.", `node["name"] == "node-a"`)
	NodeName      = NewText("node_name", "Name of the node that captured the entry.", `node_name == "node-a"`)
	NodeIP        = NewText("node_ip", "Address of the node that captured the entry.", `node_ip == "192.168.10.11"`)
	LocalNode     = NewText("local_node_name", "Node that the client ran on.", `local_node_name != remote_node_name`)
	RemoteNode    = NewText("remote_node_name", "Node that the server ran on.", `remote_node_name == "node-a"`)
	LocalProcess  = NewText("local_process_name", "Process of the client.", `local_process_name == "curl"`)
	RemoteProcess = NewText("remote_process_name", "Process of the server.", `remote_process_name == "redis-server"`)

	LocalResolution  = NewText("local_resolution_status", "Empty when the client's address was resolved, else why it was not; the same as src.unknown.", `local_resolution_status != ""`)
	RemoteResolution = NewText("remote_resolution_status", "Empty when the server's address was resolved, else why it was not; the same as dst.unknown.", `remote_resolution_status != ""`)
)

// timestamp declares a point in time.
func timestamp(name, doc, example string) *Field { return declare(Time, name, doc, example) }

// EntryGroup returns the group of the fields that every entry has.
func EntryGroup() Group {
	return Group{
		Name: "entry", Label: "Entry", Doc: "Fields that every entry has, whatever its protocol.",
		Fields: Fields(
			ID, Timestamp, Protocol, SrcIP, SrcPort, DstIP, DstPort, Carrier,
			ElapsedTime, FirstByteTime, RequestBytes, ResponseBytes, TotalBytes, RequestSeen, ResponseSeen,
			OneWay, Complete, LostBytes, Truncated, Resumed, Unpaired, Evicted,
			SrcName, DstName, SrcNamespace, DstNamespace,
			SrcPodName, DstPodName, SrcPodNamespace, DstPodNamespace,
			SrcServiceName, DstServiceName, SrcServiceNS, DstServiceNS,
			SrcWorkloadName, DstWorkloadName, SrcWorkloadKind, DstWorkloadKind,
			SrcUnknown, DstUnknown, SrcDNS, DstDNS, SrcLabels, DstLabels,
			LocalLabels, RemoteLabels, LocalAnnotation, RemoteAnnotation,
			Namespaces, Pods, Services, DNSResolutions,
			Node, NodeName, NodeIP, NodeID, Worker, LocalNode, RemoteNode, LocalProcess, RemoteProcess, LocalResolution, RemoteResolution,
			Index, Stream, ConnID, FlowID, FirstPacket, LastPacket, VLAN, Tunnel, TunnelID,
			HasPcap, TLS, CaptureSource, CaptureBackend, CaptureSourceCode, Capture,
		),
	}
}
