/* What a transaction that keeps its snapshot may use of the catalog of now. An index whose tree
 * was made after the snapshot has entries of that commit on only, so the snapshot finds nothing
 * in it; one that the transaction has built itself has those of the rows that were there then. Here
 * neither is valid, and is written all the same. Statements of DDL change definitions, and so have
 * them as they are. */
#include "db/db_line_priv.h"

struct narrowed {
    struct catalog *of, *catalog; /* references: what is published, and what was made of it */
    uint64_t snapshot;
};

bool narrowed__wanted(const struct session *s)
{
    if (!s->txn || s->in_ddl) return false;
    uint64_t snapshot = txn_kept_snapshot_ts(s->txn);
    return snapshot && (s->late.count || store_newest_tree(s->db->store) > snapshot);
}

bool narrowed__is_newest(const struct session *s, const struct catalog *c)
{
    const struct narrowed *n = s->narrowed;
    if (!n || n->catalog != c) return false;
    return s->own_catalog ? n->of == s->own_catalog : db_line__catalog_is_newest(s->line, n->of);
}

void narrowed__note_built(struct session *s, tree_id tree)
{
    uint64_t kept = txn_kept_snapshot_ts(s->txn);
    if (kept && kept < txn_snapshot_ts(s->txn)) ARRAY_PUSH(&s->late, tree);
}

void narrowed__forget(struct session *s)
{
    struct narrowed *n = s->narrowed;
    if (!n) return;
    catalog_unref(n->of);
    catalog_unref(n->catalog);
    mem_free(MEM_SESSION, n);
    s->narrowed = NULL;
}

static bool is_younger(struct session *s, const struct index_def *x, uint64_t snapshot)
{
    if (!x->tree || !x->valid) return false;
    for (size_t i = 0; i < s->late.count; i++)
        if (s->late.data[i] == x->tree) return true;
    return store_tree_made(s->db->store, x->tree) > snapshot;
}

/* The table without them; NULL: it has none. */
static const struct table_def *without_younger(struct session *s, const struct table_def *t,
                                               uint64_t snapshot, struct arena *a)
{
    const struct index_def **indexes = NULL;
    for (uint16_t i = 0; i < t->index_count; i++) {
        if (!is_younger(s, t->indexes[i], snapshot)) continue;
        if (!indexes) indexes = arena_memdup(a, t->indexes, t->index_count * sizeof *indexes);
        struct index_def *copy = arena_memdup(a, t->indexes[i], sizeof *copy);
        copy->valid = false;
        indexes[i] = copy;
    }
    if (!indexes) return NULL;
    struct table_def *copy = arena_memdup(a, t, sizeof *t);
    copy->indexes = indexes;
    return copy;
}

struct catalog *narrowed__of(struct session *s, struct catalog *now)
{
    struct narrowed *n = mem_alloc(MEM_SESSION, sizeof *n);
    struct arena a;
    const struct table_def *t;
    size_t pos = 0;
    arena_init(&a, MEM_SESSION);
    *n = (struct narrowed){now, catalog_ref(now), txn_kept_snapshot_ts(s->txn)};
    while (catalog_next_table(now, &pos, &t)) {
        const struct table_def *less = without_younger(s, t, n->snapshot, &a);
        struct catalog *next;
        if (!less) continue;
        enum status st = catalog_with_table(n->catalog, less, &next);
        ASSERT(st == OK); /* what was read once can be */
        catalog_unref(n->catalog);
        n->catalog = next;
    }
    arena_release(&a);
    narrowed__forget(s);
    s->narrowed = n;
    return catalog_ref(n->catalog);
}
