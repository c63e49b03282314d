/* A table like TPC-H's lineitem in the store itself, kept by rows alone, by rows and columns, and by columns alone: what
 * loads, flushes and merges cost, the space, point reads, and scans of some columns by either, by one thread.
 *
 * usage: columns [--dir DIR] [--rows 6000000] [--cache-mb 4096] [--clock wall|cpu] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.h"
#include "core/columns.h"
#include "core/txn.h"
#include "types/numeric.h"
#include "types/row.h"

enum { COLUMNS = 16, CHANGED_SHARE = 50, POINTS = 20000 };

static const type_id types[COLUMNS] = {
    TYPE_INT8, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC,
    TYPE_BPCHAR, TYPE_BPCHAR, TYPE_DATE, TYPE_DATE, TYPE_DATE, TYPE_BPCHAR, TYPE_BPCHAR, TYPE_TEXT};

struct table {
    struct store *store;
    tree_id tree;
    uint64_t rows;
    bool columns;
    enum tree_form form;
    char dir[256];
};

static struct arena arena;
static const struct row_layout *layout;

static struct slice key_of(uint64_t i, char buf[12])
{
    uint64_t order = __builtin_bswap64(i / 4);
    uint32_t line = __builtin_bswap32((uint32_t)(i % 4));
    memcpy(buf, &order, 8);
    memcpy(buf + 8, &line, 4);
    return slice_make(buf, 12);
}

static struct datum text_of(const char *s)
{
    return (struct datum){.v.bytes = bytes_ref(s, (uint32_t)strlen(s))};
}

static void make_row(uint64_t i, struct rng *r, struct strbuf *out)
{
    static const char *const modes[] = {"AIR       ", "FOB       ", "MAIL      ", "RAIL      ",
                                        "REG AIR   ", "SHIP      ", "TRUCK     "};
    static const char *const how[] = {"DELIVER IN PERSON        ", "COLLECT COD              ",
                                      "NONE                     ", "TAKE BACK RETURN         "};
    static const char *const words[] = {"carefully ", "quickly ", "final ", "deposits ", "blithely ",
                                        "express ", "accounts ", "sleep ", "regular ", "pending "};
    struct datum v[COLUMNS] = {0};
    char comment[64] = "";
    int32_t ship = 8036 + (int32_t)rng_below(r, 2526);
    int64_t quantity = 1 + (int64_t)rng_below(r, 50), price = 90000 + (int64_t)rng_below(r, 110000);
    v[0].v.i64 = (int64_t)(i / 4);
    v[1].v.i32 = (int32_t)rng_below(r, 200000);
    v[2].v.i32 = (int32_t)rng_below(r, 10000);
    v[3].v.i32 = (int32_t)(i % 4);
    v[4].v.numeric = numeric_small(quantity * 100, 2);
    v[5].v.numeric = numeric_small(quantity * price, 2);
    v[6].v.numeric = numeric_small((int64_t)rng_below(r, 11), 2);
    v[7].v.numeric = numeric_small((int64_t)rng_below(r, 9), 2);
    v[8] = text_of(ship < 9299 ? rng_below(r, 2) ? "R" : "A" : "N");
    v[9] = text_of(ship < 9299 ? "F" : "O");
    v[10].v.i32 = ship;
    v[11].v.i32 = ship + (int32_t)rng_below(r, 60) - 30;
    v[12].v.i32 = ship + 1 + (int32_t)rng_below(r, 30);
    v[13] = text_of(how[rng_below(r, 4)]);
    v[14] = text_of(modes[rng_below(r, 7)]);
    for (uint64_t n = 1 + rng_below(r, 5); n > 0; n--) {
        size_t len = strlen(comment);
        snprintf(comment + len, sizeof comment - len, "%s", words[rng_below(r, 10)]);
    }
    v[15] = text_of(comment);
    strbuf_clear(out);
    row_encode(layout, v, out);
}

/* --- the table -------------------------------------------------------------------------------- */

static struct txn *begin(struct table *t)
{
    struct txn_options o = {0};
    struct txn *x;
    bench_check(txn_begin(t->store, &o, &x), "begin");
    txn_statement_begin(x);
    return x;
}

static void commit(struct txn *x, enum commit_mode mode)
{
    txn_statement_end(x);
    bench_check(txn_commit(x, mode, NULL), "commit");
}

static void figure(const struct table *t, const char *name, double value, const char *unit)
{
    static const char *const forms[] = {"rows and columns", "columns", "hybrid", "compressed"};
    char full[256];
    snprintf(full, sizeof full, "%s, %s", t->columns ? forms[t->form] : "rows alone", name);
    bench_figure(full, value, unit);
}

