/* One table of a merge that is made, or altered: it gets the branch's definition, and keeps the target's trees
 * wherever its rows can be read as they are.
 *
 * Two steps. Before the rows: columns, names, what was dropped, and what both had. Behind them: new
 * indexes are built, new foreign keys and whatever else is newly demanded is verified, since rows of either side may
 * satisfy it only together. An index costs what CREATE INDEX does; the rest nothing, while the target's rows
 * are those that the branch was forked from. */
#include "db/branch_merge_priv.h"

/* --- has it changed? --------------------------------------------------------------------------- */

enum status merge__changed_since(struct txn *t, tree_id tree, uint64_t since, bool *ret)
{
    struct scan_request q = {.tree = tree, .changes = true, .since = since};
    struct slice key, row;
    struct cursor *c;
    uint32_t n = 0;
    TRY(store_scan(t, &q, &c));
    enum status st = cursor_next(c, &key, &row, 1, &n);
    cursor_close(c);
    *ret = n > 0;
    return st;
}

enum status merge__lock(struct merge *m, const struct table_def *ours)
{
    struct txn *t = m->s->txn;
    bool changed = false;
    TRY(ddl__lock(&m->ddl, ours->oid, LOCK_ACCESS_EXCLUSIVE));
    if (!ours->tree) return OK;
    struct txn *newest = txn_begin_newest(t);
    enum status st = merge__changed_since(newest, ours->tree, txn_snapshot_ts(t), &changed);
    txn_end_reader(newest);
    TRY(st);
    if (changed)
        return FAIL(SERIALIZATION_FAILURE, "could not serialize access due to concurrent update");
    return OK;
}

/* --- trees ------------------------------------------------------------------------------------- */

static const struct index_def *index_of(const struct table_def *t, oid_t oid)
{
    for (uint16_t i = 0; t && i < t->index_count; i++)
        if (t->indexes[i]->oid == oid) return t->indexes[i];
    return NULL;
}

