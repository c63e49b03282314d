/* The catalog in a merge. Each object that the branch has changed is held against what both sides last agreed on and
 * against the target's: it is taken over when the branch alone has changed it, and it is in conflict when both
 * have, and not to the same. A table is one object, with its columns, constraints, indexes and triggers.
 *
 * First what is new and what is altered, then what is dropped, since a view that was in the way of that may be
 * another by now. Names are looked at last, for they may have changed hands. */
#include "db/branch_merge_priv.h"

#include "db/ddl_routine_priv.h"
#include "db/temporary.h"

enum { ROWS = 64 };

/* Objects of the catalog that the branch has written: by oid, schemas come before what is in them. */
typedef ARRAY(oid_t) oid_list;

struct changes {
    struct merge *m;
    oid_list oids;
    ARRAY(struct drop_item) drops;
    ARRAY(const struct function_def *) functions;  /* to be dropped, as is the next */
    ARRAY(const struct schema_def *) schemas;
    oid_list touched;                              /* relations that were put */
};

static enum status list_changed(struct merge *m, oid_list *ret)
{
    struct scan_request q = {.tree = CATALOG_TREE, .changes = true, .since = m->merged_ts};
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

/* --- three states of one thing ------------------------------------------------------------------ */

struct states {
    const void *was, *theirs, *ours;
    bool (*same)(const void *a, const void *b);
    oid_t schema;
    const char *name;
};

static bool same(const struct states *x, const void *a, const void *b)
{
    return a && b ? x->same(a, b) : a == b;
}

static const char *kind_of(const struct states *x)
{
    if (!x->theirs) return "drop/alter";
    return x->ours ? "alter/alter" : "alter/drop";
}

/* Does the target become as the branch is? */
static bool takes(struct merge *m, const struct states *x)
{
    if (same(x, x->was, x->theirs) || same(x, x->theirs, x->ours)) return false;
    if (same(x, x->was, x->ours)) return true;
    merge__note_object(m, x->schema, x->name, kind_of(x));
    return m->mode == CONFLICT_THEIRS;
}

static bool same_schema(const void *a, const void *b)
{
    return catalog_same_schema(a, b);
}

static bool same_function(const void *a, const void *b)
{
    return catalog_same_function(a, b);
}

static bool same_table(const void *a, const void *b)
{
    return catalog_same_but_trees(a, b);
}

/* --- schemas and functions ---------------------------------------------------------------------- */

static enum status merge_schema(struct changes *x, oid_t oid)
{
    struct merge *m = x->m;
    const struct schema_def *was = catalog_schema_by_oid(m->base, oid);
    const struct schema_def *theirs = catalog_schema_by_oid(m->theirs, oid);
    const struct schema_def *ours = catalog_schema_by_oid(m->s->catalog, oid);
    const struct schema_def *any = theirs ? theirs : was;
    if (!any || temporary_is_schema(any->name)) return OK;
    struct states s = {was, theirs, ours, same_schema, 0, any->name};
    if (!takes(m, &s)) return OK;
    if (!theirs) {
        if (ours) ARENA_PUSH(&m->s->arena, &x->schemas, ours);
        return OK;
    }
    const struct schema_def *other = catalog_schema(m->s->catalog, theirs->database, slice_of(theirs->name));
    if (other && other->oid != oid)
        return FAIL(DUPLICATE_SCHEMA, "schema \"%s\" already exists", theirs->name);
    return ddl__put_schema(&m->ddl, theirs);
}

static bool is_taken(const struct catalog *c, const struct function_def *f)
{
    const struct function_def *const *list;
    uint32_t n = catalog_functions(c, f->schema, slice_of(f->proc.name), &list);
    for (uint32_t i = 0; i < n; i++)
        if (list[i]->proc.oid != f->proc.oid && list[i]->proc.arg_count == f->proc.arg_count &&
            memcmp(list[i]->proc.args, f->proc.args, f->proc.arg_count * sizeof *f->proc.args) == 0)
            return true;
    return false;
}

static enum status merge_function(struct changes *x, oid_t oid)
{
    struct merge *m = x->m;
    const struct function_def *was = catalog_function_by_oid(m->base, oid);
    const struct function_def *theirs = catalog_function_by_oid(m->theirs, oid);
    const struct function_def *ours = catalog_function_by_oid(m->s->catalog, oid);
    const struct function_def *any = theirs ? theirs : was;
    if (!any) return OK;
    struct states s = {was, theirs, ours, same_function, any->schema, any->proc.name};
    if (!takes(m, &s)) return OK;
    if (!theirs) {
        if (ours) ARENA_PUSH(&m->s->arena, &x->functions, ours);
        return OK;
    }
    if (!catalog_schema_by_oid(m->s->catalog, theirs->schema))
        return FAIL(INVALID_SCHEMA_NAME, "cannot merge function \"%s\": its schema was dropped in branch \"%s\"",
                    theirs->proc.name, branch_name(m->s->line->branch));
    if (is_taken(m->s->catalog, theirs))
        return FAIL(DUPLICATE_FUNCTION, "function \"%s\" already exists with same argument types",
                    theirs->proc.name);
    return ddl__put_function(&m->ddl, theirs);
}

/* --- tables, views, sequences ------------------------------------------------------------------- */

static void add_rows_of(struct merge *m, const struct merge_table *t)
{
    if (t->theirs->kind == 'S') ARENA_PUSH(&m->s->arena, &m->sequences, *t);
    else if (t->theirs->tree) ARENA_PUSH(&m->s->arena, &m->tables, *t);
}

static enum status drop_table(struct changes *x, struct merge_table *t)
{
    struct merge *m = x->m;
    bool changed = false;
    if (!t->ours) return OK;
    uint64_t agreed = m->merged ? m->into_ts : m->fork_ts;
    if (t->ours->tree) TRY(merge__changed_since(m->s->txn, t->ours->tree, agreed, &changed));
    if (changed) merge__note_object(m, t->ours->schema, t->ours->name, "drop/update");
    if (changed && m->mode != CONFLICT_THEIRS) return OK;
    TRY(merge__lock(m, t->ours));
    ARENA_PUSH(&m->s->arena, &x->drops, (struct drop_item){.table = t->ours});
    return OK;
}

/* The target has dropped what the branch has rows of. */
static enum status update_dropped(struct merge *m, struct merge_table *t, bool *ret_take)
{
    bool changed;
    *ret_take = false;
    if (!t->theirs->tree) return OK;
    TRY(merge__rows_differ(m, t, &changed));
    if (!changed) return OK;
    merge__note_object(m, t->theirs->schema, t->theirs->name, "update/drop");
    *ret_take = m->mode == CONFLICT_THEIRS;
    return OK;
}

/* The numbers of its columns come from the branch. Unless nobody has numbered others meanwhile, those that were forked
 * from the target before are not to take the one for the other. */
static enum status renumber(struct merge *m, const struct merge_table *t)
{
    struct txn *to = m->s->txn;
    if (!t->theirs->tree) return OK;
    if (!t->was && !t->ours)
        return t->theirs_numbers ? catalog_put_renumbered(to, t->oid, t->theirs_numbers) : OK;
    bool follows = t->was && t->ours && t->was_numbers == t->theirs_numbers &&
                   t->was_numbers == t->our_numbers && catalog_same_but_trees(t->was, t->ours);
    return follows ? OK : catalog_put_renumbered(to, t->oid, txn_snapshot_ts(m->from));
}

static enum status put_table(struct changes *x, struct merge_table *t)
{
    struct merge *m = x->m;
    TRY(renumber(m, t));
    TRY(t->ours ? merge__alter_table(m, t) : merge__add_table(m, t));
    ARENA_PUSH(&m->s->arena, &x->touched, t->oid);
    if (t->theirs->kind == 'S' && !t->ours) return OK; /* it has its value */
    add_rows_of(m, t);
    return OK;
}

/* The one side knows rows by other keys than the other: the table is the branch's as a whole, or stays. */
static enum status take_whole(struct changes *x, struct merge_table *t, bool take)
{
    struct merge *m = x->m;
    bool changed = false;
    uint64_t agreed = m->merged ? m->into_ts : m->fork_ts;
    if (take) TRY(merge__changed_since(m->s->txn, t->ours->tree, agreed, &changed));
    else TRY(merge__rows_differ(m, t, &changed));
    if (changed) {
        merge__note_object(m, t->ours->schema, t->ours->name, take ? "alter/update" : "update/alter");
        take = m->mode == CONFLICT_THEIRS;
    }
    return take ? put_table(x, t) : OK;
}

static enum status get_numbers(struct merge *m, struct merge_table *t)
{
    if (t->was) TRY(catalog_get_renumbered(merge_base(m), t->oid, &t->was_numbers));
    if (t->theirs) TRY(catalog_get_renumbered(m->from, t->oid, &t->theirs_numbers));
    return t->ours ? catalog_get_renumbered(m->s->txn, t->oid, &t->our_numbers) : OK;
}

/* Its rows are the query's: one that both have stays as it is, a new one comes without rows and indexes. */
static enum status merge_materialized(struct changes *x, struct merge_table *t, bool take)
{
    if (!t->theirs) return take ? drop_table(x, t) : OK;
    if (t->ours || !take) return OK;
    struct table_def *def = arena_memdup(&x->m->s->arena, t->theirs, sizeof *def);
    def->tree = 0;
    def->index_count = 0;
    t->theirs = def;
    return put_table(x, t);
}

static enum status merge_table(struct changes *x, oid_t oid)
{
    struct merge *m = x->m;
    struct merge_table t = {.oid = oid, .was = catalog_table_by_oid(m->base, oid),
                            .theirs = catalog_table_by_oid(m->theirs, oid),
                            .ours = catalog_table_by_oid(m->s->catalog, oid)};
    const struct table_def *any = t.theirs ? t.theirs : t.was;
    if (!any || any->persistence == 't') return OK;
    TRY(get_numbers(m, &t));
    struct states s = {t.was, t.theirs, t.ours, same_table, any->schema, any->name};
    bool take = takes(m, &s);
    if (any->kind == 'm') return merge_materialized(x, &t, take);
    if (!t.theirs) return take ? drop_table(x, &t) : OK;
    if (!take && !t.ours && t.was && same(&s, t.was, t.theirs)) TRY(update_dropped(m, &t, &take));
    if (t.ours && t.ours->tree && t.theirs->tree && !merge__same_key(t.ours, t.theirs))
        return take_whole(x, &t, take);
    if (take) return put_table(x, &t);
    if (!t.ours) return OK;
    /* A tree that was given up for another tells nothing: the rows do. */
    t.way = t.was && t.was->tree != t.theirs->tree ? MERGE_COMPARED : MERGE_CHANGED;
    add_rows_of(m, &t);
    return OK;
}

static bool contains(const oid_list *l, oid_t oid)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->data[i] == oid) return true;
    return false;
}

