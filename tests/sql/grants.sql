-- GRANT and REVOKE: what is recorded and shown; whose the schema public is.
create role grant_one;
create role grant_two;
create table tx (a int);
create sequence sx;
create schema hx;
create function addx(int, text default 'a') returns int language sql as 'select $1';
create function hx.subx() returns int language sql as 'select 1';
create procedure hx.runx() language sql as 'select 1';
grant usage on table tx to grant_one;
grant connect on table tx to grant_one;
grant connect on schema hx to grant_one;
grant insert on sequence sx to grant_one;
grant select on database postgres to grant_one;
grant select on function addx(int, text) to grant_one;
grant temp on routine addx to grant_one;
grant temp on procedure hx.runx() to grant_one;
grant nosuch on table tx to grant_one;
grant execute on function nosuch(int) to grant_one;
grant execute on function addx(int) to grant_one;
grant execute on function addx(int, text) to nosuchrole;
grant execute on procedure addx(int, text) to grant_one;
grant execute on procedure addx to grant_one;
select proacl from pg_proc where proname = 'addx';
grant execute on function addx to grant_one;
select proacl from pg_proc where proname = 'addx';
grant all on routine addx(int, text) to grant_two with grant option;
select proacl from pg_proc where proname = 'addx';
revoke execute on function addx from public;
select proacl from pg_proc where proname = 'addx';
select has_function_privilege('grant_one', 'addx(int, text)', 'execute'), has_function_privilege('grant_two', 'public.addx(integer,text)', 'execute');
create or replace function addx(int, text default 'a') returns int language sql as 'select $1 + 1';
select proacl from pg_proc where proname = 'addx';
revoke all on function addx from grant_one, grant_two;
select proacl from pg_proc where proname = 'addx';
select has_function_privilege('grant_one', 'addx(int, text)', 'execute');
select has_function_privilege('grant_one', 'lower(text)', 'execute'), has_function_privilege('grant_one', 'pg_catalog.lower(text)', 'execute');
select has_function_privilege('grant_one', 'addx(int, text)'::regproc::oid, 'execute');
select has_function_privilege('grant_one', 'addx'::regproc::oid, 'execute');
select has_function_privilege('grant_one', 'addx(int)', 'execute');
select has_function_privilege('grant_one', 'addx', 'execute');
select has_function_privilege('grant_one', 'hx.subx( )', 'execute'), has_function_privilege('grant_one', '"hx" . "subx"()', 'execute');
revoke all on all functions in schema hx from public;
select proname, proacl from pg_proc where pronamespace = 'hx'::regnamespace order by 1;
grant all on all procedures in schema hx to grant_one;
select proname, proacl from pg_proc where pronamespace = 'hx'::regnamespace order by 1;
grant all on all routines in schema hx to grant_two;
select proname, proacl from pg_proc where pronamespace = 'hx'::regnamespace order by 1;
\df+ hx.*
grant select, update on tx to grant_one with grant option;
grant all on tx to public;
grant usage on sequence sx to grant_one;
grant usage, create on schema hx to grant_two;
\dp
\dn+ hx
create type px as (a int, b text);
alter type px owner to grant_one;
\dT+ px
alter type px rename to qx;
alter type qx set schema hx;
\dT hx.*
\dT qx
alter type tx owner to grant_one;
alter type tx rename to ty;
alter type tx set schema hx;
alter type nosuch owner to grant_one;
alter type hx.nosuch rename to ty;
select 'hx.qx'::regtype, '"hx"."qx"'::regtype, 'hx.qx[]'::regtype, '"pg_catalog"."int4"'::regtype, '"pg_catalog"."_text"'::regtype;
select to_regtype('hx.qx'), to_regtype('hx.nosuch'), to_regtype('nosuch.qx'), to_regtype('"int4"'), to_regtype('numeric(3, 2)');
select 'qx'::regtype;
set search_path = hx, public;
select 'qx'::regtype, 'hx.qx'::regtype, pg_type_is_visible('qx'::regtype);
reset search_path;
select pg_type_is_visible('hx.qx'::regtype), pg_type_is_visible('hx.qx[]'::regtype), pg_type_is_visible('int'::regtype);
create function pg_temp.gone(int) returns int language sql as 'select $1 * 2';
select pg_temp.gone(21);
drop function pg_temp.gone(int);
select pg_temp.gone(21);
drop database nosuch with (force);
drop database if exists nosuch with (force);
create database granted_base;
drop database granted_base with (force);
create database granted_base;
drop database granted_base with (nosuch);
\set mine :DBNAME
\connect granted_base
select nspname, nspowner::regrole, nspacl from pg_namespace where nspname = 'public';
select obj_description('public'::regnamespace);
\connect :mine
drop database granted_base;
create table nothing ();
copy nothing from stdin;


\.
copy nothing to stdout;
select count(*) from nothing;
set client_min_messages = warning;
drop schema hx cascade;
drop function addx;
drop table tx;
drop sequence sx;
drop role grant_one, grant_two;
