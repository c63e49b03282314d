/* What DDL does to stored rows: scans of whole tables, filling new indexes, and moving a table's
 * rows to a new tree in another shape.
 *
 *   table tree     key: primary key's columns, or hidden int8 row id    row: all columns
 *   index tree     key: index columns, then the table key unless the entry is unique by itself
 *                  row: the table key
 *
 * The table is locked against writers, so what is scanned stays; all writes are the transaction's
 * own and vanish with it. */
#include "db/ddl_priv.h"
#include "types/key.h"

enum { SCAN_ROWS = 256 };

/* --- scans ---------------------------------------------------------------------------------- */

void ddl__decode(const struct table_def *t, struct slice row, struct datum *ret)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        if (c->dropped) ret[i] = (struct datum){.null = true};
        else if (!row_get(t->layout, row, i, &ret[i]))
            ret[i] = c->has_missing ? c->missing : (struct datum){.null = true};
    }
}

static enum status scan_cursor(struct ddl *d, const struct row_scan *q, struct cursor *c)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    struct datum *row = ARENA_ARRAY(d->a, struct datum, q->table->column_count + 1);
    for (;;) {
        uint32_t n;
        TRY(session__check_interrupts(d->s));
        TRY(cursor_next(c, keys, rows, SCAN_ROWS, &n));
        if (n == 0) return OK;
        for (uint32_t i = 0; i < n; i++) {
            ddl__decode(q->table, rows[i], row);
            TRY(q->row(q->ctx, keys[i], row));
        }
    }
}

enum status ddl__scan(struct ddl *d, const struct row_scan *q)
{
    struct scan_request r = {.tree = q->table->tree};
    struct cursor *c;
    TRY(store_scan(d->s->txn, &r, &c));
    enum status s = scan_cursor(d, q, c);
    cursor_close(c);
    return s;
}

/* --- keys ----------------------------------------------------------------------------------- */

struct key_part ddl__key_part(const struct index_def *x, uint32_t i)
{
    return (struct key_part){x->columns[i].type, x->columns[i].descending,
                             x->columns[i].nulls_first};
}

void ddl__primary_key(const struct table_def *t, const struct datum *row, struct strbuf *out)
{
    ASSERT(t->primary);
    for (uint32_t i = 0; i < t->primary->key_count; i++) {
        struct key_part part = ddl__key_part(t->primary, i);
        key_encode(&part, row[t->primary->columns[i].column - 1], out);
    }
}

void ddl__entry_key(const struct index_def *x, struct slice key, const struct datum *row,
                    struct strbuf *out, bool *ret_unique)
{
    bool any_null = false;
    for (uint32_t i = 0; i < x->key_count; i++) {
        struct key_part part = ddl__key_part(x, i);
        struct datum v = row[x->columns[i].column - 1];
        any_null |= v.null;
        key_encode(&part, v, out);
    }
    *ret_unique = x->unique && (!any_null || x->nulls_not_distinct);
    if (!*ret_unique) strbuf_add(out, key.data, key.len);
}

