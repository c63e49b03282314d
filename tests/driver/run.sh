#!/bin/sh
# Every driver's test against one build: run.sh BUILD [NAME ...], names being psql, pg_dump, libpq, psycopg2,
# sqlalchemy, django, portals, limits, jdbc, node, orms. Installs what is missing: Debian packages as tools/deps.sh does, and npm's
# packages into DRIVER_CACHE (~/.cache/heliosdb/drivers), outside the tree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?run.sh BUILD [NAME ...]}
shift
heliosd=$(cd "$build" && pwd)/src/bin/heliosd
cache=${DRIVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/heliosdb/drivers}
names=${*:-psql pg_dump libpq psycopg2 sqlalchemy django portals limits jdbc node orms}
jar=/usr/share/java/postgresql.jar
failed=

need() { # a command or file, and the Debian package that has it
    case $1 in /*) [ -e "$1" ] && return ;; *) command -v "$1" >/dev/null && return ;; esac
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "Installing $2"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" \
        >/dev/null
}

node_pg() {
    need node nodejs
    if ! NODE_PATH=$cache/node_modules node -e 'require("pg")' 2>/dev/null; then
        need npm npm
        echo "Installing pg into $cache"
        mkdir -p "$cache"
        npm install --prefix "$cache" --no-save --no-audit --no-fund --silent pg
    fi
    NODE_PATH=$cache/node_modules node "$here/test_node_pg.js" "$heliosd"
}

node_orms() {
    need node nodejs
    if ! NODE_PATH=$cache/node_modules node -e 'for (const m of ["pg", "knex", "sequelize", "typeorm", "drizzle-orm"]) require(m)' \
        2>/dev/null; then
        need npm npm
        echo "Installing object mappers into $cache"
        mkdir -p "$cache"
        npm install --prefix "$cache" --no-save --no-audit --no-fund --silent --ignore-scripts \
            pg@8 knex@3 sequelize@6 typeorm@0.3 drizzle-orm@0.45
    fi
    NODE_PATH=$cache/node_modules node "$here/test_node_orms.js" "$heliosd"
}

jdbc() {
    need java default-jdk-headless
    need $jar libpostgresql-jdbc-java
    /usr/bin/python3 "$here/with_server.py" "$heliosd" \
        java -cp $jar "$here/TestJdbc.java" "{host}" "{port}"
}

libpq() {
    need /usr/include/postgresql/libpq-fe.h libpq-dev
    ninja -C "$build" tests/driver/test_libpq >/dev/null
    /usr/bin/python3 "$here/with_server.py" "$heliosd" "$build/tests/driver/test_libpq" \
        "host={host} port={port} user=postgres dbname=postgres"
}

for name in $names; do
    echo "== $name"
    case $name in
    psql) need psql postgresql-client-15
        set -- /usr/bin/python3 "$here/with_server.py" "$heliosd" \
            /usr/bin/python3 "$here/test_psql.py" "{host}" "{port}" ;;
    libpq) set -- libpq ;;
    psycopg2) need /usr/lib/python3/dist-packages/psycopg2 python3-psycopg2
        set -- /usr/bin/python3 "$here/test_psycopg2.py" "$heliosd" ;;
    pg_dump) need pg_dump postgresql-client-15
        set -- /usr/bin/python3 "$here/test_pg_dump.py" "$heliosd" ;;
    sqlalchemy | django) need /usr/lib/python3/dist-packages/$name python3-$name
        set -- /usr/bin/python3 "$here/test_$name.py" "$heliosd" ;;
    portals | limits) set -- /usr/bin/python3 "$here/test_$name.py" "$heliosd" ;;
    jdbc) set -- jdbc ;;
    node) set -- node_pg ;;
    orms) set -- node_orms ;;
    *) echo "no such driver: $name" >&2; exit 2 ;;
    esac
    "$@" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "Failed:$failed" >&2; exit 1; }
