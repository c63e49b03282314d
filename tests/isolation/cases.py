"""The scripts of anomalies.py. "begin" alone begins at the level that the case runs at."""

SETUP = """
drop table if exists test, doctors, account, receipt, control, empty_one, parent, child, wide cascade;
create table test (id int primary key, value int);
insert into test values (1, 10), (2, 20);
create table doctors (name text primary key, on_call bool);
insert into doctors values ('alice', true), ('bob', true);
create table account (id text primary key, balance int);
insert into account values ('x', 0), ('y', 0);
create table control (batch int);
insert into control values (1);
create table receipt (id int primary key, batch int, amount int);
insert into receipt values (1, 1, 18);
create table empty_one (id int primary key, v int);
create table parent (id int primary key, n int);
insert into parent values (1, 0), (2, 0);
create table child (id int primary key, parent int references parent);
insert into child values (1, 1);
create table wide (id int primary key, tag int, n int);
create index wide_tag on wide (tag);
insert into wide select i, i, 0 from generate_series(1, 5000) i;
analyze wide;
"""

# At each of the levels.
HERMITAGE = {
    "G0": [
        "1: begin", "2: begin", "1: update test set value = 11 where id = 1",
        "2: update test set value = 12 where id = 1", "1: update test set value = 21 where id = 2",
        "1: commit", "2?", "1: select * from test order by id",
        "2: update test set value = 22 where id = 2", "2: commit",
        "1: select * from test order by id"],
    "G1a": [
        "1: begin", "2: begin", "1: update test set value = 101 where id = 1",
        "2: select * from test order by id", "1: rollback", "2: select * from test order by id",
        "2: commit"],
    "G1b": [
        "1: begin", "2: begin", "1: update test set value = 101 where id = 1",
        "2: select * from test order by id", "1: update test set value = 11 where id = 1",
        "1: commit", "2: select * from test order by id", "2: commit"],
    "G1c": [
        "1: begin", "2: begin", "1: update test set value = 11 where id = 1",
        "2: update test set value = 22 where id = 2", "1: select * from test where id = 2",
        "2: select * from test where id = 1", "1: commit", "2: commit"],
    "OTV": [
        "1: begin", "2: begin", "3: begin", "1: update test set value = 11 where id = 1",
        "1: update test set value = 19 where id = 2", "2: update test set value = 12 where id = 1",
        "1: commit", "2?", "3: select * from test where id = 1",
        "2: update test set value = 18 where id = 2", "3: select * from test where id = 2",
        "2: commit", "3: select * from test where id = 2", "3: select * from test where id = 1",
        "3: commit"],
    "PMP": [
        "1: begin", "2: begin", "1: select * from test where value = 30",
        "2: insert into test values (3, 30)", "2: commit",
        "1: select * from test where value % 3 = 0", "1: commit"],
    "PMP, write": [
        "1: begin", "2: begin", "1: update test set value = value + 10",
        "2: delete from test where value = 20", "1: commit", "2?",
        "2: select * from test where value = 20", "2: commit", "1: select * from test order by id"],
    "P4": [
        "1: begin", "2: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 1", "1: update test set value = 11 where id = 1",
        "2: update test set value = 11 where id = 1", "1: commit", "2?", "2: commit"],
    "G-single": [
        "1: begin", "2: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 1", "2: select * from test where id = 2",
        "2: update test set value = 12 where id = 1", "2: update test set value = 18 where id = 2",
        "2: commit", "1: select * from test where id = 2", "1: commit"],
    "G-single, dependencies": [
        "1: begin", "2: begin", "1: select * from test where value % 5 = 0 order by id",
        "2: update test set value = 12 where value = 10", "2: commit",
        "1: select * from test where value % 3 = 0 order by id", "1: commit"],
    "G-single, write 1": [
        "1: begin", "2: begin", "1: select * from test where id = 1",
        "2: select * from test order by id", "2: update test set value = 12 where id = 1",
        "2: update test set value = 18 where id = 2", "2: commit",
        "1: delete from test where value = 20", "1: select * from test where id = 2", "1: commit"],
    "G-single, write 2": [
        "1: begin", "2: begin", "1: select * from test where id = 1",
        "2: select * from test order by id", "2: update test set value = 12 where id = 1",
        "1: delete from test where value = 20", "2: update test set value = 18 where id = 2",
        "1: rollback", "2?", "2: commit"],
    "G2-item": [
        "1: begin", "2: begin", "1: select * from test where id in (1, 2) order by id",
        "2: select * from test where id in (1, 2) order by id",
        "1: update test set value = 11 where id = 1", "2: update test set value = 21 where id = 2",
        "1: commit", "2: commit", "1: select * from test order by id"],
    "G2": [
        "1: begin", "2: begin", "1: select * from test where value % 3 = 0",
        "2: select * from test where value % 3 = 0", "1: insert into test values (3, 30)",
        "2: insert into test values (4, 42)", "1: commit", "2: commit",
        "1: select * from test where value % 3 = 0 order by id"],
    "G2, two edges": [
        "1: begin", "1: select * from test order by id", "2: begin",
        "2: update test set value = value + 5 where id = 2", "2: commit", "3: begin",
        "3: select * from test order by id", "3: commit",
        "1: update test set value = 0 where id = 1", "1: commit"],
    "write skew": [
        "1: begin", "2: begin", "1: select count(*) from doctors where on_call",
        "2: select count(*) from doctors where on_call",
        "1: update doctors set on_call = false where name = 'alice'",
        "2: update doctors set on_call = false where name = 'bob'", "1: commit", "2: commit",
        "1: select * from doctors order by name"],
    "read-only anomaly": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit", "3: begin",
        "3: select * from account order by id", "3: commit",
        "2: update account set balance = -11 where id = 'x'", "2: commit",
        "1: select * from account order by id"],
    "phantom, read twice": [
        "1: begin", "1: select count(*), sum(n) from wide where tag between 10 and 20",
        "2: begin", "2: insert into wide values (6000, 15, 100)", "2: delete from wide where tag = 12",
        "2: commit", "1: select count(*), sum(n) from wide where tag between 10 and 20", "1: commit"],
    "phantom, both count and insert": [
        "1: begin", "2: begin", "1: select count(*) from wide where tag between 10 and 20",
        "2: select count(*) from wide where tag between 15 and 25",
        "1: insert into wide values (6001, 24, 0)", "2: insert into wide values (6002, 11, 0)",
        "1: commit", "2: commit", "1: select count(*) from wide where tag between 10 and 25"],
}

