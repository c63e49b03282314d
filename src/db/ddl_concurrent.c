/* CREATE INDEX, DROP INDEX and REINDEX CONCURRENTLY: several transactions, between which others
 * read and write (docs/design/online-ddl.md). One that fails leaves an index that is not valid,
 * as PostgreSQL's does; DROP and REINDEX take it from there. */
#include "db/ddl_build_priv.h"

static enum status put_new(struct build *b, const struct table_def *t, struct index_def *x)
{
    struct ddl *d = &b->ddl;
    struct table_edit e;
    TRY(ddl__new_oid(d, &x->oid));
    TRY(store_create_tree(d->s->txn, &x->tree));
    x->live = true;
    x->ready = x->valid = false;
    ddl__edit(d, t, &e);
    ARENA_PUSH(d->a, &e.indexes, x);
    TRY(ddl__edit_put(d, &e, NULL));
    b->index = x->oid;
    b->created_ts = store_last_commit(d->s->db->store); /* before this one commits */
    return build__commit(b);
}

static void make_valid(struct index_def *x)
{
    x->valid = true;
}

/* --- CREATE INDEX
 * ------------------------------------------------------------------------------ */

static enum status create_index(struct build *b, const struct ast_create_index *n)
{
    const struct table_def *t;
    struct index_def *x;
    bool again = true;
    while (again) {
        TRY(build__open(b));
        TRY(ddl__define_index(&b->ddl, n, &t, &x));
        if (!x) return OK;
        TRY(build__enter(b, t->oid, &again));
    }
    TRY(put_new(b, t, x));
    build__show(b->s, BUILD_CREATE_CONCURRENTLY, b->t, b->x);
    TRY(build__fill(b));
    TRY(build__open(b));
    TRY(build__edit(b, make_valid));
    return build__commit(b);
}

/* --- DROP INDEX
 * -------------------------------------------------------------------------------- */

static void make_dead(struct index_def *x)
{
    x->ready = x->live = false;
}

/* It is not read by new plans any more, nor valid. */
static enum status discard(struct build *b)
{
    TRY(build__wait_lockers(b, LOCK_ACCESS_EXCLUSIVE, PHASE_WAIT_READERS));
    TRY(build__open(b));
    TRY(build__edit(b, make_dead));
    TRY(build__commit(b));
    TRY(build__wait_lockers(b, LOCK_ACCESS_EXCLUSIVE, PHASE_WAIT_DEAD));
    TRY(build__open(b));
    TRY(ddl__drop_index(&b->ddl, b->x));
    return build__commit(b);
}

static void make_invalid(struct index_def *x)
{
    x->valid = false;
}

static enum status drop_index(struct build *b, const struct ast_drop *n)
{
    const struct index_def *x;
    bool again = true;
    if (n->name_count != 1)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "DROP INDEX CONCURRENTLY does not support dropping multiple objects");
    if (n->cascade)
        return FAIL(FEATURE_NOT_SUPPORTED, "DROP INDEX CONCURRENTLY does not support CASCADE");
    while (again) {
        TRY(build__open(b));
        TRY(ddl__find_drop_index(&b->ddl, n, 0, &x));
        if (!x) return OK;
        const char *what = arena_printf(b->ddl.a, "index %s", ddl__quote(b->ddl.a, x->name));
        TRY(ddl__drop_references(&b->ddl, x, what, false));
        TRY(build__enter(b, x->table, &again));
    }
    TRY(session__check_unused(b->s, ddl__table(&b->ddl, x->table), "DROP INDEX"));
    b->index = x->oid;
    b->t = ddl__table(&b->ddl, x->table);
    TRY(build__edit(b, make_invalid));
    TRY(build__commit(b));
    return discard(b);
}

/* --- REINDEX
 * ----------------------------------------------------------------------------------- */

/* What is built in the place of x. A deferrable unique index has entries like any that is not
 * unique, and other rows than those of x there are none. */
static struct index_def *twin_of(struct build *b, const struct table_def *t,
                                 const struct index_def *x)
{
    struct index_def *y = arena_memdup(b->ddl.a, x, sizeof *y);
    y->columns = arena_memdup(b->ddl.a, x->columns, x->column_count * sizeof *x->columns);
    y->name = ddl__choose_name(&b->ddl, t->schema, x->name, NULL, "ccnew", NULL, NULL);
    y->unique = x->unique && !x->deferrable;
    y->primary = y->deferrable = false;
    y->constraint = 0;
    y->comment = NULL;
    return y;
}

/* The two change their trees; b->index is what is left to be dropped. */
static enum status swap(struct build *b, oid_t index)
{
    struct ddl *d = &b->ddl;
    struct table_edit e;
    const struct index_def *x = catalog_index_by_oid(d->s->catalog, index), *y = b->x;
    if (!x || x->table != b->table)
        return FAIL(UNDEFINED_OBJECT, "the index or its table was dropped meanwhile");
    struct index_def *new_x = arena_memdup(d->a, x, sizeof *x);
    struct index_def *new_y = arena_memdup(d->a, y, sizeof *y);
    new_x->tree = y->tree;
    new_y->tree = x->tree;
    new_x->valid = new_x->ready = new_x->live = true;
    new_y->name = ddl__choose_name(d, b->t->schema, x->name, NULL, "ccold", NULL, NULL);
    new_y->valid = false;
    ddl__edit(d, b->t, &e);
    for (size_t i = 0; i < e.indexes.count; i++) {
        if (e.indexes.data[i]->oid == x->oid) e.indexes.data[i] = new_x;
        else if (e.indexes.data[i]->oid == y->oid) e.indexes.data[i] = new_y;
    }
    return ddl__edit_put(d, &e, NULL);
}

enum status reindex__one_beside(struct build *b, oid_t index)
{
    const struct index_def *x;
    bool again = true;
    while (again) {
        b->index = 0;
        TRY(build__open(b));
        x = catalog_index_by_oid(b->s->catalog, index);
        if (!x || !x->tree || !x->live) return OK; /* dropped since, or the table's own order */
        TRY(build__enter(b, x->table, &again));
    }
    const struct table_def *t = ddl__table(&b->ddl, x->table);
    TRY(put_new(b, t, twin_of(b, t, x)));
    build__show(b->s, BUILD_REINDEX_CONCURRENTLY, b->t, b->x);
    TRY(build__fill(b));
    TRY(build__open(b));
    TRY(swap(b, index));
    TRY(build__commit(b));
    return discard(b);
}

/* --- all of them
 * ------------------------------------------------------------------------------- */

bool concurrent__handles(const struct session *s, const struct ast *a)
{
    switch (a->kind) {
    case AST_CREATE_INDEX: return AST(a, ast_create_index)->concurrently;
    case AST_DROP:
        return AST(a, ast_drop)->concurrently && AST(a, ast_drop)->object == OBJECT_INDEX;
    case AST_ALTER_TABLE: return validate__handles(s, AST(a, ast_alter_table));
    case AST_REINDEX: return reindex__is_manifold(AST(a, ast_reindex));
    default: return false;
    }
}

enum status concurrent__execute(struct session *s, const struct ast *a, struct slice text,
                                const struct result_sink *sink)
{
    struct build b = {.s = s, .sink = sink, .text = text};
    if (a->kind == AST_REINDEX) return reindex__all(s, AST(a, ast_reindex), text, sink);
    enum status st = a->kind == AST_DROP          ? drop_index(&b, AST(a, ast_drop))
                     : a->kind == AST_ALTER_TABLE ? validate__run(&b, AST(a, ast_alter_table))
                                                  : create_index(&b, AST(a, ast_create_index));
    build__end(&b);
    return st;
}
