-- Grouping below a join: the same rows as above it, whatever the join and the aggregate.
create table dim (id int primary key, name text, kind char(3), price numeric(8,2), big bigint, f float8);
create table fact (id int primary key, d int, e int, v int, n numeric, m numeric(10,3), l bigint, x float8,
                   b bool, day date);
create table other (e int, tag text, w int);
insert into dim select i, 'd' || i % 7, 'k' || i % 3, i * 1.25, 3000000000 + i, i / 4.0
  from generate_series(1, 40) i;
insert into dim values (41, null, 'k0', null, null, null), (42, 'd1', null, 1.50, 5, 0);
insert into fact select i, case when i % 11 = 0 then null else i % 45 end, i % 13,
  case when i % 5 = 0 then null else i % 97 end, case i % 4 when 0 then 1.5 when 1 then 2.25 when 2 then 3 else null end,
  (i % 1000) / 8.0, case when i % 17 = 0 then null else i * 100000000000 end, i / 2.0,
  case i % 3 when 0 then true when 1 then false end, date '2020-01-01' + i % 40
  from generate_series(1, 30000) i;
insert into other select i % 13, 't' || i % 2, i from generate_series(1, 20) i;
insert into other values (null, 'n', 1), (99, 't9', 2);
analyze dim;
analyze fact;
analyze other;

-- wherever it can be, however few rows there are
set helios.group_below = force;
-- the plain form, and its decomposed aggregates
select d.name, sum(f.v), count(*) from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.n), avg(f.n), count(f.n), min(f.n), max(f.n) from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.m), avg(f.m), sum(f.l), avg(f.l), avg(f.v) from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, bool_and(f.b), bool_or(f.b), every(f.b), bit_and(f.v), bit_or(f.v), min(f.day), max(f.day)
  from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.m * (1 - f.n)), avg(f.m + f.n), sum(-f.m) from fact f join dim d on f.d = d.id group by d.name order by 1;
-- the other side's values count once a row
select d.name, sum(d.price), avg(d.price), count(d.price), sum(d.id), avg(d.id), sum(d.big), avg(d.big), min(d.price), count(1), sum(1)
  from fact f join dim d on f.d = d.id group by d.name order by 1;
select sum(d.price), sum(f.v), count(*), avg(d.id), max(d.name), count(d.name) from fact f join dim d on f.d = d.id;
-- no group, no rows
select sum(f.v), count(*), count(f.v), avg(f.n), sum(d.price), min(f.v) from fact f join dim d on f.d = d.id where d.id > 1000;
select d.name, sum(f.v), count(*) from fact f join dim d on f.d = d.id where d.id > 1000 group by d.name;
select 1 from fact f join dim d on f.d = d.id having count(*) > 10;
-- filters
select d.kind, count(*) filter (where f.v > 50), count(*) filter (where d.price > 10), sum(f.v) filter (where f.b),
  sum(f.v) filter (where d.price > 20), sum(d.id) filter (where f.b is null), avg(f.n) filter (where f.v > d.id)
  from fact f join dim d on f.d = d.id group by d.kind order by 1;
