# shellcheck shell=bash
# The site that HTTP is recorded with, whatever the version.

# site SERVER: makes the files below $WORK and starts nginx, whose process becomes $server.
# SERVER is what its server says beside that it serves them: where it listens, and more.
site() {
	local root=${WORK:?}/files
	mkdir -p "$root/sub"
	echo '<!doctype html><title>shop</title>' >"$root/index.html"
	echo '{"name":"cup","price":7}' >"$root/item.json"
	echo 'a word' >"$root/kept word.txt"
	: >"$root/empty.txt"
	seq 1 3000 | head -c 8192 >"$root/large.txt"
	find "$root" -type f -exec touch -d 2026-01-01T00:00:00Z {} +
	cat >"$WORK/conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $WORK/pid;
error_log $WORK/errors;
events {}
http {
	access_log off;
	types { text/html html; text/plain txt; application/json json; }
	gzip on;
	gzip_types text/plain;
	client_body_temp_path $WORK/body;
	client_max_body_size 2k;
	server {
		root $root;
		${1:?what the server says}
	}
}
CONF
	nginx -e "$WORK/errors" -c "$WORK/conf" &
	# shellcheck disable=SC2034 # it is for whoever sources this
	server=$!
}
