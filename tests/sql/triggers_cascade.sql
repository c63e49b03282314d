-- Triggers of a table whose rows referential actions change, when the statement names one row of a table without any.
create table customer (id int primary key, name text);
create table orders (id int primary key, customer int default 9 references customer on delete cascade on update cascade, amount int);
create table gift (id int primary key, customer int references customer on delete set null on update cascade);
create table line (id int primary key, orders int references orders on delete cascade);
create table total (customer int primary key, n int, amount int);
create function sum_up() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    update total set n = n - 1, amount = amount - old.amount where customer = old.customer;
    delete from total where customer = old.customer and n = 0;
  end if;
  if tg_op <> 'DELETE' then
    insert into total values (new.customer, 1, new.amount)
      on conflict (customer) do update set n = total.n + 1, amount = total.amount + excluded.amount;
  end if;
  return null;
end $$;
create trigger sum_up after insert or update or delete on orders for each row execute function sum_up();
create function tell() returns trigger language plpgsql as $$
begin
  raise notice '% % % %', tg_table_name, tg_when, tg_level, tg_op;
  if tg_op = 'DELETE' then return old; end if;
  return new;
end $$;
create trigger tell_row before update on gift for each row execute function tell();
create trigger tell_line after delete on line for each row execute function tell();
insert into customer values (1, 'a'), (2, 'b'), (3, 'c');
insert into orders values (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, 3, 7);
insert into gift values (1, 1), (2, 2);
insert into line values (1, 1), (2, 1), (3, 3);
select * from total order by 1;
delete from customer where id = 1;
select * from total order by 1;
select * from gift order by 1;
update customer set id = 7 where id = 2;
select * from total order by 1;
select * from orders order by 1;
prepare gone(int) as delete from customer where id = $1;
execute gone(7);
execute gone(8);
select * from total order by 1;
create trigger tell_orders before delete on orders for each row execute function tell();
execute gone(3);
select count(*) from orders;
select count(*) from total;
