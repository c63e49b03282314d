-- What ANALYZE keeps. Tables are smaller than the sample, so figures are exact.
create table t (id int primary key, grp int, word text, price numeric(10,2), day date,
                flag boolean, maybe int, blob bytea, ts timestamp);
insert into t select n, n % 5, 'w' || (n % 40), n % 300, date '2020-01-01' + n % 100, n % 4 = 0,
    case when n % 10 < 7 then n end, decode(lpad(to_hex(n), 8, '0'), 'hex'),
    timestamp '2020-01-01' + interval '1 hour' * n
  from generate_series(1, 2000) n;
select count(*) from pg_stats where tablename = 't';
analyze t;
select attname, null_frac, avg_width, n_distinct, correlation is not null as ordered,
       array_length(most_common_freqs, 1) as mcv
  from pg_stats where schemaname = 'public' and tablename = 't' order by attname;
select most_common_vals, most_common_freqs, histogram_bounds from pg_stats
  where tablename = 't' and attname in ('flag') order by attname;
select correlation from pg_stats where tablename = 't' and attname in ('id', 'ts') order by 1;
select histogram_bounds from pg_stats where tablename = 't' and attname = 'id';
select reltuples from pg_class where relname = 't';
select staattnum, stanullfrac, stawidth, stadistinct, stakind1, stakind2, stakind3
  from pg_statistic where starelid = 't'::regclass order by staattnum;

-- Renamed, dropped, retyped columns
alter table t rename column grp to batch;
alter table t drop column word;
alter table t alter column maybe type bigint;
select attname, n_distinct from pg_stats where tablename = 't' order by attname;
analyze t;
select attname, n_distinct from pg_stats where tablename = 't' order by attname;
alter table t rename to u;
select count(*) from pg_stats where tablename = 'u';
alter table u add column later int default 7;
select count(*) from pg_stats where tablename = 'u';
analyze u (later);
select attname, null_frac, avg_width, n_distinct, most_common_vals from pg_stats
  where tablename = 'u' and attname = 'later';
analyze u (nothing);
analyze u (id, id);
analyze nowhere;

-- How much is kept
alter table u alter column price set statistics 10;
alter table u alter column day set statistics 0;
alter table u alter column day set statistics -2;
analyze u;
select attname, array_length(histogram_bounds::text::text[], 1) as bounds from pg_stats
  where tablename = 'u' and attname in ('price', 'id') order by attname;
set default_statistics_target = 20;
analyze u;
select attname, array_length(histogram_bounds::text::text[], 1) as bounds from pg_stats
  where tablename = 'u' and attname in ('price', 'id') order by attname;
reset default_statistics_target;

-- Skewed, empty, all NULL, one value
create table skew (a int, b int, c text);
insert into skew select case when n % 2 = 0 then 1 when n % 5 = 0 then 2 else n end, null, 'x'
  from generate_series(1, 1000) n;
create table none (a int);
analyze;
select attname, null_frac, n_distinct, most_common_vals, most_common_freqs from pg_stats
  where tablename = 'skew' order by attname;
select count(*) from pg_stats where tablename = 'none';

-- Rolled back; of those only who may read
begin;
insert into none select n from generate_series(1, 100) n;
analyze none;
select n_distinct from pg_stats where tablename = 'none';
rollback;
select count(*) from pg_stats where tablename = 'none';
truncate skew;
drop table skew;
select count(*) from pg_stats where tablename = 'skew';
create role stats_reader;
set role stats_reader;
select count(*) from pg_stats where tablename = 'u';
reset role;
grant select on u to stats_reader;
set role stats_reader;
select count(*) > 0 from pg_stats where tablename = 'u';
reset role;
revoke select on u from stats_reader;
drop role stats_reader;
