/* Many groups of a parallel run, merged where they lie. One worker's groups after another's are looked up in
 * the tables of those before; what is found is merged into their states, the rest stays. No two of a
 * worker's groups meet the same group elsewhere, so all can look up parts of them at once. Then the groups that
 * are left go out, chunk by chunk, by whoever is free. */
#include "exec/ops/aggregate_priv.h"
#include "exec/parallel.h"

enum { RUNS_MAX = 4 };

static uint32_t chunks_of(const struct agg_run *r)
{
    return (r->table.count + BATCH_ROWS - 1) / BATCH_ROWS;
}

/* Keys in words and keys of any kind are not looked up in each other's tables. */
static bool is_like(const struct agg_run *a, const struct agg_run *b)
{
    return !a->table.count || !b->table.count || a->table.packed == b->table.packed;
}

bool agg__may_merge_in_place(const struct parallel *p)
{
    if (p->run_count > RUNS_MAX) return false;
    for (uint32_t i = 0; i < p->run_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (!is_like(p->runs[i], p->runs[k])) return false;
    return p->runs[0]->key_count && !p->runs[0]->hashes;
}

/* Under the lock, or while nobody else runs: what is to be done next. */
void agg__next_in_place(void *ctx)
{
    struct parallel *p = ctx;
    p->next_part = p->parts = 0;
    if (++p->merged < p->run_count)
        p->parts = chunks_of(p->runs[p->merged]);
    else
        for (uint32_t i = 0; i < p->run_count; i++) p->parts += chunks_of(p->runs[i]);
}

static bool next_chunk(struct parallel *p, uint32_t *ret)
{
    fmutex_lock(&p->lock);
    bool any = p->next_part < p->parts;
    if (any) *ret = p->next_part++;
    fmutex_unlock(&p->lock);
    return any;
}

/* Those of the batch that `to` has, too; *b keeps the others. */
static enum status merge_found(struct agg_run *r, struct agg_run *to, struct agg_run *from,
                               uint32_t chunk, struct batch *b)
{
    uint32_t *ids = arena_alloc(r->batch, b->count * sizeof *ids + 1), left = 0;
    uint16_t *sel = arena_alloc(r->batch, b->count * sizeof *sel + 1);
    if (!to->table.count || !b->count) return OK;
    TRY(group_table_find(&to->table, b, b->columns, true, r->batch, ids));
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = op__row(b, i), group = chunk * BATCH_ROWS + row;
        if (ids[i] == GROUP_NONE) {
            sel[left++] = (uint16_t)row;
            continue;
        }
        TRY(agg__merge_states(r, agg__states(to, ids[i]), agg__states(from, group)));
        from->merged[group] = 1;
    }
    b->sel = sel;
    b->count = left;
    return OK;
}

static enum status merge_chunk(struct agg_run *r, struct parallel *p, uint32_t run, uint32_t chunk)
{
    struct agg_run *from = p->runs[run];
    struct batch b;
    arena_clear(r->batch);
    agg__group_batch(from, chunk, r->batch, &b);
    for (uint32_t i = 0; i < run; i++) TRY(merge_found(r, p->runs[i], from, chunk, &b));
    return exec_check(r->x);
}

enum status agg__merge_in_place(struct agg_run *r)
{
    static const uint32_t never = 0;
    struct parallel *p = r->x->parallel;
    uint32_t chunk;
    for (uint32_t run = 1; run < p->run_count; run++) {
        while (next_chunk(p, &chunk)) TRY(merge_chunk(r, p, run, chunk));
        TRY(parallel_meet_all(p, &never, agg__next_in_place, p));
    }
    while (next_chunk(p, &chunk)) {
        uint32_t run = 0;
        for (; chunk >= chunks_of(p->runs[run]); run++) chunk -= chunks_of(p->runs[run]);
        TRY(agg__push_chunk(r, p->runs[run], chunk));
    }
    return OK;
}
