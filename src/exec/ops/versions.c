/* VERSIONS: what became of a table's rows over a span of time, version by version. */
#include "exec/ops/ops_priv.h"

#include "base/hlc.h"
#include "types/datetime.h"
#include "types/row.h"

enum { VERSIONS_AT_ONCE = 256 };

struct versions_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *batch;
    struct datum *missing;
    uint16_t stored; /* of the fetched columns: those of the table */
};

static struct datum number(uint64_t ts)
{
    return (struct datum){.v.i64 = (int64_t)ts, .null = ts == 0};
}

static struct datum instant(uint64_t ts)
{
    return (struct datum){.v.i64 = hlc_wall_us(ts) - PG_EPOCH_US, .null = ts == 0};
}

static struct datum about(const struct past_version *p, enum version_column c)
{
    switch (c) {
    case VERSION_STARTTIME: return instant(p->from);
    case VERSION_ENDTIME: return instant(p->to);
    case VERSION_STARTSCN:
    case VERSION_XID: return number(p->from);
    case VERSION_ENDSCN: return number(p->to);
    default:
        return (struct datum){.v.bytes = bytes_ref(&p->operation, 1), .null = p->operation == 0};
    }
}

static enum status emit(struct versions_run *r, const struct past_version *list, uint32_t count)
{
    const struct plan_node *n = r->n;
    arena_clear(r->batch);
    struct slice *rows = ARENA_ARRAY(r->batch, struct slice, count);
    for (uint32_t i = 0; i < count; i++) rows[i] = list[i].row;
    struct batch b = {.rows = count, .count = count, .column_count = (uint16_t)n->column_count};
    b.columns = ARENA_ARRAY(r->batch, struct vec, n->column_count + 1);
    for (uint32_t c = 0; c < n->column_count; c++)
        vec_init_flat_rows(&b.columns[c], n->columns[c].type, count, r->batch);
    row_decode_batch(n->scan.table->layout, rows, count, n->scan.fetch, r->stored, r->missing, 0,
                     b.columns);
    for (uint32_t c = r->stored; c < n->scan.fetch_count; c++) {
        uint16_t which = (uint16_t)(n->scan.fetch[c] - n->scan.versions->columns);
        for (uint32_t i = 0; i < count; i++)
            vec_set(&b.columns[c], i, about(&list[i], (enum version_column)which));
    }
    if (n->filter) {
        uint16_t *sel = arena_alloc(r->batch, count * sizeof *sel);
        TRY(exec_filter(r->x, n->filter, &b, r->batch, sel, &b.count));
        b.sel = sel;
        if (r->x->stats) r->x->stats[n->id].removed += count - b.count;
    }
    return op__push(r->x, r->out, &b);
}

/* The reader stands at the span's beginning, so that nothing of it goes meanwhile. */
static enum status open_versions(struct execution *x, const struct plan_node *n,
                                 struct versions **ret)
{
    const struct table_versions *v = n->scan.versions;
    uint64_t from = v->from, to = v->to;
    struct txn *reader, *end;
    if (!from) from = store_history_begins(txn_store(x->txn), n->scan.table->tree);
    TRY(exec_reader(x, from, &reader));
    if (to) TRY(exec_reader(x, to, &end)); /* no commit may come to lie before it any more */
    else to = txn_snapshot_ts(x->txn);
    return store_versions(reader, n->scan.table->tree, to, ret);
}

enum status op__versions(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct versions *v;
    struct arena *a = op__arena(x, n, 0);
    struct past_version *list = ARENA_ARRAY(a, struct past_version, VERSIONS_AT_ONCE);
    struct versions_run r = {.x = x, .n = n, .out = out, .batch = op__arena(x, n, 1),
                             .missing = op__missing(a, n->scan.table)};
    while (r.stored < n->scan.fetch_count && n->scan.fetch[r.stored] < n->scan.versions->columns)
        r.stored++;
    TRY(open_versions(x, n, &v));
    enum status st = OK;
    for (uint32_t count = 1; st == OK && count > 0;) {
        st = versions_next(v, list, VERSIONS_AT_ONCE, &count);
        if (st == OK) st = count ? emit(&r, list, count) : exec_check(x);
    }
    versions_close(v);
    return st;
}
