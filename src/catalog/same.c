/* Whether two definitions of a table are the same, but for what ANALYZE found. */
#include "catalog/edit.h"

#include "base/mem.h"
#include "catalog/catalog_priv.h"

/* A copy without statistics, the arrays in the arena; `trees`: with the numbers of its trees. */
static struct table_def bare(struct arena *a, const struct table_def *t, bool trees)
{
    struct table_def copy = *t;
    struct column_def *columns = ARENA_ARRAY(a, struct column_def, t->column_count + 1u);
    const struct index_def **indexes = ARENA_ARRAY(a, const struct index_def *, t->index_count + 1u);
    for (uint16_t i = 0; i < t->column_count; i++) {
        columns[i] = t->columns[i];
        columns[i].statistics = NULL;
    }
    for (uint16_t i = 0; i < t->index_count; i++) {
        struct index_def *x = arena_memdup(a, t->indexes[i], sizeof *x);
        x->prefix_distinct = NULL;
        if (!trees) x->tree = x->tree != 0;
        indexes[i] = x;
    }
    if (!trees && t->sequence) {
        struct sequence_def *q = arena_memdup(a, t->sequence, sizeof *q);
        q->tree = 0;
        copy.sequence = q;
    }
    copy.columns = columns;
    copy.indexes = indexes;
    copy.statistics = (struct table_statistics){.rows = -1};
    if (!trees) copy.tree = 0;
    return copy;
}

bool catalog_same_table(const struct table_def *a, const struct table_def *b, bool trees)
{
    struct arena scratch;
    struct strbuf x, y;
    arena_init(&scratch, MEM_CATALOG);
    strbuf_init(&x, &scratch);
    strbuf_init(&y, &scratch);
    struct table_def p = bare(&scratch, a, trees), q = bare(&scratch, b, trees);
    catalog__encode(OBJ_TABLE, &p, &x);
    catalog__encode(OBJ_TABLE, &q, &y);
    bool same = a->oid == b->oid && slice_eq(strbuf_slice(&x), strbuf_slice(&y));
    arena_release(&scratch);
    return same;
}

bool catalog_changed_object(struct slice key, oid_t *ret_oid)
{
    uint32_t be;
    if (key.len != 5 || (uint8_t)key.data[0] >= KIND_FIRST_OTHER) return false;
    memcpy(&be, key.data + 1, sizeof be);
    *ret_oid = __builtin_bswap32(be);
    return true;
}
