/* The tables of joins and groups (exec/ops/join_table.h, group_table.h), which batches of keys are put
 * into and looked up in as the operators do it. Small tables stay in the core's cache, large ones do
 * not fit in any. Keys come in random order, but those of a dense table when it is built.
 *
 * Bytes a row: the key, text included, and of the table what a row needs of it: a join's slot and
 * entry, a group's slot, key and state. */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "exec/execution.h"
#include "exec/ops/group_table.h"
#include "exec/ops/join_table.h"

enum { SMALL_ROWS = 16384, PROBE_BATCHES = 256, MAX_BATCHES = 1 << 12 };

/* Batches of one key column. */
struct keys {
    struct arena arena;
    type_id type;
    uint32_t count; /* of batches */
    struct vec columns[MAX_BATCHES];
    double bytes;   /* a row */
};

/* How number n looks as a key: `spread` keys do not lie close together. */
static struct datum key_of(struct keys *k, uint64_t n, bool spread)
{
    struct datum d = {0};
    char text[32];
    if (spread) n = n * 0x9e3779b97f4a7c15u >> 1;
    if (k->type == TYPE_INT8) {
        d.v.i64 = (int64_t)n;
        return d;
    }
    int len = snprintf(text, sizeof text, "Customer#%010llu", (unsigned long long)(n % 10000000000));
    d.v.bytes = bytes_copy(&k->arena, text, (uint32_t)len);
    return d;
}

/* Row i is number from + i, or a random one of `domain` numbers from there. */
static struct keys *make_keys(struct kernels *k, type_id type, uint32_t batches, uint64_t from,
                              uint64_t domain, bool spread)
{
    struct keys *r = mem_alloc(MEM_TEST, sizeof *r);
    arena_init(&r->arena, MEM_TEST);
    r->type = type;
    r->count = batches < MAX_BATCHES ? batches : MAX_BATCHES;
    for (uint32_t b = 0; b < r->count; b++) {
        struct vec *v = &r->columns[b];
        vec_init_flat(v, type, &r->arena);
        v->nulls = NULL;
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            uint64_t n = domain ? rng_below(&k->rng, domain) : (uint64_t)b * BATCH_ROWS + i;
            vec_set(v, i, key_of(r, from + n, spread));
        }
    }
    r->bytes = type == TYPE_INT8 ? 8 : 16 + 19;
    return r;
}

static void free_keys(struct keys *k)
{
    arena_release(&k->arena);
    mem_free(MEM_TEST, k);
}

/* --- joins --------------------------------------------------------------------------------------- */

static void build(const struct join_keys *how, const struct keys *of, struct join_table *t,
                  struct arena *a)
{
    uint16_t rows[BATCH_ROWS];
    uint64_t keys[BATCH_ROWS];
    bool null;
    join_table_init(t, how->packed);
    for (uint32_t b = 0; b < of->count; b++) {
        uint32_t n = join_keys_read(how, &of->columns[b], NULL, BATCH_ROWS, rows, keys, &null);
        join_table_add(t, a, keys, b * BATCH_ROWS, n);
    }
    bench_check(join_table_seal(t, NULL, a), "seal");
}

/* Matches, of which those of a hash are still to be compared by the join. */
static uint64_t probe(const struct join_keys *how, const struct keys *of, const struct join_table *t)
{
    uint16_t rows[BATCH_ROWS], sel[BATCH_ROWS];
    uint64_t keys[BATCH_ROWS], matches = 0;
    uint32_t from[BATCH_ROWS], to[BATCH_ROWS];
    bool null;
    for (uint32_t b = 0; b < of->count; b++) {
        uint32_t n = join_keys_read(how, &of->columns[b], NULL, BATCH_ROWS, rows, keys, &null);
        uint32_t found = join_table_find(t, keys, n, sel, from, to);
        if (t->form != JOIN_TABLE_HASHED) {
            matches += found;
            continue;
        }
        for (uint32_t i = 0; i < found; i++)
            for (uint32_t e = from[i]; e < to[i]; e++)
                matches += t->entries[e].key == keys[sel[i]];
    }
    return matches;
}

