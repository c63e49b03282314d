create table t (id int primary key, v text, n int default 0);
create table log (seq serial, line text);
create function note() returns trigger language plpgsql as $$
begin
  insert into log (line) values (tg_name || ' ' || tg_when || ' ' || tg_level || ' ' || tg_op || ' ' || tg_table_name || ' ' ||
    coalesce(old.id::text, '-') || '>' || coalesce(new.id::text, '-') || coalesce(' ' || tg_argv[0], '') || ' ' || tg_nargs);
  if tg_op = 'DELETE' then return old; end if;
  return new;
end $$;
create trigger b_note before insert or update or delete on t for each row execute function note('arg');
create trigger a_note after insert or update or delete on t for each row execute function note();
insert into t values (1, 'a'), (2, 'b');
update t set v = 'c' where id = 1;
update t set id = 3 where id = 2;
delete from t where id = 1;
insert into t values (3, 'x') on conflict (id) do update set v = 'conflict';
insert into t values (3, 'y') on conflict do nothing;
select line from log order by seq;
select * from t order by id;
truncate log;
drop trigger b_note on t;
drop trigger a_note on t;
-- BEFORE changes and skips
create function change() returns trigger language plpgsql as $$
begin
  if new.id < 0 then return null; end if;
  new.v := upper(new.v);
  new.n := coalesce(new.n, 0) + 1;
  return new;
end $$;
create trigger change before insert or update on t for each row execute function change();
insert into t values (10, 'low', null), (-1, 'skipped', 1) returning *;
update t set v = 'again' where id = 10 returning *;
update t set id = -5 where id = 10;
copy t (id, v) from stdin;
20	copied
-20	skipped
21	also
\.
select * from t order by id;
-- constraints are checked after
alter table t add constraint pos check (n < 3);
update t set v = 'more' where id = 10;
alter table t drop constraint pos;
create function makekey() returns trigger language plpgsql as $$ begin new.id := new.id + 100; return new; end $$;
create trigger z_key before insert on t for each row execute function makekey();
insert into t values (1, 'k') returning id;
insert into t values (1, 'k') returning id;
drop trigger z_key on t;
drop trigger change on t;
-- WHEN, UPDATE OF
create function say2() returns trigger language plpgsql as $$ begin raise notice '% %', tg_name, tg_op; return new; end $$;
create trigger w after update on t for each row when (old.v is distinct from new.v) execute function say2();
create trigger c after update of n on t for each row execute function say2();
create trigger i after insert on t for each row when (new.n > 5) execute function say2();
update t set v = 'other' where id = 3;
update t set v = v where id = 3;
update t set n = 3 where id = 3;
update t set n = n, v = 'both' where id = 3;
insert into t values (50, 'x', 6), (51, 'y', 4);
create trigger bad after insert on t for each row when (old.n > 1) execute function say2();
create trigger bad after delete on t for each row when (new.n > 1) execute function say2();
create trigger bad after update on t for each statement when (old.n > 1) execute function say2();
create trigger bad after update on t for each row when (nosuch.n > 1) execute function say2();
create trigger bad after update of nosuch on t for each row execute function say2();
create trigger w after update on t for each row execute function say2();
create trigger bad after update on t for each row execute function nosuch();
create function nottrg() returns int language sql as 'select 1';
create trigger bad after update on t for each row execute function nottrg();
create trigger bad instead of update on t for each row execute function say2();
select say2();
-- enable, disable, rename, definitions
alter table t disable trigger w;
update t set v = 'quiet' where id = 3;
alter table t enable trigger w;
update t set v = 'loud' where id = 3;
alter table t disable trigger all;
update t set v = 'quiet again', n = 9 where id = 3;
alter table t enable trigger all;
alter table t disable trigger nosuch;
alter trigger w on t rename to w2;
select tgname, tgtype, tgenabled, tgattr, tgnargs from pg_trigger where tgrelid = 't'::regclass order by tgname;
select pg_get_triggerdef(oid) from pg_trigger where tgrelid = 't'::regclass order by tgname;
\d t
drop function say2();
drop function say2() cascade;
select count(*) from pg_trigger where tgrelid = 't'::regclass;
drop trigger nosuch on t;
drop trigger if exists nosuch on t;
create or replace trigger r before insert on t for each row execute function makekey();
create or replace trigger r before insert on t for each row execute function change();
insert into t values (60, 'replaced') returning *;
drop trigger r on t;
-- AFTER triggers see the statement's rows, and may write
create table total (s int);
insert into total values (0);
create function sum_up() returns trigger language plpgsql as $$
begin
  update total set s = (select sum(n) from t);
  return null;
