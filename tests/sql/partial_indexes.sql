-- Indexes on expressions, and partial ones.
create table t (id int primary key, name varchar(20), a int, b int, active bool, at timestamp);
create index on t (lower(name));
create unique index on t ((a + b));
create unique index t_active on t (name) where active;
create index on t (a) where b is not null and a > 10;
create index on t (lower(name), (a * 2) desc nulls last, b) where not active;
create index on t ((a), (b));
create index on t ((a + 1), (a + 2), upper(name)) include (b);
create index on t ((name || 'x'), coalesce(a, b));
\d t
select indexrelid::regclass, indisunique, indkey, pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid)
  from pg_index where indrelid = 't'::regclass order by 1;
select pg_get_indexdef('t_lower_expr_b_idx'::regclass, 1, true), pg_get_indexdef('t_lower_expr_b_idx'::regclass, 2, true),
       pg_get_indexdef('t_lower_expr_b_idx'::regclass, 2, false);
insert into t values (1, 'Ada', 1, 1, true, '2020-01-01'), (2, 'Bob', 2, 2, true, null), (3, 'Bob', 3, 3, false, null), (4, 'BOB', 20, null, false, null);
insert into t values (5, 'Eve', 3, 1, true);
insert into t values (5, 'Bob', 5, 5, true);
insert into t values (5, 'Bob', 5, 5, false);
update t set active = true where id = 5;
update t set a = a + 1 where id = 1;
update t set b = b + 1, a = a - 1 where id < 3;
update t set name = 'Rob' where id = 5;
update t set active = true where id = 5;
select * from t order by id;
select id from t where lower(name) = 'bob' order by id;
select id from t where lower(name) in ('bob', 'ada') order by id;
select id from t where a + b = 6;
select id from t where a + b > 3 order by id;
select id from t where name = 'Bob' and active;
select id from t where name = 'Bob' and active is true;
select id from t where a = 20 and b is not null and a > 10;
select id from t where a > 12 and b = 0;
select id from t where a = 20;
insert into t select i, 'n' || i, i * 3, i, i % 2 = 0 from generate_series(10, 60) i;
select id from t where a > 100 and b > 40 order by id;
select count(*) from t where a > 10 and b is not null;
delete from t where lower(name) = 'n20';
select count(*) from t where lower(name) like 'n2%';
insert into t values (10, 'n12', 0, 0, true) on conflict (name) where active do update set a = t.a + 1000 returning *;
insert into t values (100, 'n13', 0, 0, false) on conflict (name) where active do nothing returning id;
insert into t values (101, 'q', 50, -2, false) on conflict ((a + b)) do update set name = 'was ' || t.name returning *;
insert into t values (102, 'q', 50, -2, false) on conflict (a) do nothing;
insert into t values (102, 'q', 50, -2, false) on conflict (name) do nothing;
insert into t values (102, 'q', 51, 200, true), (103, 'q', 52, 200, true);
select id from t x (i, n) where lower(n) = 'bob' order by i;
select x.id, y.id from t x join t y on lower(x.name) = lower(y.name) and x.id < y.id order by 1, 2;
copy t from stdin;
200	zed	1000	0	t	\N
201	zed	1001	0	t	\N
\.
alter table t rename column name to title;
alter table t rename column active to alive;
\d t
select id from t where lower(title) = 'bob' order by id;
update t set title = upper(title) where id = 4;
alter table t alter column a type bigint;
\d t_expr_idx
select id from t where a + b = 6;
alter table t drop column b;
\d t
alter table t drop column alive;
\d t
create table u (a int, b text);
insert into u values (1, 'x'), (1, 'X'), (2, 'y');
create unique index on u (lower(b));
create unique index on u ((a * 2), lower(b));
create unique index on u (lower(b)) where a > 1;
create index on u ((select 1));
create index on u (sum(a));
create index on u (random());
create index on u (now());
create index on u (a) where random() > 0.5;
create index on u (a) where b;
create index on u (a) where a > (select 1);
create index on u ((nothing + 1));
create index on u (a) where nothing > 1;
create index on u (generate_series(1, a));
create index on u (a) include ((a + 1));
begin;
create index u_x on u (lower(b)) where a = 1;
rollback;
alter table u add primary key (a);
drop index u_lower_idx;
\d u
truncate u;
insert into u values (2, 'Z');
insert into u values (3, 'z');
drop table t, u;