# At SERIALIZABLE alone.
SERIALIZABLE = {
    "write skew": [
        "1: begin", "2: begin", "1: select count(*) from doctors where on_call",
        "2: select count(*) from doctors where on_call",
        "1: update doctors set on_call = false where name = 'alice'",
        "2: update doctors set on_call = false where name = 'bob'", "1: commit", "2: commit",
        "2: select * from doctors order by name"],
    "write skew, the second comes later": [
        "1: begin", "2: begin", "1: select * from doctors where name = 'alice'",
        "2: select * from doctors where name = 'bob'",
        "1: update doctors set on_call = false where name = 'bob'", "1: commit",
        "2: update doctors set on_call = false where name = 'alice'", "2: commit"],
    "write skew, it reads after the commit": [
        "1: begin", "2: begin", "2: update doctors set on_call = false where name = 'alice'",
        "1: select * from doctors where name = 'alice'",
        "1: update doctors set on_call = false where name = 'bob'", "1: commit",
        "2: select * from doctors where name = 'bob'", "2: commit"],
    "it goes on after the failure": [
        "1: begin", "2: begin", "1: select sum(value) from test", "2: select sum(value) from test",
        "1: update test set value = 0 where id = 1", "2: update test set value = 0 where id = 2",
        "1: commit", "2: savepoint s", "2: select * from test where id = 1",
        "2: rollback to s", "2: select 1", "2: commit"],
    "a savepoint does not help": [
        "1: begin", "2: begin", "1: select sum(value) from test", "2: savepoint s",
        "2: select sum(value) from test", "2: rollback to s",
        "1: update test set value = 0 where id = 1", "2: update test set value = 0 where id = 2",
        "1: commit", "2: commit"],
    "the read-only anomaly": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit", "3: begin",
        "3: select * from account order by id", "3: commit",
        "2: update account set balance = -11 where id = 'x'", "2: commit"],
    "the read-only anomaly, declared": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit",
        "3: begin read only", "3: select * from account order by id", "3: commit",
        "2: update account set balance = -11 where id = 'x'", "2: commit"],
    "the reader comes too late": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit",
        "2: update account set balance = -11 where id = 'x'", "2: commit", "3: begin",
        "3: select * from account order by id", "3: commit"],
    "the reader fails, not the pivot": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit", "3: begin",
        "3: select 1", "2: update account set balance = -11 where id = 'x'", "2: commit",
        "3: select * from account where id = 'x'", "3: commit"],
    "the reader came before the commit": [
        "2: begin", "2: select * from account order by id", "3: begin read only",
        "3: select * from account where id = 'y'", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit",
        "3: select * from account order by id", "3: commit",
        "2: update account set balance = -11 where id = 'x'", "2: commit"],
    "deferrable waits for a safe snapshot": [
        "2: begin", "2: select * from account order by id", "1: begin",
        "1: update account set balance = balance + 20 where id = 'y'", "1: commit",
        "3: begin read only, deferrable", "3: select * from account order by id",
        "2: update account set balance = -11 where id = 'x'", "2: commit", "3?", "3: commit"],
    "deferrable, when the writer rolls back": [
        "2: begin", "2: update account set balance = 5 where id = 'x'",
        "3: begin read only, deferrable", "3: select * from account order by id", "2: rollback",
        "3?", "3: commit"],
    "deferrable, with nobody beside": [
        "3: begin read only, deferrable", "3: select * from account order by id",
        "1: begin", "1: select * from account order by id",
        "1: update account set balance = 1 where id = 'x'", "1: commit",
        "3: select * from account order by id", "3: commit"],
    "receipts and batches": [
        "2: begin", "2: select batch from control", "1: begin",
        "1: update control set batch = batch + 1", "1: commit", "3: begin",
        "3: select batch from control", "3: select * from receipt where batch = 1", "3: commit",
        "2: insert into receipt values (2, 1, 7)", "2: commit"],
    "receipts and batches, without a report": [
        "2: begin", "2: select batch from control", "1: begin",
        "1: update control set batch = batch + 1", "1: commit",
        "2: insert into receipt values (2, 1, 7)", "2: commit"],
    "phantom: a range of the key": [
        "1: begin", "2: begin", "1: select * from wide where id between 6000 and 6010",
        "2: select * from wide where id between 7000 and 7010",
        "1: insert into wide values (7005, 0, 0)", "2: insert into wide values (6005, 0, 0)",
        "1: commit", "2: commit"],
    "phantom: an empty table": [
        "1: begin", "2: begin", "1: select count(*) from empty_one",
        "2: select count(*) from empty_one", "1: insert into empty_one values (1, 1)",
        "2: insert into empty_one values (2, 2)", "1: commit", "2: commit"],
    "phantom: an index": [
        "1: begin", "2: begin", "1: select * from wide where tag = 9000",
        "2: select * from wide where tag = 9001", "1: insert into wide values (9001, 9001, 0)",
        "2: insert into wide values (9000, 9000, 0)", "1: commit", "2: commit"],
    "phantom: only the index is read": [
        "1: begin", "2: begin", "1: select tag from wide where tag = 9000",
        "2: select count(*) from wide where tag = 9001", "1: insert into wide values (9001, 9001, 0)",
        "2: insert into wide values (9000, 9000, 0)", "1: commit", "2: commit"],
    "phantom: an update moves a row in": [
        "1: begin", "2: begin", "1: select * from wide where tag = 9000",
        "2: select * from wide where tag = 9001", "1: update wide set tag = 9001 where id = 10",
        "2: update wide set tag = 9000 where id = 4000", "1: commit", "2: commit"],
    "phantom: a delete": [
        "1: begin", "2: begin", "1: select count(*) from test", "2: select count(*) from test",
        "1: delete from test where id = 1", "2: delete from test where id = 2", "1: commit",
        "2: commit"],
    "phantom: count of all": [
        "1: begin", "2: begin", "1: select count(*) from wide", "2: select count(*) from wide",
        "1: insert into wide values (6000, 1, 1)", "2: insert into wide values (6001, 1, 1)",
        "1: commit", "2: commit"],
    "phantom: the key is not there": [
        "1: begin", "2: begin", "1: select * from test where id = 7",
        "2: select * from test where id = 8", "1: insert into test values (8, 1)",
        "2: insert into test values (7, 1)", "1: commit", "2: commit"],
    "both look for the key, then insert it": [
        "1: begin", "2: begin", "1: select * from test where id = 7",
        "2: select * from test where id = 7", "1: insert into test values (7, 1)",
        "2: insert into test values (7, 1)", "1: commit", "2?", "2: rollback"],
    "both look for the key, then insert it, one after the other": [
        "1: begin", "2: begin", "1: select * from test where id = 7",
        "2: select * from test where id = 7", "1: insert into test values (7, 1)", "1: commit",
        "2: insert into test values (7, 1)", "2: rollback"],
    "insert without looking": [
        "1: begin", "2: begin", "1: select 1", "2: select 1", "1: insert into test values (7, 1)",
        "1: commit", "2: insert into test values (7, 1)", "2: rollback"],
    "foreign key: parent goes, child comes": [
        "1: begin", "2: begin", "1: select * from child where parent = 2",
        "2: select * from parent where id = 2", "1: delete from parent where id = 2", "1: commit",
        "2: insert into child values (2, 2)", "2: commit"],
    "foreign key: its check reads": [
        "1: begin", "2: begin", "1: select sum(n) from parent", "2: insert into child values (2, 2)",
        "1: insert into child values (3, 1)", "2: update parent set n = 1 where id = 1",
        "2: commit", "1: commit"],
    "foreign key: its check is a read": [
        "1: begin", "2: begin", "1: select count(*) from child", "2: insert into child values (2, 2)",
        "1: update parent set n = 5 where id = 2", "1: commit", "2: commit"],
    "foreign key: the parent's delete reads children": [
        "1: begin", "2: begin", "1: select n from parent where id = 1", "2: select 1",
        "1: delete from child", "2: delete from parent where id = 2",
        "1: insert into child values (5, 1)", "2: update parent set n = 1 where id = 1",
        "1: commit", "2: commit"],
    "for update is a read": [
        "1: begin", "2: begin", "1: select * from test where id = 1 for update",
        "2: select * from test where id = 2 for update",
        "1: select * from test where id = 2", "2: select * from test where id = 1", "1: commit",
        "2: commit"],
    "a cursor reads": [
        "1: begin", "2: begin", "1: declare c cursor for select * from test order by id",
        "1: fetch all from c", "2: select * from test order by id",
        "1: update test set value = 0 where id = 1", "2: update test set value = 0 where id = 2",
        "1: commit", "2: commit"],
    "writes alone": [
        "1: begin", "2: begin", "1: insert into test values (3, 1)",
        "2: insert into test values (4, 1)", "1: commit", "2: commit"],
    "one reads what the other writes": [
        "1: begin", "2: begin", "1: select * from test order by id",
        "2: update test set value = 1 where id = 1", "2: commit",
        "1: select * from test order by id", "1: commit"],
    "one after another": [
        "1: begin", "1: select sum(value) from test", "1: update test set value = 1 where id = 1",
        "1: commit", "2: begin", "2: select sum(value) from test",
        "2: update test set value = 1 where id = 2", "2: commit"],
    "truncate writes all": [
        "1: begin", "2: begin", "1: select count(*) from receipt", "2: select count(*) from test",
        "1: update test set value = 9 where id = 1", "1: commit", "2: truncate receipt",
        "2: commit"],
    "an index that goes": [
        "1: begin", "2: begin", "2: select * from test where id = 1",
        "1: select * from wide where tag = 9000", "1: update test set value = 9 where id = 1",
        "1: commit", "3: drop index wide_tag", "2: insert into wide values (9000, 9000, 0)",
        "2: commit"],
    "three in a ring": [
        "1: begin", "2: begin", "3: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 2", "3: select * from account where id = 'x'",
        "1: update test set value = 0 where id = 2", "2: update account set balance = 9 where id = 'x'",
        "3: update test set value = 0 where id = 1", "1: commit", "2: commit", "3: commit"],
    "the one in the middle commits first": [
        "1: begin", "2: begin", "3: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 2", "3: select 1",
        "2: update test set value = 0 where id = 1", "3: update test set value = 0 where id = 2",
        "2: commit", "3: commit", "1: commit"],
    "the first commits first": [
        "1: begin", "2: begin", "3: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 2", "3: select 1",
        "2: update test set value = 0 where id = 1", "3: update test set value = 0 where id = 2",
        "1: commit", "3: commit", "2: commit"],
    "the last commits first": [
        "1: begin", "2: begin", "3: begin", "1: select * from test where id = 1",
        "2: select * from test where id = 2", "3: select 1",
        "2: update test set value = 0 where id = 1", "3: update test set value = 0 where id = 2",
        "3: commit", "1: commit", "2: commit"],
}

