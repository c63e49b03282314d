-- MERGE.
create table target (id int primary key, balance int, note text default 'none');
create table source (id int, delta int);
insert into target values (1, 10), (2, 20), (3, 30);
insert into source values (2, 5), (3, -30), (4, 40);
\set QUIET off
merge into target t using source s on t.id = s.id
    when matched and t.balance + s.delta = 0 then delete
    when matched then update set balance = t.balance + s.delta
    when not matched then insert values (s.id, s.delta);
\set QUIET on
select * from target order by id;
begin;
merge into target t using source s on t.id = s.id when matched then do nothing when not matched then insert (balance, id) values (s.delta * 2, s.id);
select * from target order by id;
rollback;
begin;
merge into target as t using (values (1, 'a'), (9, 'b')) as v (k, w) on t.id = v.k when not matched and v.w = 'b' then insert (id, note) values (v.k, v.w) when matched and v.w = 'zz' then delete when matched then update set (note, balance) = (v.w, default);
select * from target order by id;
rollback;
begin;
merge into target using source on target.id = source.id when not matched then insert default values;
rollback;
begin;
merge into target using source on target.id = source.id when matched then delete;
select * from target order by id;
rollback;
begin;
merge into target t using (select id, sum(delta) as d from source group by id) s on s.id = t.id when matched then update set balance = d, note = (select count(*)::text from source) when not matched then insert (id, note) values (s.id, 'has ' || d || (select max(delta) from source));
select * from target order by id;
rollback;
with x as (select id, delta from source where id > 3) merge into target t using x on t.id = x.id when not matched then do nothing when matched then update set note = 'x';
select * from target order by id;
-- no row twice
insert into source values (2, 100);
merge into target t using source s on t.id = s.id when matched then update set balance = s.delta;
merge into target t using source s on t.id = s.id when matched then delete;
merge into target t using source s on t.id = s.id and s.delta > 50 when matched then update set balance = s.delta;
merge into target t using (select 7 as id from generate_series(1, 2)) s on t.id = s.id when not matched then insert (id) values (s.id);
select * from target order by id;
delete from source where delta = 100;
-- conditions without equality
begin;
merge into target t using (values (15, 'low'), (35, 'high')) v (b, w) on t.balance > v.b and v.w = 'high' when matched then update set note = v.w when not matched then insert (id, balance, note) values (100 + v.b, v.b, 'new ' || v.w);
select * from target order by id;
rollback;
-- errors
merge into nosuch t using source s on t.id = s.id when matched then delete;
merge into target t using nosuch s on t.id = s.id when matched then delete;
merge into target t using source t on t.id = t.id when matched then delete;
merge into target using target on true when matched then delete;
merge into target t using source s on t.nosuch = s.id when matched then delete;
merge into target t using source s on id = s.id when matched then delete;
merge into target t using source s on t.id = s.id when matched then update set nosuch = 1;
merge into target t using source s on t.id = s.id when matched then update set balance = nosuch;
merge into target t using source s on t.id = s.id when matched then update set balance = 1, balance = 2;
merge into target t using source s on t.id = s.id when matched then update set balance = 'x';
merge into target t using source s on t.id = s.id when not matched then insert (id, nosuch) values (1, 2);
merge into target t using source s on t.id = s.id when not matched then insert (id) values (1, 2);
merge into target t using source s on t.id = s.id when not matched then insert (id, balance) values (1);
merge into target t using source s on t.id = s.id when not matched then insert values (t.id, 2);
merge into target t using source s on t.id = s.id when not matched then insert values (balance, 2);
merge into target t using source s on t.id = s.id when not matched and t.id > 1 then insert values (1, 2);
merge into target t using source s on t.id = s.id when not matched then insert values (1, sum(s.delta));
merge into target t using source s on t.id = s.id when matched and count(*) > 1 then delete;
merge into target t using source s on t.id = s.id when matched and s.delta then delete;
merge into target t using source s on t.id = s.id when matched then delete when matched then do nothing;
merge into target t using source s on t.id = s.id when not matched then do nothing when not matched and s.id = 1 then do nothing;
merge into target t using source s on t.id = s.id when not matched then delete;
merge into target t using source s on t.id = s.id when matched then insert values (1);
merge into target t using source s on t.id = s.id when not matched then insert values (1, 2);
with recursive r as (select 1) merge into target t using source s on t.id = s.id when matched then delete;
with m as (merge into target t using source s on t.id = s.id when matched then delete) select 1;
create view v as select * from target;
merge into v using source s on v.id = s.id when matched then delete;
create sequence sq;
merge into sq using source s on true when matched then delete;
begin read only;
merge into target t using source s on t.id = s.id when matched then delete;
rollback;
-- a view and a function as the source, lateral ones
begin;
merge into target t using v on t.id = v.id + 1 when matched then update set balance = v.balance when not matched then insert (id, note) values (v.id + 1, 'v');
select * from target order by id;
rollback;
begin;
merge into target t using generate_series(2, 5) g on t.id = g when matched then update set note = 'g' || g when not matched then insert values (g, g);
select * from target order by id;
rollback;
begin;
merge into target t using (source s join (values (2, 'two')) n (id, w) using (id)) on t.id = s.id when matched then update set note = w;
select * from target order by id;
rollback;
begin;
merge into target t using source s left join (values (2, 'two')) n (k, w) on s.id = k on t.id = s.id when matched then update set note = coalesce(w, 'missing') when not matched then insert (id, note) values (s.id, coalesce(w, 'nothing'));
select * from target order by id;
rollback;
-- constraints and generated columns
create table item (id int generated always as identity primary key, code text unique, price int check (price > 0), double int generated always as (price * 2) stored, changed int default 0 not null);
merge into item i using (values ('a', 1), ('b', 2)) v (c, p) on i.code = v.c when not matched then insert (code, price) values (c, p) when matched then update set price = p, changed = changed + 1;
merge into item i using (values ('a', 10), ('c', 3)) v (c, p) on i.code = v.c when not matched then insert (code, price) values (c, p) when matched then update set price = p, changed = changed + 1;
select * from item order by id;
merge into item i using (values ('a', -1)) v (c, p) on i.code = v.c when matched then update set price = p;
merge into item i using (values ('d', -1)) v (c, p) on i.code = v.c when not matched then insert (code, price) values (c, p);
merge into item i using (values ('a', 1)) v (c, p) on i.code = v.c when matched then update set code = 'b';
merge into item i using (values ('e', 1)) v (c, p) on i.code = v.c when not matched then insert (code, price) values ('a', p);
merge into item i using (values ('a', 1)) v (c, p) on i.code = v.c when matched then update set changed = null;
merge into item i using (values ('e', 1)) v (c, p) on i.code = v.c when not matched then insert (id, code, price) values (50, c, p);
merge into item i using (values ('e', 1)) v (c, p) on i.code = v.c when not matched then insert (id, code, price) overriding system value values (50, c, p);
merge into item i using (values ('f', 1)) v (c, p) on i.code = v.c when not matched then insert (id, code, price) overriding user value values (60, c, p);
merge into item i using (values ('g', 1)) v (c, p) on i.code = v.c when not matched then insert (code, price, double) values (c, p, 1);
merge into item i using (values ('g', 1)) v (c, p) on i.code = v.c when not matched then insert (code, price, double) values (c, p, default);
merge into item i using (values ('a', 1)) v (c, p) on i.code = v.c when matched then update set double = 1;
merge into item i using (values ('a', 1)) v (c, p) on i.code = v.c when matched then update set id = 1;
select * from item order by id;
-- foreign keys
create table part (id int primary key, item int references item on delete cascade, n int);
insert into part values (1, 1, 1), (2, 2, 2);
merge into part p using (values (1, 99)) v (id, i) on p.id = v.id when matched then update set item = v.i;
merge into part p using (values (3, 99)) v (id, i) on p.id = v.id when not matched then insert values (v.id, v.i, 0);
merge into item i using (values ('a')) v (c) on i.code = v.c when matched then delete;
select * from part order by id;
-- triggers
create table log (seq serial, what text, id int);
create function note() returns trigger language plpgsql as $$
begin
    insert into log (what, id) values (tg_when || ' ' || tg_op || ' ' || tg_level, case when tg_level = 'STATEMENT' then null when tg_op = 'DELETE' then old.id else new.id end);
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger b before insert or update or delete on target for each row execute function note();
create trigger a after insert or update or delete on target for each row execute function note();
create trigger bs before insert or update or delete on target execute function note();
create trigger a_s after insert or update or delete on target execute function note();
create trigger only_note before update of note on target for each row execute function note();
merge into target t using source s on t.id = s.id when matched and s.id = 2 then delete when matched then update set balance = 0 when not matched then insert values (s.id, s.delta);
select what, id from log order by what, id;
select what from log where what like '%STATEMENT' order by seq;
delete from log;
merge into target t using source s on t.id = s.id when matched and s.id = 77 then update set note = 'x' when not matched then do nothing;
select what, id from log order by seq;
drop trigger b on target;
drop trigger a on target;
drop trigger bs on target;
drop trigger a_s on target;
drop trigger only_note on target;
create function never() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger never before insert or update or delete on target for each row execute function never();
\set QUIET off
merge into target t using source s on t.id = s.id when matched then delete when not matched then insert values (s.id, s.delta);
\set QUIET on
drop trigger never on target;
create function meddle() returns trigger language plpgsql as $$ begin update target set balance = -1 where id = new.id; return new; end $$;
create trigger meddle before update on target for each row when (new.balance > 0) execute function meddle();
merge into target t using (values (1)) s (id) on t.id = s.id when matched then update set balance = 5;
drop trigger meddle on target;
create function seen() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then insert into log (what, id) select 'was ' || o.balance || ' is ' || n.balance, n.id from o join n using (id) order by id;
    elsif tg_op = 'INSERT' then insert into log (what, id) select 'new', id from n order by id;
    else insert into log (what, id) select 'old', id from o order by id; end if;
    return null;
