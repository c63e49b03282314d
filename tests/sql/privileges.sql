-- What GRANT gives is what a role may do, and no more.
set client_min_messages = warning;
drop role if exists p_reader, p_writer, p_owner, "p Odd", p_group;
create role p_reader;
create role p_writer;
create role p_owner;
create role "p Odd";
grant usage on schema public to public;
grant create on schema public to p_owner;

set role p_owner;
create table t (id int primary key, a text default 'x', n int);
create table other (id int primary key, n int);
insert into t values (1, 'one', 10), (2, 'two', 20);
insert into other values (1, 100), (2, 200);
create view v as select id, a from t where n > 5;
create sequence s;
create table ident (id int generated always as identity, a int);
create table ser (id serial, a int);
reset role;

-- Nothing yet.
set role p_reader;
select * from t;
select 1 from t;
select count(*) from v;
insert into t values (3);
update t set a = 'y';
delete from t;
select nextval('s');
select * from t for update;
copy t to stdout;
copy (select * from t) to stdout;
explain select * from t;
truncate t;
select (select max(id) from t);
with x as (select * from t) select * from x;
create view mine as select 1;
lock table t in access share mode;
analyze t;
comment on table t is 'x';
reset role;

-- SELECT alone.
grant select on t to p_reader;
set role p_reader;
select * from t order by id;
select count(*) from t;
select * from v order by id;
select * from t for share;
insert into t values (3);
update t set a = 'y' where id = 1;
delete from t where id = 1;
select * from t join other using (id);
copy t to stdout;
explain (costs off) select a from t where id = 1;
reset role;

-- The view, not the table below it.
revoke select on t from p_reader;
grant select on v to p_reader;
set role p_reader;
select * from v order by id;
select * from t;
select * from v for update;
update v set a = 'z';
reset role;
grant update on v to p_reader;
set role p_reader;
update v set a = 'through the view' where id = 1 returning *;
insert into v values (5, 'x');
delete from v;
reset role;
grant insert, delete on v to p_reader;
set role p_reader;
insert into v values (5, 'x');
delete from v where id = 5;
select * from v order by id for update;
reset role;
-- The owner of the view loses the table.
alter table t owner to p_writer;
set role p_reader;
select * from v;
insert into v values (6, 'y');
reset role;
alter table t owner to p_owner;
select id, a from t order by id;

-- INSERT, UPDATE, DELETE; reading a column takes SELECT.
grant insert on t to p_writer;
set role p_writer;
insert into t values (10, 'ten', 1);
insert into t values (11, 'x', 1) returning id;
insert into t values (10, 'ten', 1) on conflict do nothing;
insert into t values (10, 'ten', 1) on conflict (id) do nothing;
insert into t values (10, 'ten', 1) on conflict (id) do update set a = 'again';
insert into t select * from t;
reset role;
grant update on t to p_writer;
set role p_writer;
update t set a = 'all';
update t set a = a || '!';
update t set a = 'x' where id = 1;
update t set n = 5 from other where other.n = 3;
insert into t values (10, 'ten', 1) on conflict (id) do update set a = 'again';
reset role;
grant select on t to p_writer;
set role p_writer;
update t set a = 'x' where id = 1 returning *;
insert into t values (10, 'ten', 1) on conflict (id) do update set a = 'again' returning a;
delete from t;
merge into t using (values (1, 'merged')) m(id, a) on t.id = m.id when matched then update set a = m.a;
merge into t using (values (1, 'merged')) m(id, a) on t.id = m.id when matched then delete;
merge into t using (values (77, 'merged')) m(id, a) on t.id = m.id when not matched then insert values (m.id, m.a, 7);
select * from t where id = 1 for update;
reset role;
grant delete on t to p_writer;
set role p_writer;
delete from t where id = 77;
delete from t using other where other.id = t.id;
with gone as (delete from t where id = 10 returning id) select * from gone;
reset role;

