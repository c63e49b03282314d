-- GROUPING SETS, CUBE, ROLLUP
create table sale (region text, shop int, day date, qty int, price numeric(8,2));
insert into sale values
  ('north', 1, '2024-01-01', 3, 1.50), ('north', 1, '2024-01-02', 5, 2.00), ('north', 2, '2024-01-01', 1, 9.99),
  ('south', 3, '2024-01-01', 7, 0.10), ('south', 3, '2024-01-03', null, 4.00), ('south', 4, '2024-01-02', 2, null),
  (null, 5, '2024-01-01', 4, 1.00), (null, null, '2024-01-02', 6, 2.50), ('north', null, '2024-01-03', 8, 3.00);
select region, sum(qty) from sale group by rollup (region) order by 1, 2;
select region, shop, sum(qty), count(*) from sale group by rollup (region, shop) order by 1, 2, 3, 4;
select region, shop, sum(qty), count(price) from sale group by cube (region, shop) order by 1, 2, 3, 4;
select region, shop, grouping(region), grouping(shop), grouping(region, shop), count(*) from sale
  group by cube (region, shop) order by 5, 1, 2;
select region, day, sum(qty) from sale group by grouping sets ((region), (day), ()) order by 1, 2, 3;
select region, day, sum(qty) from sale group by grouping sets ((region, day), (day)) order by 1, 2, 3;
select region, shop, day, count(*) from sale group by region, grouping sets ((shop), (day)) order by 1, 2, 3, 4;
select region, shop, day, count(*) from sale group by rollup (region), rollup (day), shop order by 1, 2, 3, 4;
select region, count(*) from sale group by grouping sets ((region), (region)) order by 1, 2;
select region, count(*) from sale group by distinct rollup (region, region) order by 1, 2;
select region, shop, count(*) from sale group by distinct rollup (region, shop), rollup (region) order by 1, 2, 3;
select region, shop, count(*) from sale group by grouping sets (rollup (region, shop), cube (shop)) order by 1, 2, 3;
select region, shop, day, sum(qty) from sale group by rollup ((region, shop), day) order by 1, 2, 3, 4;
select sum(qty), count(*) from sale group by ();
select sum(qty), count(*) from sale group by grouping sets ((), ());
select sum(qty) from sale where false group by ();
select sum(qty) from sale where false group by grouping sets (());
select region, sum(qty) from sale where false group by rollup (region);
select region, sum(qty) from sale where false group by grouping sets ((region), ());
select region, sum(qty) from sale group by rollup (region) having grouping(region) = 1;
select region, sum(qty) from sale group by rollup (region) having sum(qty) > 10 order by 1;
select case when grouping(region) = 1 then 'all' else coalesce(region, 'unknown') end as r, sum(qty)
  from sale group by rollup (region) order by grouping(region), 1;
select region, count(distinct shop), count(distinct day) from sale group by cube (region) order by 1, 2;
select region, string_agg(shop::text, ',' order by shop desc) from sale group by rollup (region) order by 1, 2;
select region, sum(qty) filter (where day > '2024-01-01') from sale group by rollup (region) order by 1, 2;
select extract(month from day) as m, region, count(*) from sale group by cube (1, 2) order by 1, 2, 3;
select qty % 2 as odd, shop / 2 as half, count(*) from sale group by grouping sets ((qty % 2), (shop / 2)) order by 1, 2, 3;
select qty % 2 + 1 as x, count(*) from sale group by rollup (qty % 2) order by 1, 2;
select region, sum(sum(qty)) over (order by region nulls first) from sale group by rollup (region) order by 1, 2;
select region, rank() over (partition by grouping(region) order by sum(qty) desc) as r, sum(qty)
  from sale group by rollup (region) order by 2, 3, 1;
select * from (select region, shop, count(*) as n from sale group by cube (region, shop)) x where region is null order by 1, 2, 3;
select distinct grouping(region) from sale group by cube (region, shop) order by 1;
select percentile_disc(0.5) within group (order by qty), region from sale group by rollup (region) order by 2, 1;
-- errors
select region, shop from sale group by rollup (region);
select grouping(qty) from sale group by region;
select grouping(region) from sale;
select region from sale group by grouping sets ((region), (nosuch));
select region, count(*) from sale where grouping(region) = 0 group by rollup (region);
