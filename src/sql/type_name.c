/* Types by name: row types are called as their relations are. */
#include "sql/type_name.h"

#include "sql/expr.h"
#include "types/record.h"

void type_name_print(const struct catalog *c, const struct search_path *path, type_id type,
                         int32_t typmod, struct strbuf *out)
{
    uint32_t relation = type_row_relation(type);
    if (!relation) {
        type_format(type, typmod, out);
        return;
    }
    const struct table_def *t = c ? catalog_table_by_oid(c, relation) : NULL;
    if (!t) {
        strbuf_adds(out, "???");
        return;
    }
    bool visible = path && catalog_lookup(c, path, NULL, t->name) == t;
    const struct schema_def *s = visible ? NULL : catalog_schema_by_oid(c, t->schema);
    if (s) {
        expr_identifier(s->name, out);
        strbuf_addc(out, '.');
    }
    expr_identifier(t->name, out);
    if (type & TYPE_ROW_ARRAY_BIT) strbuf_adds(out, "[]");
}

uint32_t type_row_columns(const struct catalog *c, type_id type, struct arena *a,
                             struct row_columns *ret)
{
    const struct table_def *t = type_is_row(type) ? catalog_table_by_oid(c, type_row_relation(type)) : NULL;
    uint32_t n = 0, all = t ? t->column_count : 0;
    type_id *types = ARENA_ARRAY(a, type_id, all + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, all + 1);
    const char **names = ARENA_ARRAY(a, const char *, all + 1);
    for (uint32_t i = 0; i < all; i++) {
        if (t->columns[i].dropped) continue;
        types[n] = t->columns[i].type;
        typmods[n] = t->columns[i].typmod;
        names[n++] = t->columns[i].name;
    }
    *ret = (struct row_columns){.types = types, .typmods = typmods, .names = names, .count = n};
    return n;
}

const struct table_def *type_row_table(const struct catalog *c, type_id type)
{
    uint32_t relation = type_row_relation(type);
    return relation ? catalog_table_by_oid(c, relation) : NULL;
}
