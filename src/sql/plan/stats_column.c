/* Fractions of a column's rows, read from its most common values and its histogram, which between them
 * stand for all rows but those that are NULL. */
#include "sql/plan/stats.h"

#include <math.h>

#include "types/pattern.h"

enum { MATCH_BOUNDS_MIN = 20 };
#define BOUND_SHARE 0.6          /* of the values for which a bound that matches stands */
#define MATCH_ONE_MORE_BYTE 0.2 /* of the rows with a prefix, those with one given byte behind it */

static double clamp(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

double stats_null_fraction(const struct column_facts *f)
{
    return f->statistics ? f->statistics->null_fraction : 0;
}

static double mcv_sum(const struct column_statistics *s)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->mcv_count; i++) sum += s->mcv_fraction[i];
    return sum;
}

/* Rows that are neither NULL nor of a most common value. */
static double other_rows(const struct column_statistics *s)
{
    return clamp(1 - s->null_fraction - mcv_sum(s));
}

/* -1, 0, 1; values of different types by number. 2: they cannot be compared. */
static int compare(type_id a, const union value *x, type_id b, const union value *y)
{
    double m, n;
    if (a == b || (type_is_textual(a) && type_is_textual(b))) return value_compare(a, x, y);
    if (!stats_number(a, x, &m) || !stats_number(b, y, &n)) return 2;
    return m < n ? -1 : m > n;
}

double stats_equal(const struct column_facts *f, type_id type, const union value *v)
{
    const struct column_statistics *s = f->statistics;
    double n = f->distinct;
    if (!s) return n > 0 ? clamp(1 / n) : FRACTION_EQUAL;
    if (n < 1) n = 1;
    if (!v) return clamp((1 - s->null_fraction) / n);
    for (uint32_t i = 0; i < s->mcv_count; i++)
        if (compare(f->type, &s->mcv[i], type, v) == 0) return s->mcv_fraction[i];
    double others = n - s->mcv_count;
    double one = other_rows(s) / (others < 1 ? 1 : others);
    /* Whatever is not among the most common values is not more common than the last of them. */
    if (s->mcv_count && one > s->mcv_fraction[s->mcv_count - 1])
        one = s->mcv_fraction[s->mcv_count - 1];
    return clamp(one);
}

/* --- ranges --------------------------------------------------------------------------------- */

static double position_between(const struct column_facts *f, uint32_t bucket, type_id type,
                               const union value *v)
{
    const union value *low = &f->statistics->histogram[bucket], *high = low + 1;
    double a, b, x;
    if (stats_number(type, v, &x) && stats_number(f->type, low, &a) &&
        stats_number(f->type, high, &b) && b > a)
        return clamp((x - a) / (b - a));
    if (type_is_textual(f->type) && type_is_textual(type))
        return stats_text_position(bytes_slice(&low->bytes), bytes_slice(&high->bytes),
                                   bytes_slice(&v->bytes));
    return 0.5;
}

/* Of the rows that the histogram stands for, those below v. */
static double histogram_below(const struct column_facts *f, type_id type, const union value *v)
{
    const struct column_statistics *s = f->statistics;
    uint32_t low = 0, high = s->histogram_count; /* the first bound that is not below v */
    if (s->histogram_count < 2) return 0.5;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = compare(f->type, &s->histogram[middle], type, v);
        if (c == 2) return -1;
        if (c < 0) low = middle + 1;
        else high = middle;
    }
    if (low == 0) return 0;
    if (low == s->histogram_count) return 1;
    return (low - 1 + position_between(f, low - 1, type, v)) / (s->histogram_count - 1);
}

