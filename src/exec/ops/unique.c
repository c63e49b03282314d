/* Deferrable unique keys. Their index lets equal keys in, each entry ending with its row's key; whether a
 * key is there once is looked at when the statement ends, or the transaction. Who looks locks the key
 * itself, which no row has, so that of two transactions that add one key the later to look sees what the
 * earlier has committed. */
#include "exec/ops/foreign_priv.h"

#include "types/key.h"

static bool touches(const struct index_def *x, const bool *changed)
{
    for (uint16_t i = 0; i < x->key_count; i++)
        if (changed[x->columns[i].column - 1]) return true;
    return false;
}

static const struct constraint_def *constraint_of(const struct table_def *t,
                                                  const struct index_def *x)
{
    for (uint16_t i = 0; i < t->constraint_count; i++)
        if (t->constraints[i]->oid == x->constraint) return t->constraints[i];
    return NULL;
}

enum status unique_written(struct dml_run *d, struct slice key, const bool *changed, bool moved)
{
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *x = d->table->indexes[i];
        if (!x->deferrable || (changed && !moved && !touches(x, changed))) continue;
        struct foreign_event e = {.kind = UNIQUE_CHECK, .row_key = key};
        e.key = (struct foreign_key){constraint_of(d->table, x), d->table, NULL, x, NULL};
        if (e.key.def) TRY(foreign__push(d->x, &e));
    }
    return OK;
}

/* --- looking ----------------------------------------------------------------------------------- */

static enum status violation(struct foreign_run *r, const struct foreign_event *e,
                             const struct datum *row)
{
    const struct table_def *t = e->key.child;
    const struct index_def *x = e->key.index;
    struct key_words w;
    foreign__words_init(&w, r);
    for (uint16_t i = 0; i < x->key_count; i++) {
        const struct column_def *c = &t->columns[x->columns[i].column - 1];
        foreign__add_word(&w, r, c, &row[c->number - 1]);
    }
    FAIL(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"%s\"", x->name);
    error_detail("Key (%s)=(%s) already exists.", w.names.data, w.values.data);
    return error_object(foreign__schema(r, t), t->name, NULL, x->name);
}

/* The row's key columns into r->lookup. False: one is NULL, which is like no other. */
static bool key_of(struct foreign_run *r, const struct index_def *x, const struct datum *row)
{
    bool any_null = false;
    strbuf_clear(&r->lookup);
    for (uint16_t i = 0; i < x->key_count; i++) {
        struct key_part part = op__index_part(x, i);
        struct datum v = row[x->columns[i].column - 1];
        any_null |= v.null;
        key_encode(&part, v, &r->lookup);
    }
    return !any_null || x->nulls_not_distinct;
}

static enum status newest_row(struct foreign_run *r, const struct table_def *t, struct slice key,
                              enum row_lock mode, struct datum *ret_row, bool *ret_there)
{
    struct lock_request q = {.tree = t->tree, .key = key, .mode = mode};
    struct lock_result got;
    TRY(store_lock(r->x->txn, &q, &got));
    *ret_there = got.row.data != NULL;
    if (*ret_there) dml_decode(t, got.row, ret_row);
    return OK;
}

/* Keys of rows with the key in r->lookup, as of now. */
static enum status find_all(struct foreign_run *r, const struct index_def *x,
                            struct foreign_matches *ret)
{
    struct txn *now = txn_begin_newest(r->x->txn);
    enum status st = foreign__collect(r, now, x->tree, true, r->arena, NULL, ret);
    txn_end_reader(now);
    return st;
}

enum status unique__check(struct foreign_run *r, const struct foreign_event *e)
{
    const struct table_def *t = e->key.child;
    const struct index_def *x = e->key.index;
    struct foreign_matches all = {0};
    struct lock_result got;
    bool there;
    arena_clear(r->arena);
    struct datum *row = ARENA_ARRAY(r->arena, struct datum, t->column_count + 1u);
    struct datum *other = ARENA_ARRAY(r->arena, struct datum, t->column_count + 1u);
    TRY(newest_row(r, t, e->row_key, ROW_LOCK_NONE, row, &there));
    if (!there || !key_of(r, x, row)) return OK;
    struct slice key = slice_dup(r->arena, strbuf_slice(&r->lookup));
    struct lock_request q = {.tree = x->tree, .key = key, .mode = ROW_LOCK_UPDATE};
    TRY(store_lock(r->x->txn, &q, &got));
    TRY(find_all(r, x, &all));
    for (size_t i = 0; i < all.count; i++) {
        if (slice_eq(all.data[i].row_key, e->row_key)) continue;
        /* Somebody may be about to delete it. */
        TRY(newest_row(r, t, all.data[i].row_key, ROW_LOCK_KEY_SHARE, other, &there));
        if (there && key_of(r, x, other) && slice_eq(strbuf_slice(&r->lookup), key))
            return violation(r, e, row);
    }
    return OK;
}
