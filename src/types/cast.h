/* Conversions between types (pg_cast) and calculation kernels' error helpers. */
#ifndef HELIOS_TYPES_CAST_H
#define HELIOS_TYPES_CAST_H

#include "types/value.h"

enum cast_context { CAST_NONE, CAST_EXPLICIT, CAST_ASSIGNMENT, CAST_IMPLICIT };

struct cast_info {
    type_id from, to;
    uint8_t context; /* enum cast_context: the most permissive use */
    bool binary;     /* same representation: nothing to do */
    uint32_t function_oid; /* pg_cast.castfunc, 0 for none */
};

/* NULL when pg_cast has no such pair (text I/O casts are the binder's business). */
const struct cast_info *cast_find(type_id from, type_id to);
const struct cast_info *cast_list(int *ret_count);
/* Casts of such a value give NULL: there is no time of day at infinity. */
bool cast_is_null(type_id from, type_id to, const union value *v);
/* int4 or int8 to bit(n): its lowest bits, with the sign before them; typmod -1 is 1. */
struct bytes cast_int_to_bits(type_id from, const union value *v, int32_t typmod, struct arena *a);
/* Converts by the pair's function, or by text I/O when there is none but one side is textual.
 * Out-of-range is 22003 with PostgreSQL's words ("integer out of range"). */
enum status cast_value(type_id from, type_id to, const union value *v,
                       const struct format_options *fmt, struct arena *a, union value *ret) MUST;

#endif
