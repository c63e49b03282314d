/* Insertion of many rows: after so many bytes a statement goes on as a bulk load (core/store.h), whose
 * rows come to light in an error later than they were given. */
#include "exec/ops/dml.h"

static bool takes_entries(const struct index_def *i)
{
    return i->tree != 0 && i->ready;
}

/* A fresh row id is no duplicate, nor is an entry that ends with the key of a new row. */
static enum status begin(struct dml_run *d)
{
    const struct table_def *t = d->table;
    struct load_tree *trees = ARENA_ARRAY(d->arena, struct load_tree, t->index_count + 1u);
    uint32_t n = 0;
    trees[n++] = (struct load_tree){t->tree, t->primary != NULL};
    for (uint16_t i = 0; i < t->index_count; i++)
        if (takes_entries(t->indexes[i]))
            trees[n++] = (struct load_tree){t->indexes[i]->tree,
                                            t->indexes[i]->unique && !t->indexes[i]->deferrable};
    return store_load_begin(d->x->txn, trees, n, &d->load);
}

enum status dml_wrote(struct dml_run *d, size_t bytes)
{
    d->wrote += bytes;
    return d->bulk && d->wrote > store_load_threshold(d->x->txn) ? begin(d) : OK;
}

/* The index whose tree has that number in the load; NULL: the table's own. */
static const struct index_def *index_of(const struct dml_run *d, uint32_t tree)
{
    const struct table_def *t = d->table;
    if (tree == 0) return t->primary;
    for (uint16_t i = 0; i < t->index_count; i++)
        if (takes_entries(t->indexes[i]) && --tree == 0) return t->indexes[i];
    return NULL;
}

/* UNIQUE_VIOLATION gets its words. */
static enum status judge(struct dml_run *d, enum status st)
{
    if (st != UNIQUE_VIOLATION) return st;
    const struct load_conflict *c = store_load_conflict(d->load);
    const struct index_def *i = index_of(d, c->tree);
    struct datum *row = ARENA_ARRAY(d->arena, struct datum, d->table->column_count + 1u);
    if (!i || !c->row.data)
        return FAIL(INTERNAL_ERROR, "a bulk load found a duplicate key that none of its rows has");
    dml_decode(d->table, c->row, row);
    d->place = c->tag;
    return dml_unique_violation(d, i, row);
}

enum status dml_load(struct dml_run *d, const struct datum *row)
{
    struct slice key = strbuf_slice(&d->key);
    TRY(judge(d, store_load_add(d->load, 0, key, strbuf_slice(&d->row), d->tag)));
    uint32_t tree = 0;
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        if (!takes_entries(index)) continue;
        bool unique, present;
        tree++;
        TRY(dml_entry(d, i, row, key, &d->entry, &unique, &present));
        if (present) TRY(store_load_add(d->load, tree, strbuf_slice(&d->entry), key, d->tag));
    }
    return OK;
}

enum status dml_end(struct dml_run *d)
{
    return d->load ? judge(d, store_load_finish(d->load)) : OK;
}
