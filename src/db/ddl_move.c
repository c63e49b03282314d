/* Moving a table's rows to new trees in another shape, while others are kept from writing, or beside
 * them (ddl_follow.c). */
#include "db/ddl_build_priv.h"
#include "db/ddl_fill_priv.h"
#include "db/ddl_follow_priv.h"

struct move {
    struct ddl *ddl;
    const struct rewrite *q;
    struct datum *values;
    struct strbuf key, bytes;
    struct fill fill;
};

/* --- one row ---------------------------------------------------------------------------------- */

static enum status new_key(struct move *m, struct slice old_key)
{
    const struct table_def *from = m->q->from, *to = m->q->to;
    static const struct key_part part = {.type = TYPE_INT8};
    strbuf_clear(&m->key);
    if (to->primary) {
        for (uint16_t i = 0; i < to->primary->key_count; i++) {
            int16_t n = to->primary->columns[i].column;
            if (!m->values[n - 1].null) continue;
            FAIL(NOT_NULL_VIOLATION, "column \"%s\" of relation \"%s\" contains null values",
                 to->columns[n - 1].name, to->name);
            return error_object(fill__schema_name(m->ddl, to), to->name, to->columns[n - 1].name,
                                NULL);
        }
        ddl__primary_key(to, m->values, &m->key);
    } else if (!from->primary) {
        strbuf_add(&m->key, old_key.data, old_key.len);
    } else {
        struct datum id = {0};
        TRY(session__next_row_id(m->ddl->s, to, &id.v.i64));
        key_encode(&part, id, &m->key);
    }
    return OK;
}

/* m->values and m->key: what becomes of the row. */
static enum status remake(struct move *m, struct slice old_key, const struct datum *row)
{
    const struct table_def *to = m->q->to;
    memcpy(m->values, row, m->q->from->column_count * sizeof *row);
    for (uint16_t i = m->q->from->column_count; i < to->column_count; i++)
        m->values[i] = (struct datum){.null = true};
    if (m->q->fill) TRY(m->q->fill(m->q->ctx, m->values));
    for (uint16_t i = 0; i < to->column_count; i++)
        if (to->columns[i].dropped) m->values[i] = (struct datum){.null = true};
    return new_key(m, old_key);
}

static enum status move_row(void *ctx, struct slice old_key, struct datum *row)
{
    struct move *m = ctx;
    TRY(remake(m, old_key, row));
    strbuf_clear(&m->bytes);
    row_encode(m->q->to->layout, m->values, &m->bytes);
    return fill__row(&m->fill, strbuf_slice(&m->key), strbuf_slice(&m->bytes), m->values);
}

/* --- all rows --------------------------------------------------------------------------------- */

static enum status begin(struct move *m, struct ddl *d, const struct rewrite *q)
{
    *m = (struct move){.ddl = d, .q = q};
    m->values = ARENA_ARRAY(d->a, struct datum, q->to->column_count + 1u);
    strbuf_init(&m->key, NULL);
    strbuf_init(&m->bytes, NULL);
    return fill__begin(&m->fill, d, q->to, NULL);
}

static void end(struct move *m)
{
    strbuf_release(&m->key);
    strbuf_release(&m->bytes);
}

static enum status verify_deferrable(struct move *m)
{
    const struct table_def *to = m->q->to;
    for (uint16_t i = 0; i < to->index_count; i++)
        if (to->indexes[i]->deferrable) TRY(ddl__verify_unique(m->ddl, to, to->indexes[i]));
    return OK;
}

static enum status rewrite_alone(struct ddl *d, const struct rewrite *q)
{
    struct move m;
    struct row_scan scan = {q->from, move_row, &m};
    enum status s = begin(&m, d, q);
    if (s == OK) s = fill__end(&m.fill, ddl__scan(d, &scan));
    if (s == OK) s = verify_deferrable(&m);
    end(&m);
    return s;
}

/* --- beside others ---------------------------------------------------------------------------- */

static enum status lost(const struct move *m)
{
    return FAIL(INTERNAL_ERROR, "a row of table \"%s\" was not found again when it had changed",
                m->q->to->name);
}

/* *ret_key, and into m->values: what was made of the row, whatever the expression gives today. */
static enum status find_made(struct move *m, struct slice old_key, const struct datum *row,
                             struct slice *ret_key)
{
    struct slice bytes;
    if (!m->q->keeps_keys) TRY(remake(m, old_key, row));
    *ret_key = m->q->keeps_keys ? old_key : strbuf_slice(&m->key);
    struct point_get_request made = {m->q->to->tree, *ret_key};
    enum status st = store_point_get(m->ddl->s->txn, &made, &bytes);
    if (st == NOT_FOUND) return lost(m);
    TRY(st);
    ddl__decode(m->q->to, bytes, m->values);
    return OK;
}

static enum status unmake_row(void *ctx, struct slice old_key, struct datum *row)
{
    struct move *m = ctx;
    struct slice key;
    TRY(find_made(m, old_key, row, &key));
    struct write_request w = {.tree = m->q->to->tree, .op = WRITE_DELETE, .key = key};
    TRY(fill__remove(&m->fill, key, m->values));
    enum status st = store_write(m->ddl->s->txn, &w);
    return st == NOT_FOUND ? lost(m) : st;
}

static enum status moved(void *ctx, enum status st)
{
    struct move *m = ctx;
    TRY(fill__loaded(&m->fill, st));
    txn_next_command(m->ddl->s->txn);
    return verify_deferrable(m);
}

static enum status settle_row(void *ctx, struct slice old_key, struct datum *row)
{
    struct move *m = ctx;
    struct fill *f = &m->fill;
    struct slice key;
    TRY(find_made(m, old_key, row, &key));
    for (uint32_t i = 0; i < f->index_count; i++) {
        bool unique, present;
        if (!f->indexes[i]->deferrable) continue;
        arena_clear(&f->arena);
        TRY(ddl__index_entry(&f->values[i], key, m->values, &f->entry, &unique, &present));
        if (!present) continue;
        struct slice entry = {f->entry.data, f->entry.len - key.len};
        TRY(ddl__verify_unique_key(m->ddl, m->q->to, f->indexes[i], entry));
    }
    return OK;
}

static bool has_deferrable(const struct table_def *t)
{
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->deferrable) return true;
    return false;
}

static enum status rewrite_beside(struct ddl *d, const struct rewrite *q)
{
    struct move m;
    struct follower f = {.ddl = d, .table = q->from, .lock = d->beside, .comes = move_row,
                         .goes = unmake_row, .scanned = moved, .ctx = &m};
    if (has_deferrable(q->to)) f.settles = settle_row;
    enum status st = begin(&m, d, q);
    if (st == OK) st = fill__end(&m.fill, ddl__follow(&f));
    end(&m);
    return st;
}

enum status ddl__rewrite(struct ddl *d, const struct rewrite *q)
{
    return d->beside ? rewrite_beside(d, q) : rewrite_alone(d, q);
}
