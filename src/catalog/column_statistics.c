/* Statistics of a column, made as PostgreSQL's ANALYZE makes them: the same notions, so that pg_stats
 * reads alike. Distinct values come from a count over all rows where there is one, else from the sample
 * by the estimator of Haas and Stokes (1998). A value is a most common one when it is clearly more
 * frequent than the average one; what is left gives the bounds of an equi-depth histogram. */
#include "catalog/column_statistics.h"

#include <math.h>
#include <stdlib.h>

enum { SEEN_ENOUGH = 10 };

/* --- distinct values over all rows ---------------------------------------------------------- */

void hll_add(struct hll *h, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> (64 - HLL_BITS));
    uint64_t rest = hash << HLL_BITS | 1ull << (HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (h->ranks[i] < rank) h->ranks[i] = rank;
}

double hll_count(const struct hll *h)
{
    const double m = 1 << HLL_BITS;
    double sum = 0;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < 1 << HLL_BITS; i++) {
        sum += ldexp(1, -h->ranks[i]);
        empty += h->ranks[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    /* Few values: how many registers they leave empty tells more. */
    if (estimate <= 2.5 * m && empty) return m * log(m / empty);
    return estimate;
}

/* --- the sample ----------------------------------------------------------------------------- */

bool type_has_statistics(type_id type)
{
    /* bpchar's and varchar's operators are text's. */
    if (type_is_textual(type)) return true;
    return operator_exact("<", type, type) && operator_exact("=", type, type);
}

double statistics_distinct(double distinct, double rows)
{
    double n = distinct < 0 ? -distinct * rows : distinct;
    return n < 1 ? 1 : n > rows && rows >= 1 ? rows : n;
}

static int by_value(const void *x, const void *y, void *type)
{
    const struct sampled_value *a = x, *b = y;
    int c = value_compare(*(const type_id *)type, &a->v, &b->v);
    return c ? c : a->position < b->position ? -1 : a->position > b->position;
}

/* A run of equal values in the sorted sample. */
struct run {
    uint32_t first, count;
};

static int by_count(const void *x, const void *y)
{
    const struct run *a = x, *b = y;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->first < b->first ? -1 : 1;
}

struct runs {
    struct run *items;
    uint32_t count, once; /* runs of one value */
};

static void find_runs(struct arena *a, const struct column_sample *s, struct runs *ret)
{
    ret->items = ARENA_ARRAY(a, struct run, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        if (i && value_compare(s->type, &s->values[i - 1].v, &s->values[i].v) == 0)
            ret->items[ret->count - 1].count++;
        else
            ret->items[ret->count++] = (struct run){i, 1};
    }
    for (uint32_t i = 0; i < ret->count; i++) ret->once += ret->items[i].count == 1;
}

static double distinct_values(const struct column_sample *s, const struct runs *r)
{
    double sampled = (double)s->count + s->wide + s->nulls;
    double filled = s->table_rows * ((double)s->count + s->wide) / (sampled > 0 ? sampled : 1);
    double d = (double)r->count + s->wide, once = (double)r->once + s->wide, n;
    if (sampled >= s->table_rows) {
        n = d;
    } else if (s->known_distinct > 0) {
        /* The count over all rows errs by some hundredths: that must not make keys look repeated. */
        n = s->known_distinct > 0.95 * filled && once == d ? filled : s->known_distinct;
        if (n < d) n = d;
    } else if (once == d) {
        n = filled;
    } else if (once == 0) {
        n = d;
    } else {
        double in_sample = (double)s->count + s->wide;
        n = in_sample * d / (in_sample - once + once * in_sample / filled);
    }
    if (n > filled) n = filled;
    /* A count that grows with the table is kept as a fraction of it. */
    return n > 0.1 * s->table_rows && s->table_rows > 0 ? -n / s->table_rows : floor(n + 0.5);
}

static double order_correlation(const struct column_sample *s)
{
    double n = s->count, sum = n * (n - 1) / 2, squares = (n - 1) * n * (2 * n - 1) / 6, products = 0;
    for (uint32_t i = 0; i < s->count; i++) products += (double)i * s->values[i].position;
    double spread = n * squares - sum * sum;
    return spread > 0 ? (n * products - sum * sum) / spread : 0;
}

/* Positions are made dense first: NULLs between do not count. */
static int by_position(const void *x, const void *y)
{
    const struct sampled_value *a = x, *b = y;
    return a->position < b->position ? -1 : a->position > b->position;
}

static void most_common(struct arena *a, const struct column_sample *s, const struct runs *r,
                        struct column_statistics *ret, bool *chosen)
{
    double sampled = (double)s->count + s->wide + s->nulls;
    double all = statistics_distinct(ret->distinct, s->table_rows);
    struct run *sorted = arena_memdup(a, r->items, r->count * sizeof *sorted);
    qsort(sorted, r->count, sizeof *sorted, by_count);
    uint32_t n = r->count < s->target ? r->count : s->target;
    bool whole = r->count <= s->target && !s->wide && all <= r->count * 1.05 && ret->distinct > 0;
    if (!whole) {
        double least = 1.25 * ((double)s->count + s->wide) / (all < 1 ? 1 : all);
        double part = (double)s->count / s->target;
        if (least > part) least = part;
        /* Few hits in a sample say little about how frequent a value is; in the whole table, all. */
        if (least < SEEN_ENOUGH) least = SEEN_ENOUGH;
        if (sampled >= s->table_rows) least = 2;
        uint32_t kept = 0;
        while (kept < n && sorted[kept].count >= least) kept++;
        n = kept;
    }
    union value *values = ARENA_ARRAY(a, union value, n);
    double *fractions = ARENA_ARRAY(a, double, n);
    for (uint32_t i = 0; i < n; i++) {
        values[i] = s->values[sorted[i].first].v;
        fractions[i] = sorted[i].count / sampled;
        for (uint32_t k = 0; k < sorted[i].count; k++) chosen[sorted[i].first + k] = true;
    }
    ret->mcv = values;
    ret->mcv_fraction = fractions;
    ret->mcv_count = n;
}

static void histogram(struct arena *a, const struct column_sample *s, const bool *chosen,
                      struct column_statistics *ret)
{
    uint32_t *left = ARENA_ARRAY(a, uint32_t, s->count), n = 0, distinct = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (chosen[i]) continue;
        if (!n || value_compare(s->type, &s->values[left[n - 1]].v, &s->values[i].v) != 0) distinct++;
        left[n++] = i;
    }
    uint32_t bounds = distinct < s->target + 1 ? distinct : s->target + 1;
    if (bounds < 2) return;
    union value *out = ARENA_ARRAY(a, union value, bounds);
    for (uint32_t i = 0; i < bounds; i++)
        out[i] = s->values[left[(uint64_t)i * (n - 1) / (bounds - 1)]].v;
    ret->histogram = out;
    ret->histogram_count = bounds;
}

void column_statistics_make(struct arena *a, struct column_sample *s, struct column_statistics *ret)
{
    double sampled = (double)s->count + s->wide + s->nulls, filled = (double)s->count + s->wide;
    struct runs runs = {0};
    *ret = (struct column_statistics){0};
    if (sampled == 0) return;
    ret->null_fraction = s->nulls / sampled;
    ret->width = filled > 0 ? (uint32_t)(s->bytes / filled) : 0;
    if (!type_has_statistics(s->type)) return;
    qsort(s->values, s->count, sizeof *s->values, by_position);
    for (uint32_t i = 0; i < s->count; i++) s->values[i].position = i;
    qsort_r(s->values, s->count, sizeof *s->values, by_value, &s->type);
    find_runs(a, s, &runs);
    if (filled > 0) ret->distinct = distinct_values(s, &runs);
    if (s->count == 0) return;
    bool *chosen = ARENA_ARRAY(a, bool, s->count);
    most_common(a, s, &runs, ret, chosen);
    histogram(a, s, chosen, ret);
    ret->has_correlation = s->count > 1;
    if (ret->has_correlation) ret->correlation = order_correlation(s);
}
