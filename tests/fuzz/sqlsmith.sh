#!/bin/sh
# sqlsmith (Debian's) over the gateway: random statements from what our catalog says there is.
#
#     sqlsmith.sh HELIOSD [SECONDS] [SEED]
#
# Starts a server with the demo data on a free port, installs sqlsmith when it is missing. Fails when
# the server dies or an internal error (SQLSTATE XX...) comes.
set -u
heliosd=$1 seconds=${2:-60} seed=${3:-$(date +%s)}
here=$(dirname "$0")
command -v sqlsmith >/dev/null || apt-get install -y -qq sqlsmith >/dev/null || exit 2
dir=$(mktemp -d) || exit 2
"$heliosd" --data "$dir/data" --pg-port 0 --demo >"$dir/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid; rm -rf "$dir"' EXIT
port=
for i in $(seq 100); do
    port=$(sed -n 's/.*ready: postgresql on [0-9.]*:\([0-9]*\).*/\1/p' "$dir/log")
    [ -n "$port" ] && break
    sleep 0.2
done
[ -n "$port" ] || { cat "$dir/log"; exit 2; }
echo "sqlsmith: seed $seed, $seconds s"
timeout $((seconds + 60)) sqlsmith --target="host=127.0.0.1 port=$port user=postgres dbname=postgres" \
    --dry-run --seed="$seed" 2>"$dir/sqlsmith" |
    timeout $((seconds + 60)) /usr/bin/python3 "$here/sqlsmith.py" 127.0.0.1 "$port" "$seconds"
status=$?
[ $status -eq 0 ] || tail -40 "$dir/log"
kill -0 $pid 2>/dev/null || { echo "the server is gone"; tail -60 "$dir/log"; exit 1; }
exit $status
