"""The clients of kill_mix.py. Each has a state that it alone changes, and knows what was acknowledged of it (`sure`) and
what the statement in flight would make of it (`unsure`). After a kill the one or the other is there, wholly."""
import copy, random, time
import psycopg2

RETRY = ("40001", "40P01", "55P03", "55006") # serialization, deadlock, lock timeout, branch in use
SLOTS, LOOKS = 20, 12


class Client:
    """work() is called over and over on a thread; look() gives the state that the server has."""

    def __init__(self, number, counts):
        self.number, self.counts = number, counts
        self.serial = number * 10**6
        self.sure = self.unsure = None
        self.what = ""

    def next(self):
        self.serial += 1
        return self.serial

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self, server, seed, stop):
        rng = random.Random(seed * 1000 + self.number)
        try:
            c = server.connect()
            c.autocommit = True
            q = c.cursor()
            q.execute("set lock_timeout = '300ms'")
            while not stop.is_set():
                self.work(q, rng)
            c.close()
        except Exception as e: # pylint: disable=broad-except
            if not isinstance(e, psycopg2.Error) or e.pgcode: # of a server that is killed none has a code
                server.errors.append(f"{type(self).__name__} {self.number}, {self.what}: {e!r}")

    def attempt(self, q, state, *statements, refusals=()):
        """All of it, or nothing: True when it is done. A refusal that a client would try again is none."""
        self.unsure = state
        try:
            for s in statements:
                self.what = s
                q.execute(s)
        except psycopg2.Error as e:
            if e.pgcode not in RETRY and e.pgcode not in refusals:
                raise
            q.execute("rollback")
            self.unsure = self.sure
            self.count("refused with " + e.pgcode)
            return False
        self.sure = self.unsure
        return True

    def check(self, q):
        found = self.look(q)
        if found not in (self.sure, self.unsure):
            raise AssertionError(f"{type(self).__name__} {self.number}: last was {self.what}\n  found {found}\n"
                                 f"  acknowledged {self.sure}\n  in doubt {self.unsure}")
        self.settle(q, found)
        self.sure = self.unsure = found

    def settle(self, q, found):
        pass


def rows(q, sql):
    q.execute(sql)
    return q.fetchall()


# --- foreign keys, triggers, savepoints ---------------------------------------------------------------

SHOP = """
create table customer (id int primary key, name text not null);
create table orders (id bigint primary key, client int not null, customer int not null references customer
                     on delete cascade on update cascade, amount int not null check (amount > 0));
create index on orders (client, customer);
create table total (customer int primary key, n int not null, amount bigint not null);
create table audit (id bigserial primary key, client int not null, op text not null);
create function sum_up() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        update total set n = n - 1, amount = amount - old.amount where customer = old.customer;
        delete from total where customer = old.customer and n = 0;
        insert into audit (client, op) values (old.client, tg_op);
    end if;
    if tg_op <> 'DELETE' then
        insert into total values (new.customer, 1, new.amount) on conflict (customer)
            do update set n = total.n + 1, amount = total.amount + excluded.amount;
        insert into audit (client, op) values (new.client, tg_op);
    end if;
    return null;
end $$;
create trigger sum_up after insert or update or delete on orders for each row execute function sum_up();
"""
LEVELS = ["read committed", "repeatable read", "serializable"]


