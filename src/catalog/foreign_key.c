/* What foreign keys ask of types: an equality between the two columns. PostgreSQL takes one of the
 * referenced index's operator family, or casts the referring value implicitly; here the value is turned
 * into the other type, and counts only when it is the same value there. */
#include "catalog/foreign_key.h"

#include "types/cast.h"
#include "types/key.h"

bool foreign_key_find(const struct catalog *c, const struct constraint_def *def, struct arena *a,
                      struct foreign_key *ret)
{
    *ret = (struct foreign_key){.def = def,
                                .child = catalog_table_by_oid(c, def->table),
                                .parent = catalog_table_by_oid(c, def->foreign_table),
                                .index = catalog_index_by_oid(c, def->index)};
    if (def->kind != 'f') return ret->child && ret->index;
    if (!ret->child || !ret->parent || !ret->index) return false;
    uint16_t *places = ARENA_ARRAY(a, uint16_t, def->column_count);
    for (uint16_t i = 0; i < def->column_count; i++)
        for (uint16_t k = 0; k < def->column_count; k++)
            if (ret->index->columns[i].column == def->foreign_columns[k]) places[i] = k;
    ret->places = places;
    return true;
}

/* Types of one operator family, which has equalities between all of them. */
static int family_of(type_id t)
{
    switch (t) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return 1;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return 2;
    case TYPE_TEXT:
    case TYPE_VARCHAR: return 3;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return 4;
    default: return 0;
    }
}

bool foreign_key_types_fit(type_id child, type_id parent)
{
    if (child == parent) return true;
    if (family_of(child) && family_of(child) == family_of(parent)) return true;
    const struct cast_info *c = cast_find(child, parent);
    return c && c->context == CAST_IMPLICIT;
}

static bool equal(type_id type, const union value *a, const union value *b)
{
    const struct key_part part = {.type = type};
    struct strbuf x, y;
    strbuf_init(&x, NULL);
    strbuf_init(&y, NULL);
    key_encode(&part, (struct datum){.v = *a}, &x);
    key_encode(&part, (struct datum){.v = *b}, &y);
    bool same = slice_eq(strbuf_slice(&x), strbuf_slice(&y));
    strbuf_release(&x);
    strbuf_release(&y);
    return same;
}

enum status foreign_key_convert(type_id from, type_id to, const union value *v,
                                const struct format_options *format, struct arena *a,
                                union value *ret, bool *ret_none)
{
    union value back;
    *ret_none = false;
    *ret = *v;
    if (from == to || (family_of(from) == 3 && family_of(to) == 3)) return OK;
    *ret_none = true;
    if (cast_value(from, to, v, format, a, ret) != OK ||
        cast_value(to, from, ret, format, a, &back) != OK) {
        error_clear(); /* out of the other's range: equal to none of its values */
        return OK;
    }
    *ret_none = !equal(from, v, &back);
    return OK;
}
