/* What is known of the values that an expression takes, and fractions of rows drawn from it. */
#ifndef HELIOS_SQL_PLAN_STATS_H
#define HELIOS_SQL_PLAN_STATS_H

#include "catalog/catalog.h"

/* PostgreSQL's fractions for what is not known (utils/selfuncs.h documents them). */
#define FRACTION_EQUAL 0.005
#define FRACTION_RANGE (1.0 / 3)
#define FRACTION_BOTH_ENDS 0.005
#define FRACTION_MATCH 0.005
#define DISTINCT_DEFAULT 200.0

struct column_facts {
    type_id type;
    const struct column_statistics *statistics; /* NULL: never analysed */
    double distinct;                            /* values in the whole table; 0: not known */
};

/* A value as a number of its kind, so that differences mean something. False: it is none. */
bool stats_number(type_id type, const union value *v, double *ret);
/* Where v lies between two strings, by the bytes that follow their common prefix: 0 .. 1. */
double stats_text_position(struct slice low, struct slice high, struct slice v);

double stats_null_fraction(const struct column_facts *f);
/* Of all rows those whose value is v (NULL: a value not known yet), of type `type`. */
double stats_equal(const struct column_facts *f, type_id type, const union value *v);
/* Of all rows those below v, or equal to it when `inclusive`. Negative: not known. */
double stats_below(const struct column_facts *f, type_id type, const union value *v,
                   bool inclusive);
/* Of all rows those whose text matches; `ignore_case` as ILIKE. */
double stats_like(const struct column_facts *f, struct slice pattern, bool ignore_case);
/* Of all pairs of rows those with equal values. 0: not known. */
double stats_join(const struct column_facts *a, const struct column_facts *b);
/* Of all pairs of rows those where a's value is below b's. Negative: not known. */
double stats_pairs_below(const struct column_facts *a, const struct column_facts *b,
                         bool inclusive);
/* Distinct values that so many rows of the table show, when they are drawn without regard to them. */
double stats_distinct_among(double distinct, double rows);

#endif
