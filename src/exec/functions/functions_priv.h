/* The function library's inside. Each file brings tables of bindings from a proc's symbol
 * (catalog/procs.def) to code; registry.c joins them.
 *
 * A scalar function gets *ret zeroed and not NULL. A vector function gets ret flat, with the NULLs
 * of its arguments set already; it must raise no error for such rows nor for rows not selected. */
#ifndef HELIOS_EXEC_FUNCTIONS_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_PRIV_H

#include "exec/exec.h"
#include "types/vec.h"

struct proc_binding {
    const char *symbol;
    scalar_fn scalar;
    vector_fn vector; /* or NULL */
};
struct srf_binding {
    const char *symbol;
    struct srf_impl impl;
};
/* One symbol serves all types of an aggregate: the first binding whose type is that of the proc's
 * first argument, or TYPE_ANY, counts. */
struct aggregate_binding {
    const char *symbol;
    type_id type;
    struct aggregate_impl impl;
};

#define BINDINGS(group)                                                                            \
    extern const struct proc_binding exec__##group##_functions[];                                  \
    extern const uint32_t exec__##group##_function_count;
BINDINGS(compare)
BINDINGS(arithmetic)
BINDINGS(math)     /* float mathematics */
BINDINGS(numeric)
BINDINGS(text)
BINDINGS(datetime)
BINDINGS(misc)
BINDINGS(array)
BINDINGS(json)
BINDINGS(jsonpath)
BINDINGS(order)    /* larger, smaller, cmp */
BINDINGS(bits)
BINDINGS(net)
BINDINGS(money)
BINDINGS(timetz)
BINDINGS(position) /* pg_lsn, xid8 */
BINDINGS(range)
#undef BINDINGS
extern const struct srf_binding exec__srf_functions[];
extern const uint32_t exec__srf_function_count;
extern const struct aggregate_binding exec__aggregate_functions[]; /* count, sum, avg, bits … */
extern const uint32_t exec__aggregate_function_count;
extern const struct aggregate_binding exec__extreme_functions[];   /* min, max */
extern const uint32_t exec__extreme_function_count;
extern const struct aggregate_binding exec__statistic_functions[]; /* variance, corr, regr … */
extern const uint32_t exec__statistic_function_count;
extern const struct aggregate_binding exec__collect_functions[];   /* string_agg, array_agg … */
extern const uint32_t exec__collect_function_count;
extern const struct aggregate_binding exec__json_aggregates[];
extern const uint32_t exec__json_aggregate_count;
extern const struct aggregate_binding exec__bits_aggregates[];
extern const uint32_t exec__bits_aggregate_count;
extern const struct aggregate_binding exec__range_aggregates[];
extern const uint32_t exec__range_aggregate_count;
extern const struct aggregate_binding exec__money_aggregates[];
extern const uint32_t exec__money_aggregate_count;
extern const struct aggregate_binding exec__hypothetical_functions[];
extern const uint32_t exec__hypothetical_function_count;

/* At the end of a file: the count of its table. */
#define BINDING_COUNT(group)                                                                       \
    const uint32_t exec__##group##_function_count =                                                \
        sizeof exec__##group##_functions / sizeof exec__##group##_functions[0];

/* The row at position i of a selection. */
static inline uint32_t fn_row(const uint16_t *sel, uint32_t i) { return sel ? sel[i] : i; }
/* A constant vector's value stands at 0 for every row. */
static inline uint32_t fn_at(const struct vec *v, uint32_t row)
{
    return v->form == VEC_CONST ? 0 : row;
}

static inline enum status ret_bytes(struct datum *ret, struct bytes b)
{
    ret->v.bytes = b;
    return OK;
}
static inline enum status ret_null(struct datum *ret)
{
    ret->null = true;
    return OK;
}

#endif
