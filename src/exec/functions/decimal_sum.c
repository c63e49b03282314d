/* Exact sums for sum, avg and variance of numeric and int8. */
#include "exec/functions/aggregate_priv.h"

#define CHUNK 100000000000000000ll /* 10^17: below a small numeric's limit */

enum { STEP_MAX = 17 };

enum status exec__numeric_from_i128(struct arena *a, __int128 v, uint16_t scale,
                                    struct numeric *ret)
{
    if (v > -CHUNK && v < CHUNK) {
        *ret = numeric_small((int64_t)v, scale);
        return OK;
    }
    struct numeric base = numeric_small(CHUNK, 0), unit = numeric_small(1, scale);
    struct numeric low = numeric_small((int64_t)(v % CHUNK), 0);
    struct numeric middle = numeric_small((int64_t)(v / CHUNK % CHUNK), 0);
    struct numeric high = numeric_small((int64_t)(v / CHUNK / CHUNK), 0), x, y;
    TRY(numeric_mul(a, &high, &base, &x));
    TRY(numeric_add(a, &x, &middle, &y));
    TRY(numeric_mul(a, &y, &base, &x));
    TRY(numeric_add(a, &x, &low, &y));
    return numeric_mul(a, &y, &unit, ret);
}

static int64_t power_of_ten(uint32_t n)
{
    int64_t p = 1;
    while (n-- > 0) p *= 10;
    return p;
}

/* Small enough for one more factor of 10^17, or for any number of rows to be added. */
static bool can_grow(__int128 v)
{
    const __int128 limit = (__int128)CHUNK * 100;
    return v < limit && v > -limit;
}

void exec__decimal_add_slow(struct decimal_sum *s, struct arena *keep, const struct numeric *x)
{
    s->count++;
    if (x->kind == NUMERIC_SMALL && x->scale < s->scale && s->scale - x->scale <= STEP_MAX) {
        __int128 scaled = (__int128)x->coefficient * power_of_ten((uint32_t)(s->scale - x->scale));
        if (can_grow(scaled)) {
            s->sum += scaled;
            return;
        }
    }
    if (x->kind == NUMERIC_SMALL && x->scale > s->scale && x->scale - s->scale <= STEP_MAX &&
        can_grow(s->sum)) {
        s->sum = s->sum * power_of_ten((uint32_t)(x->scale - s->scale)) + x->coefficient;
        s->scale = x->scale;
        return;
    }
    if (!s->others) s->others = numeric_sum_new(keep);
    numeric_sum_add(s->others, keep, x);
}

enum status exec__decimal_merge(struct decimal_sum *s, struct arena *keep,
                                const struct decimal_sum *o)
{
    if (!s->count) s->scale = o->scale;
    if (s->scale == o->scale) {
        s->sum += o->sum;
    } else if (o->sum || o->scale > s->scale) { /* a zero has a scale, too */
        struct numeric n;
        TRY(exec__numeric_from_i128(keep, o->sum, o->scale, &n));
        if (!s->others) s->others = numeric_sum_new(keep);
        numeric_sum_add(s->others, keep, &n);
    }
    if (o->others) {
        if (!s->others) s->others = numeric_sum_new(keep);
        numeric_sum_merge(s->others, keep, o->others);
    }
    s->count += o->count;
    return OK;
}

enum status exec__decimal_result(const struct decimal_sum *s, struct arena *a, struct numeric *ret)
{
    struct numeric small, others;
    TRY(exec__numeric_from_i128(a, s->sum, s->scale, &small));
    *ret = small;
    if (!s->others) return OK;
    TRY(numeric_sum_result(s->others, a, &others));
    return numeric_add(a, &small, &others, ret);
}