-- DISTINCT
select d.kind, count(distinct f.e), sum(distinct f.e), count(distinct d.name), sum(f.v) from fact f join dim d on f.d = d.id group by d.kind order by 1;
-- groups of both sides, expressions over groups, HAVING, windows above
select d.kind, f.e, sum(f.v) + f.e, count(*) * 2 from fact f join dim d on f.d = d.id where f.e < 4 group by d.kind, f.e order by 1, 2;
select d.name, sum(f.v) s from fact f join dim d on f.d = d.id group by d.name having count(*) > 4000 and sum(f.v) > 0 order by 2 desc;
select d.kind, sum(f.v), sum(sum(f.v)) over (order by d.kind), rank() over (order by count(*) desc, d.kind) from fact f join dim d on f.d = d.id group by d.kind order by 1;
select d.id, d.name, d.price, sum(f.v) from fact f join dim d on f.d = d.id where d.id < 4 group by d.id order by 1;
select upper(d.name), f.e % 2, count(*), sum(f.v) from fact f join dim d on f.d = d.id group by 1, 2 order by 1, 2;
select distinct d.kind, count(*) > 100 from fact f join dim d on f.d = d.id group by d.kind, d.name order by 1;
select d.name from fact f join dim d on f.d = d.id group by d.name order by 1 limit 3;
-- many to many, three tables, USING
select o.tag, d.kind, sum(f.v), count(*), sum(o.w) from fact f join dim d on f.d = d.id join other o on o.e = f.e group by 1, 2 order by 1, 2;
select count(*), sum(a.v), sum(b.w) from fact a join other b using (e);
select e, count(*), sum(b.w), sum(a.v) from fact a join other b using (e) group by e order by 1;
select count(*) from fact a join fact b on a.e = b.e and a.d = b.d;
select d.name, sum(f.v) from fact f, dim d where f.d = d.id and f.day < date '2020-01-10' and d.price > 5 group by d.name order by 1;
select d.name, count(*) from fact f join dim d on f.d = d.id and f.e <> d.id group by d.name order by 1;
select d.name, count(*), sum(f.v) from fact f join dim d on f.d < d.id where d.id < 5 group by d.name order by 1;
-- outer joins
select d.id, count(f.id), count(*), sum(f.v), avg(f.n), min(f.day) from dim d left join fact f on f.d = d.id group by d.id order by 1;
select d.name, count(f.v), count(*), sum(d.price), sum(d.id), avg(d.price), sum(f.v) filter (where f.v > 3) from dim d left join fact f on f.d = d.id and f.e > 3 group by d.name order by 1;
select d.name, count(coalesce(f.v, 0)), sum(coalesce(f.v, 7)) from dim d left join fact f on f.d = d.id group by d.name order by 1;
select d.name, count(*) filter (where f.id is null), count(*) filter (where f.e is null or f.e < 3) from dim d left join fact f on f.d = d.id group by d.name order by 1;
select d.name, f.e, count(*), count(f.id) from dim d left join fact f on f.d = d.id where d.id > 38 group by d.name, f.e order by 1, 2;
select d.name, sum(f.v), count(*), count(d.id) from fact f left join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.v), count(*), count(d.id), sum(d.price) from fact f left join dim d on f.d = d.id and f.e = 3 where f.e < 8 group by d.name order by 1;
select d.name, sum(f.v), count(*) from dim d right join fact f on f.d = d.id group by d.name order by 1;
select d.name, sum(f.v), count(*), count(f.id) from dim d full join fact f on f.d = d.id group by d.name order by 1;
select c, count(*) from (select d.id, count(f.id) c from dim d left join fact f on f.d = d.id group by d.id) x group by c order by 1;
select o.tag, count(f.id), count(*), sum(o.w) from other o left join (fact f join dim d on f.d = d.id) on o.e = f.e group by o.tag order by 1;
select d.name, count(*) from fact f left join dim d on f.d = d.id where d.id is null or d.price > 40 group by d.name order by 1;
-- subqueries
select d.name, sum(f.v) from fact f join dim d on f.d = d.id where f.e in (select w from other where tag = 't1') group by d.name order by 1;
select d.name, sum(f.v), (select max(w) from other where e = sum(f.v) % 13) from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.v) from fact f join dim d on f.d = d.id where exists (select 1 from other o where o.e = f.e and o.w > d.id) group by d.name order by 1;
select k, (select sum(f.v) from fact f join dim d on f.d = d.id where d.kind = k) from (values ('k0'), ('k1'), ('kx')) t (k) order by 1;
select k, s from (values (1), (2)) t (k), lateral (select sum(f.v + 0.5) s from fact f join dim d on f.d = d.id where f.e = k) y order by 1;
select kind, sum(t) from (select d.kind, d.name, sum(f.v) t from fact f join dim d on f.d = d.id group by d.kind, d.name) x group by kind order by 1;
with c as (select d.kind, sum(f.v) t from fact f join dim d on f.d = d.id group by d.kind) select a.kind, a.t, b.t from c a join c b on a.kind = b.kind order by 1;
-- what is left as it is
select d.name, sum(f.x), string_agg(f.v::text, '' order by f.v) is null from fact f join dim d on f.d = d.id where d.id < 4 group by d.name order by 1;
select d.name, sum(100 / (f.v - d.id * 0 + 1)) from fact f join dim d on f.d = d.id group by d.name order by 1;
select d.name, sum(f.v * d.id), sum(f.v) from fact f join dim d on f.d = d.id group by d.name order by 1;
select count(*), sum(10 / (f.v - 3)) from fact f join dim d on f.d = d.id where f.v <> 3;
select f.n, count(*), sum(d.id) from fact f join dim d on f.d = d.id group by f.n order by 1;
select grouping(d.kind), d.kind, sum(f.v) from fact f join dim d on f.d = d.id group by rollup (d.kind) order by 1, 2;
