/* A small database on the simulated machine, for the targets that need sessions. */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sim.h"
#include "fuzz.h"

enum { RUNS_A_DATABASE = 400 };

const char *const fuzz_schema =
    "create table t (id int primary key, a int, b bigint default 7, c text, d numeric(12,3),"
    " e timestamptz, f float8, g bool, h uuid, i int[], j interval, k date, l bytea);"
    "insert into t select n, n % 7, n::bigint * 1000000007, 'row ' || n, n / 3.0,"
    " timestamptz '2024-02-28 12:00+00' + n * interval '11 hours', n / 7.0::float8, n % 2 = 0,"
    " null, array[n, null, -n], n * interval '1 month 3 days', date '2000-02-28' + n,"
    " ('\\x' || to_hex(4096 + n))::bytea from generate_series(1, 40) n;"
    "create table u (x int not null, y text unique, z smallint check (z < 100));"
    "insert into u select n, 'y' || n, n from generate_series(1, 20) n;"
    "create index t_a on t (a, c desc); create sequence s; create view v as select a, count(*) from"
    " t group by a; create schema q; create table q.w (k text primary key, v numeric);"
    "prepare p (int, text) as select * from t where id = $1 or c = $2";

static struct os *os;
static struct db *db;
static struct config *config;
static int runs;

const struct config *fuzz_config(void)
{
    static const char *const settings[][2] = {
        {"data_dir", "db"},           {"cache_bytes", "8MB"},  {"memtable_bytes", "256kB"},
        {"memtable_total_bytes", "4MB"}, {"wal.file_bytes", "1MB"}, {"wal.commit_mode", "async"},
        {"query.memory_limit", "16MB"},  {"tls.mode", "off"}};
    if (config) return config;
    config = config_new();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        FUZZ_CHECK(config_set(config, settings[i][0], settings[i][1], SOURCE_FLAG) == OK);
    return config;
}

void fuzz_database_discard(void)
{
    if (!db) return;
    (void)db_close(db);
    sim_free(os);
    db = NULL;
}

static void make(void)
{
    static bool registered;
    struct sim_options so = {.seed = 1, .disk_bytes_max = 0};
    struct fuzz_sink k;
    os = sim_new(&so);
    struct db_options o = {.os = os, .config = fuzz_config()};
    if (db_open(&o, &db) != OK) fuzz_fail("db_open: %s", error_current()->message);
    struct session *s = fuzz_session(db);
    fuzz_sink_init(&k, s, SLICE(""));
    if (fuzz_query(s, &k, slice_of(fuzz_schema)) != OK)
        fuzz_fail("schema: %s", error_current()->message);
    session_free(s);
    if (!registered) atexit(fuzz_database_discard);
    registered = true;
}

struct db *fuzz_database(void)
{
    fuzz_quiet();
    if (db && ++runs % RUNS_A_DATABASE == 0) fuzz_database_discard();
    if (!db) make();
    return db;
}

struct session *fuzz_session(struct db *in)
{
    static const char *const settings[] = {"statement_timeout", "500", "lock_timeout", "100"};
    struct session_options o = {.user = "postgres", .database = "postgres", .settings = settings,
                                .setting_count = 2};
    struct session *s;
    if (session_new(in, &o, &s) != OK) fuzz_fail("session: %s", error_current()->message);
    return s;
}

/* --- the sink ------------------------------------------------------------------------------- */

static void show(const struct fuzz_sink *k, type_id type, const union value *v)
{
    struct strbuf text;
    strbuf_init(&text, NULL);
    value_to_text(type, v, session_format(k->session), &text);
    strbuf_clear(&text);
    if (type_get(type) && type_get(type)->category != 'P') value_to_binary(type, v, &text);
    strbuf_release(&text);
}

static enum status sink_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    struct fuzz_sink *k = ctx;
    k->columns = columns;
    k->column_count = count;
    return OK;
}

static enum status sink_rows(void *ctx, const struct batch *b)
{
    struct fuzz_sink *k = ctx;
    FUZZ_CHECK(b->column_count == k->column_count || !k->columns);
    for (uint32_t row = 0; row < b->count; row++)
        for (uint32_t c = 0; c < b->column_count; c++) {
            struct datum d = vec_get(&b->columns[c], b->sel ? b->sel[row] : row);
            if (!d.null) show(k, b->columns[c].type, &d.v);
        }
    return OK;
}

static enum status sink_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct fuzz_sink *k = ctx;
    FUZZ_CHECK(count == k->column_count || !k->columns);
    for (uint32_t c = 0; k->columns && c < count; c++)
        if (!values[c].null) show(k, k->columns[c].type, &values[c].v);
    return OK;
}

static enum status sink_complete(void *ctx, const char *tag)
{
    struct fuzz_sink *k = ctx;
    FUZZ_CHECK(tag && tag[0]);
    k->columns = NULL;
    return OK;
}

static enum status sink_plain(void *ctx)
{
    (void)ctx;
    return OK;
}

static enum status sink_notice(void *ctx, const char *severity, const struct error *e)
{
    (void)ctx;
    FUZZ_CHECK(severity && e->message[0]);
    return OK;
}

static enum status sink_parameter(void *ctx, const char *name, const char *value)
{
    (void)ctx;
    FUZZ_CHECK(name && value);
    return OK;
}

static enum status sink_copy_begin(void *ctx, int format, uint32_t columns)
{
    (void)ctx;
    FUZZ_CHECK(format == 0 || format == 1);
    (void)columns;
    return OK;
}

static enum status sink_copy_read(void *ctx, struct slice *ret)
{
    struct fuzz_sink *k = ctx;
    if (k->data.len == 0) return END_OF_DATA;
    ret->data = k->data.data;
    ret->len = k->piece && k->piece < k->data.len ? k->piece : k->data.len;
    k->data.data += ret->len;
    k->data.len -= ret->len;
    return OK;
}

static enum status sink_copy_write(void *ctx, struct slice row)
{
    (void)ctx;
    (void)row;
    return OK;
}

void fuzz_sink_init(struct fuzz_sink *k, struct session *s, struct slice copy_data)
{
    *k = (struct fuzz_sink){
        .sink = {.columns = sink_columns, .rows = sink_rows, .row = sink_row,
                 .complete = sink_complete, .empty = sink_plain, .suspended = sink_plain,
                 .notice = sink_notice, .parameter = sink_parameter, .copy_in = sink_copy_begin,
                 .copy_read = sink_copy_read, .copy_out = sink_copy_begin,
                 .copy_write = sink_copy_write, .copy_done = sink_plain, .flush = sink_plain,
                 .ctx = k},
        .data = copy_data, .session = s};
}

/* --- statements ----------------------------------------------------------------------------- */

void fuzz_check_status(enum status st)
{
    if (st == OK) return;
    const char *state = status_sqlstate(st);
    if (strcmp(state, "XX000") == 0 || strcmp(state, "XX001") == 0)
        fuzz_fail("internal error %s: %s", status_name(st),
                  error_current()->code == st ? error_current()->message : "");
}

enum status fuzz_query(struct session *s, struct fuzz_sink *k, struct slice text)
{
    enum status st = session_query(s, text, &k->sink);
    if (st == OK) return OK;
    k->columns = NULL;
    fuzz_check_status(st);
    return st;
}
