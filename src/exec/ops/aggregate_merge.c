/* The workers of a parallel run have aggregated what each of them read; here their groups become one set.
 *
 * When all have finished (parallel_meet), groups are divided by the hash of their keys, and each worker
 * takes parts of them: it makes the groups of a part anew from all workers' tables, then adds the rows
 * of that part that any of them has put on disk. Few groups are one part. States are taken over as they
 * are where a group comes first; what they point to stays until the gather ends. */
#include "exec/ops/aggregate_priv.h"
#include "exec/ops/gather_priv.h"

enum { FEW_GROUPS = 4096, CHECK_GROUPS = 1 << 17 };

/* --- before the meeting ------------------------------------------------------------------------ */

void agg__group_batch(const struct agg_run *r, uint32_t chunk, struct arena *a, struct batch *ret)
{
    uint32_t rows = r->table.count - chunk * BATCH_ROWS;
    *ret = (struct batch){.rows = rows < BATCH_ROWS ? rows : BATCH_ROWS,
                          .column_count = (uint16_t)r->key_count};
    ret->count = ret->rows;
    ret->columns = ARENA_ARRAY(a, struct vec, r->key_count + 1);
    for (uint32_t k = 0; k < r->key_count; k++)
        group_table_view(&r->table, chunk, k, &ret->columns[k]);
}

/* Each group's part, in a table of few groups for the first time when somebody asks. */
static void find_parts(const struct agg_run *r, struct arena *a, uint32_t chunk, uint8_t *ret)
{
    struct batch b;
    uint64_t *hashes = arena_alloc(a, BATCH_ROWS * sizeof *hashes);
    agg__group_batch(r, chunk, a, &b);
    group_table_hash(&b, b.columns, r->key_count, hashes);
    for (uint32_t i = 0; i < b.rows; i++) ret[i] = (uint8_t)(hashes[i] % AGG_PARTITIONS);
}

/* The groups' numbers in order of their parts. */
static enum status order_groups(struct agg_run *r)
{
    uint32_t total = r->table.count, at[AGG_PARTITIONS + 1] = {0};
    uint8_t *parts = arena_alloc(r->keep, (total / BATCH_ROWS + 1) * BATCH_ROWS);
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < total; chunk++) {
        arena_clear(r->batch);
        TRY(exec_check_canceled(r->x));
        find_parts(r, r->batch, chunk, parts + chunk * BATCH_ROWS);
    }
    for (uint32_t i = 0; i < total; i++) at[parts[i] + 1]++;
    TRY(exec_check_canceled(r->x));
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) at[p + 1] += at[p];
    memcpy(r->part_starts, at, sizeof at);
    r->order = arena_alloc(r->keep, (total + 1) * sizeof *r->order);
    for (uint32_t i = 0; i < total; i++) {
        if (i % CHECK_GROUPS == 0) TRY(exec_check_canceled(r->x));
        r->order[at[parts[i]]++] = i;
    }
    return OK;
}

enum status agg__group_parts(struct agg_run *r, uint8_t **ret)
{
    *ret = arena_alloc(r->keep, (r->table.count / BATCH_ROWS + 1) * BATCH_ROWS);
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < r->table.count; chunk++) {
        struct arena_mark mark = arena_mark(r->batch);
        TRY(exec_check_canceled(r->x));
        find_parts(r, r->batch, chunk, *ret + chunk * BATCH_ROWS);
        arena_rewind(r->batch, mark);
    }
    return OK;
}

static bool has_spilled(const struct agg_run *r)
{
    if (agg__distinct_spilled(r)) return true;
    for (uint32_t i = 0; i < AGG_PARTITIONS; i++)
        if (r->partitions[i]) return true;
    return false;
}

/* By the last to come. What is on disk changes hands now, while nobody else runs. */
static void divide(struct parallel *p)
{
    bool spilled = false, many = false;
    for (uint32_t i = 0; i < p->run_count; i++) {
        spilled |= has_spilled(p->runs[i]);
        many |= p->runs[i]->table.count > FEW_GROUPS || p->runs[i]->entries > FEW_GROUPS;
    }
    p->parts = spilled || many ? AGG_PARTITIONS : 1;
    p->in_place = many && !spilled && agg__may_merge_in_place(p);
    if (p->in_place) agg__next_in_place(p);
    for (uint32_t i = 0; i < p->run_count; i++) {
        p->runs[i]->place = i;
        p->runs[i]->parts_fixed = spilled;
        for (uint32_t k = 0; spilled && k < AGG_PARTITIONS; k++) {
            struct execution *to = p->runs[k % p->run_count]->x;
            if (p->runs[i]->partitions[k]) spill_give(to, p->runs[i]->partitions[k]);
            agg__distinct_give(p->runs[i], k, to);
        }
    }
}

