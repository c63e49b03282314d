-- INSERT, UPDATE and DELETE in WITH: one snapshot for all parts, each runs to its end.
create table t (id int primary key, v text, n int default 0);
create table log (seq serial, what text, id int);
insert into t select i, 'v' || i, i * 10 from generate_series(1, 6) i;
with d as (delete from t where id = 6 returning *) select * from d;
with d as (delete from t where id > 4 returning id, v) insert into log (what, id) select v, id from d order by id returning seq, what, id;
select * from t order by id;
with i as (insert into t values (7, 'seven', 70), (8, 'eight', 80) returning id, n) select sum(n), count(*) from i;
with u as (update t set n = n + 1 where id < 3 returning id, n) select t.id, t.n as old, u.n as new from t join u using (id) order by 1;
with u as (update t set n = n + 1 returning *) select count(*) from t where n > 10;
select id, n from t order by id;
with a as (insert into t values (9, 'nine', 90) returning id), b as (delete from t where id = 9 returning id) select (select count(*) from a) as a, (select count(*) from b) as b;
select count(*) from t where id = 9;
with a as (update t set v = v || '!' where id = 1) select 1 as one;
select v from t where id = 1;
with a as (update t set v = 'a' where id = 1 returning v) update t set v = 'main' where id = 1 returning v;
select v from t where id = 1;
with a as (update t set v = 'a2' where id = 1 returning v) update t set v = a.v || ' main' from a where t.id = 1 returning t.v;
select v from t where id = 1;
with a as (delete from t where id = 9 returning v) update t set v = 'gone' where id = 9 returning v;
select count(*) from t where id = 9;
with a as (update t set v = 'x' where id = 2 returning id) delete from t using a where t.id = a.id;
select id, v from t where id = 2;
with a as (insert into t values (20, 'twenty') returning *), b as (insert into t values (21, 'twenty-one') returning *) select * from a union all select * from b order by id;
with a (x, y) as (insert into t values (22, 'a'), (23, 'b') returning id, v) select y, x from a order by x;
with a (x, y, z) as (insert into t values (24, 'a') returning id, v) select * from a;
with a as (insert into t values (25, 'a')) select * from a;
with a as (insert into t values (25, 'a')) select 'fine';
select v from t where id = 25;
with a as (insert into t values (26, 'a') returning nosuch) select * from a;
with a as (insert into t values (1, 'again') returning id) select * from a;
with a as (insert into t values (1, 'again') on conflict (id) do update set v = excluded.v returning id, v) select * from a;
with a as (insert into t values (30, 'first') returning id) insert into t values (30, 'second') on conflict (id) do update set v = excluded.v || ' wins' returning id, v;
with a as (insert into t values (31, 'first') returning id) insert into t select id, 'second' from a on conflict (id) do update set v = excluded.v;
with a as (insert into t values (32, 'first') returning id) insert into t select id, 'second' from a on conflict (id) do nothing returning *;
select id, v from t where id >= 30 order by id;
with a as (delete from t where id = 25) insert into t values (25, 'new');
with a as (delete from t where id = 25 returning id) insert into t select id, 'new' from a returning *;
select * from (with a as (delete from t returning *) select * from a) s;
select 1 where exists (with a as (delete from t returning *) select * from a);
insert into t with a as (delete from t returning *) select * from a;
with o as (with a as (delete from t returning *) select * from a) select * from o;
create view bad as with a as (delete from t returning *) select * from a;
begin;
declare c cursor for with a as (delete from t returning *) select * from a;
rollback;
with recursive r as (delete from t where id in (select id from r) returning id) select * from r;
with recursive r as (insert into t select id + 100, v from s returning id), s as (select id, v from t where id = 1) select * from r;
with a as (select 1), a as (delete from t) select 1;
begin read only;
with a as (delete from t returning *) select count(*) from a;
rollback;
begin read only;
with a as (select 1 as x) select x from a;
rollback;
with d as (delete from t where id >= 20 returning id, v) select count(*) from d limit 0;
select count(*) from t where id >= 20;
with i as (insert into t select g, 'g' from generate_series(40, 45) g returning id) select id from i order by id limit 2;
select count(*) from t where id between 40 and 45;
with d as (delete from t where id between 40 and 45 returning id) select d.id, (select count(*) from d) as n from d order by 1;
-- what each part did is counted for the main one only
\set QUIET off
with d as (delete from log returning id) insert into log (what, id) select 'kept', id from d where id = 5;
with d as (delete from log) select 1 as x where false;
with d as (update t set n = 0) delete from t where false;
\set QUIET on
-- rows move between tables
create table archive (like_id int, moved timestamptz default now(), v text);
with moved as (delete from t where id in (3, 4) returning id, v) insert into archive (like_id, v) select id, v from moved;
select like_id, v from archive order by 1;
with ins as (insert into t (id, v) select like_id, v from archive returning id), del as (delete from archive returning like_id) select (select array_agg(id order by id) from ins) as i, (select array_agg(like_id order by like_id) from del) as d;
select count(*) from archive;
-- foreign keys are looked at when all is done
create table parent (id int primary key, name text);
create table child (id int primary key, parent int references parent on delete cascade, note text);
with p as (insert into parent values (1, 'one') returning id) insert into child select 10, id, 'of one' from p;
with c as (insert into child values (20, 2, 'of two')) insert into parent values (2, 'two');
with p as (insert into parent values (3, 'three')) insert into child values (30, 3, 'of three');
with c as (insert into child values (40, 4, 'of none')) select 1;
select * from child order by id;
with c as (delete from child where parent = 1 returning id) delete from parent where id = 1 returning *;
with p as (delete from parent where id = 2) select count(*) from child;
select * from child order by id;
with p as (insert into parent values (5, 'five') returning id) update child set parent = 5 where id = 30 returning *;
-- triggers: one of a statement for each table and event, at the end
create function note() returns trigger language plpgsql as $$
begin
    insert into log (what, id) values (tg_when || ' ' || tg_op || ' ' || tg_level, case when tg_level = 'STATEMENT' then null when tg_op = 'DELETE' then old.id else new.id end);
    return case when tg_op = 'DELETE' then old else new end;
