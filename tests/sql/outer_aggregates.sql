-- An aggregate belongs to the nearest query whose columns it reads, wherever it is written.
create table o (k int primary key, a int, b int);
create table i (x int, y int);
insert into o values (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, 2, null), (5, 3, 50);
insert into i values (1, 100), (2, 200), (2, 300), (5, null);
-- its own query, the one around it, and both
select a, (select sum(y) from i where x = a) from o group by a order by a;
select a, (select sum(b) from i limit 1) from o group by a order by a;
select (select sum(b) from i limit 1) from o;
select (select count(*) from i where y > sum(b)) from o;
select a, (select count(*) from i where y > sum(b) * 5) from o group by a order by a;
select k, (select sum(b + y) from i) from o order by k;
select a, (select max(x) + sum(b) from i) from o group by a order by a;
select a, sum(b), (select sum(b) + 1 from i where x = 1) from o group by a order by a;
-- columns that only a nested subquery of the argument reads
select (select sum((select b)) from i limit 1) from o;
select a, (select sum((select b)) from i where x = 1) from o group by a order by a;
select (select sum((select b + y)) from i) from o order by k;
select (select sum((select y)) from i) from o order by k;
select (select count((select x from i z where z.x = o.k limit 1)) from i limit 1) from o;
select a, (select array_agg((select o.b + z.y from i z where z.x = 1) order by o.k) from i where x = 1) from o group by a order by a;
select sum((select sum(i.y) from i where i.x = o.k)) from o;
select sum((select sum(o.b) from i)) from o;
select a, (select sum((select i.x + o.a from i where i.x = 5)) from i t limit 1) from o group by a order by a;
-- FILTER and ORDER BY decide as well
select (select count(*) filter (where b > 15) from i limit 1) from o;
select (select string_agg('x', ',' order by b) from i limit 1) from o;
select k, (select count(*) filter (where b > 15) from (select 1 where k > 0) s) from o order by k;
select a, (select sum(1) filter (where o.b > 10) from i where x = 5) from o group by a order by a;
select (select max(p.k) from o q) from o p;
select 1 from o p where exists (select max(1) filter (where p.k > 0) from o q group by q.k);
select 1 from o p where 0 < (select array_length(array_agg(1 order by p.k), 1) from o q);
-- HAVING, ORDER BY, EXISTS, IN
select a from o group by a having exists (select 1 from i where y = sum(b) * 10) order by a;
select a from o group by a having sum(b) in (select y / 10 from i) order by a;
select a from o group by a having (select max(y) from i where y >= sum(b) * 10) is not null order by a;
select a from o group by a order by (select -sum(b)), a;
select a, exists (select 1 from i where x = count(b)) from o group by a order by a;
-- two levels up, through unions, derived tables and lists of values
select a, (select (select sum(b)) from i limit 1) from o group by a order by a;
select a, (select (select sum(b + x) from i z where z.x = 1) from i where x = 5) from o group by a, b order by a, b;
select (select s from (select sum(b) as s) t) from o;
select a, (select sum(b) union all select -1 order by 1 limit 1) from o group by a order by a;
select a, (select v from (values (sum(b))) t (v)) from o group by a order by a;
select a, (select max(v) from (select sum(b) as v union all select count(*) from i) t) from o group by a order by a;
-- ordered sets, DISTINCT, whole rows of a join
select (select percentile_disc(0.5) within group (order by b) from i limit 1) from o;
select a, (select count(distinct b) from i limit 1) from o group by a order by a;
select (select sum(b) from i limit 1) from o join o p using (k);
select (select count(k) from i limit 1) from o join o p using (k);
select a, (select grouping(a) from i limit 1) from o group by rollup (a) order by a;
select a, (select sum(b) + grouping(a)) from o group by rollup (a) order by a;
select a, sum(sum(b)) over (order by a), (select sum(b)) from o group by a order by a;
select a, (with w as (select sum(b) as s) select s from w) from o group by a order by a;
-- WITH items do not decide, but must be seen
select (with w as (select 1 as z) select sum((select z from w)) from i) from o;
select (with w as (select o.k as z) select sum((select z from w)) from i) from o order by 1;
with w as (select 5 as z) select (select sum((select z from w)) from i) from o;
with w as (select 5 as z) select (select sum((select z + o.b from w)) from i limit 1) from o;
select (select sum((with v as (select 3 as q) select q + o.b from v)) from i limit 1) from o;
-- what is refused
select (with w as (select 1 as z) select sum(o.b + (select z from w)) from i) from o;
select (with w as (select 1 as z) select sum((with v as (select 3 as q) select z + q + o.b from w, v)) from i) from o;
select (select sum(b)), k from o;
select a from o where (select sum(b) > 1);
select a from o where exists (select 1 from i where sum(o.b) = y);
select a from o join i on (select sum(b) > y);
select a from o group by a, (select sum(b));
select a from o, lateral (select sum(b) as s) t;
select a from o, generate_series(1, (select sum(b))) g;
select (select sum(sum(b)) from i) from o;
select (select sum(count(b) + x) from i) from o;
select sum((select sum(b))) from o;
select sum(b + (select sum(b))) from o;
select (select percentile_disc(x / 10.0) within group (order by b) from i) from o;
select (select percentile_disc(sum(b)) within group (order by o.b) from i) from o;
select (select rank(o.a) within group (order by o.b) from i limit 1) from o;
select (select rank(o.a) within group (order by o.b) from i limit 1) from o group by o.a order by 1;
update o set a = (select sum(b));
delete from o where (select count(o.k) from i) > 0;
insert into o values (9, 9, (select sum(1))) returning (select sum(b));
select 1 from o limit (select sum(b));
select a, (select b) from o group by a;
select (select grouping(b) from i limit 1) from o group by a;
select sum(sum(b)) from o;
select sum(row_number() over ()) from o;
select sum(generate_series(1, b)) from o;
create view v as select a, (select sum(b) from i limit 1) as s from o group by a;
select * from v order by a;
select s from v where a = 1;
