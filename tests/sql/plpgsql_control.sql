-- variables, conditions, loops
create function f1(a int, b int default 2) returns int language plpgsql as $$
declare
  x int := a;
  y constant int := 10;
  z int;
begin
  z := x * b + y;
  if z > 20 then
    return z;
  elsif z = 20 then
    return -20;
  else
    return 0;
  end if;
end
$$;
select f1(10), f1(5), f1(1), f1(1, b => 30);
create function fact(n int) returns numeric language plpgsql as $$
begin
  if n <= 1 then return 1; end if;
  return n * fact(n - 1);
end $$;
select fact(5), fact(20), fact(30);
create function fib(n int) returns int language plpgsql immutable strict as $$
declare a int := 0; b int := 1; t int;
begin
  for i in 1..n loop
    t := a + b; a := b; b := t;
  end loop;
  return a;
end $$;
select n, fib(n) from generate_series(0, 10) n;
select fib(null);
create function loops() returns text language plpgsql as $$
declare s text := ''; i int := 0;
begin
  loop
    i := i + 1;
    continue when i = 2;
    exit when i > 4;
    s := s || i;
  end loop;
  s := s || '|';
  while i > 0 loop i := i - 2; s := s || i; end loop;
  s := s || '|';
  for j in reverse 5..1 by 2 loop s := s || j; end loop;
  s := s || '|';
  for j in 3..1 loop s := s || 'never'; end loop;
  <<outer>>
  for j in 1..3 loop
    for k in 1..3 loop
      continue outer when k = 2;
      exit outer when j = 3;
      s := s || j || k || ',';
    end loop;
  end loop;
  <<blk>>
  begin
    s := s || 'in';
    exit blk;
    s := s || 'no';
  end;
  return s;
end $$;
select loops();
create function cases(x int) returns text language plpgsql as $$
begin
  case x
    when 1 then return 'one';
    when 2, 3 then return 'two or three';
    else
      case when x > 100 then return 'big'; when x < 0 then return 'negative'; else null; end case;
  end case;
  return 'other';
end $$;
select x, cases(x) from unnest(array[1, 2, 3, 4, 200, -1]) x;
create function case_missing(x int) returns int language plpgsql as $$
begin
  case x when 1 then return 1; end case;
end $$;
select case_missing(1);
select case_missing(2);
-- scopes
create function scopes(x int) returns text language plpgsql as $$
<<o>>
declare y int := 1;
begin
  declare y int := 2;
  begin
    y := y + x;
    o.y := o.y + scopes.x * 10;
    return o.y || ' ' || y || ' ' || $1;
  end;
end $$;
select scopes(5);
-- types
create table t (a int, b varchar(5), c numeric(6,2));
insert into t values (1, 'one', 1.5), (2, 'two', 2.25);
create function types() returns text language plpgsql as $$
declare
  x t.b%type := 'abc';
  y x%type;
  r t%rowtype;
  q record;
  n numeric(5,2);
begin
  y := 'yy';
  n := 12.345;
  select * into r from t where a = 1;
  select a, b as bb into q from t where a = 2;
  r.c := 3.456;
  return x || y || n || r.a || r.b || r.c || q.a || q.bb;
end $$;
select types();
create function toolong() returns text language plpgsql as $$
declare x varchar(3);
begin
  x := 'abcdef';
  return x;
end $$;
select toolong();
create function badint() returns int language plpgsql as $$
declare x int;
begin
  x := 'abc';
  return x;
end $$;
select badint();
create function nn() returns int language plpgsql as $$
declare x int not null := 1;
begin
  x := null;
  return x;
end $$;
select nn();
create function cc() returns int language plpgsql as $$
declare x constant int := 1;
begin
  x := 2;
  return x;
end $$;
-- void, out
create function v(a int) returns void language plpgsql as $$ begin if a > 0 then return; end if; a := 1; end $$;
select v(1), v(0);
create function o1(a int, out b int, out c text) language plpgsql as $$ begin b := a + 1; c := 'c' || b; end $$;
select * from o1(1);
create function o2(inout a int) language plpgsql as $$ begin a := a * 2; end $$;
select o2(21);
create function noret(a int) returns int language plpgsql as $$ begin a := 1; end $$;
select noret(1);
-- sets
create function s1(n int) returns setof int language plpgsql as $$
begin
  for i in 1..n loop return next i * i; end loop;
  return query select 100 + g from generate_series(1, 2) g;
  return query execute 'select $1 + 1' using 999;
  return;
end $$;
select * from s1(3);
select s1(1);
create function s2() returns table(a int, bb text) language plpgsql as $$
begin
  a := 0; bb := 'zero'; return next;
  return query select t.a, t.b::text from t order by 1;
end $$;
select * from s2();
create function s3() returns setof t language plpgsql as $$
declare r t%rowtype;
begin
  for r in select * from t order by a loop
    r.a := r.a * 10;
    return next r;
  end loop;
end $$;
select * from s3();
create function s4() returns setof int language plpgsql as $$ begin return query select 'x'::text; end $$;
select * from s4();
-- arrays
create function arr(a int[]) returns text language plpgsql as $$
declare x int; s text := ''; b int[];
begin
  foreach x in array a loop s := s || x || ';'; end loop;
  b[1] := 5; b[3] := 7;
  return s || array_to_string(b, ',', '*') || a[2];
end $$;
select arr(array[3, 1, 2]);
-- do
do $$ begin raise notice 'done %', 1 + 1; end $$;
do language plpgsql $$ declare i int; begin for i in 1..3 loop raise notice 'i = %', i; end loop; end $$;
do language sql 'select 1';
-- aliases, found
create function al(int) returns text language plpgsql as $$
declare x alias for $1; r record;
begin
  perform * from t where a = x;
  if found then return 'found'; end if;
  return 'not found';
end $$;
select al(1), al(99);
do $$
declare n int;
begin
  raise notice '%', found;
  update t set c = c where a = 1;
  raise notice '%', found;
  get diagnostics n = row_count;
  raise notice '%', n;
  delete from t where a = 77;
  raise notice '%', found;
  for i in 1..0 loop null; end loop;
  raise notice '%', found;
end $$;
create function nulls(a int) returns text language plpgsql as $$
begin
  if a then return 'true'; end if;
  return 'false';
end $$;
select nulls(1), nulls(0);
select pg_get_functiondef('fib'::regproc);