static void open_table(struct table *t, const char *dir, int64_t cache_mb)
{
    struct store_options o;
    struct tree_columns c = {COLUMNS, types, NULL, t->form};
    store_options_init(&o);
    snprintf(t->dir, sizeof t->dir, "%s/%d", dir, t->columns ? (int)t->form : -1);
    o.os = os_real();
    o.dir = t->dir;
    o.cache_bytes = (uint64_t)cache_mb << 20;
    bench_check(store_open(&o, &t->store), "open");
    struct txn *x = begin(t);
    bench_check(store_create_tree(x, &t->tree), "create");
    commit(x, COMMIT_SYNC);
    if (t->columns) store_set_tree_columns(t->store, t->tree, &c);
}

static void settle(struct table *t)
{
    for (bool worked = true; worked;) bench_check(store_maintain(t->store, &worked), "maintain");
}

static void tell_space(struct table *t, const char *name)
{
    struct tree_statistics s;
    char full[64];
    bench_check(store_get_statistics(t->store, t->tree, &s), "statistics");
    snprintf(full, sizeof full, "bytes %s", name);
    figure(t, full, (double)s.disk_bytes / (double)t->rows, "B/row");
    if (t->columns) figure(t, "of these columns", (double)s.column_bytes / (double)t->rows, "B/row");
}

static void load_table(struct table *t)
{
    struct load_tree trees = {t->tree, true};
    struct load *l;
    struct strbuf row;
    struct rng r;
    rng_seed(&r, 1);
    strbuf_init(&row, NULL);
    int64_t began = bench_ns(), making = 0;
    struct txn *x = begin(t);
    bench_check(store_load_begin(x, &trees, 1, &l), "load");
    for (uint64_t i = 0; i < t->rows; i++) {
        char kb[12];
        int64_t before = bench_ns();
        make_row(i, &r, &row);
        making += bench_ns() - before;
        bench_check(store_load_add(l, 0, key_of(i, kb), strbuf_slice(&row), i), "add");
    }
    bench_check(store_load_finish(l), "finish");
    store_load_free(l);
    commit(x, COMMIT_SYNC);
    figure(t, "load", (double)(bench_ns() - began - making) / (double)t->rows, "ns/row");
    settle(t);
    tell_space(t, "after a load");
    strbuf_release(&row);
}

/* --- scans ------------------------------------------------------------------------------------ */

struct query {
    const char *name;
    uint16_t columns[COLUMNS];
    uint16_t count;
    bool filtered; /* ship date within a year */
};

static void by_row(struct table *t, const struct query *q)
{
    struct scan_request scan = {.tree = t->tree, .skip_keys = true};
    struct slice rows[BATCH_ROWS];
    struct vec vecs[COLUMNS];
    struct cursor *c;
    uint32_t n;
    struct arena a;
    char full[128];
    int64_t began = bench_ns();
    struct txn *x = begin(t);
    arena_init(&a, MEM_TEST);
    for (uint16_t i = 0; i < q->count; i++) vec_init_flat(&vecs[i], types[q->columns[i]], &a);
    bench_check(store_scan(x, &scan, &c), "scan");
    do {
        bench_check(cursor_next(c, NULL, rows, BATCH_ROWS, &n), "next");
        if (n) row_decode_batch(layout, rows, n, q->columns, q->count, NULL, 0, vecs);
    } while (n);
    cursor_close(c);
    commit(x, COMMIT_SYNC);
    snprintf(full, sizeof full, "%s, by row", q->name);
    figure(t, full, (double)(bench_ns() - began) / (double)t->rows, "ns/row");
    arena_release(&a);
}

static void read_block(struct column_reader *r, const struct column_piece *p, const struct query *q)
{
    uint16_t sel[BATCH_ROWS];
    struct vec v;
    uint32_t n = p->whole ? p->count : column_select(p->mask, sel);
    for (uint32_t i = 0; i < q->count; i++)
        bench_check(column_reader_column(r, i, p->whole ? NULL : sel, n, false, &v), "column");
}

static void by_column(struct table *t, const struct query *q, const char *when)
{
    uint32_t numbers[COLUMNS];
    type_id asked[COLUMNS];
    struct datum year[2] = {{.v.i32 = 8766}, {.v.i32 = 9130}};
    struct column_condition condition = {0, {COLUMN_BETWEEN, 2, year}};
    struct column_scan_request req = {t->tree, numbers, asked, q->count, &condition, q->filtered};
    struct column_scan *s;
    struct column_reader *r;
    struct column_piece p;
    enum status st;
    char full[128];
    int64_t began = bench_ns();
    struct txn *x = begin(t);
    for (uint16_t i = 0; i < q->count; i++) {
        numbers[i] = q->columns[i];
        asked[i] = types[q->columns[i]];
    }
    bench_check(store_column_scan(x, &req, &s), "scan");
    if (!s) return;
    int64_t opened = bench_ns();
    bench_check(column_reader_open(s, x, &r), "reader");
    while ((st = column_reader_next(r, &p)) == OK)
        if (!p.rows) read_block(r, &p, q);
    if (st != END_OF_DATA) bench_check(st, "next");
    column_reader_close(r);
    column_scan_free(s);
    commit(x, COMMIT_SYNC);
    snprintf(full, sizeof full, "%s, by column%s", q->name, when);
    figure(t, full, (double)(bench_ns() - began) / (double)t->rows, "ns/row");
    snprintf(full, sizeof full, "%s, by column%s, to open", q->name, when);
    figure(t, full, (double)(opened - began) / 1000, "us");
}