static void time_probe(struct kernels *k, const char *what, const char *name,
                       const struct join_keys *how, const struct keys *of,
                       const struct join_table *t, double entry_bytes)
{
    char figure[80];
    uint64_t passes = 0, matches = probe(how, of, t);
    bool hit = strcmp(what, "hit") == 0;
    if (matches != (hit ? (uint64_t)of->count * BATCH_ROWS : 0))
        bench_check(INTERNAL_ERROR, "a join's matches are wrong");
    int64_t start = bench_ns(), ns = 0;
    for (; ns < k->least_ns; ns = bench_ns() - start, passes++) (void)probe(how, of, t);
    snprintf(figure, sizeof figure, "join %s, %s", what, name);
    kernels_figure(k, figure, passes * of->count * BATCH_ROWS, ns, of->bytes + entry_bytes);
}

static void join(struct kernels *k, const char *name, type_id type, uint64_t rows, bool spread)
{
    const struct join_keys how = join_keys_of(&type, 1);
    uint32_t batches = (uint32_t)(rows / BATCH_ROWS);
    uint64_t passes = 0;
    struct join_table t;
    struct arena a;
    struct keys *of = make_keys(k, type, batches, 0, 0, spread);
    rows = (uint64_t)of->count * BATCH_ROWS;
    struct keys *hits = make_keys(k, type, PROBE_BATCHES, 0, rows, spread);
    struct keys *misses = make_keys(k, type, PROBE_BATCHES, rows, rows, spread);
    arena_init(&a, MEM_TEST);
    build(&how, of, &t, &a); /* its memory is there afterwards */
    int64_t start = bench_ns(), ns = 0;
    for (; ns < k->least_ns; ns = bench_ns() - start, passes++) {
        arena_clear(&a);
        build(&how, of, &t, &a);
    }
    bool hashed = t.form == JOIN_TABLE_HASHED;
    char figure[80];
    snprintf(figure, sizeof figure, "join build, %s", name);
    kernels_figure(k, figure, passes * rows, ns, of->bytes + (hashed ? 24 : 4));
    time_probe(k, "hit", name, &how, hits, &t, hashed ? 24 : 4);
    time_probe(k, "miss", name, &how, misses, &t, hashed ? 8 : 0);
    arena_release(&a);
    free_keys(of);
    free_keys(hits);
    free_keys(misses);
}

/* --- groups -------------------------------------------------------------------------------------- */

struct groups {
    struct execution x;
    struct arena run, keys, slots[2], batch;
    struct group_table table;
    const struct aggregate_impl *sum;
    struct call_ctx ctx;
    char *states;
    uint32_t state_bytes, state_count;
    struct vec values;
};

static void groups_clear(struct groups *g, type_id type)
{
    arena_clear(&g->keys);
    arena_clear(&g->slots[0]);
    arena_clear(&g->slots[1]);
    memset(g->states, 0, (size_t)g->state_count * g->state_bytes);
    group_table_init(&g->table, &g->x, 1, &type, &g->keys, &g->slots[0], &g->slots[1]);
}

/* sum(int8) … GROUP BY key. */
static void feed(struct groups *g, const struct keys *of)
{
    for (uint32_t b = 0; b < of->count; b++) {
        uint32_t ids[BATCH_ROWS];
        void *states[BATCH_ROWS];
        struct vec column = of->columns[b];
        const struct vec *args = &g->values;
        struct batch batch = {.rows = BATCH_ROWS, .count = BATCH_ROWS, .column_count = 1,
                              .columns = &column};
        arena_clear(&g->batch);
        bench_check(group_table_find(&g->table, &batch, &column, false, &g->batch, ids), "find");
        if (g->table.count > g->state_count) bench_check(INTERNAL_ERROR, "too many groups");
        uint32_t differ = 0;
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            states[i] = g->states + (size_t)ids[i] * g->state_bytes;
            differ |= ids[i] ^ ids[0];
        }
        g->ctx.one_group = differ == 0;
        bench_check(g->sum->add_batch(&g->ctx, &g->keys, states, &args, 1, NULL, BATCH_ROWS), "sum");
    }
}