static void nothing(void *ctx)
{
    (void)ctx;
}

/* --- merging ----------------------------------------------------------------------------------- */

enum status agg__merge_states(struct agg_run *m, char *into, const char *from)
{
    for (uint32_t i = 0; i < m->call_count; i++) {
        struct agg_call *c = &m->calls[i];
        if (c->impl && !c->twin)
            TRY(c->impl->merge(&c->ctx, m->keep, into + c->offset, from + c->offset));
    }
    return OK;
}

/* Some groups of a chunk of `o`, into `m`. */
static enum status merge_rows(struct agg_run *m, const struct agg_run *o, uint32_t chunk,
                              const uint16_t *sel, uint32_t count)
{
    struct batch b;
    uint32_t *ids = arena_alloc(m->batch, count * sizeof *ids), before = m->table.count;
    agg__group_batch(o, chunk, m->batch, &b);
    b.sel = sel;
    b.count = count;
    TRY(group_table_find(&m->table, &b, b.columns, false, m->batch, ids));
    agg__reserve_states(m, m->table.count);
    for (uint32_t i = 0; i < count; i++) {
        const char *from = agg__states(o, chunk * BATCH_ROWS + sel[i]);
        char *into = agg__states(m, ids[i]);
        if (ids[i] >= before) memcpy(into, from, m->state_bytes);
        else TRY(agg__merge_states(m, into, from));
    }
    for (uint32_t i = 0; m->map && i < count; i++) m->map[chunk * BATCH_ROWS + sel[i]] = ids[i];
    return exec_check(m->x);
}

/* Those in order[from..to), which go up within a part. */
static enum status merge_ordered(struct agg_run *m, const struct agg_run *o, uint32_t from,
                                 uint32_t to)
{
    while (from < to) {
        uint32_t chunk = o->order[from] / BATCH_ROWS, n = 0;
        arena_clear(m->batch);
        uint16_t *sel = arena_alloc(m->batch, BATCH_ROWS * sizeof *sel);
        while (from < to && o->order[from] / BATCH_ROWS == chunk)
            sel[n++] = (uint16_t)(o->order[from++] % BATCH_ROWS);
        TRY(merge_rows(m, o, chunk, sel, n));
    }
    return OK;
}

static enum status merge_groups(struct agg_run *m, const struct agg_run *o, uint32_t part,
                                bool all)
{
    if (!all && o->order)
        return merge_ordered(m, o, o->part_starts[part], o->part_starts[part + 1]);
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < o->table.count; chunk++) {
        uint32_t rows = o->table.count - chunk * BATCH_ROWS, n = 0;
        if (rows > BATCH_ROWS) rows = BATCH_ROWS;
        arena_clear(m->batch);
        uint16_t *sel = arena_alloc(m->batch, BATCH_ROWS * sizeof *sel);
        uint8_t *parts = arena_zalloc(m->batch, BATCH_ROWS);
        if (!all) find_parts(o, m->batch, chunk, parts);
        for (uint32_t i = 0; i < rows; i++)
            if (all || parts[i] == part) sel[n++] = (uint16_t)i;
        if (n) TRY(merge_rows(m, o, chunk, sel, n));
    }
    return OK;
}

static enum status merge_plain(struct agg_run *m, const struct parallel *p)
{
    memcpy(agg__states(m, 0), agg__states(p->runs[0], 0), m->state_bytes);
    for (uint32_t i = 1; i < p->run_count; i++)
        TRY(agg__merge_states(m, agg__states(m, 0), agg__states(p->runs[i], 0)));
    return OK;
}