static tree_id tree_of(const struct table_def *t)
{
    return t->sequence ? t->sequence->tree : t->tree;
}

static bool has_tree(const tree_id *trees, uint32_t n, tree_id tree)
{
    for (uint32_t i = 0; i < n; i++)
        if (trees[i] == tree) return true;
    return false;
}

/* Tables that rows may have changed of, besides those whose definition has: the branch has an overlay of the tree,
 * or it has made the tree itself. */
static enum status merge_others(struct changes *x)
{
    struct merge *m = x->m;
    tree_id *trees;
    uint32_t n;
    const struct table_def *t;
    branch_changed_trees(m->source, &m->s->arena, &trees, &n);
    for (size_t pos = 0; catalog_next_table(m->theirs, &pos, &t);) {
        if (contains(&x->oids, t->oid) || t->virtual_id >= 0 || !tree_of(t)) continue;
        const struct table_def *first = catalog_table_by_oid(m->first, t->oid);
        bool own = !first || tree_of(first) != tree_of(t);
        if (own || has_tree(trees, n, tree_of(t))) TRY(merge_table(x, t->oid));
    }
    return OK;
}

/* --- what is dropped ---------------------------------------------------------------------------- */

static enum status drop_schema(struct merge *m, const struct schema_def *n)
{
    const struct table_def *t;
    const struct function_def *f;
    bool any = false;
    for (size_t pos = 0; !any && catalog_next_table(m->s->catalog, &pos, &t);) any = t->schema == n->oid;
    for (size_t pos = 0; !any && catalog_next_function(m->s->catalog, &pos, &f);)
        any = f->schema == n->oid;
    if (any)
        return FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop schema %s because other objects depend on it", n->name);
    return ddl__remove(&m->ddl, n->oid);
}

