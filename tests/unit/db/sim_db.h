/* A whole database on the simulated machine, driven by SQL on the test's thread. */
#ifndef HELIOS_TEST_SIM_DB_H
#define HELIOS_TEST_SIM_DB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "db/session_priv.h"

struct sim_db {
    struct os *os;
    struct config *config;
    struct db *db;
    struct session *session;
    struct strbuf rows; /* of the last query: columns parted by '|', rows by '\n' */
};

static enum status sim_db_columns(void *ctx, const struct result_column *c, uint32_t n)
{
    (void)ctx, (void)c, (void)n;
    return OK;
}

static void sim_db_value(struct sim_db *d, type_id type, struct datum v)
{
    if (d->rows.len && d->rows.data[d->rows.len - 1] != '\n') strbuf_addc(&d->rows, '|');
    if (v.null) strbuf_adds(&d->rows, "~");
    else value_to_text(type, &v.v, &format_default, &d->rows);
}

static enum status sim_db_rows(void *ctx, const struct batch *b)
{
    struct sim_db *d = ctx;
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t c = 0; c < b->column_count; c++)
            sim_db_value(d, b->columns[c].type, vec_get(&b->columns[c], b->sel ? b->sel[i] : i));
        strbuf_addc(&d->rows, '\n');
    }
    return OK;
}

/* The types of a point plan's row are not told: the tests read integers and text by scans. */
static enum status sim_db_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct sim_db *d = ctx;
    (void)values;
    strbuf_addf(&d->rows, "row of %u\n", count);
    return OK;
}

static enum status sim_db_ignore_text(void *ctx, const char *text)
{
    (void)ctx, (void)text;
    return OK;
}

static enum status sim_db_ignore(void *ctx)
{
    (void)ctx;
    return OK;
}

static enum status sim_db_notice(void *ctx, const char *severity, const struct error *e)
{
    (void)ctx, (void)severity, (void)e;
    return OK;
}

static enum status sim_db_parameter(void *ctx, const char *name, const char *value)
{
    (void)ctx, (void)name, (void)value;
    return OK;
}

static inline enum status sim_db_query(struct sim_db *d, const char *text)
{
    struct result_sink sink = {.columns = sim_db_columns, .rows = sim_db_rows, .row = sim_db_row,
                               .complete = sim_db_ignore_text, .empty = sim_db_ignore,
                               .notice = sim_db_notice, .parameter = sim_db_parameter,
                               .flush = sim_db_ignore, .ctx = d};
    strbuf_clear(&d->rows);
    return session_query(d->session, slice_of(text), &sink);
}

static inline enum status sim_db_open(struct sim_db *d)
{
    struct db_options o = {.os = d->os, .config = d->config};
    TRY(db_open(&o, &d->db));
    struct session_options so = {.user = "postgres", .database = "postgres"};
    return session_new(d->db, &so, &d->session);
}

/* Closes what is open; with the power off that is a crash. */
static inline enum status sim_db_close(struct sim_db *d)
{
    enum status st = OK;
    if (d->session) session_free(d->session);
    if (d->db) st = db_close(d->db);
    d->session = NULL;
    d->db = NULL;
    return st;
}

static inline void sim_db_init(struct sim_db *d, const struct sim_options *so)
{
    *d = (struct sim_db){.os = sim_new(so), .config = config_new()};
    strbuf_init(&d->rows, NULL);
    assert_int_equal(config_set(d->config, "data_dir", "data", SOURCE_FLAG), OK);
    assert_int_equal(config_set(d->config, "memtable_bytes", "64kB", SOURCE_FLAG), OK);
    assert_int_equal(config_set(d->config, "wal.file_bytes", "1MB", SOURCE_FLAG), OK);
    assert_int_equal(config_set(d->config, "cache_bytes", "8MB", SOURCE_FLAG), OK);
}

static inline void sim_db_release(struct sim_db *d)
{
    (void)sim_db_close(d);
    strbuf_release(&d->rows);
    config_free(d->config);
    sim_free(d->os);
}

static enum status sim_db_no_problem(void *ctx, const struct verify_finding *f)
{
    (void)ctx;
    if (f->problem) fail_msg("%s (%s): %s", f->object, f->kind, f->problem);
    return OK;
}

static inline void sim_db_verify(struct sim_db *d)
{
    struct verify_sink sink = {.found = sim_db_no_problem};
    enum status st = db_verify(d->db, &sink);
    if (st != OK) fail_msg("verify: %s: %s", status_name(st), error_current()->message);
}

static inline uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *env = getenv(name);
    return env ? strtoull(env, NULL, 10) : otherwise;
}

#endif
