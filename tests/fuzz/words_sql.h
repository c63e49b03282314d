/* Words for mutating SQL. libFuzzer has the same as sql.dict, which make_corpus.py writes. */
#ifndef HELIOS_TESTS_FUZZ_WORDS_SQL_H
#define HELIOS_TESTS_FUZZ_WORDS_SQL_H

#include "fuzz.h"

const char *const fuzz_words[] = {
    "select ", "insert into t values ", "update t set ", "delete from t ", " from t ", " from u ",
    " where ", " group by ", " having ", " order by ", " limit ", " offset ", " union all ",
    " intersect ", " except ", " join u on ", " left join ", " full join ", " cross join ",
    " lateral ", " natural join ", " using (x)", "with r as (", "with recursive r(n) as (",
    " returning *", " on conflict do nothing", " on conflict (id) do update set ", " values ",
    "(1, 2)", " between ", " in (", " not in (", " exists (", " any (", " all (", " is null",
    " is distinct from ", " like ", " ilike ", " similar to ", " ~ ", " ~* ", " collate \"C\"",
    " case when ", " then ", " else ", " end ", " cast(", " as ", "::int", "::text", "::numeric",
    "::numeric(5,2)", "::date", "::timestamp", "::timestamptz", "::interval", "::uuid", "::bytea",
    "::int[]", "::text[]", "::bool", "::float8", "::bigint", "::varchar(3)", "::regclass", "::oid",
    "array[", "'{1,2,null}'", "[1:2]", "[1]", "row(", " over (partition by ", "count(*)", "sum(",
    "avg(", "min(", "max(", "string_agg(", "array_agg(", "distinct ", " filter (where ",
    "coalesce(", "nullif(", "greatest(", "extract(epoch from ", "date_trunc('", "to_char(",
    "substring(", "overlay(", "position(", "regexp_replace(", "regexp_matches(", "split_part(",
    "lpad(", "repeat('x', ", "round(", "power(", "sqrt(", "ln(", "exp(", "generate_series(1, ",
    "unnest(", "now()", "current_date", "interval '1 day'", "date '2024-02-29'", "timestamp '",
    "'infinity'", "'NaN'", "null", "true", "false", "default", "0", "1", "-1", "2147483647",
    "-2147483648", "9223372036854775807", "-9223372036854775808", "1e308", "1e-400", "0.0", ".5",
    "99999999999999999999999999", "''", "'a'", "e'\\n'", "u&'\\0041'", "$$x$$", "$1", "x'ff'",
    "b'10'", "--", "/*", "*/", ";", ",", "(", ")", "[", "]", "*", "+", "-", "/", "%", "^", "||",
    "=", "<>", "<=", ">=", "&", "|", "#", "<<", ">>", "@>", "&&", "create table z (",
    " primary key", " references t", " check (", " unique", " not null", " default ",
    "create index on t (",
    "alter table t add column ", " drop column ", " alter column ", " type ", "drop table ",
    " cascade", "create view vv as ", "create sequence ", "nextval('s')", "begin;", "commit;",
    "rollback;", "savepoint a;", "rollback to a;", "release a;", "prepare pp as ",
    "execute p(1, 'a');", "deallocate all;", "declare cc cursor for ", "fetch 3 from cc;",
    "close cc;", "copy t to stdout ", "copy t from stdin ", " with (format csv, header)",
    "explain ", "analyze ", "set ", "show ", "reset ", "truncate t", "lock table t", "for update",
    "id", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "t.*", "pg_class",
    "information_schema.columns", "pg_typeof(", "version()", "ctid", "\"T\"", NULL};

#endif
