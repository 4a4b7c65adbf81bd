#!/usr/bin/env bash
# record.sh OUT records the captures of this folder anew: nginx, which takes PROXY
# headers, asked by curl (version 1) and by a client that writes both versions byte by
# byte. It needs root, ip, tcpdump, nginx, curl and python3. proxy_headers.truth holds what
# both did and were told, a line a header and one a call.
set -euo pipefail

for program in ip unshare tcpdump nginx curl python3; do
	command -v "$program" >/dev/null || { echo "record.sh: $program is missing" >&2; exit 1; }
done
out=$(realpath "${1:?usage: record.sh OUT}")
here=$(realpath "$(dirname "$0")")
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

# transfer URL... asks by curl, which logs what client.py makes the truth of.
transfer() {
	curl -s --haproxy-protocol -w '%{stderr}%{num_connects} %{local_ip} %{local_port} %{remote_ip} %{remote_port} %{url_effective} %{http_code} %{size_request} %{size_header} %{size_download}\n' "$@" 2>>"$dir/curl" >/dev/null
}
transfer http://127.0.0.1:8080/one http://127.0.0.1:8080/missing
transfer 'http://[::1]:8080/six'
python3 "$here/client.py" "$dir/curl" >"$out/proxy_headers.truth"
kill -INT "${pids[1]}"
wait "${pids[1]}" || true
