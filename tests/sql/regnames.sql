-- Names of catalog objects as values: literals, texts that are read while running, arrays, COPY.
create table t (id int primary key, v text);
create schema elsewhere;
create table elsewhere.t2 (a int);
select 't'::regclass, 'elsewhere.t2'::regclass, 't_pkey'::regclass, '"t"'::regclass, ' t '::regclass;
select 'x.public.t'::regclass;
select 'a b'::regclass;
select ''::regclass;
select 'a.b'::regnamespace;
select 'elsewhere'::regnamespace, 'postgres'::regrole, 'now'::regproc;
select ' int4 '::regtype, 'numeric(10,2)'::regtype, 'int[]'::regtype, 'float'::regtype,
       'timestamp with time zone'::regtype, 'timestamp (3) with time zone'::regtype,
       'char'::regtype, '"char"'::regtype, 'varchar(3)[]'::regtype, 'pg_catalog.int4[]'::regtype;
-- texts at run time
create table names (n text, kind text);
insert into names values ('t', 'c'), ('elsewhere.t2', 'c'), ('int4', 't'), ('text[]', 't'), ('elsewhere', 's');
select n::regclass from names where kind = 'c' order by n;
select n::text::regtype from names where kind = 't' order by n;
select n::regnamespace from names where kind = 's';
select 'nosuch'::text::regclass;
select n::regclass from names where kind = 't' order by n;
-- arrays
select '{t,elsewhere.t2,pg_class}'::regclass[];
select array['t'::regclass, 'elsewhere.t2'::regclass]::text;
select array_agg(n::regtype order by n) from names where kind = 't';
select array['t', 'elsewhere.t2']::regclass[];
select 'elsewhere.t2'::regclass = any ('{t,elsewhere.t2}'::regclass[]);
-- COPY reads and prints names
create table r (c regclass, t regtype, a regclass[]);
copy r from stdin;
t	int4	{t,elsewhere.t2}
elsewhere.t2	character varying	\N
-	-	{}
\.
copy r from stdin;
nosuch	int4	\N
\.
copy r to stdout;
select * from r;
set search_path = elsewhere, public;
select * from r;
select c::text, t::text from r;
set client_min_messages = warning; drop schema elsewhere cascade;
