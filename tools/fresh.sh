#!/usr/bin/env bash
# fresh.sh COMMAND... runs a command that writes generated files, and fails when one
# of them was stale: when the command changes, adds or removes a file of the work
# tree. Changes that are not committed yet do no harm.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

state() {
	git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null | sort -k 2 || true
}

before=$(state)
"$@"
after=$(state)
if [[ "$before" != "$after" ]]; then
	echo "stale, and new now; commit the difference:" >&2
	diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ { print "  " $3 }' | sort -u >&2
	exit 1
fi
