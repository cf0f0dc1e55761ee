#!/bin/sh
# Compiles the programs; needs clang, llvm-strip and libbpf's headers.
set -e
cd "$(dirname "$0")"
clang="${CLANG:-$(command -v clang-22 || command -v clang)}"
strip="${LLVM_STRIP:-$(command -v llvm-strip-22 || command -v llvm-strip)}"
for name in bench verify; do
	"$clang" -target bpf -mcpu=v3 -O2 -g -Wall -fdebug-prefix-map="$PWD=." -I"/usr/include/$(uname -m)-linux-gnu" -c $name.bpf.c -o $name.bpf.o
	"$strip" -g $name.bpf.o
done
