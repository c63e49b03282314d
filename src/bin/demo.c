#include "bin/demo.h"

#include <stdio.h>

#include "base/log.h"
#include "db/session.h"

/* 10,000 customers, 1,000 products, 89,000 orders: plain SQL, so that it reads as an example. */
static const char script[] =
    "begin;"
    "create table customers (id int primary key, name text not null, city text not null,"
    "  since date not null);"
    "create table products (id int primary key, name text not null unique,"
    "  price numeric(10,2) not null check (price > 0));"
    "create table orders (id bigint primary key, customer_id int not null,"
    "  product_id int not null, quantity int not null default 1, ordered_at timestamptz not null);"
    "insert into customers select i, 'Customer ' || i,"
    "  (array['Amsterdam','Berlin','Chennai','Dakar','Edinburgh','Fukuoka','Geneva'])[1 + i * 31 % 7],"
    "  date '2020-01-01' + i * 17 % 2000 from generate_series(1, 10000) i;"
    "insert into products select i,"
    "  (array['Lamp','Chair','Desk','Shelf','Sofa'])[1 + i % 5] || ' ' || i,"
    "  (5 + i * 7919 % 49500 / 100.0)::numeric(10,2) from generate_series(1, 1000) i;"
    "insert into orders select i, 1 + (i::bigint * 7919) % 10000, 1 + (i::bigint * 104729) % 1000,"
    "  1 + i % 5, timestamptz '2024-01-01 00:00:00+00' + i * interval '6 minutes'"
    "  from generate_series(1, 89000) i;"
    "create index orders_customer on orders (customer_id);"
    "commit;"
    "analyze;";

static enum status ignore_columns(void *ctx, const struct result_column *c, uint32_t n)
{
    (void)ctx, (void)c, (void)n;
    return OK;
}
static enum status count_rows(void *ctx, const struct batch *b)
{
    *(uint64_t *)ctx += b->count;
    return OK;
}
static enum status count_row(void *ctx, const struct datum *values, uint32_t n)
{
    (void)values, (void)n;
    ++*(uint64_t *)ctx;
    return OK;
}
static enum status ignore_tag(void *ctx, const char *tag)
{
    (void)ctx, (void)tag;
    return OK;
}
static enum status ignore(void *ctx)
{
    (void)ctx;
    return OK;
}
static enum status ignore_notice(void *ctx, const char *severity, const struct error *e)
{
    (void)ctx, (void)severity, (void)e;
    return OK;
}
static enum status ignore_parameter(void *ctx, const char *name, const char *value)
{
    (void)ctx, (void)name, (void)value;
    return OK;
}

enum status demo_fill(struct db *db)
{
    uint64_t rows = 0;
    const struct result_sink sink = {
        .columns = ignore_columns, .rows = count_rows, .row = count_row, .complete = ignore_tag,
        .empty = ignore, .suspended = ignore, .notice = ignore_notice,
        .parameter = ignore_parameter, .flush = ignore, .ctx = &rows};
    struct session_options o = {.user = "postgres", .database = "postgres"};
    struct session *s;
    TRY(session_new(db, &o, &s));
    enum status st = session_query(
        s, SLICE("select from pg_tables where schemaname = 'public' and tablename = 'orders'"),
        &sink);
    if (st == OK && rows == 0) {
        LOG(LOG_NOTICE, "demo", "filling the demo shop: 100,000 rows");
        st = session_query(s, SLICE(script), &sink);
    }
    session_free(s);
    return st;
}

void demo_print_commands(int port)
{
    printf("\nThe shop is open. Paste one of these into another terminal:\n\n"
           "  psql -h 127.0.0.1 -p %d -U postgres -c 'select count(*) from orders'\n"
           "  psql -h 127.0.0.1 -p %d -U postgres -c \"select c.city, count(*), "
           "sum(o.quantity * p.price) from orders o join customers c on c.id = o.customer_id "
           "join products p on p.id = o.product_id group by c.city order by 3 desc\"\n"
           "  psql -h 127.0.0.1 -p %d -U postgres\n\nCtrl-C stops the server; the data stays.\n\n",
           port, port, port);
    fflush(stdout);
}