static const struct constraint_def *constraint_of(const struct table_def *t, oid_t oid)
{
    for (uint16_t i = 0; t && i < t->constraint_count; i++)
        if (t->constraints[i]->oid == oid) return t->constraints[i];
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Do both hold the same entries? */
static bool same_entries(const struct index_def *a, const struct index_def *b)
{
    if (a->unique != b->unique || a->nulls_not_distinct != b->nulls_not_distinct ||
        a->deferrable != b->deferrable || a->key_count != b->key_count ||
        a->column_count != b->column_count || !same_text(a->predicate_sql, b->predicate_sql))
        return false;
    for (uint16_t i = 0; i < a->column_count; i++) {
        const struct index_column *x = &a->columns[i], *y = &b->columns[i];
        if (x->column != y->column || x->type != y->type || x->descending != y->descending ||
            x->nulls_first != y->nulls_first || !same_text(x->expression_sql, y->expression_sql))
            return false;
    }
    return true;
}

bool merge__same_key(const struct table_def *a, const struct table_def *b)
{
    if (!a->primary || !b->primary) return a->primary == b->primary;
    return same_entries(a->primary, b->primary);
}

/* Can rows that were stored as `from` be read as `to`? */
static bool reads_in_place(const struct table_def *from, const struct table_def *to)
{
    if (from->column_count > to->column_count) return false;
    for (uint16_t i = 0; i < from->column_count; i++) {
        const struct column_def *a = &from->columns[i], *b = &to->columns[i];
        if (b->dropped) continue;
        if (a->dropped || a->type != b->type || a->typmod != b->typmod) return false;
    }
    return true;
}

/* Indexes that both have; the target's trees are kept, if `kept`. The others come later. */
static enum status early_indexes(struct merge *m, const struct merge_table *t, bool kept,
                                 struct table_edit *e)
{
    const struct table_def *theirs = t->theirs;
    e->indexes.count = 0;
    for (uint16_t i = 0; i < theirs->index_count; i++) {
        const struct index_def *x = theirs->indexes[i], *o = index_of(t->ours, x->oid);
        if (t->ours && x->tree && !(o && same_entries(o, x))) continue;
        struct index_def *made = arena_memdup(m->ddl.a, x, sizeof *made);
        if (x->tree && kept) made->tree = o->tree;
        else if (x->tree) TRY(store_create_tree(m->s->txn, &made->tree));
        ARENA_PUSH(m->ddl.a, &e->indexes, made);
    }
    return OK;
}

static bool has_index(const struct table_edit *e, oid_t oid)
{
    for (size_t i = 0; i < e->indexes.count; i++)
        if (e->indexes.data[i]->oid == oid) return true;
    return false;
}

/* Without new foreign keys, nor what an index to come would hold. */
static void early_constraints(struct merge *m, const struct merge_table *t, struct table_edit *e)
{
    const struct table_def *theirs = t->theirs;
    e->constraints.count = 0;
    for (uint16_t i = 0; i < theirs->constraint_count; i++) {
        const struct constraint_def *k = theirs->constraints[i];
        bool own = k->kind == 'u' || k->kind == 'p';
        if (own ? !has_index(e, k->index) : k->kind == 'f' && !constraint_of(t->ours, k->oid)) continue;
        ARENA_PUSH(m->ddl.a, &e->constraints, k);
    }
}

static enum status drop_trees(struct merge *m, const struct table_def *ours,
                              const struct table_edit *kept)
{
    struct txn *txn = m->s->txn;
    if (ours->tree && ours->tree != kept->def.tree) TRY(store_drop_tree(txn, ours->tree));
    for (uint16_t i = 0; i < ours->index_count; i++) {
        bool used = false;
        for (size_t k = 0; k < kept->indexes.count; k++)
            used |= kept->indexes.data[k]->tree == ours->indexes[i]->tree;
        if (ours->indexes[i]->tree && !used) TRY(store_drop_tree(txn, ours->indexes[i]->tree));
    }
    return OK;
}

/* --- making ------------------------------------------------------------------------------------ */

static enum status make_sequence(struct merge *m, const struct table_def *t, struct table_edit *e)
{
    struct sequence_def *q = arena_memdup(m->ddl.a, t->sequence, sizeof *q);
    int64_t value;
    bool called;
    TRY(store_create_tree(m->s->txn, &q->tree));
    e->def.sequence = q;
    TRY(ddl__edit_put(&m->ddl, e, NULL));
    TRY(sequence_read_in(m->from, t, &value, &called));
    return sequence_write(m->s, ddl__table(&m->ddl, t->oid), value, called);
}

enum status merge__add_table(struct merge *m, struct merge_table *t)
{
    struct table_edit e;
    ddl__edit(&m->ddl, t->theirs, &e);
    if (!catalog_schema_by_oid(m->s->catalog, t->theirs->schema))
        return FAIL(INVALID_SCHEMA_NAME, "cannot merge %s \"%s\": its schema was dropped in branch \"%s\"",
                    ddl__kind_word(t->theirs), t->theirs->name, branch_name(m->s->line->branch));
    if (t->theirs->sequence) return make_sequence(m, t->theirs, &e);
    if (e.def.tree) TRY(store_create_tree(m->s->txn, &e.def.tree));
    TRY(early_indexes(m, t, false, &e));
    early_constraints(m, t, &e);
    t->way = t->was ? MERGE_TAKEN : MERGE_CHANGED;
    t->altered = true;
    return ddl__edit_put(&m->ddl, &e, NULL);
}

/* --- altering ---------------------------------------------------------------------------------- */

static enum merge_way way_of(const struct merge_table *t)
{
    bool own_tree = !t->was || t->was->tree != t->theirs->tree;
    if (!merge__same_key(t->ours, t->theirs)) return MERGE_TAKEN;
    if (t->our_numbers != t->theirs_numbers || !reads_in_place(t->ours, t->theirs)) return MERGE_REBUILT;
    /* What the target has added stands in columns that mean something else in the branch. */
    if (t->was && t->ours->column_count > t->was->column_count) return MERGE_REBUILT;
    return own_tree ? MERGE_COMPARED : MERGE_CHANGED;
}

static void keep_missing(const struct table_def *ours, struct table_edit *e)
{
    for (uint16_t i = 0; i < ours->column_count && i < e->columns.count; i++) {
        e->columns.data[i].has_missing = ours->columns[i].has_missing;
        e->columns.data[i].missing = ours->columns[i].missing;
    }
}

static enum status alter_other(struct merge *m, struct merge_table *t)
{
    struct table_edit e;
    ddl__edit(&m->ddl, t->theirs, &e);
    if (t->theirs->sequence) {
        struct sequence_def *q = arena_memdup(m->ddl.a, t->theirs->sequence, sizeof *q);
        q->tree = t->ours->sequence->tree;
        e.def.sequence = q;
    }
    return ddl__edit_put(&m->ddl, &e, NULL);
}

enum status merge__alter_table(struct merge *m, struct merge_table *t)
{
    struct table_edit e;
    TRY(merge__lock(m, t->ours));
    TRY(session__check_unused(m->s, t->ours, "MERGE BRANCH"));
    if (!t->ours->tree || !t->theirs->tree) return alter_other(m, t);
    t->way = way_of(t);
    t->altered = true;
    bool kept = t->way == MERGE_CHANGED || t->way == MERGE_COMPARED;
    ddl__edit(&m->ddl, t->theirs, &e);
    e.def.tree = t->ours->tree;
    if (kept) keep_missing(t->ours, &e);
    else TRY(store_create_tree(m->s->txn, &e.def.tree));
    TRY(early_indexes(m, t, kept, &e));
    early_constraints(m, t, &e);
    TRY(drop_trees(m, t->ours, &e));
    return ddl__edit_put(&m->ddl, &e, NULL);
}

/* --- behind the rows --------------------------------------------------------------------------- */

static enum status build_indexes(struct merge *m, const struct merge_table *t, struct table_edit *e)
{
    const struct table_def *now = ddl__table(&m->ddl, t->oid);
    for (uint16_t i = 0; i < t->theirs->index_count; i++) {
        if (has_index(e, t->theirs->indexes[i]->oid)) continue;
        struct index_def *x = arena_memdup(m->ddl.a, t->theirs->indexes[i], sizeof *x);
        TRY(store_create_tree(m->s->txn, &x->tree));
        TRY(ddl__build_index(&m->ddl, now, x));
        ARENA_PUSH(m->ddl.a, &e->indexes, x);
    }
    return OK;
}

static bool is_newly_not_null(const struct merge_table *t, const struct table_def *now, uint16_t i)
{
    const struct column_def *c = &now->columns[i];
    if (c->dropped || !c->not_null) return false;
    if (!t->ours || t->way == MERGE_REBUILT || i >= t->ours->column_count) return true;
    return !t->ours->columns[i].not_null;
}

/* What the branch's own rows have been held against already. */
static enum status verify_rows(struct merge *m, const struct merge_table *t)
{
    const struct table_def *now = ddl__table(&m->ddl, t->oid);
    bool others = true;
    if (!t->was || t->way == MERGE_TAKEN) return OK;
    if (t->was->tree == t->ours->tree)
        TRY(merge__changed_since(m->s->txn, t->ours->tree, m->fork_ts, &others));
    if (!others) return OK;
    for (uint16_t i = 0; i < now->column_count; i++)
        if (is_newly_not_null(t, now, i)) TRY(ddl__verify_not_null(&m->ddl, now, i));
    for (uint16_t i = 0; i < now->constraint_count; i++) {
        const struct constraint_def *k = now->constraints[i];
        if (k->kind == 'c' && k->validated && !constraint_of(t->ours, k->oid))
            TRY(ddl__verify_check(&m->ddl, now, k));
    }
    return OK;
}

static enum status finish_table(struct merge *m, const struct merge_table *t)
{
    struct table_edit e;
    ddl__edit(&m->ddl, ddl__table(&m->ddl, t->oid), &e);
    TRY(build_indexes(m, t, &e));
    e.constraints.count = 0;
    for (uint16_t i = 0; i < t->theirs->constraint_count; i++)
        ARENA_PUSH(m->ddl.a, &e.constraints, t->theirs->constraints[i]);
    TRY(ddl__edit_put(&m->ddl, &e, NULL));
    return verify_rows(m, t);
}

static enum status verify_foreign(struct merge *m, const struct merge_table *t)
{
    for (uint16_t i = 0; i < t->theirs->constraint_count; i++) {
        const struct constraint_def *k = t->theirs->constraints[i];
        if (k->kind == 'f' && k->validated && !constraint_of(t->ours, k->oid))
            TRY(ddl__verify_foreign(&m->ddl, k));
    }
    if (t->way != MERGE_TAKEN || !t->ours) return OK;
    /* What others refer to was exchanged, and nobody has compared the keys. */
    uint32_t n;
    const struct constraint_def *const *keys = catalog_references(m->s->catalog, t->oid, &n);
    for (uint32_t i = 0; i < n; i++)
        if (keys[i]->validated) TRY(ddl__verify_foreign(&m->ddl, keys[i]));
    return OK;
}

enum status merge__finish(struct merge *m)
{
    txn_next_command(m->s->txn);
    for (size_t i = 0; i < m->tables.count; i++)
        if (m->tables.data[i].altered) TRY(finish_table(m, &m->tables.data[i]));
    for (size_t i = 0; i < m->tables.count; i++)
        if (m->tables.data[i].altered) TRY(verify_foreign(m, &m->tables.data[i]));
    return OK;
}
