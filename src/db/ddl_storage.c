/* What DDL does to stored rows: scans of whole tables, and filling new trees.
 *
 *   table tree     key: primary key's columns, or hidden int8 row id    row: all columns
 *   index tree     key: index columns, then the table key unless the entry is unique by itself
 *                  row: the table key
 *
 * The table is locked against writers, so what is scanned stays, or they are followed (ddl_follow.c); all
 * writes are the transaction's own and vanish with it. Beyond store_load_threshold they go on as a bulk load. */
#include "db/ddl_fill_priv.h"
#include "db/ddl_follow_priv.h"

#include "base/fiber.h"
#include "types/key.h"

enum { SCAN_ROWS = 256, PIECE_ROWS = 16384 };

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

/* Up to `max` rows; *ret_next: from where it goes on, empty at the end. */
static enum status scan_cursor(struct ddl *d, const struct row_scan *q, struct cursor *c,
                               struct datum *row, uint64_t max, struct strbuf *ret_next)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    for (uint64_t seen = 0; seen < max;) {
        uint32_t n;
        fiber_yield(); /* whoever waits for this core goes first, and may cancel it */
        TRY(session__check_interrupts(d->s));
        fiber_yield(); /* those who wait for this core go first */
        TRY(cursor_next(c, keys, rows, SCAN_ROWS, &n));
        if (n == 0) return OK;
        __atomic_add_fetch(&d->s->build.rows_done, n, __ATOMIC_RELAXED);
        for (uint32_t i = 0; i < n; i++) {
            ddl__decode(q->table, rows[i], row);
            TRY(q->row(q->ctx, keys[i], row));
        }
        seen += n;
        if (seen < max) continue;
        strbuf_add(ret_next, keys[n - 1].data, keys[n - 1].len);
        strbuf_addc(ret_next, '\0'); /* the next key that there can be */
    }
    return OK;
}

static enum status scan_part(struct ddl *d, const struct row_scan *q, struct txn *t,
                             struct datum *row, uint64_t max, struct strbuf *next)
{
    struct scan_request r = {.tree = q->table->tree};
    struct cursor *c;
    if (next->len) r.lower = strbuf_slice(next);
    TRY(store_scan(t, &r, &c)); /* copies the bound */
    strbuf_clear(next);
    enum status s = scan_cursor(d, q, c, row, max, next);
    cursor_close(c);
    return s;
}

/* Each piece is a statement of the reader's, whose snapshot stays: what others retire is not
 * held for long. */
static enum status scan_piece(struct ddl *d, const struct row_scan *q, struct datum *row,
                              struct strbuf *next)
{
    txn_statement_end(d->s->txn);
    txn_statement_begin_latest(d->s->txn);
    txn_statement_begin(d->reader);
    enum status s = scan_part(d, q, d->reader, row, PIECE_ROWS, next);
    txn_statement_end(d->reader);
    return s;
}

enum status ddl__scan(struct ddl *d, const struct row_scan *q)
{
    struct datum *row = ARENA_ARRAY(d->a, struct datum, q->table->column_count + 1);
    struct strbuf next;
    strbuf_init(&next, NULL);
    enum status s = d->reader ? scan_piece(d, q, row, &next)
                              : scan_part(d, q, d->s->txn, row, UINT64_MAX, &next);
    while (s == OK && next.len) s = scan_piece(d, q, row, &next);
    strbuf_release(&next);
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
    *ret_unique = x->unique && !x->deferrable && (!any_null || x->nulls_not_distinct);
    if (!*ret_unique) strbuf_add(out, key.data, key.len);
}