class Shopper(Client):
    """Orders of customers of its own, with sums kept by a trigger, which writes an audit, too."""

    def __init__(self, number, counts):
        super().__init__(number, counts)
        self.sure = self.unsure = {"customers": [], "orders": {}, "audit": 0}

    def look(self, q):
        first, n = self.number * 100, self.number
        sums = rows(q, "select customer, n, amount from total where customer between %d and %d order by 1"
                    % (first, first + 99))
        by_orders = rows(q, "select customer, count(*), sum(amount) from orders where client = %d group by 1 order by 1"
                         % n)
        assert sums == by_orders, f"the trigger's sums {sums} are not those of the orders {by_orders}"
        return {"customers": [r[0] for r in rows(q, "select id from customer where id between %d and %d order by 1"
                                                 % (first, first + 99))],
                "orders": {r[0]: r[1:] for r in rows(q, "select id, customer, amount from orders where client = %d" % n)},
                "audit": rows(q, "select count(*) from audit where client = %d" % n)[0][0]}

    def change(self, rng, s):
        """A statement, and what it makes of the state."""
        n, what = self.number, rng.randrange(8)
        some = rng.choice(sorted(s["orders"])) if s["orders"] else None
        if what == 0 and s["customers"]:
            gone = rng.choice(s["customers"])
            s["customers"].remove(gone)
            mine = [o for o, (c, _) in s["orders"].items() if c == gone]
            for o in mine:
                del s["orders"][o]
            s["audit"] += len(mine)
            self.count("cascades")
            return "delete from customer where id = %d" % gone
        if what == 5 and s["customers"] and rng.randrange(2):
            return self.renumber(rng, s)
        if what == 1 and some:
            del s["orders"][some]
            s["audit"] += 1
            return "delete from orders where id = %d" % some
        if what == 2 and some:
            customer, amount = rng.choice(s["customers"]), rng.randrange(1, 99)
            s["orders"][some] = (customer, amount)
            s["audit"] += 2
            return "update orders set customer = %d, amount = %d where id = %d" % (customer, amount, some)
        if what == 3 and s["audit"] > 60:
            s["audit"] = 0
            return "delete from audit where client = %d" % n
        if len(s["customers"]) < 3 or what == 4 and len(s["customers"]) < 12:
            free = [i for i in range(n * 100, n * 100 + 100) if i not in s["customers"]]
            s["customers"] = sorted(s["customers"] + [new := rng.choice(free)])
            return "insert into customer values (%d, repeat('n', %d))" % (new, rng.randrange(200))
        customer, amount = rng.choice(s["customers"]), rng.randrange(1, 99)
        s["orders"][order := self.next()] = (customer, amount)
        s["audit"] += 1
        return "insert into orders values (%d, %d, %d, %d)" % (order, n, customer, amount)

    def renumber(self, rng, s):
        """ON UPDATE CASCADE: each order is updated, and the sums go with it."""
        old = rng.choice(s["customers"])
        new = rng.choice([i for i in range(self.number * 100, self.number * 100 + 100) if i not in s["customers"]])
        s["customers"] = sorted({*s["customers"], new} - {old})
        mine = [o for o, (c, _) in s["orders"].items() if c == old]
        for o in mine:
            s["orders"][o] = (new, s["orders"][o][1])
        s["audit"] += 2 * len(mine)
        self.count("cascades of an update")
        return "update customer set id = %d where id = %d" % (new, old)

    def work(self, q, rng):
        s, statements, saved = copy.deepcopy(self.sure), [], []
        for i in range(rng.randrange(1, 6)):
            what = rng.randrange(6)
            if what == 0:
                saved.append((f"s{i}", copy.deepcopy(s)))
                statements.append(f"savepoint s{i}")
            elif what == 1 and saved:
                at = rng.randrange(len(saved))
                name, s = saved[at][0], copy.deepcopy(saved[at][1])
                del saved[at + 1:]
                statements.append(f"rollback to {name}")
                self.count("rollbacks to a savepoint")
            elif what == 2 and saved:
                at = rng.randrange(len(saved))
                statements.append(f"release {saved[at][0]}")
                del saved[at:]
            else:
                statements.append(self.change(rng, s))
        commit = rng.randrange(8) > 0
        if self.attempt(q, s if commit else self.sure, "begin isolation level " + rng.choice(LEVELS), *statements,
                        "commit" if commit else "rollback"):
            self.count("shop transactions")


# --- in two phases -----------------------------------------------------------------------------------

PLEDGES = f"""
create table slot (id int primary key, v bigint not null);
insert into slot select i, 0 from generate_series(0, {SLOTS * 10 - 1}) i;
create table pledge (gid text, part int, client int not null, slot int not null references slot, filler text,
                     primary key (gid, part));
create index on pledge (client, slot);
"""


