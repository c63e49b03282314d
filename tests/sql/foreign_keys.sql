-- Foreign keys: making them, what they check, what becomes of rows that refer to a key that is gone.
\set QUIET 1

-- forms, and the names they get
create table p (id int primary key, a int, b text, unique (a, b));
create table c1 (id int primary key, p_id int references p, x int);
create table c2 (id int, a int, b text, constraint c2_ab foreign key (a, b) references p (a, b) match full);
create table c3 (id int, p_id int, foreign key (p_id) references p (id) on delete cascade on update cascade);
create table c4 (p_id int constraint named references p (id) on delete set null on update set default deferrable initially deferred);
create table c5 (id int default 7 references p on delete set default);
create table c6 (b text, a int, foreign key (b, a) references p (b, a) on delete set null (a) on update restrict);
select conname, contype, conrelid::regclass, confrelid::regclass, conkey, confkey, confupdtype, confdeltype, confmatchtype,
       condeferrable, condeferred, convalidated, conindid::regclass
  from pg_constraint where contype = 'f' order by conname;
select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
\d c2
\d p
\d c6
select constraint_name, unique_constraint_name, match_option, update_rule, delete_rule
  from information_schema.referential_constraints order by 1;
select constraint_name, table_name, column_name, ordinal_position, position_in_unique_constraint
  from information_schema.key_column_usage where table_schema = 'public' order by 1, 4;

-- the child's side
insert into p values (1, 10, 'x'), (2, 20, 'y'), (3, null, 'z');
insert into c1 values (1, 1, 0), (2, null, 0);
insert into c1 values (3, 9, 0);
insert into c1 values (3, 1, 0), (4, 2, 0), (5, 99, 0), (6, 98, 0);
update c1 set p_id = 5 where id = 1;
update c1 set p_id = 2 where id = 1;
update c1 set p_id = p_id, x = 3;
insert into c1 select 100 + i, i % 4 from generate_series(1, 6) i;
insert into c2 values (1, 10, 'x'), (2, null, null);
insert into c2 values (3, 10, null);
insert into c2 values (3, 10, 'y');
insert into c2 values (3, null, 'z');
insert into c6 values ('x', 10), (null, 11), ('q', null);
insert into c6 values ('q', 11);
copy c1 from stdin;
201	2	0
202	8	0
\.
select * from c1 order by id;

-- the referenced side
delete from p where id = 1;
update p set id = 11 where id = 2;
update p set id = id, b = b || '';
update p set a = 11 where id = 1;
delete from p where id = 3;
insert into p values (3, 30, 'z');
insert into c3 values (1, 3), (2, 3);
update p set id = 33 where id = 3;
select * from c3 order by 1;
delete from p where id = 33;
select * from c3;
drop table c1;
insert into p values (5, 50, 'v'), (7, 70, 's'), (8, 80, 'e');
insert into c4 values (5);
insert into c5 values (8), (7);
delete from p where id = 5;
select * from c4;
delete from p where id = 8;
select * from c5;
delete from p where id = 7;
delete from c5;
alter table c5 alter id drop default;
insert into c5 values (7);
delete from p where id = 7;
select * from c5;
delete from c2;
delete from p where id = 1;
select * from c6 order by 1;
insert into p values (1, 10, 'x');
update c6 set a = 10 where b = 'x';
update p set b = 'xx' where id = 1;
drop table c2, c3, c4, c5, c6;
drop table p;

