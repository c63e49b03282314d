/* The catalog in a merge: schemas, tables, views, sequences and functions that the branch has made are made in the target,
 * with trees of their own, whose rows are merged as those of other tables are. What the branch has altered or
 * dropped, and what the target has altered of the tables that the branch has changed, is refused. */
#include "db/branch_merge_priv.h"

enum { ROWS = 64 };

static const char *target_name(const struct merge *m)
{
    return branch_name(m->s->line->branch);
}

static enum status put_catalog(struct merge *m, struct catalog *next)
{
    session__set_catalog(m->s, next);
    return OK;
}

/* --- what is refused --------------------------------------------------------------------------- */

static enum status refuse(const struct merge *m, const char *kind, const char *name, const char *did,
                          const char *where)
{
    FAIL(FEATURE_NOT_SUPPORTED, "cannot merge branch \"%s\": %s \"%s\" was %s in \"%s\"",
         branch_name(m->source), kind, name, did, where);
    return error_hint("Only new schemas, tables, views, sequences and functions, and changes of rows, are "
                      "merged.");
}

static const char *kind_words(const struct table_def *t)
{
    return t->kind == 'v' ? "view" : t->kind == 'S' ? "sequence" : "table";
}

/* --- new objects ------------------------------------------------------------------------------- */

static enum status add_schema(struct merge *m, const struct schema_def *d)
{
    struct catalog *next;
    if (catalog_schema_by_oid(m->s->catalog, d->oid)) return OK; /* merged before */
    if (catalog_schema(m->s->catalog, d->database, slice_of(d->name)))
        return FAIL(DUPLICATE_SCHEMA, "schema \"%s\" already exists", d->name);
    TRY(session__begin_ddl(m->s));
    TRY(catalog_put_schema(m->s->catalog, m->s->txn, d, &next));
    return put_catalog(m, next);
}

static bool is_taken(const struct catalog *c, const struct function_def *f)
{
    const struct function_def *const *list;
    uint32_t n = catalog_functions(c, f->schema, slice_of(f->proc.name), &list);
    for (uint32_t i = 0; i < n; i++)
        if (list[i]->proc.arg_count == f->proc.arg_count &&
            memcmp(list[i]->proc.args, f->proc.args, f->proc.arg_count * sizeof *f->proc.args) == 0)
            return true;
    return false;
}

static enum status add_function(struct merge *m, const struct function_def *f)
{
    struct catalog *next;
    const struct function_def *there = catalog_function_by_oid(m->s->catalog, f->proc.oid);
    if (there && catalog_same_function(there, f)) return OK;
    if (there) return refuse(m, "function", f->proc.name, "altered since it was merged", target_name(m));
    if (!catalog_schema_by_oid(m->s->catalog, f->schema))
        return refuse(m, "function", f->proc.name, "made in a schema that was dropped", target_name(m));
    if (is_taken(m->s->catalog, f))
        return FAIL(DUPLICATE_FUNCTION, "function \"%s\" already exists with same argument types",
                    f->proc.name);
    TRY(session__begin_ddl(m->s));
    TRY(catalog_put_function(m->s->catalog, m->s->txn, f, &next));
    return put_catalog(m, next);
}

static enum status new_trees(struct merge *m, const struct table_def *t, struct table_def *ret)
{
    struct arena *a = &m->s->arena;
    struct txn *txn = m->s->txn;
    *ret = *t;
    if (t->tree) TRY(store_create_tree(txn, &ret->tree));
    if (t->sequence) {
        struct sequence_def *q = arena_memdup(a, t->sequence, sizeof *q);
        TRY(store_create_tree(txn, &q->tree));
        ret->sequence = q;
    }
    const struct index_def **indexes = ARENA_ARRAY(a, const struct index_def *, t->index_count + 1u);
    for (uint16_t i = 0; i < t->index_count; i++) {
        struct index_def *x = arena_memdup(a, t->indexes[i], sizeof *x);
        if (x->tree) TRY(store_create_tree(txn, &x->tree));
        indexes[i] = x;
    }
    ret->indexes = indexes;
    return OK;
}

static enum status add_table(struct merge *m, const struct table_def *t)
{
    struct catalog *next;
    struct table_def def;
    const struct table_def *there = catalog_table_by_oid(m->s->catalog, t->oid);
    if (there && !catalog_same_but_trees(there, t))
        return refuse(m, kind_words(t), t->name, "altered since it was merged", target_name(m));
    if (there) return OK;
    if (!catalog_schema_by_oid(m->s->catalog, t->schema))
        return refuse(m, kind_words(t), t->name, "made in a schema that was dropped", target_name(m));
    if (catalog_table(m->s->catalog, t->schema, slice_of(t->name)) ||
        catalog_index(m->s->catalog, t->schema, slice_of(t->name)))
        return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists", t->name);
    for (uint16_t i = 0; i < t->index_count; i++)
        if (catalog_index(m->s->catalog, t->schema, slice_of(t->indexes[i]->name)) ||
            catalog_table(m->s->catalog, t->schema, slice_of(t->indexes[i]->name)))
            return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists", t->indexes[i]->name);
    TRY(session__begin_ddl(m->s));
    TRY(new_trees(m, t, &def));
    TRY(catalog_put_table(m->s->catalog, m->s->txn, &def, &next));
    TRY(put_catalog(m, next));
    if (!t->sequence) return OK;
    int64_t value;
    bool called;
    TRY(sequence_read_in(m->from, t, &value, &called));
    return sequence_write(m->s, catalog_table_by_oid(m->s->catalog, t->oid), value, called);
}

