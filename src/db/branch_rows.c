/* The changed rows of a table in a merge: for each key of which the branch has versions, what it was at the
 * fork, what the target has, and what it is to be. A key that was merged before counts from then on. A key is
 * in conflict when the target has changed it, too, and the rows differ. */
#include "db/branch_merge_priv.h"

enum { ROWS = 64 };

struct merge_rows {
    struct merge *m;
    const struct merge_table *t;
    struct cursor *cursor;
    struct slice keys[ROWS], rows[ROWS];
    uint32_t count, at;
    bool judging;
};

struct merge_rows *merge__rows_new(struct merge *m, const struct merge_table *t)
{
    struct merge_rows *r = mem_alloc(MEM_SESSION, sizeof *r);
    r->m = m;
    r->t = t;
    return r;
}

void merge__rows_free(struct merge_rows *r)
{
    if (!r) return;
    if (r->cursor) cursor_close(r->cursor);
    mem_free(MEM_SESSION, r);
}

static enum status rewind_rows(void *ctx)
{
    struct merge_rows *r = ctx;
    struct scan_request q = {.tree = r->t->theirs->tree, .changes = true};
    if (r->cursor) cursor_close(r->cursor);
    r->cursor = NULL;
    r->count = r->at = 0;
    return store_scan(r->m->from, &q, &r->cursor);
}

static enum status get(struct txn *t, tree_id tree, struct slice key, struct slice *ret)
{
    struct point_get_request q = {tree, key};
    *ret = (struct slice){0};
    enum status st = store_point_get(t, &q, ret);
    return st == NOT_FOUND ? OK : st;
}

static bool same(struct slice a, struct slice b)
{
    return (a.data == NULL) == (b.data == NULL) && (!a.data || slice_eq(a, b));
}

/* What the key stood at when both sides last agreed on it, and when that was in the target. *ret_old: the
 * branch has not changed it since. */
static enum status agreed(struct merge_rows *r, struct slice key, struct slice *ret_row,
                          uint64_t *ret_ts, bool *ret_old)
{
    const struct merge *m = r->m;
    uint64_t ts;
    *ret_row = (struct slice){0};
    *ret_ts = m->fork_ts;
    TRY(store_version_ts(m->from, r->t->theirs->tree, key, &ts));
    *ret_old = ts <= m->merged_ts;
    if (*ret_old) return OK;
    if (m->merged) {
        TRY(store_version_ts(m->merged, r->t->theirs->tree, key, &ts));
        if (ts) {
            *ret_ts = m->into_ts;
            return get(m->merged, r->t->theirs->tree, key, ret_row);
        }
    }
    return r->t->added ? OK : get(m->fork, r->t->theirs->tree, key, ret_row);
}

static enum status lock(struct merge_rows *r, struct slice key)
{
    struct lock_request q = {.tree = r->t->ours->tree, .key = key, .mode = ROW_LOCK_UPDATE};
    struct lock_result got;
    return r->judging ? store_lock(r->m->s->txn, &q, &got) : OK;
}

/* *ret_apply: c->old becomes c->row. */
static enum status judge(struct merge_rows *r, struct slice key, struct slice theirs,
                         struct exec_merge_change *c, bool *ret_apply)
{
    struct merge *m = r->m;
    struct txn *to = m->s->txn;
    struct slice base, ours;
    uint64_t agreed_ts, ts;
    bool old;
    *ret_apply = false;
    TRY(agreed(r, key, &base, &agreed_ts, &old));
    if (old || same(theirs, base)) return OK;
    TRY(lock(r, key));
    TRY(get(to, r->t->ours->tree, key, &ours));
    if (same(theirs, ours)) return OK;
    TRY(store_version_ts(to, r->t->ours->tree, key, &ts));
    /* A deletion in the main line may have left nothing; in a branch what is not there is as below. */
    bool gone = !ts && !m->s->line->branch && base.data;
    *c = (struct exec_merge_change){key, ours, theirs};
    *ret_apply = true;
    if (ts <= agreed_ts && !gone) return OK;
    *ret_apply = m->mode == CONFLICT_THEIRS;
    if (r->judging) merge__note_conflict(m, r->t->ours, key, base, ours, theirs);
    return OK;
}

static enum status next_row(void *ctx, struct exec_merge_change *ret, bool *ret_any)
{
    struct merge_rows *r = ctx;
    for (;;) {
        if (r->at == r->count) {
            TRY(cursor_next(r->cursor, r->keys, r->rows, ROWS, &r->count));
            r->at = 0;
            *ret_any = r->count > 0;
            if (!r->count) return OK;
        }
        uint32_t i = r->at++;
        TRY(judge(r, r->keys[i], r->rows[i], ret, ret_any));
        if (*ret_any) return OK;
    }
}

enum status merge__rows_judge(struct merge_rows *r)
{
    struct exec_merge_change c;
    bool any = true;
    r->judging = true;
    enum status st = rewind_rows(r);
    while (st == OK && any) {
        st = session__check_interrupts(r->m->s);
        if (st == OK) st = next_row(r, &c, &any);
        r->m->rows += st == OK && any;
    }
    r->judging = false;
    return st;
}

struct exec_merge_source merge__rows_source(struct merge_rows *r)
{
    return (struct exec_merge_source){rewind_rows, next_row, r};
}
