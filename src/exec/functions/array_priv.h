/* Shared by the files of functions on arrays, whose table stands in array.c. An array is opened as
 * a whole into datums (types/array.h) and its result made as a whole. */
#ifndef HELIOS_EXEC_ARRAY_PRIV_H
#define HELIOS_EXEC_ARRAY_PRIV_H

#include "exec/functions/text_priv.h"
#include "types/array.h"

enum { ARRAY_ELEMENTS_MAX = 134217727 };

static inline enum status array__open(struct call_ctx *c, const struct datum *arg,
                                      struct array_view *ret)
{
    return array_open(&arg->v.bytes, c->arena, ret);
}
/* Elements of the array type that the call returns. */
type_id array__result_element(const struct call_ctx *c);
/* NULL equals NULL here, as array_remove and array_replace want it. */
static inline bool array__same(type_id type, const struct datum *a, const struct datum *b)
{
    if (a->null || b->null) return a->null && b->null;
    return value_compare(type, &a->v, &b->v) == 0;
}

#define ARRAY_SCALARS(X)                                                                           \
    X(array__position) X(array__positions) X(array__remove) X(array__replace)                      \
    X(array__overlap) X(array__contains) X(array__contained) X(array__bucket)                      \
    X(array__fill) X(array__fill_bounds) X(array__to_text) X(array__to_text_null)                  \
    X(array__from_text) X(array__from_text_null)
#define X(name) SCALAR(name) MUST;
ARRAY_SCALARS(X)
#undef X

/* The pieces of string_to_array and string_to_table, one by one; *ret_found false at the end. */
struct text_split {
    struct slice rest, separator, null_text;
    bool by_char, has_null, done; /* by_char: no separator */
};
/* From (text, separator[, null text]); the text is not NULL. */
void array__split_begin(const struct datum *args, uint32_t n, struct text_split *ret);
bool array__split_next(struct text_split *s, struct datum *ret);

#endif
