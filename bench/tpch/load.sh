#!/bin/sh
# Loads the eight TPC-H tables by COPY.   usage: load.sh DATA_DIR 'psql connection string'
# DATA_DIR holds schema.sql and *.tbl.zst (dbgen's form, '|' at the end of each line removed).
set -eu
data=$1
dsn=$2
psql -X -q -v ON_ERROR_STOP=1 -d "$dsn" -f "$data/schema.sql"
for t in region nation part supplier partsupp customer orders lineitem; do
    zstd -dc "$data/$t.tbl.zst" | sed 's/|$//' |
        psql -X -q -v ON_ERROR_STOP=1 -d "$dsn" -c "copy $t from stdin with (delimiter '|')"
done
psql -X -q -d "$dsn" -c analyze
