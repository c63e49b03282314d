/* Rows of a subquery that are kept, and the test of IN, ANY, ALL against them (subquery_match.c). */
#ifndef HELIOS_EXEC_SUBQUERY_PRIV_H
#define HELIOS_EXEC_SUBQUERY_PRIV_H

#include "exec/eval_priv.h"

/* Kept rows of an uncorrelated ANY or ALL. With `hashed` the operators are equalities (or all their
 * negations) and rows without NULL stand in a hash table as values of key_types. */
struct subquery_rows {
    struct datum *values;    /* row-major */
    uint32_t count, cap, width;
    bool hashed, any_null;   /* any_null: some row holds a NULL */
    type_id *key_types;
    uint32_t *slots, mask;   /* position + 1 of a row; built after the last one */
};

struct subquery_memo;
struct memo_key {
    struct datum *values;    /* NULL: nothing is kept */
    uint64_t hash;
};

struct subplan_state {
    struct subquery_memo *memo;
    bool ready;
    struct datum value;      /* kept: scalar, EXISTS, ARRAY */
    struct subquery_rows rows;
    void **call_states;      /* of the operators, one a column */
};

/* Prepares `rows` for the subplan; says whether they can be hashed. */
void subquery__rows_init(struct execution *x, const struct subplan *sp, struct subquery_rows *rows);
void subquery__rows_add(struct execution *x, struct subquery_rows *rows, const struct batch *b);
void subquery__rows_finish(struct execution *x, struct subquery_rows *rows);
/* IN, ANY or ALL of the kept rows, or the only one's comparison. */
enum status subquery__rows_test(struct execution *x, const struct expr *e, const struct subplan *sp,
                                struct subplan_state *st, const struct datum *tests,
                                struct arena *a, struct datum *ret) MUST;
enum status subquery__too_many_rows(void) MUST;
/* test op row, for one row: all columns equal, or any unequal. */
enum status subquery__row_test(struct execution *x, const struct expr *e, const struct subplan *sp,
                               struct subplan_state *st, const struct datum *tests,
                               const struct datum *row, struct arena *a, struct datum *ret) MUST;

/* What a correlated subplan gave for these outer values and tests before (subquery_memo.c). */
bool subquery__memo_find(struct execution *x, const struct subplan *sp, struct subplan_state *st,
                         const struct datum *tests, type_id type, struct arena *a,
                         struct memo_key *ret_key, struct datum *ret);
void subquery__memo_keep(struct subplan_state *st, const struct memo_key *key, type_id type,
                         struct datum value);

#endif