class Pledger(Client):
    """Prepares transactions and ends them later, some after the kill."""

    def __init__(self, number, counts):
        super().__init__(number, counts)
        self.sure = self.unsure = {"prepared": {}, "done": {}} # gid: slot; slot: last gid

    def look(self, q):
        n = self.number
        there = {r[0] for r in rows(q, "select gid from pg_prepared_xacts where gid like 'p%d-%%'" % n)}
        known = {**self.sure["prepared"], **self.unsure["prepared"]}
        assert there <= set(known), f"nobody has prepared {sorted(there - set(known))}"
        done = {}
        for gid, slot, parts in rows(q, "select gid, slot, count(*) from pledge where client = %d group by 1, 2" % n):
            assert parts == 3, f"{gid} is half there"
            done[slot] = gid
        for slot, v in rows(q, "select id, v from slot where id between %d and %d"
                            % (n * SLOTS, n * SLOTS + SLOTS - 1)):
            gid = done.get(slot)
            assert v == (int(gid.split("-")[1]) if gid else 0), f"slot {slot} has {v}, not that of {gid}"
        return {"prepared": {g: known[g] for g in there}, "done": done}

    def settle(self, q, found):
        q.execute("set lock_timeout = '20ms'")
        for gid in found["prepared"]:
            self.count("prepared transactions that survived")
            try:
                q.execute("update slot set v = 0 where id = %d" % found["prepared"][gid])
                raise AssertionError(f"{gid} holds no lock")
            except psycopg2.errors.LockNotAvailable:
                pass
        q.execute("set lock_timeout = '20s'")

    def prepare(self, q, rng):
        s, number = copy.deepcopy(self.sure), self.next()
        gid = "p%d-%d" % (self.number, number)
        slot = self.number * SLOTS + rng.randrange(SLOTS)
        if slot in s["prepared"].values():
            return
        s["prepared"][gid] = slot
        values = ", ".join("('%s', %d, %d, %d, repeat('x', %d))" % (gid, i, self.number, slot, rng.randrange(500))
                           for i in range(3))
        if self.attempt(q, s, "begin isolation level " + rng.choice(LEVELS),
                        "delete from pledge where client = %d and slot = %d" % (self.number, slot),
                        "insert into pledge values " + values,
                        "update slot set v = %d where id = %d" % (number, slot), f"prepare transaction '{gid}'"):
            self.count("prepared transactions")

    def work(self, q, rng):
        if len(self.sure["prepared"]) < 4 and rng.randrange(2):
            return self.prepare(q, rng)
        if not self.sure["prepared"]:
            return None
        s = copy.deepcopy(self.sure)
        gid = rng.choice(sorted(s["prepared"]))
        slot = s["prepared"].pop(gid)
        commit = rng.randrange(3) > 0
        if commit:
            s["done"][slot] = gid
        return self.attempt(q, s, "%s prepared '%s'" % ("commit" if commit else "rollback", gid))


# --- the past ----------------------------------------------------------------------------------------

class Historian(Client):
    """Keeps a log of what a table was as of which commit, and asks for it again."""
    KEYS, LOG = 10, 400

    def __init__(self, number, counts, retention):
        super().__init__(number, counts)
        self.retention, self.log = retention, []
        self.sure = self.unsure = {}

    def look(self, q):
        return dict(rows(q, "select id, v from clock"))

    def settle(self, q, found):
        for name, in rows(q, "select name from helios_branches where name like 'past%'"):
            q.execute(f"drop branch {name}")
        for i in range(LOOKS):
            self.ask(q, random.Random(self.serial + i))

    def branch(self, q, scn, state):
        """A branch of the past, looked at and dropped. It goes back to where some table was written anew at most."""
        name = f"past{self.next()}"
        self.what = f"create branch {name} from main as of transaction {scn}"
        try:
            q.execute(self.what)
        except psycopg2.Error as e:
            if e.pgcode != "72000":
                raise
            self.count("moments beyond some table's history")
            return
        q.execute(f"use branch {name}")
        found = dict(rows(q, "select id, v from clock"))
        q.execute("insert into clock values (-1, 0)")
        q.execute("use branch main")
        q.execute(f"drop branch {name}")
        assert found == state, f"{name}, of transaction {scn}: {found}, not {state}"
        self.count("branches of the past")

    def ask(self, q, rng):
        if not self.log:
            return
        at, scn, state = self.log[int(len(self.log) * rng.random() ** 0.5)]
        if rng.randrange(12) == 0:
            self.branch(q, scn, state)
            return
        moment = f"as of transaction {scn}"
        self.what = f"select id, v from clock {moment}"
        try:
            found = dict(rows(q, self.what))
            sums = rows(q, f"select customer, n, amount from total {moment} order by 1")
            by_orders = rows(q, f"select customer, count(*), sum(amount) from orders {moment} group by 1 order by 1")
        except psycopg2.Error as e:
            if e.pgcode != "72000" or time.monotonic() - at < self.retention:
                raise
            self.count("moments beyond the retention")
            return
        assert found == state, f"{self.what}: {found}, not {state}"
        assert sums == by_orders, f"sums {moment}: {sums}, not {by_orders}"
        self.count("reads of the past")

    def work(self, q, rng):
        if rng.randrange(3) == 0:
            return self.ask(q, rng)
        s, key, v = dict(self.sure), rng.randrange(self.KEYS), self.next()
        if key in s and rng.randrange(4) == 0:
            del s[key]
            done = self.attempt(q, s, "delete from clock where id = %d" % key)
        else:
            s[key] = v
            done = self.attempt(q, s, "insert into clock values (%d, %d) on conflict (id) do update set v = excluded.v"
                                % (key, v))
        if not done:
            return None
        at = time.monotonic()
        self.log.append((at, rows(q, "select pg_current_scn()")[0][0], s))
        del self.log[:-self.LOG]
        return None