end $$;
create trigger su after update on target referencing old table as o new table as n for each statement execute function seen();
create trigger si after insert on target referencing new table as n for each statement execute function seen();
create trigger sd after delete on target referencing old table as o for each statement execute function seen();
delete from log;
select * from target order by id;
merge into target t using (values (1, 5), (4, 0), (50, 50), (51, 51)) s (id, b) on t.id = s.id when matched and b = 0 then delete when matched then update set balance = b when not matched then insert values (s.id, b);
select what, id from log order by seq;
drop trigger su on target;
drop trigger si on target;
drop trigger sd on target;
-- in functions, prepared
create function add(k int, b int) returns void language sql as 'merge into target t using (select k as id, b as b) s on t.id = s.id when matched then update set balance = s.b when not matched then insert values (s.id, s.b)';
select add(1, 11), add(70, 70);
create function count_merged() returns int language plpgsql as $$
declare n int;
begin
    merge into target t using source s on t.id = s.id when matched then update set note = 'counted' when not matched then insert values (s.id, s.delta, 'made');
    get diagnostics n = row_count;
    return n;
end $$;
select count_merged();
prepare m (int, text) as merge into target t using (select $1 as id) s on t.id = s.id when matched then update set note = $2 when not matched then insert (id, note) values ($1, $2);
execute m(1, 'first');
execute m(90, 'ninety');
select * from target order by id;
