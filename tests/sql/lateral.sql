-- LATERAL
create table a (id int, v text);
create table b (id int, a int, w int);
insert into a values (1, 'one'), (2, 'two'), (3, 'three'), (4, null);
insert into b values (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, 3, null), (5, 3, 7), (6, null, 8);
select a.id, l.* from a, lateral (select w from b where b.a = a.id order by w desc limit 1) l order by 1;
select a.id, l.w from a left join lateral (select w from b where b.a = a.id order by w nulls last limit 1) l on true order by 1;
select a.id, l.n, l.s from a cross join lateral (select count(*) as n, sum(w) as s from b where b.a = a.id) l order by 1;
select a.id, g from a, generate_series(1, a.id) g order by 1, 2;
select a.id, g, o from a left join lateral generate_series(a.id, 3) with ordinality as x(g, o) on g <> 2 order by 1, 2;
select a.id, x.* from a, lateral (values (a.id, a.v), (a.id * 10, upper(a.v))) x(i, t) order by 1, 2;
select a.id, x, y from a, lateral (select a.id + 1 as x) p, lateral (select x * 2 as y) q order by 1;
select a.id, u from a, unnest(array[a.id, a.id * 2]) u order by 1, 2;
select a.id, s from a, regexp_split_to_table(a.v, 'e') s order by 1, 2;
select a.id, l.id from a, lateral (select b.id from b where b.a = a.id union all select a.id * 100) l order by 1, 2;
select a.id, l.id from a join lateral (select b.id from b where b.w > a.id) l on l.id > a.id order by 1, 2;
select a.id, l.m from a, lateral (select max(w) as m from b where b.a >= a.id) l where l.m > 5 order by 1;
select (select x from lateral (select a.id * 7 as x) q) from a order by 1;
select a.id, l.r from a, lateral (select b.id, row_number() over (order by w) as r from b where b.a = a.id) l order by 1, 2;
select a.id, l.x from a, lateral (select distinct w % 5 as x from b where b.a <= a.id) l order by 1, 2;
select a.id, m.id, l.k from a join b m on m.a = a.id, lateral (select a.id + m.w as k) l order by 1, 2, 3;
select * from (values (1), (2)) v(x), lateral (with c as (select x + 1 as y) select y, y * x as z from c) l order by 1;
-- errors
select * from a, (select * from b where b.a = a.id) l;
select * from a right join lateral (select * from b where b.a = a.id) l on true;
select * from a full join lateral generate_series(1, a.id) g on true;
select * from lateral (select a.id) l, a;
-- outer joins that read beside them
select * from a, lateral (select * from b where b.a = a.id) l left join (select 3 as k) o on l.id = o.k order by 1, 3;
