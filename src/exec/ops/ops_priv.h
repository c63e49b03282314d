/* Operators, for this folder. Each is a function that pushes its batches into `out`; a parent runs its
 * child with a sink of its own. END_OF_DATA from a sink means "no more, thank you": it travels up as
 * the status of the run, and who asked for it turns it into OK. */
#ifndef HELIOS_EXEC_OPS_OPS_PRIV_H
#define HELIOS_EXEC_OPS_OPS_PRIV_H

#include "exec/eval.h"
#include "exec/ops/rowset.h"
#include "exec/spill.h"

enum status op__run(struct execution *x, const struct plan_node *n, const struct exec_sink *out) MUST;

#define OP(name)                                                                                   \
    enum status op__##name(struct execution *x, const struct plan_node *n,                         \
                           const struct exec_sink *out) MUST
OP(result);
OP(values);
OP(scan);
OP(versions);
OP(index_scan);
OP(virtual_scan);
OP(function_scan);
OP(cte_scan);
OP(filter);
OP(project);
OP(project_set);
OP(nested_loop);
OP(hash_join);
OP(aggregate);
OP(distinct);
OP(sort);
OP(limit);
OP(append);
OP(set_op);
OP(recursive_union);
OP(window);
OP(lock_rows);
OP(gather);
OP(insert);
OP(update);
OP(delete);
OP(merge);

enum status op__push_slices(struct execution *x, const struct exec_sink *out,
                            const struct batch *b) MUST;
/* *to += more */
void op__add_usage(struct exec_usage *to, const struct exec_usage *more);
/* What this execution has used so far; and what since, for a node that did it outside of op__run. */
struct exec_usage op__usage(const struct execution *x);
void op__count_usage(struct execution *x, const struct plan_node *n, const struct exec_usage *since);
/* Pushes a batch, and lets the run be cancelled. Pushes nest as deep as the plan does. */
static inline enum status op__push(struct execution *x, const struct exec_sink *out,
                                   const struct batch *b)
{
    TRY(exec_check(x));
    TRY(exec_check_stack());
    uint32_t most = x->session->batch_rows;
    if (most && b->count > most) return op__push_slices(x, out, b);
    return b->count ? out->rows(out->ctx, b) : OK;
}
static inline uint32_t op__row(const struct batch *b, uint32_t i) { return b->sel ? b->sel[i] : i; }
static inline void op__get_row(const struct batch *b, uint32_t row, struct datum *ret)
{
    for (uint32_t c = 0; c < b->column_count; c++) ret[c] = vec_get(&b->columns[c], row);
}

/* What most operators keep between their runs: a node may run many times (right side of a nested loop,
 * correlated subquery), and must not take new memory each time. */
enum { OP_ARENAS = 11 };
struct op_state {
    struct arena *arenas[OP_ARENAS];
    const type_id *types;
    void *own; /* an operator's own, in the execution's arena */
};
/* The types of a node's columns. Not for scans, which have a state of their own. */
const type_id *op__types(struct execution *x, const struct plan_node *n);
/* One of the node's arenas, cleared. Number 0 is the row pusher's. */
struct arena *op__arena(struct execution *x, const struct plan_node *n, unsigned which);

/* exec_arena_prime where the query may have much more than that. */
static inline void op__prime(struct execution *x, struct arena *a, uint32_t rows)
{
    if (exec_memory_limit(x) >= 16 << 20) exec_arena_prime(a, rows);
}

/* Collects rows one by one and pushes them as batches. */
struct row_pusher {
    struct execution *x;
    const struct exec_sink *out;
    struct arena *arena; /* cleared after each push: results of the rows may lie in it */
    const type_id *types;
    uint16_t column_count;
    struct batch batch;
    uint32_t rows;
};
void row_pusher__init(struct row_pusher *p, struct execution *x, const struct plan_node *n,
                      const struct exec_sink *out);
/* The values' bytes must stay until the next push: in p->arena, or longer. */
enum status row_pusher__add(struct row_pusher *p, const struct datum *row) MUST;
enum status row_pusher__flush(struct row_pusher *p) MUST;

/* A LIMIT's value: UINT64_MAX for none. */
enum status op__limit_value(struct execution *x, const struct expr *e, bool is_offset,
                            uint64_t *ret) MUST;

/* Sort keys as bytes whose order is the rows' order. */
enum status op__sort_key(struct execution *x, const struct sort_item *items, uint32_t count,
                         const struct datum *values, struct strbuf *out) MUST;

/* --- storage (key.c) --- */

/* By table column: what rows older than it read as; NULL: no column has such. */
struct datum *op__missing(struct arena *a, const struct table_def *t);

/* Key parts of a table's tree or of an index. */
struct key_part;
void op__table_key(const struct table_def *t, const struct datum *row, struct strbuf *out);
/* The entry's key for the row (values by table column); *ret_unique: entry is unique by itself. */
void op__index_key(const struct table_def *t, const struct index_def *i, const struct datum *row,
                   struct slice table_key, struct strbuf *out, bool *ret_unique);
struct key_part op__index_part(const struct index_def *i, uint32_t column);

/* Of a plan whose WITH items write: those that were not read run; then the end of all parts (part.c). */
enum status op__run_changes(struct execution *x) MUST;
enum status op__finish_parts(struct execution *x) MUST;
void op__end_parts(struct execution *x);

/* INSERT, UPDATE, DELETE of a view (instead.c). */
enum status op__instead(struct execution *x, const struct plan_node *n,
                        const struct exec_sink *out) MUST;

#endif
