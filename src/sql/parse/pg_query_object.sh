#!/bin/sh
# Makes one object of the parts of libpg_query.a that raw_parser needs; all but the symbols listed
# here become local.   usage: pg_query_object.sh OUTPUT CC...
set -eu
out=$1
shift
archive=$("$@" -print-file-name=libpg_query.a)
[ -f "$archive" ] || { echo "libpg_query.a not found: run tools/deps.sh (libpg-query-dev)" >&2; exit 1; }
symbols='raw_parser CopyErrorData FlushErrorState PG_exception_stack error_context_stack
    CurrentMemoryContext pg_query_enter_memory_context pg_query_exit_memory_context'
wanted= keep=
for symbol in $symbols; do
    wanted="$wanted -u $symbol"
    keep="$keep --keep-global-symbol=$symbol"
done
ld -r $wanted "$archive" -o "$out.all"
objcopy $keep "$out.all" "$out"
rm -f "$out.all"
