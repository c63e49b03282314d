/* Which code a built-in function has: from the dense proc id to a binding by symbol.
 *
 * A proc is looked up by its symbol the first time it is asked for, and remembered. The answer is
 * always the same pointer, so threads that meet at the first time do no harm: no lock, no start-up.
 * */
#include "exec/functions/functions_priv.h"

enum { PROCS_MAX = 4096 };

/* What a binding holds after its symbol is a function_impl. */
_Static_assert(sizeof(struct proc_binding) - offsetof(struct proc_binding, scalar) ==
                   sizeof(struct function_impl) &&
                   offsetof(struct proc_binding, vector) - offsetof(struct proc_binding, scalar) ==
                       offsetof(struct function_impl, vector),
               "proc_binding ends in a function_impl");

static const struct function_impl no_function;
static const struct srf_impl no_srf;
static const struct aggregate_impl no_aggregate;

/* By proc id; NULL: not asked for yet. Atomic: any thread, same value. */
static const struct function_impl *functions[PROCS_MAX];
static const struct srf_impl *srfs[PROCS_MAX];
static const struct aggregate_impl *aggregates[PROCS_MAX];

#define GROUP(name) {exec__##name##_functions, &exec__##name##_function_count}

static const struct function_impl *find_function(const char *symbol)
{
    static const struct {
        const struct proc_binding *bindings;
        const uint32_t *count;
    } groups[] = {GROUP(compare), GROUP(arithmetic), GROUP(math), GROUP(numeric),
                  GROUP(text),    GROUP(datetime),   GROUP(misc), GROUP(array),
                  GROUP(order),   GROUP(json),       GROUP(jsonpath), GROUP(bits),
                  GROUP(net),     GROUP(money),      GROUP(timetz), GROUP(position),
                  GROUP(range)};
    for (uint32_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (uint32_t i = 0; i < *groups[g].count; i++)
            if (strcmp(groups[g].bindings[i].symbol, symbol) == 0)
                return (const struct function_impl *)&groups[g].bindings[i].scalar;
    return &no_function;
}

static const struct srf_impl *find_srf(const char *symbol)
{
    for (uint32_t i = 0; i < exec__srf_function_count; i++)
        if (strcmp(exec__srf_functions[i].symbol, symbol) == 0) return &exec__srf_functions[i].impl;
    return &no_srf;
}

static const struct aggregate_impl *find_aggregate(const struct proc_def *p)
{
    static const struct {
        const struct aggregate_binding *bindings;
        const uint32_t *count;
    } groups[] = {GROUP(aggregate), GROUP(extreme), GROUP(statistic), GROUP(collect),
                  GROUP(hypothetical), {exec__json_aggregates, &exec__json_aggregate_count},
                  {exec__bits_aggregates, &exec__bits_aggregate_count},
                  {exec__money_aggregates, &exec__money_aggregate_count},
                  {exec__range_aggregates, &exec__range_aggregate_count}};
    type_id type = p->arg_count ? p->args[0] : TYPE_NONE;
    for (uint32_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (uint32_t i = 0; i < *groups[g].count; i++) {
            const struct aggregate_binding *b = &groups[g].bindings[i];
            if ((b->type == type || b->type == TYPE_ANY) && strcmp(b->symbol, p->symbol) == 0)
                return &b->impl;
        }
    return &no_aggregate;
}

static const struct proc_def *proc_checked(int proc_id)
{
    const struct proc_def *p = proc_by_id(proc_id);
    ASSERT(p);
    return p;
}

const struct function_impl *function_impl(int proc_id)
{
    ASSERT(proc_id >= 0 && proc_id < PROCS_MAX);
    const struct function_impl *f = __atomic_load_n(&functions[proc_id], __ATOMIC_RELAXED);
    if (f) return f;
    const struct proc_def *p = proc_checked(proc_id);
    f = p->kind == 'f' && !p->returns_set ? find_function(p->symbol) : &no_function;
    __atomic_store_n(&functions[proc_id], f, __ATOMIC_RELAXED);
    return f;
}

const struct srf_impl *srf_impl(int proc_id)
{
    ASSERT(proc_id >= 0 && proc_id < PROCS_MAX);
    const struct srf_impl *f = __atomic_load_n(&srfs[proc_id], __ATOMIC_RELAXED);
    if (f) return f;
    const struct proc_def *p = proc_checked(proc_id);
    f = p->returns_set ? find_srf(p->symbol) : &no_srf;
    __atomic_store_n(&srfs[proc_id], f, __ATOMIC_RELAXED);
    return f;
}

const struct aggregate_impl *aggregate_impl(int proc_id)
{
    ASSERT(proc_id >= 0 && proc_id < PROCS_MAX);
    const struct aggregate_impl *f = __atomic_load_n(&aggregates[proc_id], __ATOMIC_RELAXED);
    if (f) return f;
    const struct proc_def *p = proc_checked(proc_id);
    f = p->kind == 'a' ? find_aggregate(p) : &no_aggregate;
    __atomic_store_n(&aggregates[proc_id], f, __ATOMIC_RELAXED);
    return f;
}
