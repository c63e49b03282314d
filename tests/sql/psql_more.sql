-- psql's own commands about functions, triggers, types, materialized views, foreign keys, rights, and what is built in.
create schema app;
create type app.place as (street text, number integer, at numeric(9,6));
comment on type app.place is 'where';
create table app.maker (id int primary key, name varchar(40) not null, code char(3) unique deferrable initially deferred);
create table app.thing (id bigserial primary key, maker int references app.maker on delete cascade on update set null, twin bigint references app.thing deferrable, home app.place, homes app.place[], words text[], note text default E'a\nb', raw bytea, key uuid default gen_random_uuid(), info jsonb default '{"a": [1]}', at timestamptz(3) default now(), took interval day to second(2), on_day date default current_date, ok boolean default false, rate real, ratio double precision default 0.5, letter "char", named name, constraint long_enough check (length(note) > 0), constraint either check (ok is true or rate between 1 and 5));
alter table app.thing add constraint later check (id > 0) not valid;
create index thing_lower on app.thing (lower(note), (id + 1) desc) where ok and note is not null;
create index thing_words on app.thing (maker) include (ok, rate);
create materialized view app.sums as select maker, count(*) as n from app.thing group by maker;
create unique index sums_maker on app.sums (maker);
create view app.dear with (security_barrier) as select id, note from app.thing where id > 5 with cascaded check option;
create view app.over as select d.id, m.name from app.dear d, app.maker m where d.id = m.id;
create function app.add(a integer, b integer default 1) returns integer language sql immutable strict parallel safe as $$ select a + b $$;
create function app.many(inout x int, out y text, variadic z int[] default '{}') returns record language plpgsql as $$
begin
    y := x;
end $$;
create function app.rows_of(n int) returns table (a int, b text) language sql stable rows 7 cost 3 as 'select 1, ''x''';
create function app.things() returns setof app.thing language sql as 'select * from app.thing';
create function app.touch() returns trigger language plpgsql security definer as $$ begin return new; end $$;
create procedure app.run(inout n integer, t text default 'x') language plpgsql as $$ begin n := 1; end $$;
comment on function app.add(int, int) is 'adds';
comment on procedure app.run is 'runs';
create trigger touching before update of note, ok on app.thing for each row when (old.note is distinct from new.note) execute function app.touch('a', 'b''c');
create trigger counting after insert on app.thing referencing new table as fresh for each statement execute function app.touch();
create trigger emptied after truncate on app.maker for each statement execute function app.touch();
create constraint trigger checked after insert on app.maker deferrable initially deferred for each row execute function app.touch();
create trigger instead_of instead of insert on app.dear for each row execute function app.touch();
alter table app.thing disable trigger counting;
alter table app.maker enable always trigger emptied;
comment on trigger touching on app.thing is 'touches';
comment on constraint either on app.thing is 'one or the other';
comment on materialized view app.sums is 'sums';
comment on column app.sums.n is 'how many';
comment on index app.thing_lower is 'by letter';
set search_path = app, public;
\d thing
\d+ thing
\d maker
\d+ maker
\d sums
\d+ sums
\d dear
\d+ dear
\d over
\d+ over
\d place
\d+ place
\d thing_pkey
\d+ thing_lower
\d thing_words
\d maker_code_key
\d thing_id_seq
\d+ thing_id_seq
\dt
\dt app.m*
\di
\dv
\dm
\ds
\dE
\dtvmsi app.*
\df
\df app.*
\dfn app.*
\dft app.*
\dfp app.*
\dfa app.*
\dfw app.*
\df add
\df add integer
\df add integer integer
\df add text
\dT
\dT app.*
\dT place
\dd
\dd app.*
\dn
\dn app
\dp
\z thing
\sf app.add
\sf+ app.many
\sf rows_of
\sf things
\sf touch
\sf run
\sf nosuch
\sf pg_catalog.pg_size_pretty
\sv dear
\sv over
\sv+ over
\sv nosuch
\ddp
\dy
\dx
\dx nosuch
\dew
\des
\deu
\det
\dRp
\dRs
\dX
\dP
\dD
\dO nosuch
\dl
\dA btree
\dA+ heap
\dAc btree int4
\dAc btree date
\dAc hash uuid
\dAf btree int4
\dAf btree nosuch
\dL
\dC date
\dC uuid
\dC json
\db
\dg nosuch
\dconfig search_path
\dconfig server_v*_num
\drds
\l nosuch
grant select, insert on maker to public;
grant select on thing to public with grant option;
grant insert, update on thing to public;
grant select on sums to public;
grant usage on sequence thing_id_seq to public;
revoke all on function add from public;
\dp
\dp app.s*
\dn+ app
reset search_path;
\d app.thing
\d app.over
\sv app.over
\df app.*
\dT app.*
\d thing
\dt thing
\dt *.thing
\d app.*_pkey
\dy nosuch
\dF nosuch
\dFd nosuch
\dFp nosuch
\dFt nosuch
\dco nosuch
select pg_get_viewdef('app.over'), pg_get_viewdef('app.over'::regclass, true), pg_get_viewdef('app.over'::regclass, 0);
select tgname, pg_get_triggerdef(oid), pg_get_triggerdef(oid, true) from pg_trigger where not tgisinternal order by 1;
select conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) from pg_constraint where connamespace = 'app'::regnamespace order by 1, 2;
select pg_get_serial_sequence('app.thing', 'id'), pg_get_serial_sequence('app.thing', 'note');
select col_description('app.sums'::regclass, 2), obj_description('app.sums'::regclass), obj_description('app.sums'::regclass, 'pg_class'), obj_description('app.add'::regproc, 'pg_proc');
select pg_encoding_to_char(6), pg_char_to_encoding('utf8'), pg_get_userbyid(10), pg_get_userbyid(4711) like 'unknown%';
select count(*) from pg_depend where refobjid = 'app'::regnamespace and classid = 'pg_proc'::regclass;
set client_min_messages = warning;
drop schema app cascade;