static const char *key_words(struct ddl *d, const struct table_def *t, const struct index_def *x,
                           const struct datum *row)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    strbuf_addc(&b, '(');
    for (uint32_t i = 0; i < x->key_count; i++)
        strbuf_addf(&b, "%s%s", i ? ", " : "", t->columns[x->columns[i].column - 1].name);
    strbuf_adds(&b, ")=(");
    for (uint32_t i = 0; i < x->key_count; i++) {
        const struct datum *v = &row[x->columns[i].column - 1];
        if (i) strbuf_adds(&b, ", ");
        if (v->null) strbuf_adds(&b, "null");
        else value_to_text(x->columns[i].type, &v->v, &d->s->settings.format, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

static const char *schema_name(struct ddl *d, const struct table_def *t)
{
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, t->schema);
    return n ? n->name : NULL;
}

static enum status duplicated(struct ddl *d, const struct table_def *t, const struct index_def *x,
                              const struct datum *row)
{
    FAIL(UNIQUE_VIOLATION, "could not create unique index \"%s\"", x->name);
    error_detail("Key %s is duplicated.", key_words(d, t, x, row));
    return error_object(schema_name(d, t), t->name, NULL, x->name);
}

static enum status write_entry(struct ddl *d, const struct table_def *t, const struct index_def *x,
                               struct slice key, const struct datum *row, struct strbuf *entry)
{
    bool unique;
    strbuf_clear(entry);
    ddl__entry_key(x, key, row, entry, &unique);
    struct write_request w = {x->tree, unique ? WRITE_INSERT : WRITE_PUT, strbuf_slice(entry), key};
    enum status s = store_write(d->s->txn, &w);
    return s == UNIQUE_VIOLATION ? duplicated(d, t, x, row) : s;
}

/* --- filling an index ----------------------------------------------------------------------- */

struct build {
    struct ddl *ddl;
    const struct table_def *table;
    const struct index_def *index;
    struct strbuf entry;
};

static enum status build_row(void *ctx, struct slice key, struct datum *row)
{
    struct build *b = ctx;
    return write_entry(b->ddl, b->table, b->index, key, row, &b->entry);
}

enum status ddl__build_index(struct ddl *d, const struct table_def *t, const struct index_def *x)
{
    struct build b = {.ddl = d, .table = t, .index = x};
    struct row_scan q = {t, build_row, &b};
    strbuf_init(&b.entry, NULL);
    enum status s = ddl__scan(d, &q);
    strbuf_release(&b.entry);
    txn_next_command(d->s->txn);
    return s;
}

/* --- moving rows ---------------------------------------------------------------------------- */

struct move {
    struct ddl *ddl;
    const struct rewrite *q;
    struct datum *values;
    struct strbuf key, row, entry;
};

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
            return error_object(schema_name(m->ddl, to), to->name, to->columns[n - 1].name, NULL);
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

static enum status move_row(void *ctx, struct slice old_key, struct datum *row)
{
    struct move *m = ctx;
    const struct table_def *to = m->q->to;
    memcpy(m->values, row, m->q->from->column_count * sizeof *row);
    for (uint16_t i = m->q->from->column_count; i < to->column_count; i++)
        m->values[i] = (struct datum){.null = true};
    if (m->q->fill) TRY(m->q->fill(m->q->ctx, m->values));
    for (uint16_t i = 0; i < to->column_count; i++)
        if (to->columns[i].dropped) m->values[i] = (struct datum){.null = true};
    TRY(new_key(m, old_key));
    strbuf_clear(&m->row);
    row_encode(to->layout, m->values, &m->row);
    struct slice key = strbuf_slice(&m->key);
    struct write_request w = {to->tree, WRITE_INSERT, key, strbuf_slice(&m->row)};
    enum status s = store_write(m->ddl->s->txn, &w);
    if (s == UNIQUE_VIOLATION && to->primary) return duplicated(m->ddl, to, to->primary, m->values);
    TRY(s);
    for (uint16_t i = 0; i < to->index_count; i++)
        if (to->indexes[i]->tree)
            TRY(write_entry(m->ddl, to, to->indexes[i], key, m->values, &m->entry));
    return OK;
}

enum status ddl__rewrite(struct ddl *d, const struct rewrite *q)
{
    struct move m = {.ddl = d, .q = q};
    struct row_scan scan = {q->from, move_row, &m};
    m.values = ARENA_ARRAY(d->a, struct datum, q->to->column_count + 1);
    strbuf_init(&m.key, NULL);
    strbuf_init(&m.row, NULL);
    strbuf_init(&m.entry, NULL);
    enum status s = ddl__scan(d, &scan);
    strbuf_release(&m.key);
    strbuf_release(&m.row);
    strbuf_release(&m.entry);
    txn_next_command(d->s->txn);
    return s;
}

enum status ddl__new_trees(struct ddl *d, struct table_edit *e)
{
    TRY(store_drop_tree(d->s->txn, e->def.tree));
    TRY(store_create_tree(d->s->txn, &e->def.tree));
    for (size_t i = 0; i < e->indexes.count; i++) {
        if (!e->indexes.data[i]->tree) continue;
        struct index_def *x = arena_memdup(d->a, e->indexes.data[i], sizeof *x);
        TRY(store_drop_tree(d->s->txn, x->tree));
        TRY(store_create_tree(d->s->txn, &x->tree));
        e->indexes.data[i] = x;
    }
    return OK;
}
