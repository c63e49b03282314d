-- COMMIT and ROLLBACK in procedures and DO blocks.
create table t (a int primary key, b text);
create table log (n int);
create procedure p(n int) language plpgsql as $$
begin
    for i in 1..n loop
        insert into t values (i, 'x' || i);
        if i % 2 = 0 then commit; else rollback; end if;
    end loop;
end $$;
call p(6);
select * from t order by a;
do $$ begin insert into t values (100, 'do'); commit; insert into t values (101, 'lost'); rollback; insert into t values (102, 'kept'); end $$;
select a from t where a >= 100 order by a;
-- loops over queries go on
create procedure loops() language plpgsql as $$
declare r record; c cursor for select a from t order by a; n int := 0;
begin
    for r in select a, b from t order by a loop
        insert into log values (r.a);
        commit;
    end loop;
    for r in execute 'select a from t where a > 100' loop
        insert into log values (-r.a);
        rollback;
        n := n + 1;
    end loop;
    for r in c loop
        n := n + 1;
        commit;
    end loop;
    raise notice 'turns %', n;
end $$;
call loops();
select * from log order by n;
-- nested calls
create procedure inner_one(v int) language plpgsql as $$ begin insert into log values (v); commit; end $$;
create procedure outer_one() language plpgsql as $$
declare i int; r record; x record;
begin
    for r in select a from t where a < 5 order by a loop
        call inner_one(r.a * 1000);
        x := row(r.a, 'kept');
        raise notice '% %', r.a, x;
    end loop;
    insert into log values (5);
    rollback;
end $$;
call outer_one();
select * from log where n >= 1000 or n = 5 order by n;
-- where it may not be
begin;
call p(2);
rollback;
begin;
do $$ begin commit; end $$;
rollback;
create function f() returns int language plpgsql as $$ begin commit; return 1; end $$;
select f();
create function g() returns int language plpgsql as $$ begin call inner_one(7); return 1; end $$;
select g();
create procedure guarded() language plpgsql as $$
begin
    begin
        insert into log values (77);
        commit;
    exception when invalid_transaction_termination then raise notice 'no: %', sqlerrm;
    end;
    insert into log values (78);
    commit;
    begin
        rollback;
    exception when others then raise notice 'no: %', sqlerrm;
    end;
end $$;
call guarded();
select n from log where n in (77, 78);
create procedure in_sql() language sql as 'insert into log values (1); commit';
\set VERBOSITY terse
call in_sql();
\set VERBOSITY default
do $$ begin execute 'commit'; end $$;
create function trg() returns trigger language plpgsql as $$ begin commit; return new; end $$;
create trigger trg before insert on log for each row execute function trg();
do $$ begin insert into log values (1); end $$;
drop trigger trg on log;
-- errors after a commit keep what was committed
do $$ begin insert into log values (500); commit; insert into log values (501); perform 1 / 0; end $$;
select n from log where n >= 500 and n < 600;
-- deferred checks
create table child (p int references t deferrable initially deferred);
do $$ begin insert into child values (4711); commit; raise notice 'not here'; end $$;
select count(*) from child;
-- settings, chained transactions, DDL
do $$ begin set local work_mem = '3MB'; commit; raise notice '%', current_setting('work_mem') = '3MB'; end $$;
do $$ begin commit; set transaction isolation level repeatable read; perform 1; commit and chain;
  raise notice '%', current_setting('transaction_isolation'); rollback; raise notice '%', current_setting('transaction_isolation'); end $$;
do $$ begin create table made (a int); commit; insert into made values (1); create table unmade (a int); rollback; insert into made values (2); end $$;
select * from made order by a;
select * from unmade;
create procedure outs(inout a int, out b text) language plpgsql as $$ begin a := a + 1; commit; b := 'after'; end $$;
call outs(1, null);
call p(1)\; select 1;
