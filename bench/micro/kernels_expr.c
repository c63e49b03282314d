/* Expressions as a query's filter or select list evaluates them (exec/eval.h), over batches of 2,048
 * rows: bound and planned by the session, so that what runs is what a client's statement would run.
 *
 * Bytes a row: the columns read, text included, and the result: a value, or the positions of the rows
 * that a filter lets through. */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"
#include "exec/eval.h"
#include "exec/ops/rowset.h"

enum { BATCHES = 8, DATA_ROWS = BATCHES * BATCH_ROWS };

static const char table[] = /* twin columns are for arithmetic on two of them */
    "create table k (i4 int4, i4b int4, i8 int8, i8b int8, f8 float8, f8b float8,"
    " d numeric(15,2), db numeric(15,2), big numeric(38,2), bigb numeric(38,2), day date,"
    " at timestamp, name text, word text)";
static const char rows[] =
    "select i, i % 1000 + 1, i::int8 * 7, i::int8 % 977 + 1, i * 0.5::float8, (i % 100) + 0.25::float8,"
    " (i * 17 % 1000000 / 100.0)::numeric(15,2), (i % 11 / 100.0)::numeric(15,2),"
    " (i * 100000000000000000000.00)::numeric(38,2), (i % 7 * 10000000000000000000.00)::numeric(38,2),"
    " date '1992-01-01' + i % 2500, timestamp '1992-01-01' + i * interval '7 minutes',"
    " (array['forest','lemon','green','almond','navy'])[1 + i % 5] || ' and some ' ||"
    " (array['special','packed','regular','express'])[1 + i / 5 % 4] || ' requests ' || i,"
    " (array['MAIL','SHIP','AIR','TRUCK','RAIL','FOB','REG AIR'])[1 + i % 7]"
    " from generate_series(1, 16384) i";

static const struct expression_case {
    const char *name, *text;
    bool filter;
} cases[] = {
    {"int4 + int4", "i4 + i4b", false},
    {"int8 * int8", "i8 * i8b", false},
    {"int4 / constant", "i4 / 7", false},
    {"float8 * float8", "f8 * f8b", false},
    {"decimal64 + decimal64", "d + db", false},
    {"decimal64 * (1 - decimal64)", "d * (1 - db)", false},
    {"decimal128 + decimal128", "big + bigb", false},
    {"int4 < constant, 1 %", "i4 < 164", true},
    {"int4 < constant, 50 %", "i4 < 8192", true},
    {"int4 < constant, 99 %", "i4 < 16221", true},
    {"int8 = constant", "i8b = 500", true},
    {"float8 > constant", "f8b > 50", true},
    {"decimal64 < constant", "d < 5000.00", true},
    {"decimal64 between constants", "db between 0.05 and 0.07", true},
    {"date >= constant", "day >= date '1995-03-15'", true},
    {"text = constant", "word = 'TRUCK'", true},
    {"text in (2 constants)", "word in ('MAIL', 'SHIP')", true},
    {"text like 'forest%'", "name like 'forest%'", true},
    {"text like '%express%'", "name like '%express%'", true},
    {"text like '%special%requests%'", "name like '%special%requests%'", true},
    {"case of 2 branches, int4", "case when i4 < 8192 then i4b else i4 end", false},
    {"case word = constant, decimal64", "case when word = 'MAIL' then d else 0 end", false},
    {"extract(year from date)", "extract(year from day)", false},
    {"extract(year from timestamp)", "extract(year from at)", false},
    {"date_trunc('month', timestamp)", "date_trunc('month', at)", false},
    {"substring(text, 1, 2)", "substring(name from 1 for 2)", false},
};

struct part {
    struct kernels *k;
    struct session *session;
    struct arena arena;
    struct rowset data;
};

/* --- the table ----------------------------------------------------------------------------------- */

static enum status no_columns(void *ctx, const struct result_column *c, uint32_t n)
{
    (void)ctx, (void)c, (void)n;
    return OK;
}
static enum status keep_rows(void *ctx, const struct batch *b)
{
    struct part *p = ctx;
    if (!p->data.types) {
        type_id *types = ARENA_ARRAY(&p->arena, type_id, b->column_count);
        for (uint32_t c = 0; c < b->column_count; c++) types[c] = b->columns[c].type;
        rowset_init(&p->data, b->column_count, types, &p->arena);
    }
    rowset_add_batch(&p->data, b);
    return OK;
}
static enum status no_tag(void *ctx, const char *tag)
{
    (void)ctx, (void)tag;
    return OK;
}
static enum status nothing(void *ctx)
{
    (void)ctx;
    return OK;
}
static enum status no_notice(void *ctx, const char *severity, const struct error *e)
{
    (void)ctx, (void)severity, (void)e;
    return OK;
}

static void fill(struct part *p)
{
    const struct result_sink sink = {.columns = no_columns, .rows = keep_rows, .complete = no_tag,
                                     .empty = nothing, .notice = no_notice, .flush = nothing,
                                     .ctx = p};
    bench_check(session_query(p->session, SLICE(table), &sink), "table");
    bench_check(session_query(p->session, SLICE(rows), &sink), "rows");
    if (p->data.count != DATA_ROWS) bench_check(INTERNAL_ERROR, "rows are missing");
}

