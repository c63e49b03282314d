create table t (a int, b int);
create function st() returns trigger language plpgsql as $$ begin raise notice '% % % % %', tg_name, tg_when, tg_level, tg_op, (select count(*) from t); return null; end $$;
create trigger b before insert or update or delete on t for each statement execute function st();
create trigger a after insert or update or delete on t execute function st();
insert into t values (1, 1), (2, 2);
insert into t select 1, 1 where false;
update t set b = 5;
update t set b = 6 where a = 99;
delete from t where a = 1;
insert into t values (7, 7) returning *;
copy t from stdin;
8	8
9	9
\.
create trigger ub before update of b on t execute function st();
update t set a = a;
update t set b = b;
drop trigger ub on t;
create trigger tr before truncate on t execute function st();
create trigger tra after truncate on t execute function st();
truncate t;
create trigger bad before truncate on t for each row execute function st();
create trigger w after insert on t when (1 = 2) execute function st();
insert into t values (1, 1);
select pg_get_triggerdef(oid) from pg_trigger where tgrelid = 't'::regclass order by tgname;
drop table t;
select count(*) from pg_trigger where tgname in ('a', 'b');
-- order by name, row and statement together
create table o (x int);
create function oo() returns trigger language plpgsql as $$ begin raise notice '%', tg_name; return new; end $$;
create trigger c_row before insert on o for each row execute function oo();
create trigger a_row before insert on o for each row execute function oo();
create trigger b_row after insert on o for each row execute function oo();
create trigger d_row after insert on o for each row execute function oo();
create trigger z_st before insert on o execute function oo();
create trigger y_st after insert on o execute function oo();
insert into o values (1), (2);
-- conflict
create table k (id int primary key, v int);
create trigger k1 before insert or update on k for each statement execute function oo();
create trigger k2 after insert or update on k for each statement execute function oo();
create function op() returns trigger language plpgsql as $$ begin raise notice '% %', tg_name, tg_op; return new; end $$;
create trigger k3 before insert or update on k for each row execute function op();
create trigger k4 after insert or update on k for each row execute function op();
insert into k values (1, 1);
insert into k values (1, 1), (2, 2) on conflict (id) do update set v = excluded.v + 10;
select * from k order by id;
-- two tables, UPDATE FROM, DELETE USING
create table s (id int, w int);
insert into s values (1, 100), (2, 200);
update k set v = s.w from s where s.id = k.id;
delete from k using s where s.id = k.id and s.id = 1;
select * from k;
-- transaction and savepoint
begin;
create trigger later after delete on k for each row execute function op();
delete from k;
rollback;
insert into k values (3, 3);
delete from k where id = 3;
-- rename and drop of what is named
alter table k rename column v to vv;
insert into k values (4, 4);
alter table k rename to kk;
insert into kk values (5, 5);
drop table kk;
drop function op();
-- constraint triggers
create table ct (a int);
create function chk() returns trigger language plpgsql as $$
begin
  raise notice 'check %', new.a;
  if (select count(*) from ct where a = new.a) > 1 then raise exception 'two of %', new.a using errcode = 'unique_violation'; end if;
  return null;
end $$;
create constraint trigger ct_now after insert on ct for each row when (new.a > 100) execute function chk();
create constraint trigger ct_late after insert or update on ct deferrable initially deferred for each row when (new.a < 100) execute function chk();
insert into ct values (1), (101);
begin;
insert into ct values (1);
select count(*) from ct;
rollback;
begin;
insert into ct values (2), (2);
commit;
select * from ct order by a;
begin;
insert into ct values (3);
set constraints ct_late immediate;
insert into ct values (4);
insert into ct values (4);
commit;
begin;
insert into ct values (5);
savepoint s;
insert into ct values (5);
rollback to s;
alter table ct add column b int;
commit;
insert into ct values (101);
create constraint trigger bad before insert on ct for each row execute function chk();
create constraint trigger bad after insert on ct execute function chk();
select pg_get_triggerdef(oid) from pg_trigger where tgname like 'ct_%' order by 1;
-- names in conditions follow renames
create table rn (a int, b int);
create trigger rn1 after update of b on rn for each row when (old.a <> new.a and new.b > 0) execute function chk();
alter table rn rename column a to c;
alter table rn rename column b to d;
select pg_get_triggerdef(oid) from pg_trigger where tgname = 'rn1';
alter table rn drop column c;
alter table rn drop column d;
alter table rn drop column c cascade;
select count(*) from pg_trigger where tgname = 'rn1';