# Levels mixed, and how they are asked for.
BOTH = {
    "repeatable read takes no part": [
        "1: begin isolation level serializable", "2: begin isolation level repeatable read",
        "1: select sum(value) from test", "2: select sum(value) from test",
        "1: update test set value = 0 where id = 1", "2: update test set value = 0 where id = 2",
        "1: commit", "2: commit"],
    "read committed takes no part": [
        "1: begin isolation level serializable", "1: select sum(value) from test",
        "1: update test set value = 0 where id = 1", "2: begin", "2: select sum(value) from test",
        "2: update test set value = 0 where id = 2", "2: commit", "1: commit"],
    "set transaction": [
        "1: begin", "1: set transaction isolation level serializable", "1: show transaction_isolation",
        "1: select count(*) from test", "1: set transaction isolation level serializable",
        "1: set transaction isolation level read committed", "1: rollback"],
    "set transaction: modes": [
        "1: begin isolation level serializable, read only, deferrable",
        "1: show transaction_read_only", "1: show transaction_deferrable",
        "1: select count(*) from test", "1: set transaction read only",
        "1: set transaction not deferrable", "1: rollback", "1: show transaction_deferrable"],
    "set transaction: deferrable within a savepoint": [
        "1: begin", "1: savepoint s", "1: set transaction deferrable", "1: rollback"],
    "set transaction: level within a savepoint": [
        "1: begin", "1: savepoint s", "1: set transaction isolation level read committed",
        "1: set transaction isolation level serializable", "1: rollback"],
    "set transaction: read only, then the snapshot": [
        "1: begin isolation level serializable", "1: set transaction read only",
        "2: begin isolation level serializable", "2: select sum(value) from test",
        "1: select sum(value) from test", "2: update test set value = 1 where id = 1", "2: commit",
        "1: select * from test order by id", "1: show transaction_read_only", "1: commit"],
    "set transaction: read write is too late": [
        "1: begin isolation level serializable read only", "1: select count(*) from test",
        "1: set transaction read write", "1: rollback"],
    "session characteristics": [
        "1: set session characteristics as transaction isolation level serializable, read only, deferrable",
        "1: show default_transaction_isolation", "1: show default_transaction_read_only",
        "1: show default_transaction_deferrable", "1: show transaction_isolation",
        "1: begin", "1: show transaction_isolation", "1: show transaction_deferrable", "1: commit",
        "1: insert into test values (5, 5)"],
    "the default": [
        "1: set default_transaction_isolation = serializable",
        "2: set default_transaction_isolation to 'SERIALIZABLE'", "1: begin", "2: begin",
        "1: select sum(value) from test", "2: select sum(value) from test",
        "1: update test set value = 0 where id = 1", "2: update test set value = 0 where id = 2",
        "1: commit", "2: commit", "2: show transaction_isolation"],
    "the default changes within a transaction": [
        "1: begin", "1: set default_transaction_isolation = serializable",
        "1: show transaction_isolation", "1: commit", "1: show transaction_isolation"],
    "a level that is none": [
        "1: set default_transaction_isolation = 'chaos'", "1: set transaction_isolation = 'chaos'"],
    "and chain": [
        "1: begin isolation level serializable, read only, deferrable", "1: select count(*) from test",
        "1: commit and chain", "1: show transaction_isolation", "1: show transaction_deferrable",
        "1: commit", "1: show transaction_isolation"],
    "read only does not write": [
        "1: begin isolation level serializable, read only", "1: update test set value = 1 where id = 1",
        "1: rollback"],
}