/* --- one case ------------------------------------------------------------------------------------ */

static double bytes_of(const struct vec *v, uint32_t n)
{
    double bytes = (double)v->width * n;
    if (v->type != TYPE_TEXT) return bytes;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = vec_get(v, i).v.bytes.len;
        bytes += len > BYTES_INLINE_MAX ? len : 0;
    }
    return bytes;
}

struct subject {
    const struct plan_node *scan;
    const struct expr *expr;
    bool filter;
    struct batch batches[BATCHES];
    double in_bytes;
};

static void take_plan(struct part *p, const struct expression_case *c, const struct plan *plan,
                      struct subject *ret)
{
    const struct plan_node *n = plan->root;
    *ret = (struct subject){.filter = c->filter};
    for (; n && n->kind != PLAN_SCAN; n = n->left)
        if (n->kind == PLAN_PROJECT) ret->expr = n->project.exprs[0];
    if (n && c->filter) ret->expr = n->filter;
    if (!n || !ret->expr) bench_check(INTERNAL_ERROR, c->name);
    for (uint32_t i = 0; i < BATCHES; i++) {
        const struct batch *from = &p->data.chunks[i];
        struct batch *b = &ret->batches[i];
        *b = (struct batch){.rows = from->rows, .count = from->rows,
                            .column_count = (uint16_t)n->scan.fetch_count};
        b->columns = ARENA_ARRAY(&p->arena, struct vec, n->scan.fetch_count + 1);
        for (uint32_t s = 0; s < n->scan.fetch_count; s++) {
            b->columns[s] = from->columns[n->scan.fetch[s]];
            ret->in_bytes += bytes_of(&b->columns[s], b->rows);
        }
    }
}

/* One pass; the bytes that came out. */
static double pass(struct execution *x, const struct subject *s, struct arena *a, bool count)
{
    uint16_t sel[BATCH_ROWS];
    double bytes = 0;
    for (uint32_t i = 0; i < BATCHES; i++) {
        const struct batch *b = &s->batches[i];
        struct vec v;
        uint32_t n;
        arena_clear(a);
        if (s->filter) {
            bench_check(exec_filter(x, s->expr, b, a, sel, &n), "filter");
            bytes += (double)n * sizeof *sel;
        } else {
            bench_check(exec_eval(x, s->expr, b, a, &v), "expression");
            if (count) bytes += bytes_of(&v, b->rows);
        }
    }
    return bytes;
}

static void run(struct part *p, const struct expression_case *c)
{
    struct exec_params params = {0};
    struct statement *statements;
    struct execution x;
    struct arena a;
    struct strbuf text;
    uint32_t count, param_count = 0;
    type_id types[1] = {0};
    enum status st;
    struct subject s;
    arena_init(&a, MEM_QUERY);
    strbuf_init(&text, &a);
    strbuf_adds(&text, c->filter ? "select 1 from k where " : "select ");
    strbuf_adds(&text, c->text);
    if (!c->filter) strbuf_adds(&text, " from k");
    bench_check(sql_parse(&a, strbuf_slice(&text), &statements, &count), c->name);
    struct cached_plan *plan = session__plan(p->session, statements, strbuf_slice(&text), types,
                                             &param_count, false, &st);
    bench_check(st, c->name);
    take_plan(p, c, plan->plan, &s);
    exec_begin(&x, plan->plan, p->session->txn, &p->session->exec, &params, &a);
    struct arena *batch = exec_arena(&x);
    exec_arena_prime(batch, BATCH_ROWS);
    double bytes = s.in_bytes + pass(&x, &s, batch, true);
    int64_t start = bench_ns(), ns = 0;
    uint64_t passes = 0;
    for (; ns < p->k->least_ns; ns = bench_ns() - start, passes++) (void)pass(&x, &s, batch, false);
    kernels_figure(p->k, c->name, passes * DATA_ROWS, ns, bytes / DATA_ROWS);
    exec_end(&x);
    cached_plan_unref(plan);
    arena_release(&a);
}

void kernels_expressions(struct kernels *k)
{
    struct config *config = config_new();
    struct part p = {.k = k};
    struct db *db;
    struct session_options so = {.user = "postgres", .database = "postgres"};
    arena_init(&p.arena, MEM_QUERY);
    bench_check(config_set(config, "data_dir", k->dir, SOURCE_FLAG), "data_dir");
    struct db_options o = {.os = os_real(), .config = config};
    bench_check(db_open(&o, &db), "open");
    bench_check(session_new(db, &so, &p.session), "session");
    fill(&p);
    bench_check(session__ensure_txn(p.session), "transaction");
    txn_statement_begin(p.session->txn);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run(&p, &cases[i]);
    txn_statement_end(p.session->txn);
    session_free(p.session);
    bench_check(db_close(db), "close");
    config_free(config);
    arena_release(&p.arena);
}
