-- SEARCH and CYCLE of recursive WITH items.
create table tree (id int, parent int, name text);
insert into tree values (1, null, 'root'), (2, 1, 'b'), (3, 1, 'a'), (4, 2, 'bb'), (5, 2, 'ba'), (6, 3, 'aa'), (7, 6, 'aaa');
create table edge (f int, t int, label text);
insert into edge values (1, 2, 'x'), (1, 3, 'y'), (2, 3, 'z'), (1, 4, 'u'), (4, 5, 'v'), (5, 1, 'w');
with recursive s(id, name) as (select id, name from tree where parent is null union all
  select t.id, t.name from tree t join s on t.parent = s.id) search depth first by name set seq select id, name, seq from s order by seq;
with recursive s(id, name) as (select id, name from tree where parent is null union all
  select t.id, t.name from tree t join s on t.parent = s.id) search breadth first by name, id set seq select * from s order by seq;
with recursive s as (select * from tree where parent is null union all
  select t.* from tree t, s where t.parent = s.id) search depth first by id set seq select id, seq from s order by seq;
with recursive s as (select * from tree where parent is null union
  select t.* from tree t, s as up where t.parent = up.id) search breadth first by id set seq select id, name from s order by seq;
with recursive g(f, t, label) as (select * from edge union all select e.* from edge e, g where g.t = e.f) cycle f, t set is_cycle using path
  select * from g order by path;
with recursive g(f, t, label) as (select * from edge where f = 1 union distinct select e.* from edge e, g where g.t = e.f)
  cycle f, t set is_cycle to 'Y' default 'N' using path select f, t, is_cycle, path from g order by path;
with recursive g(n) as (select 1 union all select (n + 1) % 4 from g) cycle n set looped to 1 default 0 using way select * from g;
with recursive g(n) as (values (1) union all select (n + 1) % 4 from g where n >= 0) search depth first by n set o cycle n set looped to true default false using way
  select * from g order by o;
with recursive g(f, t, label) as (select * from edge union all select e.* from edge e, g where g.t = e.f)
  search breadth first by f, t set seq cycle f, t set is_cycle using path select f, t, is_cycle, seq from g order by seq limit 8;
with recursive g(f, t, label) as (select * from edge union all select e.* from edge e, g where g.t = e.f and not g.is_cycle)
  cycle f, t set is_cycle using path select count(*) from g;
with recursive s(id, depth) as (select id, 0 from tree where parent is null union all
  select t.id, s.depth + 1 from s left join tree t on t.parent = s.id where t.id is not null) search depth first by id set seq select id, depth, seq from s order by seq;
create view v_search as with recursive s(id) as (select id from tree where parent is null union all
  select t.id from tree t, s where t.parent = s.id) search depth first by id set seq select * from s;
select id from v_search order by seq desc;
-- refused
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) search depth first by nosuch set seq select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) search depth first by id, id set seq select * from s;
with recursive s(id) as (select 1 union all select 1 from s where false) search depth first by id set id select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) cycle nosuch set m using p select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) cycle id, id set m using p select * from s;
with recursive s(id) as (select 1 union all select 1 from s where false) cycle id set id using p select * from s;
with recursive s(id) as (select 1 union all select 1 from s where false) cycle id set m using id select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) cycle id set m using m select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) search depth first by id set q cycle id set q using p select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) search depth first by id set q cycle id set m using q select * from s;
with recursive s(id) as (select 1) search depth first by id set seq select * from s;
with s(id) as (select 1 union all select 2) search depth first by id set seq select * from s;
with recursive s(id) as (select 1 union all (select id + 1 from s where id < 3 union all select 5)) search depth first by id set seq select * from s;
with recursive s(id) as ((select 1 union all select 2) union all select id + 1 from s where id < 3) search depth first by id set seq select * from s;
with recursive s(id) as (select 1 union all select * from (select id + 1 from s where id < 3) x) search depth first by id set seq select * from s;
with recursive s(id) as (select 1 union all select id + 1 from s where id < 3) cycle id set m to true default 55 using p select * from s;
