/* Where a scan may be split so that its parts are of like size. Keys are sampled from the fences of all
 * runs, from each by its share of the entries, since the runs of a level lie one after another: the
 * widest alone says nothing of the rest. What is in memtables counts for nothing. */
#include <stdlib.h>

#include "core/mvcc/mvcc_priv.h"

enum { SAMPLES_A_PART = 8 };

struct sample {
    struct slice key;
    double weight; /* entries from this key to the run's next */
};

struct samples {
    struct sample *data;
    uint32_t count;
    double weight;
};

static void add_run(const struct run *r, double entries_a_sample, const struct scan_request *q,
                    struct arena *a, struct samples *s)
{
    double entries = (double)run_entry_count(r);
    uint32_t parts = (uint32_t)(entries / entries_a_sample) + 1, n = 0;
    struct slice *keys = ARENA_ARRAY(a, struct slice, parts);
    keys[n++] = run_min_key(r);
    if (parts > 1) {
        uint32_t more;
        run_split_keys(r, parts, a, keys + 1, &more);
        n += more;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (q->lower.data && slice_cmp(keys[i], q->lower) < 0) continue;
        if (q->upper.data && slice_cmp(keys[i], q->upper) >= 0) continue;
        s->data[s->count++] = (struct sample){slice_dup(a, keys[i]), entries / n};
        s->weight += entries / n;
    }
}

static int compare_samples(const void *a, const void *b)
{
    return slice_cmp(((const struct sample *)a)->key, ((const struct sample *)b)->key);
}

/* The trees that a read goes through: one, or in a branch several. */
struct shapes {
    const struct shape *list[BRANCH_STEPS_MAX];
    uint32_t count;
};

static void count_runs(const struct shapes *all, double *ret_entries, uint32_t *ret_runs)
{
    *ret_entries = *ret_runs = 0;
    for (uint32_t k = 0; k < all->count; k++)
        for (int l = 0; l < LEVELS_MAX; l++) {
            const struct level *v = &all->list[k]->levels[l];
            for (uint32_t i = 0; i < v->count; i++) *ret_entries += (double)run_entry_count(v->runs[i]->run);
            *ret_runs += v->count;
        }
}

static void sample_runs(const struct shapes *all, uint32_t parts, const struct scan_request *q,
                        struct arena *a, struct samples *ret)
{
    double entries;
    uint32_t runs;
    count_runs(all, &entries, &runs);
    double step = entries / (SAMPLES_A_PART * (double)parts);
    *ret = (struct samples){0};
    if (!runs || entries < 1) return;
    /* Each run has one more than its share, and the shares are rounded down. */
    ret->data = ARENA_ARRAY(a, struct sample, SAMPLES_A_PART * parts + 2 * (size_t)runs);
    for (uint32_t k = 0; k < all->count; k++)
        for (int l = 0; l < LEVELS_MAX; l++) {
            const struct level *v = &all->list[k]->levels[l];
            for (uint32_t i = 0; i < v->count; i++) add_run(v->runs[i]->run, step, q, a, ret);
        }
    qsort(ret->data, ret->count, sizeof *ret->data, compare_samples);
}

enum status store_split(struct txn *t, const struct scan_request *q, uint32_t parts, struct arena *a,
                        struct slice *ret_bounds, uint32_t *ret_count)
{
    struct layer layers[BRANCH_STEPS_MAX];
    struct shapes all;
    struct samples s;
    *ret_count = 0;
    TRY(mvcc__layers(t, q->tree, layers, &all.count, NULL));
    if (parts < 2) return OK;
    for (uint32_t i = 0; i < all.count; i++) all.list[i] = tree_shape(layers[i].tree);
    sample_runs(&all, parts, q, a, &s);
    double seen = 0;
    for (uint32_t i = 0; i < s.count && *ret_count + 1 < parts; i++) {
        struct slice key = s.data[i].key, last = *ret_count ? ret_bounds[*ret_count - 1] : q->lower;
        double due = s.weight * (*ret_count + 1) / parts;
        if (i && seen >= due && (!last.data || slice_cmp(key, last) > 0))
            ret_bounds[(*ret_count)++] = key;
        seen += s.data[i].weight;
    }
    return OK;
}
