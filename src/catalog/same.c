/* What a merge of branches asks of two definitions, and of the keys of the system tree. */
#include "catalog/edit.h"

#include "base/mem.h"
#include "catalog/catalog_priv.h"

/* A copy without the numbers of its trees, in the arena. */
static struct table_def without_trees(struct arena *a, const struct table_def *t)
{
    struct table_def copy = *t;
    const struct index_def **indexes = ARENA_ARRAY(a, const struct index_def *, t->index_count + 1u);
    for (uint16_t i = 0; i < t->index_count; i++) {
        struct index_def *x = arena_memdup(a, t->indexes[i], sizeof *x);
        x->tree = x->tree != 0;
        indexes[i] = x;
    }
    if (t->sequence) {
        struct sequence_def *q = arena_memdup(a, t->sequence, sizeof *q);
        q->tree = 0;
        copy.sequence = q;
    }
    copy.indexes = indexes;
    copy.tree = 0;
    return copy;
}

bool catalog_same_but_trees(const struct table_def *a, const struct table_def *b)
{
    struct arena scratch;
    arena_init(&scratch, MEM_CATALOG);
    struct table_def x = without_trees(&scratch, a), y = without_trees(&scratch, b);
    bool same = catalog_same_definition(&x, &y);
    arena_release(&scratch);
    return same;
}

static bool same_bytes(uint8_t kind, const void *a, const void *b)
{
    struct strbuf x, y;
    strbuf_init(&x, NULL);
    strbuf_init(&y, NULL);
    catalog__encode(kind, a, &x);
    catalog__encode(kind, b, &y);
    bool same = slice_eq(strbuf_slice(&x), strbuf_slice(&y));
    strbuf_release(&x);
    strbuf_release(&y);
    return same;
}

bool catalog_same_schema(const struct schema_def *a, const struct schema_def *b)
{
    return same_bytes(OBJ_SCHEMA, a, b);
}

bool catalog_same_function(const struct function_def *a, const struct function_def *b)
{
    return same_bytes(OBJ_FUNCTION, a, b);
}

bool catalog_changed_object(struct slice key, oid_t *ret_oid)
{
    uint32_t be;
    if (key.len != 5 || (uint8_t)key.data[0] >= KIND_FIRST_OTHER) return false;
    memcpy(&be, key.data + 1, sizeof be);
    *ret_oid = __builtin_bswap32(be);
    return true;
}
