/* A foreign key with what it names looked up: what binder, executor and DDL know of it. */
#ifndef HELIOS_CATALOG_FOREIGN_KEY_H
#define HELIOS_CATALOG_FOREIGN_KEY_H

#include "catalog/catalog.h"

struct foreign_key {
    const struct constraint_def *def;
    const struct table_def *child, *parent;
    const struct index_def *index;  /* of the parent: the key that is referred to */
    const uint16_t *places;         /* a column of the index each: which of def's columns it is */
};

/* False when its tables or its index are not in the snapshot. Of another constraint it finds the table
 * (child) and the index. */
bool foreign_key_find(const struct catalog *c, const struct constraint_def *def, struct arena *a,
                      struct foreign_key *ret);
/* Positions in table_def.columns. */
static inline uint16_t foreign_key_child_column(const struct foreign_key *k, uint16_t i)
{
    return (uint16_t)(k->def->columns[i] - 1);
}
static inline uint16_t foreign_key_parent_column(const struct foreign_key *k, uint16_t i)
{
    return (uint16_t)(k->def->foreign_columns[i] - 1);
}
/* May a column of type `child` refer to one of type `parent`: by an equality of the two, or an implicit
 * cast. */
bool foreign_key_types_fit(type_id child, type_id parent);
/* The value of one type that equals the one of another; *ret_none when there is none. */
enum status foreign_key_convert(type_id from, type_id to, const union value *v,
                                const struct format_options *format, struct arena *a,
                                union value *ret, bool *ret_none) MUST;

#endif
