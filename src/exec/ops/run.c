/* Running plans: the dispatch to operators, and the entry points of exec.h. */
#include "exec/ops/ops_priv.h"

#include "base/fiber.h"

static enum status dispatch(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out)
{
    switch (n->kind) {
    case PLAN_RESULT: return op__result(x, n, out);
    case PLAN_VALUES: return op__values(x, n, out);
    case PLAN_SCAN: return op__scan(x, n, out);
    case PLAN_INDEX_SCAN: return op__index_scan(x, n, out);
    case PLAN_VIRTUAL_SCAN: return op__virtual_scan(x, n, out);
    case PLAN_FUNCTION_SCAN: return op__function_scan(x, n, out);
    case PLAN_CTE_SCAN: return op__cte_scan(x, n, out);
    case PLAN_SUBQUERY_SCAN: return n->filter ? op__filter(x, n, out) : op__run(x, n->left, out);
    case PLAN_FILTER: return op__filter(x, n, out);
    case PLAN_PROJECT: return op__project(x, n, out);
    case PLAN_PROJECT_SET: return op__project_set(x, n, out);
    case PLAN_NESTED_LOOP: return op__nested_loop(x, n, out);
    case PLAN_HASH_JOIN: return op__hash_join(x, n, out);
    case PLAN_AGGREGATE: return op__aggregate(x, n, out);
    case PLAN_DISTINCT: return op__distinct(x, n, out);
    case PLAN_SORT: return op__sort(x, n, out);
    case PLAN_LIMIT: return op__limit(x, n, out);
    case PLAN_APPEND: return op__append(x, n, out);
    case PLAN_SET_OP: return op__set_op(x, n, out);
    case PLAN_RECURSIVE_UNION: return op__recursive_union(x, n, out);
    case PLAN_WINDOW: return op__window(x, n, out);
    case PLAN_LOCK_ROWS: return op__lock_rows(x, n, out);
    case PLAN_GATHER: return op__gather(x, n, out);
    case PLAN_INSERT: return op__insert(x, n, out);
    case PLAN_UPDATE: return op__update(x, n, out);
    case PLAN_DELETE: return op__delete(x, n, out);
    case PLAN_MERGE: return op__merge(x, n, out);
    }
    return FAIL(FEATURE_NOT_SUPPORTED, "this plan cannot be run");
}

/* --- counting, for EXPLAIN ANALYZE ------------------------------------------------------------- */

struct counted {
    const struct exec_sink *out;
    struct execution *x;
    struct node_stats *stats;
    int64_t start_us, sink_us;      /* sink_us: spent in whoever takes the rows */
    struct exec_usage start, sink;
};

struct exec_usage op__usage(const struct execution *x)
{
    const struct work_counts *w = work_counts();
    struct exec_usage u = {.blocks_hit = w->blocks_hit, .blocks_read = w->blocks_read,
                           .temp_read = x->temp_read, .temp_written = x->temp_written};
    if (x->txn) txn_get_written(x->txn, &u.wal_records, &u.wal_bytes);
    return u;
}

/* *to += b - a */
static void add_usage(struct exec_usage *to, const struct exec_usage *b, const struct exec_usage *a)
{
    to->blocks_hit += b->blocks_hit - a->blocks_hit;
    to->blocks_read += b->blocks_read - a->blocks_read;
    to->temp_read += b->temp_read - a->temp_read;
    to->temp_written += b->temp_written - a->temp_written;
    to->wal_records += b->wal_records - a->wal_records;
    to->wal_bytes += b->wal_bytes - a->wal_bytes;
}

void op__add_usage(struct exec_usage *to, const struct exec_usage *more)
{
    const struct exec_usage none = {0};
    add_usage(to, more, &none);
}

void op__count_usage(struct execution *x, const struct plan_node *n, const struct exec_usage *since)
{
    if (!x->stats) return;
    struct exec_usage now = op__usage(x);
    add_usage(&x->stats[n->id].usage, &now, since);
}

static enum status count_rows(void *ctx, const struct batch *b)
{
    struct counted *c = ctx;
    int64_t now = monotonic_us();
    if (c->stats->rows == 0) c->stats->first_us = now - c->start_us;
    c->stats->rows += b->count;
    struct exec_usage before = op__usage(c->x);
    enum status st = c->out->rows(c->out->ctx, b);
    struct exec_usage after = op__usage(c->x);
    add_usage(&c->sink, &after, &before);
    c->sink_us += monotonic_us() - now;
    return st;
}

static enum status count_block(void *ctx, const struct column_reader *r, uint32_t rows,
                               bool *ret_taken)
{
    struct counted *c = ctx;
    TRY(c->out->block(c->out->ctx, r, rows, ret_taken));
    if (*ret_taken) c->stats->rows += rows;
    return OK;
}

enum status op__run(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    TRY(exec_check_stack());
    if (!x->stats) return dispatch(x, n, out);
    struct counted c = {.out = out, .x = x, .stats = &x->stats[n->id],
                        .start_us = monotonic_us(), .start = op__usage(x)};
    struct exec_sink sink = {count_rows, &c, out->block ? count_block : NULL};
    enum status st = dispatch(x, n, &sink);
    c.stats->loops++;
    c.stats->total_us += monotonic_us() - c.start_us - c.sink_us;
    struct exec_usage end = op__usage(x), mine = {0};
    add_usage(&mine, &end, &c.start);
    add_usage(&c.stats->usage, &mine, &c.sink);
    return st;
}

