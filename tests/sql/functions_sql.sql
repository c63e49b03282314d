\set VERBOSITY default
-- scalar functions
create function add1(a int) returns int language sql as 'select a + 1';
select add1(1), add1(a => 41), add1(null);
create function add1(a text) returns text language sql as $$select a || '1'$$;
select add1('x'), add1(5);
create function adds(a int, b int default 10, c int default 100) returns int language sql immutable as 'select a + b + c';
select adds(1), adds(1, 2), adds(1, 2, 3), adds(1, c => 0), adds(a => 1, b => 0);
create function pos(int, int) returns int language sql as 'select $1 - $2';
select pos(5, 3);
create function st(a int) returns int language sql strict as 'select coalesce(a, 7)';
create function nst(a int) returns int language sql as 'select coalesce(a, 7)';
select st(null), nst(null);
create function nothing() returns void language sql as '';
select nothing();
create function two() returns int language sql as 'select 1; select 2';
select two();
create function none() returns int language sql as 'select 1 where false';
select none();
create table t (a int primary key, b text);
insert into t values (1, 'one'), (2, 'two'), (3, 'three');
create function name_of(x int) returns text language sql stable as 'select b from t where a = x';
select a, name_of(a) from t order by a;
select name_of(17);
create function ins(x int, y text) returns int language sql as 'insert into t values (x, y) returning a';
select ins(4, 'four');
select count(*) from t;
create function del(x int) returns void language sql as 'delete from t where a = x';
select del(4);
select count(*) from t;
-- sets
create function ids(n int) returns setof int language sql as 'select a from t where a <= n order by a';
select * from ids(2);
select ids(3);
select x, ids(x) from generate_series(1, 2) x;
create function rows2(n int) returns table(id int, name text) language sql as 'select a, b from t where a <= n order by a';
select * from rows2(2);
select name from rows2(3) where id > 1;
select r.id, t.b from rows2(2) r join t on t.a = r.id order by 1;
create function outs(x int, out y int, out z text) language sql as 'select x * 2, ''v'' || x';
select * from outs(4);
create function one_out(x int, out y int) language sql as 'select x * 3';
select one_out(2);
select * from one_out(2);
create function tset() returns setof t language sql as 'select * from t order by a desc';
select * from tset();
select b from tset() where a = 2;
create function trow(x int) returns t language sql as 'select * from t where a = x';
select * from trow(2);
select * from ids(3) with ordinality;
select * from rows from (ids(1), rows2(2)) as q(a, b, c);
-- errors
create function bad() returns int language sql as 'select ''x''::text';
create function bad1() returns int language sql as 'selec 1';
create function add1(a int) returns int language sql as 'select 1';
create or replace function add1(a int) returns bigint language sql as 'select 1';
create or replace function add1(b int) returns int language sql as 'select 1';
create function nolang() returns int as 'select 1';
create function xlang() returns int language xyz as 'select 1';
create function notype() language sql as 'select 1';
create function badtype(a nosuch) returns int language sql as 'select 1';
create function baddef(a int default 1, b int) returns int language sql as 'select 1';
create function dupname(a int, a int) returns int language sql as 'select 1';
create function trg() returns trigger language sql as 'select 1';
select nosuch(1);
select add1();
select add1(1, 2);
select add1(x => 1);
create function amb(a int, b bigint) returns int language sql as 'select 1';
create function amb(a bigint, b int) returns int language sql as 'select 2';
select amb(1, 2);
create or replace function add1(a int) returns int language sql as 'select a + 100';
select add1(1);
-- volatility
create function imm(a int) returns int language sql immutable as 'select a * 2';
select imm(21);
create index on t (imm(a));
create function vol(a int) returns int language sql as 'select a * 2';
create function ro() returns int language sql stable as 'insert into t values (9, null) returning a';
-- catalog
select proname, prosrc, provolatile, proisstrict, proretset, pronargs, pronargdefaults, prokind, proargnames, proargmodes, proallargtypes, prorettype::regtype, l.lanname
from pg_proc p join pg_language l on l.oid = p.prolang where pronamespace = 'public'::regnamespace and proname not in ('tset', 'trow') order by proname, p.oid;
select pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid), pg_get_function_result(oid)
from pg_proc where pronamespace = 'public'::regnamespace order by proname, oid;
select pg_get_functiondef(oid) from pg_proc where proname in ('adds', 'rows2', 'tset', 'st') and pronamespace = 'public'::regnamespace order by proname;
\df add1
\df rows2
-- drop, alter
drop function add1;
drop function add1(int);
drop function add1(int);
drop function if exists add1(int);
drop function if exists nosuch;
drop function nosuch;
select add1('x');
alter function adds(int, int, int) rename to plus3;
select plus3(1);
alter function plus3 volatile strict;
select provolatile, proisstrict from pg_proc where proname = 'plus3';
create schema other;
alter function plus3 set schema other;
select other.plus3(1);
select plus3(1);
set search_path = other, public;
select plus3(1);
reset search_path;
drop schema other cascade;
comment on function st(int) is 'strict one';
select obj_description(oid, 'pg_proc') from pg_proc where proname = 'st';

drop function tset, trow;
drop table t;
create table dt (a int default pos(9, 4), check (imm(a) < 100));
insert into dt default values;
select * from dt;
insert into dt values (60);
begin;
create function txf() returns int language sql as 'select 5';
select txf();
rollback;
select txf();
create procedure pr(x int) language sql as 'insert into dt values (x); insert into dt values (x + 1)';
call pr(10);
select * from dt order by a;
call pos(1, 2);
select pr(1);
call nosuch(1);
drop procedure pr;
drop function pr(int);
