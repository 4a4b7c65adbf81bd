#!/usr/bin/env bash
# fuzz.sh DURATION runs every fuzz target of the module for that long. It runs them
# all, and fails when one of them did.
set -euo pipefail
duration=${1:?usage: fuzz.sh DURATION}

failed=()
while read -r folder target; do
	echo "== $folder $target"
	go test "$folder" -run '^$' -fuzz "^$target\$" -fuzztime "$duration" || failed+=("$folder $target")
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . |
	sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*)\(.*|\1 \2|' | sort -u)

if ((${#failed[@]} > 0)); then
	printf 'failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