static enum status drop_all(struct changes *x)
{
    struct merge *m = x->m;
    if (x->drops.count)
        TRY(ddl__drop_items(&m->ddl, x->drops.data, (uint32_t)x->drops.count, false));
    for (size_t i = 0; i < x->functions.count; i++) TRY(ddl__drop_function(&m->ddl, x->functions.data[i]));
    for (size_t i = 0; i < x->schemas.count; i++) TRY(drop_schema(m, x->schemas.data[i]));
    return OK;
}

/* --- names -------------------------------------------------------------------------------------- */

static bool is_name_of(const struct table_def *t, const char *name)
{
    bool is = strcmp(t->name, name) == 0;
    for (uint16_t i = 0; i < t->index_count; i++) is |= strcmp(t->indexes[i]->name, name) == 0;
    return is;
}

/* The names that it is going to have: its indexes may be still to come. */
static enum status check_names(struct merge *m, oid_t oid)
{
    const struct table_def *mine = catalog_table_by_oid(m->theirs, oid), *t;
    for (size_t pos = 0; catalog_next_table(m->s->catalog, &pos, &t);) {
        if (t->oid == oid || t->schema != mine->schema) continue;
        const char *name = is_name_of(t, mine->name) ? mine->name : NULL;
        for (uint16_t i = 0; i < mine->index_count && !name; i++)
            if (is_name_of(t, mine->indexes[i]->name)) name = mine->indexes[i]->name;
        if (name) return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists", name);
    }
    return OK;
}

static enum status merge_all(struct changes *x)
{
    struct merge *m = x->m;
    for (size_t i = 0; i < x->oids.count; i++) TRY(merge_schema(x, x->oids.data[i]));
    for (size_t i = 0; i < x->oids.count; i++) TRY(merge_function(x, x->oids.data[i]));
    for (size_t i = 0; i < x->oids.count; i++) TRY(merge_table(x, x->oids.data[i]));
    TRY(merge_others(x));
    TRY(drop_all(x));
    for (size_t i = 0; i < x->touched.count; i++) TRY(check_names(m, x->touched.data[i]));
    for (size_t i = 0; i < m->tables.count; i++) {
        struct merge_table *t = &m->tables.data[i];
        t->to = ddl__table(&m->ddl, t->oid);
    }
    return OK;
}

enum status merge__schema(struct merge *m)
{
    struct changes x = {.m = m};
    TRY(list_changed(m, &x.oids));
    if (x.oids.count) TRY(session__begin_ddl(m->s));
    return merge_all(&x);
}