/* --- what has changed -------------------------------------------------------------------------- */

/* Objects of the catalog that the branch has written: by oid, schemas come before what is in them. */
typedef ARRAY(oid_t) oid_list;

static enum status list_changed(struct merge *m, oid_list *ret)
{
    struct scan_request q = {.tree = CATALOG_TREE, .changes = true};
    struct slice keys[ROWS], rows[ROWS];
    struct cursor *c;
    uint32_t n = 0;
    enum status st;
    TRY(store_scan(m->from, &q, &c));
    do {
        st = cursor_next(c, keys, rows, ROWS, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) {
            oid_t oid;
            if (catalog_changed_object(keys[i], &oid)) ARENA_PUSH(&m->s->arena, ret, oid);
        }
    } while (st == OK && n > 0);
    cursor_close(c);
    return st;
}

static enum status merge_schema(struct merge *m, oid_t oid)
{
    const struct schema_def *was = catalog_schema_by_oid(m->base, oid);
    const struct schema_def *is = catalog_schema_by_oid(m->theirs, oid);
    if (!was) return is ? add_schema(m, is) : OK;
    return refuse(m, "schema", was->name, is ? "altered" : "dropped", branch_name(m->source));
}

static enum status merge_function(struct merge *m, oid_t oid)
{
    const struct function_def *was = catalog_function_by_oid(m->base, oid);
    const struct function_def *is = catalog_function_by_oid(m->theirs, oid);
    if (!was) return is ? add_function(m, is) : OK;
    if (is && catalog_same_function(was, is)) return OK;
    return refuse(m, "function", was->proc.name, is ? "altered" : "dropped", branch_name(m->source));
}

static enum status merge_table(struct merge *m, oid_t oid)
{
    const struct table_def *was = catalog_table_by_oid(m->base, oid);
    const struct table_def *is = catalog_table_by_oid(m->theirs, oid);
    if (!was) return is && is->persistence != 't' ? add_table(m, is) : OK;
    if (is && catalog_same_definition(was, is)) return OK; /* ANALYZE */
    return refuse(m, kind_words(was), was->name, is ? "altered or truncated" : "dropped",
                  branch_name(m->source));
}

/* --- tables whose rows may have changed --------------------------------------------------------- */

static bool contains(const tree_id *trees, uint32_t n, tree_id tree)
{
    for (uint32_t i = 0; i < n; i++)
        if (trees[i] == tree) return true;
    return false;
}

static enum status add_changed(struct merge *m, const struct table_def *theirs, bool added)
{
    const struct table_def *ours = catalog_table_by_oid(m->s->catalog, theirs->oid);
    struct merge_table t = {theirs, ours, added};
    if (!ours)
        return refuse(m, kind_words(theirs), theirs->name, "dropped since the fork", target_name(m));
    if (!added && !catalog_same_definition(theirs, ours))
        return refuse(m, kind_words(theirs), theirs->name, "altered or truncated since the fork",
                      target_name(m));
    if (theirs->kind == 'S') ARENA_PUSH(&m->s->arena, &m->sequences, t);
    else ARENA_PUSH(&m->s->arena, &m->tables, t);
    return OK;
}

static enum status list_tables(struct merge *m)
{
    tree_id *trees;
    uint32_t n;
    const struct table_def *t;
    branch_changed_trees(m->source, &m->s->arena, &trees, &n);
    for (size_t pos = 0; catalog_next_table(m->theirs, &pos, &t);) {
        tree_id tree = t->sequence ? t->sequence->tree : t->tree;
        bool added = !catalog_table_by_oid(m->base, t->oid);
        if (!tree || t->persistence == 't' || t->kind == 'v') continue;
        if (added || contains(trees, n, tree)) TRY(add_changed(m, t, added));
    }
    return OK;
}

enum status merge__schema(struct merge *m)
{
    oid_list changed = {0};
    TRY(list_changed(m, &changed));
    for (size_t i = 0; i < changed.count; i++) {
        oid_t oid = changed.data[i];
        if (catalog_schema_by_oid(m->base, oid) || catalog_schema_by_oid(m->theirs, oid))
            TRY(merge_schema(m, oid));
    }
    for (size_t i = 0; i < changed.count; i++) TRY(merge_function(m, changed.data[i]));
    for (size_t i = 0; i < changed.count; i++) TRY(merge_table(m, changed.data[i]));
    return list_tables(m);
}
