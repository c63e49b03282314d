/* Built-in functions and operators, from procs.def and operators.def, found by oid and by name. */
#include "base/fiber.h"
#include "base/map.h"
#include "catalog/catalog.h"

static struct proc_def procs[] = {
#define X(oid, name, symbol, result, argc, defaults, strict, set, kind, vol, variadic, ...)        \
    {oid,  name, symbol, result,   argc,                                  defaults, strict,        \
     set,  kind, vol,    variadic, (const type_id[PROC_ARGS_MAX])__VA_ARGS__, 0},
#include "catalog/procs.def"
#undef X
};
static const struct operator_def operators[] = {
#define X(oid, name, left, right, result, proc, com, neg, hash, merge)                             \
    {oid, name, left, right, result, proc, com, neg, hash, merge},
#include "catalog/operators.def"
#undef X
};
enum {
    PROC_COUNT = sizeof procs / sizeof procs[0],
    OPERATOR_COUNT = sizeof operators / sizeof operators[0],
};

struct name_bucket {
    uint32_t count, cap;
    const void **defs;
};

/* Built once under the lock, immutable then. */
static struct {
    struct map proc_oids, proc_names, operator_oids, operator_names;
    struct arena arena;
    struct spinlock lock;
    bool ready; /* atomic: release after the maps */
} built;

static void add_to_bucket(struct map *names, const char *name, const void *def)
{
    struct name_bucket *b = map_get(names, slice_of(name));
    if (!b) {
        b = ARENA_NEW(&built.arena, struct name_bucket);
        map_put(names, slice_of(name), b);
    }
    if (b->count == b->cap) {
        const void **bigger = ARENA_ARRAY(&built.arena, const void *, b->cap ? b->cap * 2 : 4);
        if (b->count) memcpy(bigger, b->defs, b->count * sizeof *bigger);
        b->defs = bigger;
        b->cap = b->cap ? b->cap * 2 : 4;
    }
    b->defs[b->count++] = def;
}

static void build(void)
{
    arena_init(&built.arena, MEM_CATALOG);
    map_init(&built.proc_oids);
    map_init(&built.proc_names);
    map_init(&built.operator_oids);
    map_init(&built.operator_names);
    for (int i = 0; i < PROC_COUNT; i++) {
        procs[i].id = i;
        map_put_u64(&built.proc_oids, procs[i].oid, &procs[i]);
        add_to_bucket(&built.proc_names, procs[i].name, &procs[i]);
    }
    for (int i = 0; i < OPERATOR_COUNT; i++) {
        map_put_u64(&built.operator_oids, operators[i].oid, (void *)(uintptr_t)&operators[i]);
        add_to_bucket(&built.operator_names, operators[i].name, &operators[i]);
    }
}

static void ensure_built(void)
{
    if (__atomic_load_n(&built.ready, __ATOMIC_ACQUIRE)) return;
    spin_lock(&built.lock);
    if (!built.ready) build();
    __atomic_store_n(&built.ready, true, __ATOMIC_RELEASE);
    spin_unlock(&built.lock);
}

const struct proc_def *proc_by_oid(oid_t oid)
{
    ensure_built();
    return map_get_u64(&built.proc_oids, oid);
}

const struct proc_def *proc_by_id(int id)
{
    ensure_built();
    return id >= 0 && id < PROC_COUNT ? &procs[id] : NULL;
}

int proc_count(void)
{
    return PROC_COUNT;
}

uint32_t proc_by_name(struct slice name, const struct proc_def *const **ret)
{
    ensure_built();
    const struct name_bucket *b = map_get(&built.proc_names, name);
    *ret = b ? (const struct proc_def *const *)b->defs : NULL;
    return b ? b->count : 0;
}

const struct operator_def *operator_by_oid(oid_t oid)
{
    ensure_built();
    return map_get_u64(&built.operator_oids, oid);
}

uint32_t operator_by_name(struct slice name, const struct operator_def *const **ret)
{
    ensure_built();
    const struct name_bucket *b = map_get(&built.operator_names, name);
    *ret = b ? (const struct operator_def *const *)b->defs : NULL;
    return b ? b->count : 0;
}

const struct operator_def *operator_list(int *ret_count)
{
    *ret_count = OPERATOR_COUNT;
    return operators;
}

const struct operator_def *operator_exact(const char *name, type_id left, type_id right)
{
    const struct operator_def *const *found;
    uint32_t n = operator_by_name(slice_of(name), &found);
    for (uint32_t i = 0; i < n; i++)
        if (found[i]->left == left && found[i]->right == right) return found[i];
    return NULL;
}
