#!/bin/sh
# Installs what building and running need: the one list of Debian packages. Silent when all is there.
# Works as root or with sudo; says what to do where neither is possible.
set -eu
cd "$(dirname "$0")/.."
packages="gcc meson ninja-build pkg-config make binutils python3 libc6-dev
  libpg-query-dev libssl-dev liburing-dev liblz4-dev libzstd-dev zlib1g-dev libxxhash-dev libisal-dev
  libmimalloc-dev libgmp-dev libhttp-parser-dev libicu-dev libedit-dev libcmocka-dev
  libpq-dev tzdata
  postgresql-client-15 python3-psycopg2 python3-sqlalchemy python3-django"
headers=.deps/pgh/usr/include/postgresql/15/server/postgres.h

missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' ||
        missing="$missing $p"
done
as_root=
if [ -n "$missing" ] && [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=sudo
    elif command -v sudo >/dev/null && [ -t 0 ]; then
        as_root=sudo
    else
        echo "These packages are missing, and neither root nor sudo is at hand:" >&2
        echo "   $missing" >&2
        echo "Ask an administrator for: apt-get install$missing" >&2
        exit 1
    fi
fi
if [ -n "$missing" ]; then
    echo "Installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing >/dev/null
fi

# PostgreSQL's node structs are wanted as headers only: the package is unpacked, not installed.
if [ ! -f "$headers" ] && [ ! -f /usr/include/postgresql/15/server/postgres.h ]; then
    echo "Fetching PostgreSQL 15 server headers"
    mkdir -p .deps/fetch
    (cd .deps/fetch && apt-get download -qq postgresql-server-dev-15 2>/dev/null) ||
        { echo "Cannot download postgresql-server-dev-15: run apt-get update, then this again." >&2
          exit 1; }
    dpkg-deb -x .deps/fetch/postgresql-server-dev-15_*.deb .deps/pgh
    rm -rf .deps/fetch
fi
