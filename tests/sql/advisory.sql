-- advisory locks of one session: what the functions return and say
select pg_advisory_lock(1), pg_advisory_lock_shared(1), pg_advisory_lock(1, 1);
select pg_try_advisory_lock(1), pg_try_advisory_lock_shared(2), pg_try_advisory_lock(-1, 2);
select locktype, database = (select oid from pg_database where datname = current_database()) as here, relation,
  page, tuple, classid, objid, objsubid, mode, granted, pid = pg_backend_pid() as mine
  from pg_locks where locktype = 'advisory' order by classid, objid, objsubid, mode;
select pg_advisory_unlock(1), pg_advisory_unlock(1), pg_advisory_unlock_shared(1);
select pg_advisory_unlock(1);
select pg_advisory_unlock_shared(1);
select pg_advisory_unlock(7, 7);
select pg_advisory_unlock_shared(2), pg_advisory_unlock(-1, 2), pg_advisory_unlock(1, 1);
select count(*) from pg_locks where locktype = 'advisory';

-- nulls
select pg_advisory_lock(null) is null, pg_try_advisory_lock(null), pg_advisory_unlock(null, 1);
select count(*) from pg_locks where locktype = 'advisory';

-- keys
select pg_advisory_lock(9223372036854775807), pg_advisory_lock((-9223372036854775808)::int8);
select pg_advisory_lock(2147483647, -2147483648);
select classid, objid, objsubid from pg_locks where locktype = 'advisory' order by 1, 2, 3;
select pg_advisory_lock(9223372036854775808);
select pg_advisory_lock(1, 2147483648);
select pg_advisory_lock('1');
select pg_advisory_lock(1.5);
select pg_advisory_unlock_all();
select count(*) from pg_locks where locktype = 'advisory';

-- in transactions
begin;
select pg_advisory_xact_lock(1), pg_advisory_xact_lock_shared(2), pg_try_advisory_xact_lock(3, 3),
  pg_try_advisory_xact_lock_shared(3, 4);
select pg_advisory_unlock(1);
select pg_advisory_unlock_shared(2);
select objid, mode from pg_locks where locktype = 'advisory' order by 1;
savepoint a;
select pg_advisory_xact_lock(5), pg_advisory_xact_lock(2), pg_advisory_xact_lock_shared(1);
select objid, mode from pg_locks where locktype = 'advisory' order by 1, 2;
rollback to a;
select objid, mode from pg_locks where locktype = 'advisory' order by 1, 2;
commit;
select count(*) from pg_locks where locktype = 'advisory';

-- one row after the other, and no further
create table q (id int primary key, done bool);
insert into q select i, false from generate_series(1, 20) i;
select id from q where pg_try_advisory_lock(id) limit 3;
select count(*) from pg_locks where locktype = 'advisory';
select id from q where not done and pg_try_advisory_lock(id) order by id limit 1;
select pg_advisory_unlock_all();
select pg_advisory_lock(id) is not null as l from (select id from q order by id limit 2) x;
select objid from pg_locks where locktype = 'advisory' order by 1;
select exists (select from q where pg_try_advisory_lock(100 + id));
select pg_advisory_unlock_all();
begin read only;
select pg_advisory_xact_lock(1), pg_advisory_lock(2);
rollback;
discard all;
select count(*) from pg_locks where locktype = 'advisory';
prepare p(int8) as select pg_try_advisory_lock($1);
execute p(4);
execute p(4);
select pg_advisory_unlock(4), pg_advisory_unlock(4), pg_advisory_unlock(4);