PIVOT = ["40001", "could not serialize access due to read/write dependencies among transactions",
         "Reason code: Canceled on identification as a pivot, during commit attempt.",
         "The transaction might succeed if retried."]

# Ours alone, with what is to be said: settings that PostgreSQL does not have, and what fails there, since it tracks
# pages of indexes and not keys.
OURS = {
    "threads scan": ([
        "1: set debug_parallel_query = on", "2: set debug_parallel_query = on", "1: begin", "2: begin",
        "1: select count(*) from wide where n = 1", "2: select count(*) from wide where n = 2",
        "1: insert into wide values (6000, 0, 2)", "2: insert into wide values (6001, 0, 1)",
        "1: commit", "2: commit"],
        ["SET", "SET", "BEGIN", "BEGIN", [[0]], [[0]], "INSERT 0 1", "INSERT 0 1", "COMMIT", PIVOT]),
    "rows of one page of an index": ([
        "1: begin", "2: begin", "1: select n from wide where tag = 100",
        "2: select n from wide where tag = 102", "1: insert into wide values (6101, 101, 0)",
        "2: insert into wide values (6103, 103, 0)", "1: commit", "2: commit"],
        ["BEGIN", "BEGIN", [[0]], [[0]], "INSERT 0 1", "INSERT 0 1", "COMMIT", "COMMIT"]),
    "the first row alone is read": ([
        "1: begin", "2: begin", "1: select id from wide order by id limit 1",
        "2: select id from wide order by id desc limit 1", "1: update wide set n = 1 where id = 2500",
        "2: update wide set n = 1 where id = 2501", "1: insert into wide values (6000, 0, 0)",
        "2: commit", "1: commit"],
        ["BEGIN", "BEGIN", [[1]], [[5000]], "UPDATE 1", "UPDATE 1", "INSERT 0 1", "COMMIT", "COMMIT"]),
}