static enum status merge_part(struct agg_run *m, const struct parallel *p, uint32_t part)
{
    TRY(agg__begin_level(m));
    if (!m->key_count) {
        TRY(merge_plain(m, p));
        return agg__end_level(m);
    }
    for (uint32_t i = 0; i < p->run_count; i++) {
        const struct agg_run *o = p->runs[i];
        if (m->hashes) m->map = arena_alloc(m->keep, (o->table.count + 1) * sizeof *m->map);
        TRY(merge_groups(m, o, part, p->parts == 1));
        if (m->hashes) TRY(agg__distinct_merge(m, o, part, p->parts == 1, m->map));
    }
    for (uint32_t i = 0; i < p->run_count; i++) {
        struct spill *s = p->runs[i]->partitions[part];
        if (!s) continue;
        TRY(agg__feed_partition(m, s));
        spill_free(s);
        p->runs[i]->partitions[part] = NULL;
    }
    if (p->parts == 1) TRY(agg__add_empty_groups(m));
    TRY(agg__end_level(m));
    return agg__run_partitions(m);
}

static bool next_part(struct parallel *p, const struct agg_run *r, uint32_t *ret)
{
    if (r->parts_fixed) { /* its files are this execution's */
        *ret = *ret == UINT32_MAX ? r->place : *ret + p->run_count;
        return *ret < p->parts;
    }
    fmutex_lock(&p->lock);
    bool any = p->next_part < p->parts;
    if (any) *ret = p->next_part++;
    fmutex_unlock(&p->lock);
    return any;
}

/* The groups of all, where there are many. */
static enum status order_all(struct agg_run *r, struct parallel *p)
{
    static const uint32_t never = 0;
    if (p->parts == 1 || !r->key_count) return OK;
    if (!r->order && r->table.count > FEW_GROUPS) TRY(order_groups(r));
    return parallel_meet_all(p, &never, nothing, NULL);
}

/* Without group columns all make their parts of what is distinct, each into its own states; then one merges
 * those. */
static void merge_next(void *ctx)
{
    struct parallel *p = ctx;
    p->parts = 1;
    p->next_part = 0;
    for (uint32_t i = 0; i < p->run_count; i++) p->runs[i]->parts_fixed = false;
}

static enum status merge_entries(struct agg_run *m, struct agg_run *r, struct parallel *p)
{
    static const uint32_t never = 0;
    uint32_t part = UINT32_MAX;
    while (next_part(p, r, &part)) {
        TRY(agg__begin_level(m));
        for (uint32_t i = 0; i < p->run_count; i++)
            TRY(agg__distinct_merge(m, p->runs[i], part, p->parts == 1, NULL));
        TRY(agg__distinct_feed(m, r));
    }
    TRY(parallel_meet_all(p, &never, merge_next, p));
    m->parts_fixed = false;
    return OK;
}

/* Its own sets: those of `r` are read by others. */
static void take_sets(struct agg_run *m, const struct agg_run *r)
{
    m->calls = arena_memdup(r->x->arena, r->calls, r->call_count * sizeof *m->calls);
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        if (c->set && !c->merged_set) c->merged_set = agg__distinct_new(m, c->call);
        m->calls[i].set = c->merged_set;
    }
}

enum status agg__merge(struct agg_run *r)
{
    struct execution *x = r->x;
    struct parallel *p = x->parallel;
    if (r->key_count && has_spilled(r)) TRY(order_groups(r));
    if (r->key_count) r->merged = arena_zalloc(r->keep, r->table.count + 1);
    for (uint32_t i = 0; i < AGG_PARTITIONS; i++)
        if (r->partitions[i]) TRY(spill_rest(r->partitions[i]));
    if (r->hashes) TRY(agg__distinct_order(r, &r->entries));
    struct agg_run *m = ARENA_NEW(x->arena, struct agg_run);
    uint32_t part = UINT32_MAX;
    *m = *r; /* now: after the meeting the others take parts of r */
    if (r->hashes) take_sets(m, r);
    TRY(parallel_meet(p, r, divide));
    m->is_part = false;
    m->merged = NULL;
    m->keep = op__arena(x, r->n, 6);
    m->batch = op__arena(x, r->n, 7);
    for (uint32_t i = 0; i < GROUP_SLOT_ARENAS; i++) m->slots[i] = op__arena(x, r->n, 8 + i);
    memset(m->partitions, 0, sizeof m->partitions);
    m->depth = p->parts > 1;
    if (p->in_place) return agg__merge_in_place(r);
    TRY(order_all(r, p));
    if (r->hashes && !r->key_count) TRY(merge_entries(m, r, p));
    while (next_part(p, r, &part)) TRY(merge_part(m, p, part));
    r->batches = m->batches;
    r->disk_bytes = m->disk_bytes;
    if (m->memory_most > r->memory_most) r->memory_most = m->memory_most;
    return OK;
}
