-- recursive CTEs
create table edge (f int, t int);
insert into edge values (1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (7, 8);
create table org (id int, boss int, name text);
insert into org values (1, null, 'ann'), (2, 1, 'bob'), (3, 1, 'cid'), (4, 2, 'dan'), (5, 4, 'eve'), (6, 3, 'fay');
with recursive t(n) as (values (1) union all select n + 1 from t where n < 10) select sum(n), count(*) from t;
with recursive t as (select 1 as n union all select n + 1 from t) select n from t limit 5;
with recursive r(x) as (select 1 union select t from edge, r where f = x) select x from r order by x;
with recursive o as (select id, name, 0 as depth, name as path from org where boss is null
  union all select c.id, c.name, depth + 1, path || '/' || c.name from org c join o on c.boss = o.id)
  select depth, path from o order by path;
with recursive o as (select id, boss from org where name = 'eve' union select p.id, p.boss from org p join o on p.id = o.boss)
  select id from o order by id;
with recursive fib(a, b) as (select 0::numeric, 1::numeric union all select b, a + b from fib where b < 1e20)
  select max(a), count(*) from fib;
with recursive p as (select f, t, array[f, t] as path from edge where f = 1
  union all select e.f, e.t, p.path || e.t from edge e join p on e.f = p.t where e.t <> all(p.path))
  select path from p order by path;
with recursive r(n) as (select 1 union all select n * 2 from r where n < 100), s as (select n from r where n > 10)
  select (select count(*) from s), max(n) from r;
with recursive x(id) as (values (1) union all select id + 1 from x where id < 3),
  y(id) as (select id from x union all select id + 10 from y where id < 20) select id from y order by id;
with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select a.n, b.n from r a, r b order by 1, 2;
with recursive r(n, s) as (select 1, 'a'::text union all select n + 1, s || chr(97 + n) from r where n < 5) select * from r order by n;
with recursive r(n) as (select 1 union all (select n + 1 from r where n < 4 order by n desc limit 1)) select * from r order by 1;
with recursive r(n) as (select null::int union select n from r) select count(*) from r;
with recursive r(n) as (select 1 where false union all select n + 1 from r) select count(*) from r;
create table made as with recursive r(n) as (values (1) union all select n + 1 from r where n < 5) select n from r;
select sum(n) from made;
with recursive r(n) as (values (2) union all select n + 1 from r where n < 4) delete from made where n in (select n from r);
select * from made order by n;
with recursive r(n) as (values (100) union all select n + 1 from r where n < 102) insert into made select n from r returning n;
-- errors
with recursive r as (select n from r) select * from r;
with recursive r(n) as (select 1 union all select r1.n from r r1, r r2) select * from r;
with recursive r(n) as (select 1 union all select sum(n) from r) select * from r;
with recursive r(n) as (select 1 union all select 'x' from r) select * from r;
with recursive r(n) as (select 1 union all select n + 1.5 from r where n < 3) select * from r;
with recursive r(n) as (select n from r union all select 1) select * from r;
with recursive r(n) as (select 1 union all select (select n from r)) select * from r;
with recursive r(n) as (select 1 except select n from r) select * from r;
with recursive r(n) as (select 1 union all select e.f from edge e left join r on r.n = e.f) select * from r;
with recursive a(n) as (select n from b), b(n) as (select n from a) select * from a;
