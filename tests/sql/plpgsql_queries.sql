create table t (id int primary key, v text, n int);
insert into t select g, 'v' || g, g * 10 from generate_series(1, 5) g;
create function q1(k int) returns text language plpgsql as $$
declare x text; y int;
begin
  select v, n into x, y from t where id = k;
  return x || '/' || y;
end $$;
select q1(2), q1(99);
create function q2() returns text language plpgsql as $$
declare r record; s text := '';
begin
  for r in select id, v from t where id < 4 order by id desc loop
    s := s || r.id || r.v || ' ';
  end loop;
  return s || r.id;
end $$;
select q2();
create function q3() returns int language plpgsql as $$
declare a int; b int; total int := 0;
begin
  for a, b in select id, n from t order by id loop
    exit when a = 4;
    continue when a = 2;
    total := total + b;
  end loop;
  return total;
end $$;
select q3();
create function q4(tab text, k int) returns text language plpgsql as $$
declare x text; c int; r record; s text := '';
begin
  execute 'select v from ' || quote_ident(tab) || ' where id = $1' into x using k;
  execute format('select count(*) from %I', tab) into c;
  for r in execute 'select id from ' || tab || ' where id > $1 order by 1' using k loop s := s || r.id; end loop;
  return x || c || s;
end $$;
select q4('t', 3);
create function q5() returns text language plpgsql as $$
declare i int; s text;
begin
  insert into t values (10, 'ten', 100) returning id into i;
  update t set n = n + 1 where id >= 4 returning v into strict s;
  return s;
end $$;
select q5();
select count(*) from t;
create function q6() returns text language plpgsql as $$
declare i int; c int; s text := '';
begin
  insert into t values (10, 'ten', 100), (11, 'eleven', 110);
  get diagnostics c = row_count;
  s := s || c;
  update t set n = n + 1 where id > 3;
  get diagnostics c = row_count;
  s := s || c;
  delete from t where id >= 10;
  get diagnostics c = row_count;
  return s || c;
end $$;
select q6();
-- DDL inside
create function q7() returns int language plpgsql as $$
declare c int;
begin
  create table made (a int);
  insert into made select generate_series(1, 3);
  select count(*) into c from made;
  drop table made;
  return c;
end $$;
select q7();
select q7();
-- plans follow the catalog
create function q8() returns text language plpgsql as $$ declare x text; begin select v into x from t where id = 1; return x; end $$;
select q8();
alter table t add column w int default 5;
select q8();
create index on t (v);
select q8();
drop table t;
select q8();
create table t (id int primary key, v text, n int);
insert into t select g, 'v' || g, g * 10 from generate_series(1, 5) g;
select q8();
-- records of changing shape
create function q9() returns text language plpgsql as $$
declare r record; s text := '';
begin
  for i in 1..3 loop
    if i = 2 then select 5 as b, i as a into r; else select i as a into r; end if;
    s := s || r.a || ' ';
  end loop;
  return s;
end $$;
select q9();
create function q10() returns text language plpgsql as $$
declare r record; o t%rowtype;
begin
  select * into r from t where id = 1;
  o := r;
  o.n := 77;
  insert into t values (o.id + 20, o.v, o.n);
  insert into t select o.id + 21, r.v, r.n;
  return (select string_agg(id || ':' || v || ':' || n, ',' order by id) from t where id > 20);
end $$;
select q10();
-- ambiguity
create function q11(id int) returns text language plpgsql as $$ declare x text; begin select v into x from t where t.id = q11.id; return x; end $$;
select q11(2);
create function q12(id int) returns text language plpgsql as $$ declare x text; begin select v into x from t where id = id limit 1; return x; end $$;
select q12(2);
create function q13(id int) returns bigint language plpgsql as $$
#variable_conflict use_column
declare x bigint; begin select count(*) into x from t where id = id; return x; end $$;
select q13(2);
create function q14(id int) returns bigint language plpgsql as $$
#variable_conflict use_variable
declare x bigint; begin select count(*) into x from t where t.id = id; return x; end $$;
select q14(2);
-- cursors
create function cu1() returns text language plpgsql as $$
declare c cursor for select id, v from t where id < 10 order by id; i int; x text; s text := ''; r record;
begin
  open c;
  loop
    fetch c into i, x;
    exit when not found;
    s := s || i || x || ' ';
  end loop;
  close c;
  for r in c loop s := s || r.id; end loop;
  return s;