end $$;
delete from log;
alter sequence log_seq_seq restart;
create trigger b before insert or update or delete on t for each row execute function note();
create trigger a after insert or update or delete on t for each row execute function note();
create trigger bs before insert or update or delete on t execute function note();
create trigger a_s after insert or update or delete on t execute function note();
with d as (delete from t where id = 7 returning id) insert into t select id, 'back' from d;
select what, id from log order by split_part(what, ' ', 1) desc, what, id;
delete from log;
alter sequence log_seq_seq restart;
with x as (insert into t values (50, 'x')), y as (insert into t values (51, 'y')) insert into t values (52, 'z');
select seq, what, id from log order by seq;
delete from log;
alter sequence log_seq_seq restart;
with x as (update t set n = 1 where id = 50 returning id), y as (update t set n = 2 where id = 51 returning id) select * from y, x;
select what, id from log order by what, id;
drop trigger b on t;
drop trigger a on t;
drop trigger bs on t;
drop trigger a_s on t;
-- transition tables hold the rows of all parts
create function rows_of() returns trigger language plpgsql as $$
begin
    insert into log (what, id) select 'new', id from fresh order by id;
    return null;
end $$;
create trigger r after insert on t referencing new table as fresh for each statement execute function rows_of();
delete from log;
with x as (insert into t values (60, 'x') returning id) insert into t select id + 1, 'y' from x;
select what, id from log order by seq;
drop trigger r on t;
-- in functions, and prepared
create function take(int) returns int language sql as 'with d as (delete from t where id = $1 returning id) select id from d';
select take(60), take(61), take(62);
create function move(k int) returns text language plpgsql as $$
declare r text;
begin
    with d as (delete from t where id = k returning v) insert into archive (v) select v from d returning v into r;
    return r;
end $$;
select move(50), move(50);
prepare p (int) as with d as (delete from t where id = $1 returning id, v) select * from d;
execute p(51);
execute p(51);
create table made as with d as (delete from t where id = 52 returning id, v) select * from d;
select * from made;
copy (with d as (delete from t where id = 8 returning id, v) select * from d) to stdout;
copy (delete from t where id = 2 returning id) to stdout;
explain (costs off) with d as (delete from t where n = 3 returning id), u as (update t set n = 1 where n = 5) select * from d;
explain (costs off) with d as (delete from t where n = 3 returning v) insert into archive (v) select v from d;
select id, v from t order by id;
-- EXPLAIN ANALYZE does it all, too
explain (analyze) with x as (insert into archive (v) values ('explained') returning 1), y as (insert into archive (v) values ('unread')) select * from x \g /dev/null
select v from archive where v in ('explained', 'unread') order by 1;
explain (analyze) with c as (insert into child values (99, 99, 'no parent')) select 1 \g /dev/null
select count(*) from child where id = 99;