static enum status key_words(struct ddl *d, const struct table_def *t, const struct index_def *x,
                             const struct datum *row, const char **ret)
{
    static const struct exec_params no_params = {0};
    struct datum *values = ARENA_ARRAY(d->a, struct datum, x->key_count);
    struct index_values v;
    struct execution e;
    struct strbuf b;
    bool present;
    TRY(ddl__index_values(d, t, x, &v));
    exec_begin(&e, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    v.x = &e;
    v.arena = d->a;
    enum status st = ddl__index_row(&v, row, values, &present);
    exec_end(&e);
    TRY(st);
    strbuf_init(&b, d->a);
    strbuf_addc(&b, '(');
    for (uint16_t i = 0; i < x->key_count; i++) {
        const char *name;
        TRY(ddl__index_column_words(d, t, &x->columns[i], &name));
        strbuf_addf(&b, "%s%s", i ? ", " : "", name);
    }
    strbuf_adds(&b, ")=(");
    for (uint16_t i = 0; i < x->key_count; i++) {
        if (i) strbuf_adds(&b, ", ");
        if (values[i].null) strbuf_adds(&b, "null");
        else value_to_text(x->columns[i].type, &values[i].v, &d->s->settings.format, &b);
    }
    strbuf_addc(&b, ')');
    *ret = b.data;
    return OK;
}

const char *fill__schema_name(struct ddl *d, const struct table_def *t)
{
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, t->schema);
    return n ? n->name : NULL;
}

enum status ddl__duplicated(struct ddl *d, const struct table_def *t, const struct index_def *x,
                            const struct datum *row)
{
    const char *words;
    TRY(key_words(d, t, x, row, &words));
    FAIL(UNIQUE_VIOLATION, "could not create unique index \"%s\"", x->name);
    error_detail("Key %s is duplicated.", words);
    return error_object(fill__schema_name(d, t), t->name, NULL, x->name);
}

/* --- writing rows and entries ---------------------------------------------------------------- */

