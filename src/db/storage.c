/* Tables kept by columns, too: their option helios.storage, and what the store is told.
 *
 * The store does not keep what columns a tree has: it is told at each open, and whenever a catalog is
 * published. A tree that a transaction has just made is told of at once, so that what fills it writes
 * columns; if the transaction fails, the tree is gone. Changes of others wait for the commit, since a
 * column that is taken back would leave its number to another one. */
#include "db/storage_priv.h"

#include "base/array.h"
#include "core/columns.h"

struct told {
    oid_t table;
    tree_id tree;
};

struct storage_told {
    struct fmutex mutex;
    ARRAY(struct told) trees; /* guarded by mutex: by rising oid of the table */
};

struct storage_told *storage_told_new(void)
{
    return mem_alloc(MEM_CATALOG, sizeof(struct storage_told));
}

void storage_told_free(struct storage_told *t)
{
    if (!t) return;
    ARRAY_RELEASE(&t->trees);
    mem_free(MEM_CATALOG, t);
}

enum status storage_check_option(const char *text, enum table_storage *ret)
{
    if (!text) text = "";
    if (table_storage_read(text, ret)) return OK;
    FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": \"%s\"", STORAGE_OPTION, text);
    return error_hint("Available values: auto, row, dual, column, hybrid, compressed.");
}

/* --- telling the store ------------------------------------------------------------------------- */

static void tell(struct store *s, const struct table_def *t)
{
    static const enum tree_form forms[] = {
        [STORAGE_DUAL] = TREE_DUAL, [STORAGE_COLUMN] = TREE_COLUMN, [STORAGE_HYBRID] = TREE_HYBRID,
        [STORAGE_COMPRESSED] = TREE_COMPRESSED};
    struct arena a;
    arena_init(&a, MEM_CATALOG);
    type_id *types = ARENA_ARRAY(&a, type_id, t->column_count + 1);
    struct datum *missing = ARENA_ARRAY(&a, struct datum, t->column_count + 1);
    for (uint16_t i = 0; i < t->column_count; i++) {
        types[i] = t->columns[i].type;
        missing[i] = t->columns[i].has_missing ? t->columns[i].missing : (struct datum){.null = true};
    }
    struct tree_columns columns = {t->column_count, types, missing, forms[table_storage(t)]};
    store_set_tree_columns(s, t->tree, &columns);
    arena_release(&a);
}

static bool has_columns(const struct table_def *t)
{
    return t->kind == 'r' && t->tree && table_has_columns(t);
}

/* Trees that were told of and are kept by rows now, be it that another took their place: the store knows
 * nothing of one that is gone, and needs no telling. */
static void forget(struct store *s, const struct storage_told *before, const struct told *now, size_t n)
{
    for (size_t i = 0, k = 0; i < before->trees.count; i++) {
        const struct told *old = &before->trees.data[i];
        while (k < n && now[k].table < old->table) k++;
        if (k == n || now[k].table != old->table || now[k].tree != old->tree)
            store_set_tree_columns(s, old->tree, NULL);
    }
}

void storage_apply(struct db *db, const struct catalog *c)
{
    struct storage_told *told = db->storage;
    const struct table_def *t;
    ARRAY(struct told) now = {0};
    fmutex_lock(&told->mutex);
    for (size_t pos = 0; catalog_next_table(c, &pos, &t);) {
        if (!has_columns(t)) continue;
        struct told one = {t->oid, t->tree};
        tell(db->store, t);
        ARRAY_PUSH(&now, one);
    }
    forget(db->store, told, now.data, now.count);
    ARRAY_RELEASE(&told->trees);
    memcpy(&told->trees, &now, sizeof now);
    fmutex_unlock(&told->mutex);
}

void storage_tell_new(struct session *s, const struct table_def *t)
{
    if (has_columns(t) && !s->line->branch) tell(s->db->store, t);
}

const char *storage_with_default(struct session *s, const char *options, struct arena *a)
{
    const char *value = settings_get(s, "helios.default_storage");
    struct table_def t = {.options = options};
    char had[32];
    if (!value || strcmp(value, table_storage_name(STORAGE_ROW)) == 0) return options;
    if (table_option(&t, STORAGE_OPTION, had, sizeof had)) return options;
    return arena_printf(a, "%s%s" STORAGE_OPTION "=%s", options ? options : "", options ? "," : "",
                        value);
}
