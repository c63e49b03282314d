/* A shop in your own process: HeliosDB as a library (docs/library.md is the guide).
 *
 *     cc library.c -o library $(pkg-config --cflags --libs helios)
 *     ./library            in memory
 *     ./library shop-data  in a directory, where the sales of every run stay */
#include <stdio.h>
#include <stdlib.h>

#include <helios.h>

/* What every program wants: stop with the database's own words. */
static void check(struct helios *c, enum helios_status status, const char *doing)
{
    if (status != HELIOS_ERROR && status != HELIOS_MISUSE) return;
    const struct helios_error *e = helios_error(c);
    fprintf(stderr, "%s: %s\n", doing, e ? e->message : "the library was misused");
    if (e && e->hint) fprintf(stderr, "  hint: %s\n", e->hint);
    exit(1);
}

static void create_tables(struct helios *c)
{
    check(c, helios_exec(c, "create table if not exists products ("
                            "    id int primary key, name text not null, price numeric(8,2));"
                            "create table if not exists sales ("
                            "    product int not null, pieces int check (pieces > 0),"
                            "    at timestamptz default now());"
                            "insert into products values (1, 'tea', 4.50), (2, 'cup', 9.90),"
                            "    (3, 'pot', null) on conflict do nothing"), "tables");
}

/* Many rows by one prepared statement, together in one transaction. */
static void sell(struct helios *c)
{
    struct helios_stmt *s;
    check(c, helios_prepare(c, "insert into sales values ($1, $2)", &s), "prepare");
    check(c, helios_exec(c, "begin"), "begin");
    for (int i = 0; i < 1000; i++) {
        helios_bind_int64(s, 1, i % 2 + 1);
        helios_bind_int64(s, 2, i % 5 + 1);
        check(c, helios_step(s), "insert");
    }
    check(c, helios_exec(c, "commit"), "commit");
    helios_finish(s);
}

/* Rows come one by one, made as they are asked for. */
static void report(struct helios *c)
{
    struct helios_stmt *s;
    enum helios_status status;
    check(c, helios_prepare(c, "select p.name, p.price, sum(s.pieces), sum(s.pieces * p.price) "
                               "from products p left join sales s on s.product = p.id "
                               "where p.id <= $1 group by p.id, p.name, p.price order by p.id", &s),
          "prepare");
    helios_bind_int64(s, 1, 100);
    while ((status = helios_step(s)) == HELIOS_ROW)
        printf("%-4s at %5s: %5lld sold for %s\n", helios_text(s, 0),
               helios_is_null(s, 1) ? "?" : helios_text(s, 1), (long long)helios_int64(s, 2),
               helios_is_null(s, 3) ? "nothing" : helios_text(s, 3));
    check(c, status, "report");
    helios_finish(s);
}

/* An error is a value: what failed, and where, is there to be looked at. */
static void sell_nothing(struct helios *c)
{
    if (helios_exec(c, "insert into sales values (1, 0)") == HELIOS_OK) return;
    const struct helios_error *e = helios_error(c);
    printf("refused (%s): constraint %s\n", e->sqlstate, e->constraint);
}

int main(int argc, char **argv)
{
    struct helios_db *db;
    struct helios *c;
    char *message;
    if (helios_open(argc > 1 ? argv[1] : NULL, NULL, &db, &message) != HELIOS_OK ||
        helios_connect(db, NULL, &c, &message) != HELIOS_OK) {
        fprintf(stderr, "could not open the database: %s\n", message);
        helios_free(message);
        return 1;
    }
    create_tables(c);
    sell(c);
    report(c);
    sell_nothing(c);
    helios_disconnect(c);
    return helios_close(db) == HELIOS_OK ? 0 : 1;
}
