/* Parallel runs, between the operators: the parts of a shared scan, the builds of shared joins. */
#ifndef HELIOS_EXEC_OPS_GATHER_PRIV_H
#define HELIOS_EXEC_OPS_GATHER_PRIV_H

#include "exec/ops/key_range.h"
#include "exec/parallel.h"

/* Of the parts of a shared scan the next that nobody has taken; *ret_any false when none is left. */
enum status morsel__next(struct execution *x, const struct plan_node *n, const struct index_def *key,
                         bool unique, struct byte_range *ret, bool *ret_any) MUST;

/* Does this execution divide the node's work with others? */
static inline bool op__shares_scan(const struct execution *x, const struct plan_node *n)
{
    return x->parallel && n->scan.shared;
}
static inline bool op__shares_groups(const struct execution *x, const struct plan_node *n)
{
    return x->parallel && n->aggregate.shared;
}
/* What workers do with their rows instead of handing them over. */
struct gather_into {
    void *ctx;
    /* A worker's sink, which may hand rows over all the same: through `out`. `place` is below the
     * gather's workers; the leader, when it works, has 0 and `out` alone. */
    struct exec_sink (*begin)(void *ctx, struct execution *x, uint32_t place,
                              const struct exec_sink *out);
    /* All its rows have come; `own` is the sink's, NULL for the leader. */
    enum status (*finish)(void *ctx, void *own);
    /* Nobody works any more, and all went well; what workers have is still there. */
    void (*collect)(void *ctx);
};
enum status op__gather_into(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out, const struct gather_into *into) MUST;

/* The build side that the gather's first worker has made; NULL: build it. */
static inline struct hash_join *op__shared_table(const struct execution *x, const struct plan_node *n)
{
    return x->parallel && n->join.shared ? x->parallel->tables[n->id] : NULL;
}
/* Makes it, in arenas of this execution; others read it. With *ret_alone it is for none but this one:
 * parts of it are on disk. *ret is set even then, and is to be ended (hash_join.c). */
enum status op__hash_build(struct execution *x, const struct plan_node *n, struct hash_join **ret,
                           bool *ret_alone) MUST;
void op__hash_end(struct hash_join *h);
struct row_filter;
/* What its table says of a key, if it has one key and lies in memory. */
bool op__hash_filter(const struct hash_join *h, struct row_filter *ret);

#endif
