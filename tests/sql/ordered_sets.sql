-- DISTINCT aggregates, ordered-set and hypothetical-set aggregates, FILTER
create table m (g int, x int, f float8, n numeric, s text, d date, iv interval);
insert into m values
  (1, 1, 1.5, 1.10, 'a', '2024-01-01', '1 day'), (1, 2, 2.5, 2.20, 'b', '2024-01-05', '2 days'),
  (1, 2, 2.5, 2.2, 'b', '2024-01-05', '2 hours'), (1, 9, -4, 0, 'c', '2023-01-01', '1 month'),
  (2, null, null, null, null, null, null), (2, 7, 1e10, 100, 'z', '2025-01-01', '-1 day'),
  (3, null, null, null, null, null, null);
select g, count(distinct x), sum(distinct x), avg(distinct n), min(distinct s), max(distinct d) from m group by g order by g;
select count(distinct n), count(n), sum(distinct n), array_agg(distinct n) from m;
select array_agg(distinct s order by s desc), string_agg(distinct s, '-' order by s) from m;
select array_agg(x order by x desc nulls last, s), array_agg(s order by d, iv) from m;
select string_agg(s, ',' order by x desc, iv), string_agg(s, s order by s) from m;
select string_agg(distinct s, ',' order by x) from m;
select count(*) filter (where x > 1), sum(x) filter (where g = 1), count(distinct x) filter (where x < 9) from m;
select g, array_agg(x order by x) filter (where x is not null) from m group by g order by g;
select g, sum(x) filter (where false), count(*) filter (where null) from m group by g order by g;
select percentile_cont(0.5) within group (order by x), percentile_disc(0.5) within group (order by x),
  percentile_cont(0.25) within group (order by f), percentile_disc(0.9) within group (order by n) from m;
select g, percentile_cont(0.5) within group (order by f), percentile_disc(0.5) within group (order by s),
  percentile_disc(0) within group (order by d), percentile_disc(1) within group (order by iv) from m group by g order by g;
select percentile_cont(0.3) within group (order by iv), percentile_cont(0.5) within group (order by iv desc) from m;
select percentile_cont(array[0, 0.25, 0.5, null, 1]) within group (order by x) from m;
select percentile_disc(array[0.1, 0.9, 0.5]) within group (order by s) from m;
select percentile_disc(array[[0.1, 0.9], [0.5, null]]) within group (order by x) from m;
select percentile_cont(null) within group (order by x), percentile_disc(null) within group (order by x) from m;
select mode() within group (order by x), mode() within group (order by s desc), mode() within group (order by n) from m;
select g, mode() within group (order by x) from m group by g order by g;
select rank(2) within group (order by x), dense_rank(3) within group (order by x),
  percent_rank(2) within group (order by x), cume_dist(2) within group (order by x) from m;
select rank(2, 'b') within group (order by x, s), rank('b') within group (order by s desc nulls last) from m;
select g, rank(2) within group (order by x desc) from m group by g order by g;
select percentile_cont(0.5) within group (order by x) filter (where g = 1) from m;
select percentile_cont(g / 10.0) within group (order by x) from m group by g order by g;
select percentile_cont(0.5) within group (order by x + g) from m having count(*) > 2;
select percentile_disc(0.5) within group (order by x) from m where false;
select corr(x, f), regr_slope(x, f), covar_pop(x, f) from m where g = 1;
select bool_and(x > 1), bool_or(x > 1), every(x > 0), bit_and(x), bit_or(x) from m;
-- errors
select percentile_cont(1.5) within group (order by x) from m;
select percentile_cont(0.5) within group (order by s) from m;
select percentile_cont(x) within group (order by x) from m;
select percentile_cont(0.5) from m;
select sum(x) within group (order by x) from m;
select mode(distinct) within group (order by x) from m;
select string_agg(distinct s, ',' order by lower(s)) from m;
select count(distinct *) from m;
select sum(x order by x) filter (where sum(x) > 1) from m;
