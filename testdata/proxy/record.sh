#!/usr/bin/env bash
# record.sh OUT records the captures of this folder anew: nginx, which takes PROXY
# headers, asked by curl (version 1) and by a client that writes both versions byte by
# byte. It needs root, ip, tcpdump, nginx, curl and python3.
set -euo pipefail

for program in ip unshare tcpdump nginx curl python3; do
	command -v "$program" >/dev/null || { echo "record.sh: $program is missing" >&2; exit 1; }
done
out=$(realpath "${1:?usage: record.sh OUT}")
if [[ -z "${IN_NAMESPACE:-}" ]]; then
	exec env IN_NAMESPACE=1 unshare --net --mount "$0" "$out"
fi

ip link set lo up
dir=$(mktemp -d)
pids=()
finish() {
	kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT

cat >"$dir/nginx.conf" <<CONF
daemon off; pid $dir/pid; error_log $dir/error.log; worker_processes 1; user root;
events {}
http {
	access_log off;
	client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
	server {
		listen 127.0.0.1:8080 proxy_protocol;
		listen [::1]:8080 proxy_protocol;
		location / { return 200 "\$proxy_protocol_addr:\$proxy_protocol_port\n"; }
		location /missing { return 404; }
	}
}
CONF
nginx -c "$dir/nginx.conf" &
pids+=($!)
until curl -s --haproxy-protocol -o /dev/null http://127.0.0.1:8080/; do :; done
tcpdump -i lo --immediate-mode -w "$out/proxy_headers.pcap" -U -s 0 tcp port 8080 2>"$dir/tcpdump" &
pids+=($!)
until grep -q listening "$dir/tcpdump"; do :; done

curl -s --haproxy-protocol http://127.0.0.1:8080/one http://127.0.0.1:8080/missing
curl -s --haproxy-protocol 'http://[::1]:8080/six'
python3 - <<'PY'
import socket, struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

def ask(header, path=b"/", answers=1):
    s = socket.create_connection(("127.0.0.1", 8080))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b"GET " + path + b" HTTP/1.1\r\nHost: shop.example\r\n\r\n"
    s.sendall(header + request * answers)
    got = b""
    while got.count(b"\r\n\r\n") < answers or not got.endswith(b"\n"):
        more = s.recv(65536)
        if not more:
            break
        got += more
    s.close()

def v2(command, family, rest):
    return SIGNATURE + bytes((0x20 | command, family)) + struct.pack(">H", len(rest)) + rest

def tlv(kind, value):
    return bytes((kind,)) + struct.pack(">H", len(value)) + value

four = socket.inet_aton("192.0.2.17") + socket.inet_aton("198.51.100.7") + struct.pack(">HH", 54321, 443)
six = socket.inet_pton(socket.AF_INET6, "2001:db8::17") + socket.inet_pton(socket.AF_INET6, "2001:db8::7") + struct.pack(">HH", 54322, 443)
tls = tlv(0x20, b"\x01" + struct.pack(">I", 0) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"billing") + tlv(0x23, b"TLS_AES_128_GCM_SHA256"))
ask(v2(1, 0x11, four), path=b"/two")
ask(v2(1, 0x21, six), path=b"/two/six", answers=3)
ask(v2(1, 0x11, four + tlv(0x01, b"http/1.1") + tlv(0x02, b"shop.example") + tlv(0x05, b"\x0a\x0b\x0c\x0d") + tls), path=b"/two/more")
ask(v2(0, 0x00, b""), path=b"/two/local")
ask(b"PROXY UNKNOWN\r\n", path=b"/one/unknown")
ask(b"PROXY TCP4 192.0.2.99 198.51.100.7 40000 80\r\n", path=b"/one/many", answers=4)
PY
kill -INT "${pids[1]}"
wait "${pids[1]}" || true
