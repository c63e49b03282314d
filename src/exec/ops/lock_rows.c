/* SELECT … FOR UPDATE and its kind: each row's tables are locked by key, in the order of the clause. When
 * a row has changed since the statement's snapshot, READ COMMITTED looks at it again: the new values take
 * the places of the old ones and the conditions decide anew (PostgreSQL's EvalPlanQual). */
#include "exec/ops/dml.h"

struct lock_run {
    struct execution *x;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct arena *arena; /* of one row */
    struct datum *row, *whole;
};

static enum status serialization_failure(void)
{
    return FAIL(SERIALIZATION_FAILURE, "could not serialize access due to concurrent update");
}

/* What a foreign key may refer to, beside the primary key: that is the row's own. */
static bool is_plain_key(const struct index_def *x)
{
    bool plain = x->unique && x->tree && !x->predicate_sql;
    for (uint16_t i = 0; i < x->key_count; i++) plain &= x->columns[i].column != 0;
    return plain;
}

/* Under REPEATABLE READ, FOR KEY SHARE takes a row that has changed since, but not in what others may
 * refer to. */
static enum status judge_key(struct lock_run *r, const struct table_def *t, struct slice key,
                             struct slice now)
{
    struct point_get_request q = {t->tree, key};
    struct datum *old = ARENA_ARRAY(r->arena, struct datum, t->column_count + 1u);
    struct slice seen;
    if (!now.data) return serialization_failure();
    TRY(store_point_get(r->x->txn, &q, &seen));
    dml_decode(t, seen, old);
    dml_decode(t, now, r->whole);
    for (uint16_t i = 0; i < t->index_count; i++) {
        struct strbuf a, b;
        bool unique;
        if (!is_plain_key(t->indexes[i])) continue;
        strbuf_init(&a, r->arena);
        strbuf_init(&b, r->arena);
        op__index_key(t, t->indexes[i], old, key, &a, &unique);
        op__index_key(t, t->indexes[i], r->whole, key, &b, &unique);
        if (!slice_eq(strbuf_slice(&a), strbuf_slice(&b))) return serialization_failure();
    }
    return OK;
}

/* *ret_keep false: the row does not come out. */
static enum status lock_one(struct lock_run *r, const struct row_lock_plan *l, bool *ret_keep,
                            bool *changed)
{
    const struct table_def *t = l->table;
    struct lock_request q = {.tree = t->tree, .nowait = l->wait == 2, .skip_locked = l->wait == 1,
                             .mode = (enum row_lock)l->strength};
    struct lock_result got;
    if (r->row[l->key_slot].null) return OK; /* an outer join's row of NULLs */
    q.key = bytes_slice(&r->row[l->key_slot].v.bytes);
    enum status st = store_lock(r->x->txn, &q, &got);
    *ret_keep = st == OK;
    if (st == WOULD_BLOCK) return OK;
    if (st == LOCK_NOT_AVAILABLE && q.nowait)
        return FAIL(LOCK_NOT_AVAILABLE, "could not obtain lock on row in relation \"%s\"", t->name);
    if (st == SERIALIZATION_FAILURE) return serialization_failure();
    TRY(st);
    if (got.changed && txn_isolation(r->x->txn) != READ_COMMITTED)
        return judge_key(r, t, q.key, got.row);
    *ret_keep = got.row.data && !got.written;
    if (!*ret_keep || !got.changed) return OK;
    *changed = true;
    dml_decode(t, got.row, r->whole);
    for (uint16_t c = 0; c < t->column_count; c++)
        if (l->column_slots[c] >= 0) r->row[l->column_slots[c]] = r->whole[c];
    return OK;
}

/* The conditions again, over the new values. */
static enum status look_again(struct lock_run *r, bool *ret_keep)
{
    const struct plan_node *n = r->n;
    for (uint32_t i = 0; i < n->lock.outer_count; i++) {
        const struct lock_outer *o = &n->lock.outers[i];
        bool pass;
        TRY(exec_test_row(r->x, o->condition, r->row, r->arena, &pass));
        for (uint32_t k = 0; !pass && k < o->slot_count; k++)
            r->row[o->slots[k]] = (struct datum){.null = true};
    }
    return exec_test_row(r->x, n->lock.recheck, r->row, r->arena, ret_keep);
}

static enum status lock_row(struct lock_run *r)
{
    bool keep = true, changed = false;
    arena_clear(r->arena);
    for (uint32_t i = 0; keep && i < r->n->lock.lock_count; i++)
        TRY(lock_one(r, &r->n->lock.locks[i], &keep, &changed));
    if (keep && changed) TRY(look_again(r, &keep));
    if (!keep) return OK;
    TRY(row_pusher__add(&r->pusher, r->row));
    return r->n->lock.one_by_one ? row_pusher__flush(&r->pusher) : OK;
}

static enum status lock_batch(void *ctx, const struct batch *in)
{
    struct lock_run *r = ctx;
    for (uint32_t i = 0; i < in->count; i++) {
        op__get_row(in, op__row(in, i), r->row);
        TRY(lock_row(r));
    }
    return row_pusher__flush(&r->pusher);
}

enum status op__lock_rows(struct execution *x, const struct plan_node *n,
                          const struct exec_sink *out)
{
    struct lock_run r = {.x = x, .n = n};
    uint32_t most = 0;
    for (uint32_t i = 0; i < n->lock.lock_count; i++)
        if (n->lock.locks[i].table->column_count > most)
            most = n->lock.locks[i].table->column_count;
    struct arena *a = op__arena(x, n, 1);
    row_pusher__init(&r.pusher, x, n, out);
    r.arena = op__arena(x, n, 2);
    r.row = ARENA_ARRAY(a, struct datum, n->left->column_count + 1);
    r.whole = ARENA_ARRAY(a, struct datum, most + 1);
    struct exec_sink sink = {lock_batch, &r};
    return op__run(x, n->left, &sink);
}
