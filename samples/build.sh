#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compiles the samples to the objects beside them.
#
#   samples/build.sh [NAME ...]     builds these samples, or all
#   samples/build.sh --check        builds into a temporary folder and compares with what is there
#
# Needs clang with the BPF target, llvm-strip, libbpf's headers and the kernel's uapi headers. CLANG and
# LLVM_STRIP choose the tools. The committed objects are clang 22's; another version gives other bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

find_tool() {
  local name=$1 version
  for version in "" -22 -21 -20 -19 -18; do
    if command -v "$name$version" > /dev/null; then
      echo "$name$version"
      return
    fi
  done
  echo "build.sh: no $name found" >&2
  return 1
}

CLANG=${CLANG:-$(find_tool clang)}
STRIP=${LLVM_STRIP:-$(find_tool llvm-strip)}

# sample, variant (part of the object's name; "-" is none), target and flags
TARGETS=(
  "parser - bpf -mcpu=v3 -g"
  "parser v1 bpf -mcpu=v1 -g"
  "parser v4 bpf -mcpu=v4 -g"
  "parser be bpfeb -mcpu=v3 -g"
  "firewall - bpf -mcpu=v3 -g"
  "calls - bpf -mcpu=v3 -g"
  "calls v1 bpf -mcpu=v1 -g"
  "calls v4 bpf -mcpu=v4 -g"
  "tailcalls - bpf -mcpu=v3 -g"
  "rewrite - bpf -mcpu=v3 -g"
  "rewrite v1 bpf -mcpu=v1 -g"
  "redirect - bpf -mcpu=v3 -g"
  "events - bpf -mcpu=v3 -g"
  "lru - bpf -mcpu=v3 -g"
  "percpu - bpf -mcpu=v3 -g"
  "nested - bpf -mcpu=v3 -g"
  "lpm - bpf -mcpu=v3 -g"
  "queues - bpf -mcpu=v3 -g"
  "sockfilter - bpf -mcpu=v3 -g"
  "sections - bpf -mcpu=v3 -g"
  "optional - bpf -mcpu=v3 -g"
  "globals - bpf -mcpu=v3 -g"
  "isa - bpf -mcpu=v4 -g"
  "isa v1 bpf -mcpu=v1 -g"
  "isa v3 bpf -mcpu=v3 -g"
  "legacy-maps - bpf -mcpu=v3 -g"
  "plain - bpf -mcpu=v3"
)

# Names of files in the debug information are relative to the sample, so that the bytes do not depend on
# where the checkout lies; the DWARF sections go, BTF and its line information stay.
compile() {
  local name=$1 target=$2 out=$3
  shift 3
  (
    cd "$name"
    "$CLANG" -target "$target" "$@" -O2 -std=gnu11 -Wall -Wextra -Werror -fno-ident \
      -I../common -idirafter "/usr/include/$(uname -m)-linux-gnu" \
      -fdebug-compilation-dir=. -fdebug-prefix-map=/usr/include=include \
      -c "$name.bpf.c" -o "$out"
  )
  "$STRIP" -g "$out"
  if grep -aqE "$PWD|/usr/|/home/" "$out"; then
    echo "build.sh: $out names a path of this machine" >&2
    return 1
  fi
}

check=0
if [ "${1:-}" = --check ]; then
  check=1
  shift
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi

differing=0
for line in "${TARGETS[@]}"; do
  read -r name variant target flags <<< "$line"
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  object=$name/$name.bpf.o
  if [ "$variant" != - ]; then object=$name/$name.$variant.bpf.o; fi
  out=$PWD/$object
  if [ $check = 1 ]; then out=$scratch/$(basename "$object"); fi
  # shellcheck disable=SC2086
  compile "$name" "$target" "$out" $flags
  if [ $check = 1 ] && ! cmp -s "$out" "$object"; then
    echo "$object differs" >&2
    differing=1
  fi
done
exit $differing