double stats_below(const struct column_facts *f, type_id type, const union value *v, bool inclusive)
{
    const struct column_statistics *s = f->statistics;
    if (!s || (!s->mcv_count && s->histogram_count < 2)) return -1;
    double sum = 0, others = other_rows(s);
    for (uint32_t i = 0; i < s->mcv_count; i++) {
        int c = compare(f->type, &s->mcv[i], type, v);
        if (c == 2) return -1;
        if (c < 0 || (c == 0 && inclusive)) sum += s->mcv_fraction[i];
    }
    if (s->histogram_count >= 2) {
        double part = histogram_below(f, type, v);
        if (part < 0) return -1;
        double left = f->distinct - s->mcv_count;
        if (inclusive && part > 0 && part < 1 && left >= 1) part = clamp(part + 1 / left);
        sum += others * part;
    } else {
        sum += others * 0.5;
    }
    return clamp(sum);
}

double stats_pairs_below(const struct column_facts *a, const struct column_facts *b, bool inclusive)
{
    const struct column_statistics *s = b->statistics;
    if (!a->statistics || !s || (!s->mcv_count && s->histogram_count < 2)) return -1;
    double sum = 0, others = other_rows(s);
    for (uint32_t i = 0; i < s->mcv_count; i++) {
        double part = stats_below(a, b->type, &s->mcv[i], inclusive);
        if (part < 0) return -1;
        sum += s->mcv_fraction[i] * part;
    }
    if (s->histogram_count < 2) return clamp(sum + others * 0.5 * (1 - stats_null_fraction(a)));
    double parts = 0;
    for (uint32_t i = 0; i < s->histogram_count; i++) {
        double part = stats_below(a, b->type, &s->histogram[i], inclusive);
        if (part < 0) return -1;
        /* The outermost bounds stand for half a bucket each. */
        parts += i == 0 || i + 1 == s->histogram_count ? part / 2 : part;
    }
    return clamp(sum + others * parts / (s->histogram_count - 1));
}

/* --- patterns ------------------------------------------------------------------------------- */

/* The literal start of a pattern, unescaped; `ret_fixed` counts literal bytes after it. */
static struct slice literal_prefix(struct slice p, char buf[64], bool *ret_exact, size_t *ret_fixed)
{
    size_t n = 0, i = 0;
    *ret_exact = true;
    *ret_fixed = 0;
    for (; i < p.len && n < 64 && p.data[i] != '%' && p.data[i] != '_'; i++) {
        if (p.data[i] == '\\' && i + 1 < p.len) i++;
        buf[n++] = p.data[i];
    }
    if (i < p.len) *ret_exact = false;
    for (; i < p.len; i++)
        if (p.data[i] != '%' && p.data[i] != '_' && p.data[i] != '\\') ++*ret_fixed;
    return slice_make(buf, n);
}

static bool matches(type_id type, const union value *v, struct slice pattern, bool ignore_case)
{
    bool yes = false;
    struct slice s = bytes_slice(&v->bytes);
    (void)type;
    if (like_match(s, pattern, '\\', ignore_case, &yes) != OK) error_clear();
    return yes;
}

static double prefix_fraction(const struct column_facts *f, struct slice prefix)
{
    char upper[64];
    size_t n = prefix.len;
    union value low = {.bytes = bytes_ref(prefix.data, (uint32_t)n)}, high;
    memcpy(upper, prefix.data, n);
    while (n && (unsigned char)upper[n - 1] == 255) n--;
    if (!n) return 1;
    upper[n - 1]++;
    high.bytes = bytes_ref(upper, (uint32_t)n);
    const struct column_statistics *s = f->statistics;
    double a = histogram_below(f, TYPE_TEXT, &low), b = histogram_below(f, TYPE_TEXT, &high);
    double least = s->histogram_count > 1 ? 0.1 / (s->histogram_count - 1) : FRACTION_MATCH;
    return b - a > least ? b - a : least;
}