end $$;
create trigger sum_up after insert or update or delete on t for each row execute function sum_up();
insert into t values (70, 'p', 1000), (71, 'q', 2000);
select * from total;
delete from t where id = 70;
select (select s from total) = (select sum(n) from t);
drop trigger sum_up on t;
-- an error undoes the statement
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'row % refused', new.id; end $$;
create trigger refuse after insert on t for each row when (new.id = 99) execute function refuse();
insert into t values (98, 'fine'), (99, 'not');
select count(*) from t where id in (98, 99);
drop trigger refuse on t;
-- recursion
create table tree (id int primary key, parent int, depth int);
create function down() returns trigger language plpgsql as $$
begin
  if new.depth < 3 then insert into tree values (new.id * 10, new.id, new.depth + 1); end if;
  return new;
end $$;
create trigger down after insert on tree for each row execute function down();
insert into tree values (1, null, 0);
select * from tree order by id;
-- foreign keys
create table parent (id int primary key);
create table child (id int primary key, p int references parent on delete cascade on update cascade);
create function show() returns trigger language plpgsql as $$
begin
  raise notice '% % % % %', tg_table_name, tg_when, tg_op, case when tg_op = 'INSERT' then null else old.id end, case when tg_op = 'DELETE' then null else new.id end;
  return coalesce(new, old);
end $$;
drop function show() cascade;
create function show() returns trigger language plpgsql as $$
begin
  raise notice '% % %', tg_table_name, tg_when, tg_op;
  if tg_op = 'DELETE' then return old; end if;
  return new;
end $$;
create trigger s1 before delete or update on child for each row execute function show();
create trigger s2 after delete or update on child for each row execute function show();
create trigger s1 before delete or update on parent for each row execute function show();
create trigger s2 after delete or update on parent for each row execute function show();
insert into parent values (1), (2);
insert into child values (1, 1), (2, 2);
update parent set id = 5 where id = 1;
delete from parent where id = 5;
select * from child;
-- generated columns
create table g (a int, b int generated always as (a * 2) stored);
create function gg() returns trigger language plpgsql as $$ begin new.a := new.a + 1; return new; end $$;
create trigger gg before insert or update on g for each row execute function gg();
insert into g values (1) returning *;
update g set a = 10 returning *;
-- the error tells where it was
create function broken() returns trigger language plpgsql as $$ begin new.nosuch := 1; return new; end $$;
create trigger broken before insert on g for each row execute function broken();
insert into g values (1);
drop trigger broken on g;
create function noreturn() returns trigger language plpgsql as $$ begin end $$;
create trigger noreturn before insert on g for each row execute function noreturn();
insert into g values (1);
-- a BEFORE trigger that changes its own row
create table own (a int primary key, b text, c int);
create index on own (b);
create function meddle() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then update own set c = 9 where a = old.a; return old; end if;
  if new.b = 'inner' then return new; end if;
  update own set b = 'inner' where a = old.a;
  return new;
end $$;
insert into own values (1, 'x', 1), (2, 'y', 2);
create trigger meddle before update or delete on own for each row execute function meddle();
update own set b = 'outer' where a = 1;
insert into own values (1, 'z', 3) on conflict (a) do update set b = 'outer';
delete from own where a = 2;
select * from own order by a;
drop trigger meddle on own;
delete from own;
select * from own where b = 'inner';
-- views hold their functions
create function vf(x int) returns text language sql immutable as 'select ''v'' || x';
create view vv as select a, vf(a) from own;
drop function vf(int);