-- chains, circles, and rows that refer to their own table
create table tree (id int primary key, up int references tree on delete cascade);
insert into tree values (3, 2), (2, 1), (1, 1), (4, 4);
insert into tree values (5, 6);
insert into tree values (5, 6), (6, 5);
delete from tree where id = 1;
select * from tree order by 1;
update tree set id = 7 where id = 5;
update tree set id = id + 1, up = up + 1;
select * from tree order by 1;
create table a (id int primary key, b_id int);
create table b (id int primary key, a_id int references a on delete cascade);
alter table a add foreign key (b_id) references b on delete cascade;
insert into a values (1, null), (2, null);
insert into b values (1, 1), (2, 2);
update a set b_id = id;
delete from a where id = 1;
select * from a, b;
drop table a;
drop table a cascade;
\d b
drop table b, tree;
create table l1 (id int primary key);
create table l2 (id int primary key references l1 on update cascade on delete cascade);
create table l3 (id int primary key references l2 on update cascade on delete cascade, n int not null default 0 check (id < 50));
create table l4 (id int references l3 on update cascade on delete set null, g int generated always as (id * 2) stored);
insert into l1 select generate_series(1, 20);
insert into l2 select generate_series(1, 20);
insert into l3 select generate_series(1, 20);
insert into l4 select i % 20 + 1 from generate_series(1, 40) i;
update l1 set id = id + 20 where id <= 5;
select count(*), min(id), max(id), sum(g) from l4;
delete from l1 where id between 6 and 10;
select count(*), min(id), max(id), sum(g) from l4;
\set SHOW_CONTEXT never
update l1 set id = 60 where id = 11;
\set SHOW_CONTEXT errors
update l1 set id = 60 where id = 11;
select count(*) from l1 join l2 using (id) join l3 using (id);
drop table l4, l3, l2, l1;

-- not null and defaults that are no keys
create table p (id int primary key);
create table c (id int not null references p on delete set null, d int default 3 references p on delete set default on update set default);
insert into p values (1), (2);
insert into c values (1, 2);
delete from p where id = 1;
delete from p where id = 2;
update p set id = 5 where id = 2;
drop table c, p;

-- types that are not the same
create table p (i int primary key, n numeric unique, t text unique, v varchar(10) unique, d timestamp unique);
insert into p values (1, 1.50, 'a', 'b', '2020-01-01');
create table c (i8 bigint references p, i2 smallint references p, n numeric(10,1) references p (n), i4 int references p (n),
                v varchar references p (t), t text references p (v), d date references p (d));
insert into c (i8, i2, n) values (1, 1, 1.5);
insert into c (i8) values (5000000000);
insert into c (i4) values (1);
insert into c (v, t) values ('a', 'b');
insert into c (v) values ('b');
insert into c (d) values ('2020-01-01');
insert into c (d) values ('2020-01-02');
update p set n = 2 where i = 1;
delete from p;
update c set i8 = null, i2 = null, n = null;
update p set i = 2, n = 2;
delete from p;
create table e1 (x text references p);
create table e2 (x numeric references p);
create table e3 (x boolean references p (n));
drop table c, p;

-- what cannot be made
create table p (id int, a int unique, b int);
create view v as select 1 as id;
create table e (x int references p);
create table e (x int references p (b));
create table e (x int references p (nothing));
create table e (x int references nothing);
create table e (x int references v);
create table e (x int references pg_class);
create table e (x int, foreign key (y) references p (a));
create table e (x int, y int, foreign key (x, y) references p (a));
create table e (x int, y int, foreign key (x, y) references p (a, a));
create table e (x int, y int, foreign key (x) references p (a) on delete set null (y));
create table e (x int, g int generated always as (x) stored references p (a) on update cascade);
create table e (x int, g int generated always as (x) stored references p (a) on delete set null);
create table e (x int references p (a) not deferrable initially deferred);
create table e (x int, constraint k foreign key (x) references p (a), constraint k foreign key (x) references p (a));
create unlogged table u (id int primary key);
create table e (x int references u);
create table q (id int primary key);
create table e (x int references p (a) match partial);
drop table u, q;
drop view v;

