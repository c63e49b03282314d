/* Composite values as bytes (docs/format/record.md): u32 type, u32 depth of nesting, u32 fields, then of
 * each field u32 type, i32 length (-1: NULL) and the row-storage form of the value. A value says of
 * itself what its fields are, so it is compared, hashed and printed without the catalog.
 *
 * The row type of a relation, and the type of arrays of such rows, have numbers made from the
 * relation's: nothing has to be stored for them. */
#ifndef HELIOS_TYPES_RECORD_H
#define HELIOS_TYPES_RECORD_H

#include "types/value.h"

enum { TYPE_ROW_BIT = 0x40000000, TYPE_ROW_ARRAY_BIT = 0x20000000, RECORD_DEPTH_MAX = 400 };

/* The row type of the relation; of a row type or an array of such, the relation's number, else 0. */
static inline type_id type_row(uint32_t relation) { return TYPE_ROW_BIT | relation; }
static inline bool type_is_row(type_id id)
{
    return (id & (TYPE_ROW_BIT | TYPE_ROW_ARRAY_BIT)) == TYPE_ROW_BIT;
}
static inline uint32_t type_row_relation(type_id id)
{
    return id & TYPE_ROW_BIT ? id & (TYPE_ROW_ARRAY_BIT - 1) : 0;
}
/* Of a relation, or of no one in particular. */
static inline bool type_is_composite(type_id id) { return id == TYPE_RECORD || type_is_row(id); }

/* Of a type of bytes: are equal values equal bytes? */
static inline bool type_is_bytewise(type_id id)
{
    const struct type_info *t = type_get(id);
    return id != TYPE_BPCHAR && id != TYPE_JSONB && !type_is_array(id) && !type_is_composite(id) &&
           !(t && t->category == 'R'); /* ranges */
}

struct record_view {
    type_id type;
    uint32_t count;
    type_id *types;
    struct datum *fields; /* bytes are referenced */
    const char *const *names; /* that the value carries; NULL: its type tells them, or nobody does */
};

/* Decodes, into the arena. DATA_CORRUPTED when malformed. */
enum status record_open(const struct bytes *b, struct arena *a, struct record_view *ret) MUST;
/* One field, from 0; NULL when the value has fewer: its relation got more columns since. */
enum status record_field(const struct bytes *b, uint32_t field, struct arena *a,
                         type_id *ret_type, struct datum *ret) MUST;
/* STATEMENT_TOO_COMPLEX when too deep, PROGRAM_LIMIT_EXCEEDED when too long. */
enum status record_make(struct arena *a, type_id type, const type_id *types,
                        const struct datum *fields, uint32_t count, struct bytes *ret) MUST;
/* Of type record, with the names of its fields, which functions ask for that print it. */
enum status record_make_named(struct arena *a, const type_id *types, const struct datum *fields,
                              const char *const *names, uint32_t count, struct bytes *ret) MUST;
/* Of record_eq and its kin: columns one after the other, NULLs equal and above all else. DATATYPE_MISMATCH
 * when the two cannot be compared; *ret as value_compare's. */
enum status record_compare(const struct bytes *a, const struct bytes *b, int *ret) MUST;

#endif