static const struct query queries[] = {
    {"4 columns", {4, 5, 6, 7}, 4, false},
    {"a year of 4 columns", {10, 4, 5, 6}, 4, true},
    {"2 short strings", {8, 14}, 2, false},
    {"a text", {15}, 1, false},
    {"all columns", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16, false},
};
enum { QUERIES = sizeof queries / sizeof *queries };

/* --- changes ---------------------------------------------------------------------------------- */

static void change_some(struct table *t)
{
    struct strbuf row;
    struct rng r;
    uint64_t n = t->rows / CHANGED_SHARE;
    struct txn *x = NULL;
    rng_seed(&r, 2);
    strbuf_init(&row, NULL);
    int64_t began = bench_ns();
    for (uint64_t i = 0; i < n; i++) {
        char kb[12];
        uint64_t k = rng_below(&r, t->rows);
        if (!x) x = begin(t);
        make_row(k, &r, &row);
        struct write_request w = {.tree = t->tree, .op = WRITE_PUT, .key = key_of(k, kb),
                                  .row = strbuf_slice(&row)};
        bench_check(store_write(x, &w), "write");
        if (i % 100 != 99 && i + 1 < n) continue;
        commit(x, COMMIT_ASYNC);
        x = NULL;
    }
    figure(t, "writes", (double)(bench_ns() - began) / (double)n, "ns/row");
    strbuf_release(&row);
}

/* Keys here and there; the second time most of what they need is in memory. */
static void read_points(struct table *t, const char *name)
{
    struct rng r;
    rng_seed(&r, 3);
    struct txn *x = begin(t);
    int64_t began = bench_ns();
    for (int i = 0; i < POINTS; i++) {
        char kb[12];
        struct slice row;
        struct point_get_request q = {t->tree, key_of(rng_below(&r, t->rows), kb)};
        bench_check(store_point_get(x, &q, &row), "get");
        if (i % 100 != 99) continue;
        commit(x, COMMIT_SYNC);
        x = begin(t);
    }
    figure(t, name, (double)(bench_ns() - began) / POINTS, "ns");
    commit(x, COMMIT_SYNC);
}

static void one_table(struct table *t, const char *dir, int64_t cache_mb)
{
    open_table(t, dir, cache_mb);
    load_table(t);
    read_points(t, "a point read, the first time");
    read_points(t, "a point read");
    for (int i = 0; i < QUERIES; i++) {
        by_row(t, &queries[i]);
        by_row(t, &queries[i]);
        if (!t->columns) continue;
        by_column(t, &queries[i], " the first time");
        by_column(t, &queries[i], "");
    }
    change_some(t);
    if (t->columns) by_column(t, &queries[0], " with changes in memory, the first time");
    if (t->columns) by_column(t, &queries[0], " with changes in memory");
    int64_t began = bench_ns();
    bench_check(store_checkpoint(t->store), "checkpoint");
    figure(t, "flush", (double)(bench_ns() - began) / ((double)t->rows / CHANGED_SHARE), "ns/row");
    if (t->columns) by_column(t, &queries[0], " after a flush, the first time");
    if (t->columns) by_column(t, &queries[0], " after a flush");
    began = bench_ns();
    bench_check(store_compact_tree(t->store, t->tree), "compact");
    figure(t, "a merge of all", (double)(bench_ns() - began) / (double)t->rows, "ns/row");
    tell_space(t, "after a merge of all");
    if (t->columns) by_column(t, &queries[0], " after a merge");
    bench_check(store_close(t->store), "close");
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/bench-columns-XXXXXX";
    const char *dir = bench_flag_text(argc, argv, "dir", NULL);
    if (!dir) dir = mkdtemp(made);
    int64_t cache_mb = bench_flag(argc, argv, "cache-mb", 4096);
    bench_clock(argc, argv);
    arena_init(&arena, MEM_TEST);
    layout = row_layout_new(&arena, types, COLUMNS);
    for (int form = -1; form <= (int)TREE_COMPRESSED; form++) {
        struct table t = {.rows = (uint64_t)bench_flag(argc, argv, "rows", 6000000),
                          .columns = form >= 0,
                          .form = form >= 0 ? (enum tree_form)form : TREE_DUAL};
        one_table(&t, dir, cache_mb);
    }
    arena_release(&arena);
    return 0;
}
