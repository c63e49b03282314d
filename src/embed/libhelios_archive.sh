#!/bin/sh
# libhelios_archive.sh OUTPUT DIR ARCHIVE...: one archive of one object in which every name but those
# of helios.h is local, so that ours meet nobody else's in a static program.
set -e
output=$1 dir=$2
shift 2
mkdir -p "$dir"
ld -r -o "$dir/helios.o" --whole-archive "$@" --no-whole-archive
objcopy --wildcard --keep-global-symbol='helios_*' "$dir/helios.o"
rm -f "$output"
ar rcs "$output" "$dir/helios.o"