-- alter table
create table c (x int, y int);
insert into p values (1, 1, 1), (2, 2, 2);
insert into c values (1, 1), (3, 3);
alter table c add constraint c_fk foreign key (x) references p (a);
alter table c add constraint c_fk foreign key (x) references p (a) not valid;
\d c
insert into c values (4, 4);
alter table c validate constraint c_fk;
delete from c where x = 3;
alter table c validate constraint c_fk;
alter table c validate constraint c_fk;
\d c
alter table c add constraint c_fk foreign key (y) references p (a);
alter table c add foreign key (y) references p (a), add foreign key (y) references p (a);
\d c
alter table c add column z int default 5 references p (a);
alter table c add column z int default 2 references p (a);
insert into c values (1, 1);
select * from c order by z, x;
alter table c rename column x to xx;
alter table p rename column a to aa;
alter table p rename to pp;
alter table c rename constraint c_fk to c_fk2;
insert into c values (77);
delete from pp where aa = 1;
\d c
alter table c alter column xx type bigint;
alter table c alter column xx type text;
alter table pp alter column aa type numeric;
insert into c values (77);
alter table c drop constraint c_fk2;
alter table c drop constraint c_fk2;
alter table c drop constraint if exists c_fk2;
alter table c drop column z;
\d c
alter table pp drop column aa;
alter table pp drop constraint p_a_key;
drop table pp;
alter table pp drop constraint p_a_key cascade;
\d c
create unique index p_aa on pp (aa);
alter table c add foreign key (y) references pp (aa);
drop index p_aa;
drop index p_aa cascade;
create unique index p_aa on pp (aa);
alter table c add foreign key (y) references pp (aa);
alter table pp drop column aa cascade;
\d c
drop table c, pp;

-- truncate
create table p (id int primary key);
create table c (id int references p);
create table d (id int unique references p);
create table e (id int references d (id));
insert into p values (1); insert into c values (1); insert into d values (1); insert into e values (1);
truncate p;
truncate p, c;
truncate p, c, d, e;
insert into p values (1); insert into c values (1); insert into d values (1); insert into e values (1);
truncate p cascade;
select (select count(*) from p), (select count(*) from c), (select count(*) from d), (select count(*) from e);
drop table p;
drop table p cascade;
drop table c, d, e;

-- on conflict, returning, transactions and savepoints
create table p (id int primary key, n int unique);
create table c (id int primary key, n int references p (n) on update cascade);
insert into p values (1, 1), (2, 2);
insert into c values (1, 1), (2, 2);
insert into p values (1, 5) on conflict (id) do update set n = excluded.n;
select * from c order by 1;
insert into c values (1, 9) on conflict (id) do update set n = excluded.n;
insert into c values (1, 9) on conflict do nothing;
insert into c values (4, 5), (5, 6) returning *;
begin;
savepoint s;
delete from p where id = 2;
rollback to s;
delete from c;
delete from p;
rollback to s;
insert into p values (3, 3);
insert into c values (3, 3);
update p set n = 30 where id = 3;
commit;
select * from c order by 1;
update p set n = n + 1;
update p set n = null where id = 1;
select * from c order by 1;
-- a key that is given to another row within the statement
create table q (id int primary key, k int unique);
create table r (k int references q (k));
insert into q values (1, 1), (2, 2);
insert into r values (1);
delete from q where id = 1;
begin;
delete from r;
delete from q where id = 1;
rollback;
drop table c, p, r, q;

-- schemas
create schema s1;
create schema s2;
create table s1.p (id serial primary key);
create table s1.q (id int primary key, p int references s1.p);
create table s2.c (id int references s1.p, q int references s1.q);
create view s2.v as select * from s1.q;
drop schema s1;
drop schema s1, s2;
drop schema s1 cascade;
\d s2.c
drop schema s2 cascade;

-- a row that refers to itself gets another key
create table t (id int primary key, up int references t on update set null on delete cascade, x int default 0);
insert into t values (1, 1), (2, 2), (3, 2);
update t set id = 5 where id = 1;
update t set id = 6 where id = 2;
select * from t order by id;
drop table t;
create table p (id int primary key);
create table c (id int);
insert into c values (1);
alter table c add foreign key (id) references p not valid;
update c set id = id;
update c set id = 2;
drop table c, p;
