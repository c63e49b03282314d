/* Shared by the evaluator's files.
 *
 * Kinds whose arguments are all evaluated ("eager") have one meaning, written once over values:
 * eval__apply. The row form evaluates the arguments and applies; the batch form evaluates argument
 * vectors, tries a loop over plain arrays, and else applies row by row. Kinds that leave arguments
 * unevaluated (AND, OR, CASE, COALESCE) and subqueries are written for each form. */
#ifndef HELIOS_EXEC_EVAL_PRIV_H
#define HELIOS_EXEC_EVAL_PRIV_H

#include "exec/eval.h"
#include "exec/subquery.h"

static inline bool eval__is_true(const struct datum *d) { return !d->null && d->v.b; }
static inline struct datum eval__bool(bool b)
{
    return (struct datum){.v.b = b};
}
static inline struct datum eval__null(void)
{
    return (struct datum){.null = true};
}
static inline bool eval__is_eager(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_CALL:
    case EXPR_NULL_TEST:
    case EXPR_BOOLEAN_TEST:
    case EXPR_MIN_MAX:
    case EXPR_DISTINCT:
    case EXPR_NULLIF:
    case EXPR_CAST:
    case EXPR_ANY:
    case EXPR_IN_LIST:
    case EXPR_ARRAY:
    case EXPR_ROW:
    case EXPR_FIELD:
    case EXPR_SUBSCRIPT: return true;
    default: return false;
    }
}

/* The position of row i among selected ones. */
static inline uint32_t eval__row(const uint16_t *sel, uint32_t i) { return sel ? sel[i] : i; }

/* Positions of the rows with value 1 (not 0) and no NULL, into `out`, which has room for all (keep_true.c). */
uint32_t eval__keep_true(const uint8_t *values, const uint64_t *nulls, const uint16_t *sel,
                         uint32_t count, uint16_t *out);

/* An eager expression over the values of its arguments (eval_apply.c). */
enum status eval__apply(struct execution *x, const struct expr *e, const struct datum *args,
                        struct arena *a, struct datum *ret) MUST;
/* exec_call with the caller's own place for the function's state. */
enum status eval__call(struct execution *x, const struct expr *site, const struct proc_def *proc,
                       const struct datum *args, uint32_t arg_count, struct arena *a,
                       void **state, struct datum *ret) MUST;
/* = ANY(array), IN (list) with large constant lists by hash set (eval_any.c). */
enum status eval__any(struct execution *x, const struct expr *e, const struct datum *args,
                      struct arena *a, struct datum *ret) MUST;
enum status eval__in_list(struct execution *x, const struct expr *e, const struct datum *args,
                          struct arena *a, struct datum *ret) MUST;
/* Both over a batch, when such a set answers; *ret_done false otherwise. */
enum status eval__set_vector(struct execution *x, const struct expr *e, const struct vec *args,
                             const struct batch *in, struct arena *a, struct vec *ret,
                             bool *ret_done) MUST;
/* Arrays (eval_array.c). */
enum status eval__array(const struct expr *e, const struct datum *args, struct arena *a,
                        struct datum *ret) MUST;
enum status eval__subscript(const struct expr *e, const struct datum *args, struct arena *a,
                            struct datum *ret) MUST;
/* Composite values (eval_record.c). */
enum status eval__record(const struct expr *e, const struct datum *args, struct arena *a,
                         struct datum *ret) MUST;
enum status eval__field(const struct expr *e, const struct datum *arg, struct arena *a,
                        struct datum *ret) MUST;
/* IS [NOT] NULL: of a composite value, of all its fields. */
enum status eval__null_test(const struct expr *e, const struct datum *arg, struct arena *a,
                            struct datum *ret) MUST;
/* Casts of one value, and fast ones of a vector: *ret_done false when there is no loop for it
 * (eval_cast.c). */
enum status eval__cast(struct execution *x, const struct expr *e, const struct datum *arg,
                       struct arena *a, struct datum *ret) MUST;
enum status eval__cast_vector(const struct expr *e, const struct vec *arg, const struct batch *in,
                              struct arena *a, struct vec *ret, bool *ret_done) MUST;
/* CURRENT_DATE and its kin: constant within a statement. */
enum status eval__sql_value(struct execution *x, const struct expr *e, struct arena *a,
                            struct datum *ret) MUST;
/* Parameter or outer value; a value of no column, one for the whole batch. */
enum status eval__param(struct execution *x, const struct expr *e, struct datum *ret) MUST;
enum status eval__unsupported(const struct expr *e) MUST;

/* Calls over argument vectors (eval_call.c). */
enum status eval__call_vector(struct execution *x, const struct expr *e, const struct vec *args,
                              const struct batch *in, struct arena *a, struct vec *ret) MUST;
/* AND, OR, NOT, CASE, COALESCE over a batch (eval_case.c). */
enum status eval__bool_vector(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret) MUST;
enum status eval__case_vector(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret) MUST;
enum status eval__coalesce_vector(struct execution *x, const struct expr *e,
                                  const struct batch *in, struct arena *a,
                                  struct vec *ret) MUST;

/* Whether values of both types can be hashed and compared as one type. */
static inline bool eval__same_values(type_id a, type_id b)
{
    bool text_a = a == TYPE_TEXT || a == TYPE_VARCHAR, text_b = b == TYPE_TEXT || b == TYPE_VARCHAR;
    return a == b || (text_a && text_b);
}

#endif
