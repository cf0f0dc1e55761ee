#!/bin/sh
# Compiles the sources beside this script; needs clang with the BPF target.
set -eu
cd "$(dirname "$0")"
CLANG=${CLANG:-clang}
for source in *.bpf.c; do
	"$CLANG" --target=bpf -mcpu=v3 -O2 -g -fdebug-prefix-map="$PWD=." -fno-ident -c "$source" -o "${source%.c}.o"
done
"$CLANG" --target=bpfeb -mcpu=v3 -O2 -g -fdebug-prefix-map="$PWD=." -fno-ident -c linkage.bpf.c -o linkage.be.bpf.o
