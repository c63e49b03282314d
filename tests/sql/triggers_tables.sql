-- Transition tables, INSTEAD OF triggers of views, statement triggers of what referential actions change.
create table item (id int primary key, n int, tag text);
create table note (what text, n bigint);
create function told() returns trigger language plpgsql as $$
declare r record; o text := ''; n text := '';
begin
    if tg_op <> 'INSERT' then
        for r in select id, i.n from was i order by id loop o := o || ' ' || r.id || '=' || coalesce(r.n::text, '-'); end loop;
    end if;
    if tg_op <> 'DELETE' then
        for r in execute 'select id, n from becomes order by id' loop n := n || ' ' || r.id || '=' || coalesce(r.n::text, '-'); end loop;
    end if;
    raise notice '% % %: old%, new%', tg_name, tg_op, tg_level, o, n;
    return null;
end $$;
create trigger ins after insert on item referencing new table as becomes for each statement execute function told();
create trigger upd after update on item referencing old table as was new table as becomes for each statement execute function told();
create trigger del after delete on item referencing old table as was for each statement execute function told();
insert into item values (1, 10, 'a'), (2, 20, 'b'), (3, null, 'c');
insert into item select 9, 9, 'x' where false;
update item set n = n + 1 where id < 3;
update item set n = 0 where id > 77;
delete from item where id = 3;
insert into item values (1, 100, 'again'), (4, 40, 'new') on conflict (id) do update set n = excluded.n;
create function joined() returns trigger language plpgsql as $$
begin
    insert into note select 'diff ' || w.id, b.n - w.n from was w join becomes b using (id) order by w.id;
    insert into note select 'rows', count(*) from becomes;
    perform count(*) from item;
    return null;
end $$;
create trigger joined after update on item referencing old table as was new table as becomes for each statement execute function joined();
update item set n = n * 2;
select * from note order by what;
create function by_row() returns trigger language plpgsql as $$
begin raise notice 'row % of %, sum %', new.id, (select count(*) from becomes), (select sum(n) from becomes); return new; end $$;
create trigger by_row after insert on item referencing new table as becomes for each row execute function by_row();
insert into item values (6, 60, 'f'), (7, 70, 'g');
create function outsider() returns bigint language sql as 'select 1::bigint';
create function nested() returns bigint language plpgsql as $$ begin return (select count(*) from becomes); end $$;
create function asks() returns trigger language plpgsql as $$ begin raise notice '%', nested(); return null; end $$;
create trigger asks after insert on item referencing new table as becomes for each statement execute function asks();
insert into item values (8, 80, 'h');
drop trigger asks on item;
create function writes() returns trigger language plpgsql as $$ begin delete from becomes; return null; end $$;
create trigger writes after insert on item referencing new table as becomes for each statement execute function writes();
insert into item values (8, 80, 'h');
drop trigger writes on item;
\d item
select pg_get_triggerdef(oid) from pg_trigger where tgname = 'upd';
-- refused
create trigger t before insert on item referencing new table as x for each statement execute function told();
create trigger t after insert or update on item referencing new table as x for each statement execute function told();
create trigger t after insert on item referencing old table as x for each statement execute function told();
create trigger t after delete on item referencing new table as x for each statement execute function told();
create trigger t after update of n on item referencing new table as x for each statement execute function told();
create trigger t after update on item referencing new table as x old table as x for each statement execute function told();
create trigger t after truncate on item referencing old table as x for each statement execute function told();
-- views
create table base (id int primary key, v text, hidden int default 7);
insert into base values (1, 'one'), (2, 'two'), (3, 'three');
create view shown as select id, upper(v) as v, length(v) as len from base;
create function instead() returns trigger language plpgsql as $$
begin
    raise notice '% % %: % -> %', tg_when, tg_level, tg_op, old, new;
    if tg_op = 'INSERT' then
        if new.id < 0 then return null; end if;
        insert into base values (new.id, new.v);
        new.len := length(new.v);
        return new;
    elsif tg_op = 'UPDATE' then
        update base set id = new.id, v = lower(new.v) where id = old.id;
        return new;
    end if;
    delete from base where id = old.id;
    return old;
end $$;
create trigger instead instead of insert or update or delete on shown for each row execute function instead();
insert into shown values (4, 'four', null), (-1, 'no', null) returning id, v, len;
insert into shown (id, v) select 10 + id, v from base where id < 3 returning shown;
update shown set v = v || '!' where len = 3 returning id, v, len;
update shown s set v = b.v || b.id from base b where b.id = s.id and s.id = 11 returning s.*, b.hidden;
delete from shown where id > 10 returning *;
delete from shown using base b where b.id = shown.id and b.id = 4;
update shown set v = 'x' where id = 99;
select * from base order by id;
select * from shown order by id;
create function stmt() returns trigger language plpgsql as $$ begin raise notice '% % %', tg_when, tg_level, tg_op; return null; end $$;
create trigger b before update on shown for each statement execute function stmt();
create trigger a after update on shown for each statement execute function stmt();
update shown set v = 'neu' where id = 1;
create or replace view shown as select id, upper(v) as v, length(v) as len from base where id > 0;
update shown set v = 'neuer' where id = 1;
create trigger c before insert on shown for each row execute function stmt();
create trigger c instead of insert on shown for each statement execute function stmt();
create trigger c instead of update of v on shown for each row execute function stmt();
create trigger c instead of insert on shown for each row when (new.id > 1) execute function stmt();
create trigger c after truncate on shown for each statement execute function stmt();
create trigger c instead of insert on base for each row execute function stmt();
create trigger c after update on shown referencing new table as x for each statement execute function stmt();
drop trigger instead on shown;
-- referential actions
create table parent (id int primary key);
create table child (id int primary key, p int references parent on delete cascade on update cascade);
create table grand (c int references child on delete cascade, x int);
create function heard() returns trigger language plpgsql as $$
begin raise notice '% % % %', tg_table_name, tg_when, tg_level, tg_op; return coalesce(new, old); end $$;
create trigger p1 before delete or update on parent for each statement execute function heard();
create trigger p2 after delete or update on parent for each statement execute function heard();
create trigger p3 after delete or update on parent for each row execute function heard();
create trigger c1 before delete or update on child for each statement execute function heard();
create trigger c2 after delete or update on child for each statement execute function heard();
create trigger c3 after delete or update on child for each row execute function heard();
create trigger g2 after delete on grand for each statement execute function heard();
create function gone() returns trigger language plpgsql as $$ begin raise notice 'gone: %', (select string_agg(id::text, ' ' order by id) from was); return null; end $$;
create trigger c4 after delete on child referencing old table as was for each statement execute function gone();
insert into parent values (1), (2), (3);
insert into child values (10, 1), (11, 1), (20, 2);
insert into grand values (10, 1), (20, 2);
update parent set id = 5 where id = 1;
delete from parent where id in (5, 3);
delete from parent where id = 3;
-- a constraint trigger with FROM
create constraint trigger k after insert on child from parent deferrable initially deferred for each row execute function heard();
select pg_get_triggerdef(oid) from pg_trigger where tgname = 'k';
select tgconstrrelid::regclass from pg_trigger where tgname = 'k';
begin;
insert into child values (30, 2);
commit;
