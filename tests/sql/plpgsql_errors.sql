-- raising
create function r1(x int) returns int language plpgsql as $$
begin
  raise notice 'a % b % c %%', x, null;
  raise warning 'careful';
  raise info 'info';
  raise notice using message = 'by option', detail = 'the detail', hint = 'the hint';
  if x = 1 then raise exception 'plain %', x; end if;
  if x = 2 then raise exception 'with code' using errcode = '22012', hint = 'h'; end if;
  if x = 3 then raise division_by_zero; end if;
  if x = 4 then raise sqlstate 'U1234' using message = 'own state'; end if;
  if x = 5 then raise unique_violation using message = 'dup', table = 'tt', constraint = 'kk'; end if;
  return x;
end $$;
select r1(0);
select r1(1);
select r1(2);
select r1(3);
\set SHOW_CONTEXT always
\set VERBOSITY default
select r1(4);
select r1(5);
\set SHOW_CONTEXT errors
create function r2(x int) returns int language plpgsql as $$
begin
  return 10 / x;
end $$;
select r2(0);
create function r3(x int) returns int language plpgsql as $$
declare y int;
begin
  y := r2(x);
  return y;
end $$;
select r3(0);
-- catching
create function c1(x int) returns text language plpgsql as $$
declare m text;
begin
  begin
    return 10 / x;
  exception
    when division_by_zero then
      get stacked diagnostics m = message_text;
      return 'caught ' || sqlstate || ' ' || sqlerrm || ' ' || m;
  end;
end $$;
select c1(0), c1(5);
create table t (a int primary key);
create function c2(x int) returns text language plpgsql as $$
begin
  insert into t values (x);
  insert into t values (x);
  return 'never';
exception
  when unique_violation or not_null_violation then
    return 'violation ' || sqlstate;
  when others then
    return 'other ' || sqlerrm;
end $$;
select c2(1), c2(null), (select count(*) from t);
create function c3() returns int language plpgsql as $$
declare n int := 0;
begin
  insert into t values (1);
  for i in 1..5 loop
    begin
      n := n + 1;
      insert into t values (i);
      if i = 3 then raise exception 'no three'; end if;
    exception
      when unique_violation then n := n + 100;
      when raise_exception then n := n + 1000;
    end;
  end loop;
  return n;
end $$;
select c3();
select * from t order by a;
create function c4() returns text language plpgsql as $$
begin
  begin
    raise exception 'inner' using errcode = '22023';
  exception when others then
    raise notice 'again';
    raise;
  end;
exception when invalid_parameter_value then
  return 'outer got ' || sqlerrm;
end $$;
select c4();
create function c5() returns text language plpgsql as $$
declare a text; b text; c text; d text; e text;
begin
  raise exception 'msg' using detail = 'det', hint = 'hin', errcode = 'P0001', table = 'tab', column = 'col', constraint = 'con', schema = 'sch', datatype = 'dat';
exception when others then
  get stacked diagnostics a = message_text, b = pg_exception_detail, c = pg_exception_hint, d = table_name, e = returned_sqlstate;
  return a || b || c || d || e;
end $$;
select c5();
create function c6() returns text language plpgsql as $$
declare c text;
begin
  perform 1 / 0;
exception when others then
  get stacked diagnostics c = pg_exception_context;
  return c;
end $$;
select c6();
do $$ begin raise; end $$;
do $$ declare a text; begin get stacked diagnostics a = message_text; end $$;
-- class conditions, sqlstate conditions
do $$ begin perform 1/0; exception when data_exception then raise notice 'class 22: %', sqlstate; end $$;
do $$ begin perform 1/0; exception when sqlstate '22012' then raise notice 'state: %', sqlstate; end $$;
do $$ begin assert 1 = 2, 'math works'; exception when others then raise notice 'not caught'; end $$;
do $$ begin assert 1 = 2; exception when assert_failure then raise notice 'caught %', sqlerrm; end $$;
do $$ begin assert true; end $$;
-- errors of SQL
do $$ begin insert into nosuch values (1); end $$;
do $$ declare x int; begin x := y + 1; end $$;
do $$ declare a int := 5; begin perform a from t; end $$;
do $$ begin select 1; end $$;
do $$ declare x int; begin select a into strict x from t where a = 99; end $$;
do $$ declare x int; begin select a into strict x from t; end $$;
do $$ declare x int; begin x := (select a from t); end $$;
do $$ begin execute 'select * from nowhere'; end $$;
do $$ begin execute null; end $$;
do $$ begin perform nosuch(1); end $$;
do $$ declare r record; begin raise notice '%', r.a; end $$;
do $$ declare r record; begin select 1 as b into r; raise notice '%', r.a; end $$;
do $$ begin for i in 1..null loop null; end loop; end $$;
do $$ begin for i in 1..3 by 0 loop null; end loop; end $$;
-- syntax
create function e1() returns int language plpgsql as $$
begin
  x := 1;
end $$;
create function e2() returns int language plpgsql as $$
begin
  if true return 1;
end $$;
create function e3() returns int language plpgsql as $$
declare x nosuchtype;
begin
end $$;
create function e4() returns int language plpgsql as $$
begin
  exit;
end $$;
create function e5() returns int language plpgsql as $$
begin
  raise notice 'a %';
end $$;
create function e6() returns int language plpgsql as $$
declare x int; x text;
begin
end $$;
create function e7() returns int language plpgsql as $$
begin
  begin null; exception when nosuchcond then null; end;
end $$;
create function e8() returns int language plpgsql as $$
begin
  return 1
end $$;
-- recursion
create function deep(n int) returns int language plpgsql as $$ begin if n = 0 then return 0; end if; return 1 + deep(n - 1); end $$;
select deep(200);
-- transaction state after an error
begin;
select c2(50);
savepoint a;
select r2(0);
rollback to a;
select count(*) from t;
commit;