end $$;
select cu1();
create function cu2(k int) returns text language plpgsql as $$
declare c cursor (lo int, hi int) for select id from t where id between lo and hi order by id; s text := ''; i int; d refcursor;
begin
  for r in c(2, k) loop s := s || r.id || ' '; end loop;
  open c(1, 2); fetch c into i; s := s || '(' || i; fetch c into i; s := s || i; fetch c into i; s := s || coalesce(i::text, 'null') || ')'; close c;
  open d for select n from t where id = k; fetch d into i; close d;
  s := s || i;
  open d for execute 'select n + 1 from t where id = $1' using k; fetch d into i; close d;
  return s || ' ' || i;
end $$;
select cu2(4);
create function cu3() returns text language plpgsql as $$
declare c scroll cursor for select id from t where id < 10 order by id; i int; s text := '';
begin
  open c;
  fetch last from c into i; s := s || i;
  fetch prior from c into i; s := s || i;
  fetch first from c into i; s := s || i;
  fetch absolute 3 from c into i; s := s || i;
  fetch relative -1 from c into i; s := s || i;
  move next from c;
  fetch c into i; s := s || i;
  move forward 2 from c;
  return s || found;
end $$;
select cu3();
do $$ declare c refcursor; x int; begin fetch c into x; end $$;
-- nested calls write and read
create function w1(k int) returns int language plpgsql as $$ begin update t set n = n + 1000 where id = k; return (select n from t where id = k); end $$;
create function w2() returns int language plpgsql as $$ declare s int := 0; begin for i in 1..3 loop s := s + w1(i); end loop; return s; end $$;
select w2();
select sum(n) from t where id <= 3;
select id, w1(id) from t where id <= 2 order by id;
create function stab() returns bigint language plpgsql stable as $$ begin return (select count(*) from t); end $$;
select stab(), stab() = (select count(*) from t);
create function stabw() returns int language plpgsql stable as $$ begin insert into t values (1000); return 1; end $$;
select stabw();
-- rows of writing queries
do $$ declare r record; begin for r in update t set n = 0 where id < 3 returning id, n loop raise notice '% %', r.id, r.n; end loop; end $$;
-- procedures
create procedure p1(a int, inout b int) language plpgsql as $$ begin b := a + b; insert into t values (500 + a); end $$;
call p1(1, 2);
select id from t where id > 500;
create procedure p2() language plpgsql as $$ begin raise notice 'in p2'; end $$;
call p2();
do $$ begin perform 1 from t where id = 1 for update; raise notice '%', found; end $$;
select v from t, lateral q1(id) as q(z) where id <= 2 order by id;
select case when id = 1 then q1(id) end from t where id <= 2 order by id;
select * from t where id = (select length(q1(1)) - 4);
create procedure p3(a int, inout b int, inout c text) language plpgsql as $$ begin b := b + a; c := c || b; end $$;
do $$ declare x int := 5; y text := 'y'; begin call p3(1, x, y); raise notice '% %', x, y; call p3(x, x, y); raise notice '% %', x, y; end $$;
do $$ begin call p3(1, 2, 'z'); end $$;
call p3(1, 2, 'z');
do $$ begin call p2(); end $$;
-- names of variables are not those of a table's own rules
create table rules (id int primary key, n int check (n > 0), m int generated always as (n + 1) stored, d int default 4 + 1);
create index on rules ((n * 2)) where n > 1;
create view over as select id, n from rules where n > 2;
do $$
declare n int := -5; id int := 3; c bigint;
begin
  insert into rules values (1, 10);
  insert into rules values (id, 1 - n) on conflict do nothing;
  update rules set d = 9 where rules.n = 6;
  select count(*) into c from over where over.id = 3;
  raise notice '%', c;
end $$;
select * from rules order by id;