-- Sequences and what uses them.
grant insert on ident, ser to p_writer;
set role p_writer;
insert into ident (a) values (1);
insert into ser (a) values (1);
select currval('ser_id_seq');
select setval('s', 5);
reset role;
grant usage on sequence ser_id_seq, s to p_writer;
set role p_writer;
insert into ser (a) values (1);
select nextval('s'), currval('s');
select setval('s', 9);
select last_value from s;
reset role;
grant update, select on sequence s to p_writer;
set role p_writer;
select setval('s', 9), lastval();
select last_value from s;
reset role;

-- Schemas.
create schema hidden;
create table hidden.h (a int);
grant select on hidden.h to p_reader;
set role p_reader;
select * from hidden.h;
insert into hidden.h values (1);
set search_path = hidden, public;
select * from h;
reset role;
grant usage on schema hidden to p_reader;
set role p_reader;
select * from hidden.h;
select * from h;
insert into hidden.h values (1);
reset role;
reset search_path;

-- PUBLIC, odd names, the owner's own rights.
grant select on other to public;
set role "p Odd";
select count(*) from other;
select count(*) from t;
reset role;
grant select on t to "p Odd";
set role "p Odd";
select count(*) from t;
reset role;
revoke select on other from public;
set role "p Odd";
select count(*) from other;
reset role;
set role p_owner;
revoke select on other from p_owner;
select * from other;
insert into other values (9, 9);
grant select on other to p_owner;
select count(*) from other;
reset role;

-- Functions: as who calls, or as who made it.
set role p_owner;
create function sees() returns bigint language sql as 'select count(*) from other';
create function sees_all() returns bigint language sql security definer as 'select count(*) from other';
create function pl_sees() returns bigint language plpgsql as $$ begin return (select count(*) from other); end $$;
create function pl_writes() returns void language plpgsql security definer as $$ begin insert into other values (50, 1); end $$;
reset role;
set role p_reader;
select sees();
select sees_all();
select pl_sees();
select pl_writes();
do $$ begin perform * from other; end $$;
do $$ declare r record; begin for r in select * from other loop null; end loop; end $$;
do $$ begin execute 'select * from other'; end $$;
prepare p as select count(*) from other;
execute p;
begin;
declare c cursor for select * from other;
rollback;
reset role;
-- A plan that another role made is no way in.
execute p;
set role p_reader;
execute p;
reset role;
-- What a foreign key and a trigger look up is not asked of who writes.
set role p_owner;
create table child (id int primary key, other_id int references other on delete cascade);
grant insert, delete, select on child to p_writer;
create table log (t text);
create function note() returns trigger language plpgsql security definer as $$ begin insert into log values (new.id::text); return new; end $$;
create trigger notes after insert on child for each row execute function note();
reset role;
set role p_writer;
insert into child values (1, 1), (2, 2);
insert into child values (3, 777);
select * from log;
select * from other;
reset role;
set role p_owner;
delete from other where id = 1;
select count(*) from child;
reset role;
-- Views on views, and security_invoker.
create view over as select * from v;
create view invoker with (security_invoker = true) as select * from other;
grant select on over, invoker to p_reader;
revoke all on v from p_reader;
set role p_reader;
select count(*) from over;
select count(*) from v;
select count(*) from invoker;
reset role;
grant select on other to p_reader;
set role p_reader;
select count(*) from invoker;
select has_table_privilege('other', 'select'), has_table_privilege('t', 'select');
reset role;

-- Rights follow a role's new name, and an owner's.
alter role p_reader rename to p_renamed;
set role p_renamed;
select count(*) from other;
reset role;
select relacl from pg_class where relname = 'other';
alter role p_renamed rename to p_reader;
alter table other owner to p_writer;
select relacl from pg_class where relname = 'other';

drop schema hidden cascade;
drop schema public cascade;
create schema public;
drop role p_reader, p_writer, p_owner, "p Odd";
