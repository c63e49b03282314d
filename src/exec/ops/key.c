/* Keys of rows in trees. A table's tree is keyed by its primary key, or by a hidden row id; an entry of
 * a secondary index by its columns and then, unless the entry is unique by itself (its index is unique,
 * not deferrable, and no column is NULL), the row's key. The
 * entry's row is the row's key. */
#include "exec/ops/ops_priv.h"

#include "types/key.h"

static uint32_t position_of(const struct table_def *t, int16_t attnum)
{
    (void)t;
    return (uint32_t)(attnum - 1); /* dropped columns keep their places */
}

struct key_part op__index_part(const struct index_def *i, uint32_t column)
{
    const struct index_column *c = &i->columns[column];
    return (struct key_part){c->type, c->descending, c->nulls_first};
}

void op__table_key(const struct table_def *t, const struct datum *row, struct strbuf *out)
{
    ASSERT(t->primary);
    for (uint32_t i = 0; i < t->primary->key_count; i++) {
        struct key_part part = op__index_part(t->primary, i);
        key_encode(&part, row[position_of(t, t->primary->columns[i].column)], out);
    }
}

void op__index_key(const struct table_def *t, const struct index_def *i, const struct datum *row,
                   struct slice table_key, struct strbuf *out, bool *ret_unique)
{
    bool any_null = false;
    for (uint32_t c = 0; c < i->key_count; c++) {
        struct key_part part = op__index_part(i, c);
        struct datum d = row[position_of(t, i->columns[c].column)];
        any_null |= d.null;
        key_encode(&part, d, out);
    }
    *ret_unique = i->unique && !i->deferrable && (!any_null || i->nulls_not_distinct);
    if (!*ret_unique) strbuf_add(out, table_key.data, table_key.len);
}
