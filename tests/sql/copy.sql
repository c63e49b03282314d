-- COPY in both directions through the connection: text and CSV, options, errors with their context.
create table t (id int primary key, a int, b text, c numeric(6, 2), d date, e bool);
copy t from stdin;
1	10	one	1.50	2024-01-01	t
2	\N	two	\N	\N	f
3	30	\N	3.00	2024-03-03	\N
4	40	tab\there\\nl\nend	4	2024-04-04	true
5	50		5	2024-05-05	no
\.
select * from t order by id;
copy t to stdout;
copy (select * from t order by id) to stdout;
copy (select id, b from t where id < 3 order by id) to stdout;
copy t (id, b) from stdin;
10	ten
11	eleven
\.
copy t (b, id) from stdin;
twelve	12
\.
select id, a, b from t where id >= 10 order by id;
copy (select id, b from t where id >= 10 order by id) to stdout with (format csv);
copy (select id, b from t where id >= 10 order by id) to stdout with (format csv, header);
copy (select * from t where id < 6 order by id) to stdout with csv header;
copy (select id, b, e from t where id < 6 order by id) to stdout with (format csv, null 'NULL', delimiter ';', force_quote (b));
copy (select id, b from t where id < 6 order by id) to stdout with (format csv, force_quote *);
copy (select id, b from t where id < 6 order by id) to stdout with (delimiter '|', null 'nil');
copy (select 'a"b' as x, 'c,d' as y, E'e\nf' as z, '' as empty, null as n, ' sp ' as sp) to stdout with (format csv);
copy (select 'a"b' as x, 'c''d' as y) to stdout with (format csv, quote '''', escape '\');
copy (select E'\\' as x, E'a\tb\rc\nd\be\ff\vg' as y, '\N' as z) to stdout;
copy (values (1, 'x'), (2, null)) to stdout;
create table c (id int, s text, n numeric);
copy c from stdin with (format csv);
1,plain,1.5
2,"quoted, comma",2.5
3,"with ""quotes""",
4,,4
5,"",5
6,"multi
line",6
7, spaced ,7
\.
select id, s, s is null as nul, n from c order by id;
copy c from stdin with (format csv, header);
id,s,n
8,eight,8
\.
copy c from stdin with (format csv, header match);
id,s,n
9,nine,9
\.
copy c from stdin with (format csv, header match);
id,wrong,n
10,ten,10
\.
copy c from stdin with (format csv, delimiter ';', quote '''', null 'NULL');
11;'it;''s';NULL
12;NULL;'3'
\.
copy c from stdin with (format csv, force_null (s), force_not_null (n));
13,"",1
\.
copy c (id, s) from stdin with (format csv, force_not_null (s));
14,
\.
copy c from stdin with (delimiter '|', null 'x');
15|x|1
16|y|x
\.
select id, s, s is null as nul, n from c where id >= 8 order by id;
copy c from stdin where id > 100;
99	no	1
101	yes	2
\.
select count(*) from c where id >= 99;
copy t from stdin;
20	1	x	1	2024-01-01	t
21	1	x	1	2024-01-01
\.
copy t from stdin;
20	1	x	1	2024-01-01	t	extra
\.
copy t from stdin;
20	abc	x	1	2024-01-01	t
\.
copy t from stdin;
20	1	x	1	2024-13-01	t
\.
copy t from stdin;
20	1	x	1	2024-01-01	maybe
\.
copy t from stdin;
20	1	x	99999	2024-01-01	t
\.
copy t from stdin;
20	1	x	1	2024-01-01	t
1	1	dup	1	2024-01-01	t
\.
copy t from stdin;
\N	1	x	1	2024-01-01	t
\.
copy t (a) from stdin;
1
\.
copy t from stdin with (format csv);
20,"unterminated
\.
copy t from stdin with (format csv);
20,1
\.
select count(*) from t where id = 20;
copy t (id, nosuch) to stdout;
copy t (id, id) to stdout;
copy nosuch to stdout;
copy (select nosuch from t) to stdout;
copy t to stdout with (format nosuch);
copy t to stdout with (nosuch);
copy t to stdout with (format csv, delimiter 'ab');
copy t to stdout with (delimiter 'a');
copy t to stdout with (quote '"');
copy t to stdout with (format csv, quote 'ab');
copy t to stdout with (format text, format csv);
copy t to stdout with (header, delimiter ',');
copy t from stdin with (header);
id	a	b	c	d	e
30	1	x	1	2024-01-01	t
\.
select id from t where id = 30;
create view v as select id, b from t;
copy v to stdout;
copy (select * from v where id = 1) to stdout;
create table g (id int primary key, x int default 7, y int generated always as (id * 2) stored, z serial check (z < 1000));
copy g (id) from stdin;
1
2
\.
copy g (id, z) from stdin;
3	5000
\.
copy g (id, y) to stdout;
copy g from stdin;
4	1	100
\.
select * from g order by id;
copy (select * from g order by id) to stdout;
copy g to stdout (format csv, header);
begin;
copy c (id) from stdin;
500
501
\.
select count(*) from c where id >= 500;
rollback;
select count(*) from c where id >= 500;
begin;
copy c (id) from stdin;
500
x
\.
select 1;
rollback;
create table ty (a bool, b int2, c int8, d float4, e float8, f varchar(5), g char(3), h bytea, i time, j timestamp, k timestamptz, l interval, m uuid);
set timezone = 'UTC';
copy ty from stdin;
t	1	2	1.5	-0.1	abc	x	\\x00ff	10:00	2024-01-01 10:00	2024-01-01 10:00+02	1 day	a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
\N	\N	\N	NaN	Infinity	\N	\N	\N	\N	infinity	-infinity	\N	\N
\.
copy ty to stdout;
copy ty to stdout with (format csv, header);
copy ty (f) from stdin;
toolong
\.
copy c (id) from stdin;
\.
copy (select 1 where false) to stdout;
copy (select 1 as x where false) to stdout with csv header;
create table bulk (id int primary key, s text);
insert into bulk select g, 'row ' || g from generate_series(1, 3000) g;
copy (select count(*), sum(id) from bulk) to stdout;
copy (delete from bulk where id > 2998 returning id) to stdout;
copy (select s from bulk where id in (1, 1000, 2998) order by id) to stdout;
truncate bulk;
copy bulk from stdin (freeze false);
1	unicode äöü 日本
2	\x41\102
\.
select * from bulk order by id;
create table ln (id int primary key, s text, v int check (v < 100));
copy ln from stdin;
1	a	1
2	b	2
1	c	3
4	d	4
\.
copy ln from stdin;
1	a	1
2	b	1000
x	c	1
\.
copy ln from stdin;
1	a	1
1	b	1
x	c	1
\.
copy ln from stdin with csv;
1,a,1
2,"two
lines",1000
\.
copy ln (id, s) from stdin where id > 1 and v is null;
1	a
2	b
3	c
2	d
\.
copy ln (id, v) from stdin where id <> 2;
1	1
2	1000
3	1000
\.
select count(*) from ln;
copy ln (id) from stdin where nosuch;
