-- Rows as columns of a subquery, taken apart by name; the queries that drivers ask for keys.
create table two (b int, a int, v text, primary key (a, b));
create index two_v on two (v, b desc);
select (information_schema._pg_expandarray(array[7, 8, 9])).n;
select (information_schema._pg_expandarray(array['x', 'y'])).x as e, (information_schema._pg_expandarray(array['x', 'y'])).n as i;
select (r.k).x, (r.k).n from (select information_schema._pg_expandarray(array[7, 8, 9]) as k) r where (r.k).n > 1;
select (r.k).nosuch from (select information_schema._pg_expandarray(array[7, 8, 9]) as k) r;
select a.attname, (result.keys).n as seq, result.name
  from (select i.indrelid, ci.relname as name, information_schema._pg_expandarray(i.indkey) as keys
          from pg_index i join pg_class ci on ci.oid = i.indexrelid where i.indrelid = 'two'::regclass) result
  join pg_attribute a on a.attrelid = result.indrelid and a.attnum = (result.keys).x
 order by result.name, seq;
select (k).f1 + (k).f2 as sum, w from (select row(a, b + 1) as k, v as w from two) x;
insert into two values (1, 2, 'x'), (3, 4, 'y');
select (k).f1 + (k).f2 as sum, w, (k).f2 from (select row(a, b + 1) as k, v as w from two) x order by (k).f1 desc;
select w from (select row(a, b + 1) as k, v as w from two) x where (k).f1 = 4;
select (x.k).f1, (select count(*) from two t where t.a > (x.k).f2) from (select row(a, b) as k from two) x order by 1;
-- rows taken apart by (row).*, whole rows by the names of their columns
select (two).* from two order by 1;
select (t).*, (t).v || '!' as w from two t order by 1;
select (row(1, 'a'::text, null::int)).*;
select (x).a, (x).v from (select two as x from two) s order by 1;
select (x).*, (x).b * 2 as twice from (select two as x from two) s order by 1;
select (s.x).* from (select row(a, v) as x, b from two) s order by b;
select (1).*;
select row((t).*, 7) = row(t.b, t.a, t.v, 7) as same from two t order by 1;
select count(*) from two t where row((t).*) = row(1, 2, 'x');
select (s).* from (select a, count(*) as n from two group by a) s order by 1;
select (a.t).v, (b.t).v as w from (select t from two t) a join (select t from two t) b on (a.t).a < (b.t).a;
insert into two values (8, 9, 'z') returning (two).*;
select (select (t).v from two t where t.a = s.a) from (select (two).* from two) s order by 1;