enum status fill__begin(struct fill *f, struct ddl *d, const struct table_def *t,
                        const struct index_def *only)
{
    static const struct exec_params no_params = {0};
    *f = (struct fill){.ddl = d, .table = t, .with_table = !only};
    f->indexes = ARENA_ARRAY(d->a, const struct index_def *, t->index_count + 1);
    if (only) f->indexes[f->index_count++] = only;
    for (uint16_t i = 0; !only && i < t->index_count; i++)
        if (t->indexes[i]->tree) f->indexes[f->index_count++] = t->indexes[i];
    f->values = ARENA_ARRAY(d->a, struct index_values, f->index_count + 1);
    for (uint32_t i = 0; i < f->index_count; i++)
        TRY(ddl__index_values(d, t, f->indexes[i], &f->values[i]));
    exec_begin(&f->x, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    arena_init(&f->arena, MEM_QUERY);
    strbuf_init(&f->entry, NULL);
    for (uint32_t i = 0; i < f->index_count; i++) {
        f->values[i].x = &f->x;
        f->values[i].arena = &f->arena;
    }
    return OK;
}

static enum status begin_load(struct fill *f)
{
    struct load_tree *trees = ARENA_ARRAY(f->ddl->a, struct load_tree, f->index_count + 1);
    uint32_t n = 0;
    if (f->with_table)
        trees[n++] = (struct load_tree){f->table->tree, f->table->primary != NULL};
    for (uint32_t i = 0; i < f->index_count; i++)
        trees[n++] = (struct load_tree){f->indexes[i]->tree, f->indexes[i]->unique};
    return store_load_begin(f->ddl->s->txn, trees, n, &f->load);
}

/* UNIQUE_VIOLATION of the load gets its words: the row is found again by what the load kept of it. */
static enum status judge_load(struct fill *f, enum status s)
{
    if (s != UNIQUE_VIOLATION) return s;
    const struct load_conflict *c = store_load_conflict(f->load);
    struct datum *values = ARENA_ARRAY(f->ddl->a, struct datum, f->table->column_count + 1);
    struct slice row = c->row;
    uint32_t tree = c->tree;
    if (!f->with_table) {
        struct point_get_request q = {f->table->tree, c->row};
        struct txn *t = f->ddl->reader ? f->ddl->reader : f->ddl->s->txn;
        txn_statement_begin(t);
        enum status st = store_point_get(t, &q, &row);
        if (st == OK) row = slice_dup(f->ddl->a, row);
        txn_statement_end(t);
        TRY(st);
    }
    ddl__decode(f->table, row, values);
    if (f->with_table && tree-- == 0)
        return ddl__duplicated(f->ddl, f->table, f->table->primary, values);
    return ddl__duplicated(f->ddl, f->table, f->indexes[tree], values);
}

static enum status write_one(struct fill *f, uint32_t tree, const struct write_request *w,
                             const struct index_def *x, const struct datum *row)
{
    f->wrote += w->key.len + w->row.len;
    if (f->load) return judge_load(f, store_load_add(f->load, tree, w->key, w->row, f->rows));
    enum status s = store_write(f->ddl->s->txn, w);
    return s == UNIQUE_VIOLATION && x ? ddl__duplicated(f->ddl, f->table, x, row) : s;
}

enum status fill__row(struct fill *f, struct slice key, struct slice bytes,
                      const struct datum *row)
{
    uint32_t tree = 0;
    if (!f->load && !f->one_by_one && f->wrote > store_load_threshold(f->ddl->s->txn))
        TRY(begin_load(f));
    f->rows++;
    if (f->with_table) {
        struct write_request w = {f->table->tree, WRITE_INSERT, key, bytes};
        TRY(write_one(f, tree++, &w, f->table->primary, row));
    }
    for (uint32_t i = 0; i < f->index_count; i++) {
        bool unique, present;
        arena_clear(&f->arena);
        TRY(ddl__index_entry(&f->values[i], key, row, &f->entry, &unique, &present));
        if (!present) {
            tree++;
            continue;
        }
        struct write_request w = {f->indexes[i]->tree, unique ? WRITE_INSERT : WRITE_PUT,
                                  strbuf_slice(&f->entry), key};
        TRY(write_one(f, tree++, &w, f->indexes[i], row));
    }
    return OK;
}

enum status fill__remove(struct fill *f, struct slice key, const struct datum *row)
{
    for (uint32_t i = 0; i < f->index_count; i++) {
        bool unique, present;
        arena_clear(&f->arena);
        TRY(ddl__index_entry(&f->values[i], key, row, &f->entry, &unique, &present));
        if (!present) continue;
        struct write_request w = {.tree = f->indexes[i]->tree, .op = WRITE_DELETE,
                                  .key = strbuf_slice(&f->entry)};
        enum status st = store_write(f->ddl->s->txn, &w);
        if (st == NOT_FOUND)
            return FAIL(INTERNAL_ERROR, "index \"%s\" has no entry for a row that was changed",
                        f->indexes[i]->name);
        TRY(st);
    }
    return OK;
}

/* What is written after a load goes over it, one by one. */
enum status fill__loaded(struct fill *f, enum status s)
{
    if (s == OK && f->load) s = judge_load(f, store_load_finish(f->load));
    store_load_free(f->load);
    f->load = NULL;
    f->one_by_one = true;
    return s;
}

enum status fill__end(struct fill *f, enum status s)
{
    s = fill__loaded(f, s);
    strbuf_release(&f->entry);
    arena_release(&f->arena);
    exec_end(&f->x);
    txn_next_command(f->ddl->s->txn);
    return s;
}

/* --- filling an index ----------------------------------------------------------------------- */

/* Of a deferrable primary key; of another the rows are keyed by it. */
static enum status check_nulls(const struct fill *f, const struct datum *row)
{
    const struct index_def *x = f->indexes[0];
    for (uint16_t i = 0; x->primary && i < x->key_count; i++) {
        const char *name = f->table->columns[x->columns[i].column - 1].name;
        if (!row[x->columns[i].column - 1].null) continue;
        FAIL(NOT_NULL_VIOLATION, "column \"%s\" of relation \"%s\" contains null values", name,
             f->table->name);
        return error_object(fill__schema_name(f->ddl, f->table), f->table->name, name, NULL);
    }
    return OK;
}

static enum status build_row(void *ctx, struct slice key, struct datum *row)
{
    TRY(check_nulls(ctx, row));
    return fill__row(ctx, key, (struct slice){0}, row);
}

static enum status unbuild_row(void *ctx, struct slice key, struct datum *row)
{
    return fill__remove(ctx, key, row);
}

/* Does another column make the difference? */
static enum status same_entry(void *ctx, struct slice key, const struct datum *was,
                              const struct datum *is, bool *ret)
{
    struct fill *f = ctx;
    bool unique, had, has;
    struct strbuf old;
    arena_clear(&f->arena);
    strbuf_init(&old, &f->arena);
    TRY(ddl__index_entry(&f->values[0], key, was, &f->entry, &unique, &had));
    strbuf_add(&old, f->entry.data, f->entry.len);
    TRY(ddl__index_entry(&f->values[0], key, is, &f->entry, &unique, &has));
    *ret = had == has && (!has || slice_eq(strbuf_slice(&old), strbuf_slice(&f->entry)));
    return OK;
}

/* Two rows of one key stand side by side in a deferrable index, so that writing them tells nothing. */
static enum status all_built(void *ctx, enum status s)
{
    struct fill *f = ctx;
    s = fill__loaded(f, s);
    if (s != OK || !f->indexes[0]->deferrable) return s;
    txn_next_command(f->ddl->s->txn);
    return ddl__verify_unique(f->ddl, f->table, f->indexes[0]);
}

static enum status settle_row(void *ctx, struct slice key, struct datum *row)
{
    struct fill *f = ctx;
    bool unique, present;
    arena_clear(&f->arena);
    TRY(ddl__index_entry(&f->values[0], key, row, &f->entry, &unique, &present));
    struct slice entry = {f->entry.data, f->entry.len - key.len};
    return present ? ddl__verify_unique_key(f->ddl, f->table, f->indexes[0], entry) : OK;
}

enum status ddl__build_index(struct ddl *d, const struct table_def *t, const struct index_def *x)
{
    struct fill f;
    struct row_scan q = {t, build_row, &f};
    struct follower w = {.ddl = d, .table = t, .lock = d->beside, .comes = build_row,
                         .goes = unbuild_row, .same = same_entry, .scanned = all_built, .ctx = &f};
    bool beside = d->beside != 0;
    if (x->deferrable) w.settles = settle_row;
    TRY(fill__begin(&f, d, t, x));
    TRY(fill__end(&f, beside ? ddl__follow(&w) : ddl__scan(d, &q)));
    narrowed__note_built(d->s, x->tree);
    return x->deferrable && !beside ? ddl__verify_unique(d, t, x) : OK;
}

/* --- trees -------------------------------------------------------------------------------------- */

/* With those of the edit before dropped, or not. */
static enum status make_trees(struct ddl *d, struct table_edit *e, bool drop)
{
    if (drop) TRY(store_drop_tree(d->s->txn, e->def.tree));
    TRY(store_create_tree(d->s->txn, &e->def.tree));
    for (size_t i = 0; i < e->indexes.count; i++) {
        if (!e->indexes.data[i]->tree) continue;
        struct index_def *x = arena_memdup(d->a, e->indexes.data[i], sizeof *x);
        if (drop) TRY(store_drop_tree(d->s->txn, x->tree));
        TRY(store_create_tree(d->s->txn, &x->tree));
        e->indexes.data[i] = x;
    }
    return OK;
}

enum status ddl__new_trees(struct ddl *d, struct table_edit *e)
{
    return make_trees(d, e, true);
}

enum status ddl__more_trees(struct ddl *d, struct table_edit *e)
{
    return make_trees(d, e, false);
}

enum status ddl__drop_trees(struct ddl *d, const struct table_def *t)
{
    TRY(store_drop_tree(d->s->txn, t->tree));
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree) TRY(store_drop_tree(d->s->txn, t->indexes[i]->tree));
    return OK;
}