/* --- entry points ------------------------------------------------------------------------------ */

struct counter {
    const struct exec_sink *out;
    uint64_t rows;
};

static enum status pass_on(void *ctx, const struct batch *b)
{
    struct counter *c = ctx;
    c->rows += b->count;
    return c->out ? c->out->rows(c->out->ctx, b) : OK;
}

static enum status run(const struct plan *p, struct txn *t, const struct exec_session *s,
                       const struct exec_params *params, struct arena *a,
                       const struct exec_sink *sink, struct exec_result *ret,
                       struct node_stats *stats)
{
    struct execution x;
    exec_begin(&x, p, t, s, params, a);
    x.run = op__run;
    x.stats = stats;
    struct counter c = {sink, 0};
    struct exec_sink counted = {pass_on, &c};
    /* Only a fiber has others beside it on its thread. */
    bool away = p->away && s->workers && fiber_self();
    enum status st = op__run(&x, away ? p->away : p->root, &counted);
    if (st == END_OF_DATA) st = OK;
    if (p->change_count) {
        if (st == OK) st = op__finish_parts(&x);
        op__end_parts(&x);
    }
    if (ret) {
        ret->rows_processed = p->command == CMD_SELECT ? c.rows : x.rows_processed;
        ret->temp_read = x.temp_read;
        ret->temp_written = x.temp_written;
    }
    exec_end(&x);
    return st;
}

enum status exec_run(const struct plan *p, struct txn *t, const struct exec_session *s,
                     const struct exec_params *params, struct arena *a,
                     const struct exec_sink *sink, struct exec_result *ret)
{
    return run(p, t, s, params, a, sink, ret, NULL);
}

enum status exec_run_counted(const struct plan *p, struct txn *t, const struct exec_session *s,
                             const struct exec_params *params, struct arena *a,
                             const struct exec_sink *sink, struct exec_result *ret)
{
    struct node_stats *stats = ARENA_ARRAY(a, struct node_stats, p->node_count);
    ret->stats = stats;
    return run(p, t, s, params, a, sink, ret, stats);
}

enum status exec_constant(const struct expr *e, const struct exec_session *s,
                          const struct exec_params *params, struct arena *a, struct datum *ret)
{
    struct execution x;
    exec_begin(&x, NULL, NULL, s, params, a);
    x.run = op__run;
    enum status st = exec_eval_row(&x, e, NULL, a, ret);
    if (st == OK) *ret = datum_copy(a, e->type, *ret);
    exec_end(&x);
    return st;
}

/* --- shared by operators ----------------------------------------------------------------------- */

/* The session wants batches of fewer rows (helios.batch_rows): the same columns, a few rows at a time. */
enum status op__push_slices(struct execution *x, const struct exec_sink *out, const struct batch *b)
{
    uint16_t rows[BATCH_ROWS];
    uint32_t most = x->session->batch_rows;
    for (uint32_t i = 0; i < b->count; i++) rows[i] = (uint16_t)op__row(b, i);
    for (uint32_t at = 0; at < b->count; at += most) {
        struct batch some = *b;
        some.sel = rows + at;
        some.count = b->count - at < most ? b->count - at : most;
        TRY(exec_check(x));
        TRY(out->rows(out->ctx, &some));
    }
    return OK;
}

const type_id *op__types(struct execution *x, const struct plan_node *n)
{
    bool fresh;
    struct op_state *s = exec_state(x, n, sizeof *s, &fresh);
    if (s->types) return s->types;
    type_id *types = ARENA_ARRAY(x->arena, type_id, n->column_count + 1);
    for (uint32_t i = 0; i < n->column_count; i++) types[i] = n->columns[i].type;
    return s->types = types;
}

struct arena *op__arena(struct execution *x, const struct plan_node *n, unsigned which)
{
    bool fresh;
    struct op_state *s = exec_state(x, n, sizeof *s, &fresh);
    ASSERT(which < OP_ARENAS);
    if (!s->arenas[which]) s->arenas[which] = exec_arena(x);
    else arena_clear(s->arenas[which]);
    return s->arenas[which];
}

void row_pusher__init(struct row_pusher *p, struct execution *x, const struct plan_node *n,
                      const struct exec_sink *out)
{
    *p = (struct row_pusher){.x = x, .out = out, .arena = op__arena(x, n, 0),
                             .types = op__types(x, n), .column_count = (uint16_t)n->column_count};
}

enum status row_pusher__flush(struct row_pusher *p)
{
    if (!p->rows) return OK;
    p->batch.rows = p->batch.count = p->rows;
    p->rows = 0;
    enum status st = op__push(p->x, p->out, &p->batch);
    arena_clear(p->arena);
    p->batch.columns = NULL;
    return st;
}

enum status row_pusher__add(struct row_pusher *p, const struct datum *row)
{
    if (!p->batch.columns) batch_init(&p->batch, p->column_count, p->types, p->arena);
    for (uint32_t c = 0; c < p->column_count; c++) vec_set(&p->batch.columns[c], p->rows, row[c]);
    if (++p->rows < BATCH_ROWS) return OK;
    return row_pusher__flush(p);
}