double stats_like(const struct column_facts *f, struct slice pattern, bool ignore_case)
{
    const struct column_statistics *s = f->statistics;
    char buf[64];
    bool exact;
    size_t fixed;
    struct slice prefix = literal_prefix(pattern, buf, &exact, &fixed);
    if (!type_is_textual(f->type)) return FRACTION_MATCH;
    if (exact && !ignore_case) {
        union value v = {.bytes = bytes_ref(prefix.data, (uint32_t)prefix.len)};
        return stats_equal(f, TYPE_TEXT, &v);
    }
    double by_form = pow(MATCH_ONE_MORE_BYTE, fixed > 8 ? 8 : (double)fixed);
    if (!s) {
        double one = by_form * pow(MATCH_ONE_MORE_BYTE, prefix.len > 8 ? 8 : (double)prefix.len);
        return one > FRACTION_MATCH ? one : FRACTION_MATCH;
    }
    double sum = 0;
    for (uint32_t i = 0; i < s->mcv_count; i++)
        if (matches(f->type, &s->mcv[i], pattern, ignore_case)) sum += s->mcv_fraction[i];
    /* Bounds are an even sample of the other values: how many of them match tells most. */
    uint32_t hits = 0;
    for (uint32_t i = 0; i < s->histogram_count; i++)
        hits += matches(f->type, &s->histogram[i], pattern, ignore_case);
    double sampled = s->histogram_count ? (double)hits / s->histogram_count : 0;
    double guess = prefix.len && !ignore_case ? prefix_fraction(f, prefix) * (fixed ? by_form : 1)
                                              : by_form;
    double others = guess;
    if (s->histogram_count >= MATCH_BOUNDS_MIN && hits > 2 && (fixed || !prefix.len))
        others = sampled;
    else if (s->histogram_count >= MATCH_BOUNDS_MIN && hits == 0 && guess > 1.0 / s->histogram_count)
        others = 0.5 / s->histogram_count;
    else if (hits && (fixed || !prefix.len))
        others = sampled;
    else if (s->histogram_count >= MATCH_BOUNDS_MIN && guess < sampled * BOUND_SHARE)
        others = sampled * BOUND_SHARE; /* where a prefix lies in its bucket says little of words */
    return clamp(sum + other_rows(s) * clamp(others));
}

/* --- joins ---------------------------------------------------------------------------------- */

double stats_join(const struct column_facts *a, const struct column_facts *b)
{
    double n = a->distinct > b->distinct ? a->distinct : b->distinct;
    double filled = (1 - stats_null_fraction(a)) * (1 - stats_null_fraction(b));
    const struct column_statistics *s = a->statistics, *t = b->statistics;
    if (n <= 0) return 0;
    if (!s || !t || !s->mcv_count || !t->mcv_count || a->type != b->type) return clamp(filled / n);
    double both = 0, left = 0, right = 0; /* of values common in both; of those in one only */
    uint32_t matched = 0;
    double matched_left = 0, matched_right = 0;
    for (uint32_t i = 0; i < s->mcv_count; i++)
        for (uint32_t k = 0; k < t->mcv_count; k++) {
            if (value_compare(a->type, &s->mcv[i], &t->mcv[k]) != 0) continue;
            both += s->mcv_fraction[i] * t->mcv_fraction[k];
            matched_left += s->mcv_fraction[i];
            matched_right += t->mcv_fraction[k];
            matched++;
            break;
        }
    left = mcv_sum(s) - matched_left;
    right = mcv_sum(t) - matched_right;
    /* Common values of one side meet the other's rest; rest meets rest. */
    double rest_a = other_rows(s), rest_b = other_rows(t);
    double values_a = a->distinct - s->mcv_count, values_b = b->distinct - t->mcv_count;
    double sum = both;
    if (values_b >= 1) sum += left * rest_b / (b->distinct - matched);
    if (values_a >= 1) sum += right * rest_a / (a->distinct - matched);
    double values = values_a > values_b ? values_a : values_b;
    if (values >= 1) sum += rest_a * rest_b / values;
    return clamp(sum);
}

double stats_distinct_among(double distinct, double rows)
{
    if (distinct <= 1) return 1;
    if (rows >= distinct * 20) return distinct;
    double n = distinct * (1 - pow(1 - 1 / distinct, rows));
    return n < 1 ? 1 : n;
}