static const struct aggregate_impl *find_sum(void)
{
    const struct proc_def *const *found;
    uint32_t n = proc_by_name(SLICE("sum"), &found);
    for (uint32_t i = 0; i < n; i++)
        if (found[i]->args[0] == TYPE_INT8) return aggregate_impl(found[i]->id);
    return NULL;
}

static void group(struct kernels *k, const char *name, type_id type, uint64_t count)
{
    bool many = count > BATCH_ROWS;
    uint32_t batches = (uint32_t)((count + BATCH_ROWS - 1) / BATCH_ROWS);
    char figure[80];
    struct exec_session session = {.format = &format_default};
    struct exec_params params = {0};
    struct groups g = {.sum = find_sum(), .state_count = (uint32_t)count + BATCH_ROWS};
    struct keys *of = many ? make_keys(k, type, batches, 0, 0, true) : NULL;
    struct keys *again = make_keys(k, type, many ? batches : PROBE_BATCHES, 0, count, true);
    arena_init(&g.run, MEM_TEST);
    exec_begin(&g.x, NULL, NULL, &session, &params, &g.run);
    arena_init(&g.keys, MEM_TEST);
    arena_init(&g.slots[0], MEM_TEST);
    arena_init(&g.slots[1], MEM_TEST);
    arena_init(&g.batch, MEM_TEST);
    g.state_bytes = (g.sum->state_bytes + 15) & ~15u;
    g.states = mem_alloc(MEM_TEST, (size_t)g.state_count * g.state_bytes);
    g.ctx = (struct call_ctx){.session = &session, .arena = &g.batch, .keep = &g.keys};
    vec_init_flat(&g.values, TYPE_INT8, &again->arena);
    g.values.nulls = NULL;
    for (uint32_t i = 0; i < BATCH_ROWS; i++) vec_set(&g.values, i, (struct datum){.v.i64 = i});
    double bytes = again->bytes * 2 + 16 + 8 + g.state_bytes;
    groups_clear(&g, type);
    feed(&g, many ? of : again);
    if (many) { /* the memory is there now */
        int64_t ns = 0;
        uint64_t passes = 0;
        for (; ns < k->least_ns; passes++) {
            groups_clear(&g, type);
            int64_t start = bench_ns();
            feed(&g, of);
            ns += bench_ns() - start;
        }
        snprintf(figure, sizeof figure, "group insert, %s", name);
        kernels_figure(k, figure, passes * of->count * BATCH_ROWS, ns, bytes);
    }
    int64_t start = bench_ns(), ns = 0;
    uint64_t passes = 0;
    for (; ns < k->least_ns; ns = bench_ns() - start, passes++) feed(&g, again);
    snprintf(figure, sizeof figure, "group update, %s", name);
    kernels_figure(k, figure, passes * again->count * BATCH_ROWS, ns, bytes);
    if (of) free_keys(of);
    free_keys(again);
    mem_free(MEM_TEST, g.states);
    exec_end(&g.x);
    arena_release(&g.run);
    arena_release(&g.keys);
    arena_release(&g.slots[0]);
    arena_release(&g.slots[1]);
    arena_release(&g.batch);
}

void kernels_hash_tables(struct kernels *k)
{
    join(k, "dense int8, 16 k rows", TYPE_INT8, SMALL_ROWS, false);
    join(k, "dense int8, large", TYPE_INT8, k->rows, false);
    join(k, "int8, 16 k rows", TYPE_INT8, SMALL_ROWS, true);
    join(k, "int8, large", TYPE_INT8, k->rows, true);
    join(k, "text, 16 k rows", TYPE_TEXT, SMALL_ROWS, true);
    join(k, "text, large", TYPE_TEXT, k->rows, true);
    group(k, "int8, 1 group", TYPE_INT8, 1);
    group(k, "int8, 1 k groups", TYPE_INT8, 1000);
    group(k, "int8, 1 M groups", TYPE_INT8, 1000000);
    group(k, "text, 1 group", TYPE_TEXT, 1);
    group(k, "text, 1 k groups", TYPE_TEXT, 1000);
    group(k, "text, 1 M groups", TYPE_TEXT, 1000000);
}
