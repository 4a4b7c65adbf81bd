#!/usr/bin/env bash
# need.sh PROGRAM... makes sure that programs are there: those that are missing are
# installed from Debian's packages where that is possible, or named.
set -euo pipefail

# The package a program is in, where the names differ.
declare -A package=([gcc]="gcc libc6-dev" [clang-19]="clang-19 libbpf-dev" [llvm-strip-19]=llvm-19 [ip]=iproute2 [nginx]=nginx-light [gnutls-cli]=gnutls-bin [node]=nodejs [tstclnt]=libnss3-tools [objdump]=binutils [nsenter]=util-linux [setpriv]=util-linux [dumpcap]=wireshark-common)

missing=()
for program in "$@"; do
	command -v "$program" >/dev/null || missing+=("$program")
done
if ((${#missing[@]} == 0)); then
	exit 0
fi

packages=()
for program in "${missing[@]}"; do
	read -ra names <<<"${package[$program]:-$program}"
	packages+=("${names[@]}")
done

if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "missing: ${missing[*]}. On Debian: apt-get install ${packages[*]}" >&2
	exit 1
fi
echo "installing ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
{
	apt-get update -qq
	apt-get install -qq -y --no-install-recommends "${packages[@]}"
} </dev/null >/dev/null
