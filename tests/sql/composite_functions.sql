-- Functions and triggers that take and give composite values.
create table acc (id int primary key, owner text, bal numeric);
insert into acc values (1, 'ada', 100), (2, 'bob', 50), (3, null, null);
create function worth(a acc) returns numeric language sql as 'select a.bal * 2';
create function who(acc) returns text language sql as 'select $1.owner || ''!''';
create function raised(a acc, by numeric) returns acc language plpgsql as $$ begin a.bal := a.bal + by; return a; end $$;
create function get_acc(n int) returns acc language sql as 'select * from acc where id = n';
create function get_whole(n int) returns acc language sql as 'select a from acc a where id = n';
create function made(i int) returns acc language sql as 'select row(i, ''made'', 1)';
create function all_acc() returns setof acc language sql as 'select * from acc order by id';
create function some_acc(least numeric) returns setof acc language plpgsql as $$
declare r acc; begin for r in select * from acc order by id loop if r.bal >= least then return next r; end if; end loop;
return next row(0, 'end', null); return next null; end $$;
create function two_out(n int, out a int, out b text) language plpgsql as $$ begin a := n; b := n || '.'; end $$;
create function any_row(n int) returns record language plpgsql as $$ begin return row(n, 'text'::text, null::date); end $$;
create function any_sql(n int) returns record language sql as 'select n, n + 1';
select worth(a), who(a), worth(row(9, 'x', 5)), who('(1,lit,3)') from acc a order by id;
select a.worth, a.who from acc a order by id;
select raised(a, 5), (raised(a, 5)).bal, (raised(a, 7)).* from acc a order by id;
select get_acc(1), (get_acc(2)).owner, get_acc(77), get_acc(77) is null, (get_acc(77)).*;
select get_whole(1), (get_whole(2)).owner, made(4), (made(4)).owner;
select * from get_acc(1);
select * from get_whole(2);
select * from made(5) m;
select m, m.owner from made(5) m;
select all_acc();
select (all_acc()).id, (all_acc()).owner;
select some_acc(60);
select * from some_acc(60);
select s from some_acc(10) s where s is not null;
select two_out(3), (two_out(3)).b, (two_out(4)).*;
select any_row(1), any_sql(2);
select * from any_row(1) as t(a int, b text, c date);
select (any_row(1)).a;
select id, g.* from acc, lateral get_acc(acc.id + 1) g order by 1;
-- records and composite variables
do $$
declare r record; a acc; b acc%rowtype; n int; t text; arr acc[];
begin
    raise notice 'r is % %', r is null, a;
    a := row(5, 'five', 5.5);
    raise notice 'a is % %', a, a.owner;
    b := a;
    b.owner := 'b';
    raise notice 'a = b: %, a < b: %', a = b, a < b;
    r := a;
    raise notice 'r % %', r, r.owner;
    r := row(1, 'x'::text);
    raise notice 'r % % %', r, r.f1, r.f2;
    r := (select s from (select 1 as one, 'two' as two) s);
    raise notice 'r % % %', r, r.one, r.two;
    r := get_acc(2);
    raise notice 'r % %', r, r.bal;
    a := get_acc(1);
    n := worth(a);
    raise notice 'worth % %', n, who(a);
    select a2 into r from acc a2 where id = 1;
    raise notice 'r %', r;
    select array_agg(x order by id) into arr from acc x;
    raise notice 'arr % %', arr, arr[2].owner;
    foreach a in array arr loop raise notice 'loop %', a.id; end loop;
    arr[1] := row(8, 'eight', 8);
    raise notice 'arr %', arr;
    a := null;
    raise notice 'a % % %', a, a is null, a.id is null;
    t := row(1, 2);
    raise notice 't %', t;
    execute 'select ($1).owner || $2' into t using get_acc(1), '?';
    raise notice 't %', t;
    b := '(7,lit,)';
    raise notice 'b %', b;
    b := 7;
end $$;
-- triggers
create table log (op text, was acc, becomes acc, it acc);
create function logger() returns trigger language plpgsql as $$
begin
    insert into log values (tg_op, old, new, coalesce(new, old));
    raise notice '% % % worth %', tg_op, old, new, worth(coalesce(new, old));
    return coalesce(new, old);
end $$;
create trigger logger before insert or update or delete on acc for each row execute function logger();
insert into acc values (10, 'ten', 10);
update acc set bal = 11 where id = 10;
delete from acc where id = 10;
select * from log;
select op, (was).bal, (becomes).bal, (it).id from log;
create function whole_new() returns trigger language plpgsql as $$
begin new := row(new.id, upper(new.owner), new.bal); return new; end $$;
create trigger whole_new before insert on acc for each row execute function whole_new();
insert into acc values (11, 'eleven', 11) returning acc;
create function on_row() returns trigger language plpgsql as $$ begin if new is distinct from old then raise notice 'changed'; end if; return null; end $$;
create trigger on_row after update on acc for each row when (old.* is distinct from new.*) execute function on_row();
update acc set bal = 11 where id = 11;
update acc set bal = 12 where id = 11;
-- definitions
\df worth
\df raised
\df two_out
select pg_get_function_arguments('raised'::regproc), pg_get_function_result('raised'::regproc);
select raised(1);
select raised('a', 'b', 'c');
select worth(row(1, 2));
select worth(5);
create function bad(a acc) returns int language sql as 'select a.nosuch';
create function bad() returns acc language sql as 'select 1, 2';
create function bad() returns acc language sql as 'select 1, ''a'', date ''2020-01-01''';
create function bad(r record) returns int language sql as 'select 1';
create function rec(r record) returns text language plpgsql as $$ begin return r::text; end $$;
select rec(row(1, 'b')), rec(a) from acc a where id = 1;
create procedure proc(a acc, inout b acc) language plpgsql as $$ begin b := a; b.id := b.id + 1; end $$;
call proc(row(1, 'x', 2), null);
drop table acc;
drop table acc cascade;
