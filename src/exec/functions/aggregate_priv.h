/* Shared by the aggregates: arguments of any vector form, exact sums of integers and decimals. */
#ifndef HELIOS_EXEC_AGGREGATE_PRIV_H
#define HELIOS_EXEC_AGGREGATE_PRIV_H

#include "exec/functions/functions_priv.h"
#include "types/numeric.h"

/* An argument vector, taken apart for loops: the value of row r stands at data[column_at(…)]. */
struct column {
    const void *data;
    const uint64_t *nulls;
    const uint32_t *codes;
    bool constant;
};

static inline struct column column_of(const struct vec *v)
{
    if (v->form == VEC_DICT) return (struct column){v->dict->data, v->dict->nulls, v->codes, false};
    return (struct column){v->data, v->nulls, NULL, v->form == VEC_CONST};
}
/* The same for some rows: bits of NULLs that are not set among them are none. */
static inline struct column column_of_rows(const struct vec *v, const uint16_t *sel, uint32_t count)
{
    struct column c = column_of(v);
    uint64_t any = 0;
    if (!c.nulls || v->form != VEC_FLAT || !count) return c;
    for (uint32_t w = 0; w <= fn_row(sel, count - 1) / 64; w++) any |= c.nulls[w];
    if (!any) c.nulls = NULL;
    return c;
}
static inline uint32_t column_at(const struct column *c, uint32_t row)
{
    return c->codes ? c->codes[row] : c->constant ? 0 : row;
}

/* States lie side by side at multiples of 8 bytes. */
typedef __int128 wide_t __attribute__((aligned(8)));

/* Any sum of int8 or of small numerics of one scale. */
enum status exec__numeric_from_i128(struct arena *a, __int128 v, uint16_t scale,
                                    struct numeric *ret) MUST;

/* The exact sum of numerics. Small values of the scale at hand are added in 128 bits; the rest goes
 * to `others`. Zeroed is empty. */
struct decimal_sum {
    wide_t sum;
    int64_t count;
    struct numeric_sum *others;
    uint16_t scale;
};
void exec__decimal_add_slow(struct decimal_sum *s, struct arena *keep, const struct numeric *x);
static inline void exec__decimal_add(struct decimal_sum *s, struct arena *keep,
                                     const struct numeric *x)
{
    if (x->kind == NUMERIC_SMALL && x->scale == s->scale) {
        s->sum += x->coefficient;
        s->count++;
    } else {
        exec__decimal_add_slow(s, keep, x);
    }
}
enum status exec__decimal_merge(struct decimal_sum *s, struct arena *keep,
                                const struct decimal_sum *o) MUST;
enum status exec__decimal_result(const struct decimal_sum *s, struct arena *a,
                                 struct numeric *ret) MUST;

#endif
