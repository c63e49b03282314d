/* Hash join: the right side is kept and indexed by the hash of its keys, the left side streams by.
 * NULL keys match nothing; rows with them are kept where an outer join must give them. */
#include "exec/ops/join.h"

struct hash_join {
    struct join_run j;
    struct rowset build, build_keys;
    struct row_index index;
    struct arena *keep, *probe;
    bool build_null; /* null_aware: a NULL among the right keys */
};

static enum status eval_keys(struct execution *x, struct expr *const *exprs, uint32_t n,
                             const struct batch *b, struct arena *a, struct vec *keys,
                             uint64_t *hashes)
{
    for (uint32_t k = 0; k < n; k++) {
        TRY(exec_eval(x, exprs[k], b, a, &keys[k]));
        vec_hash(&keys[k], b->sel, b->count, k == 0, hashes);
    }
    return OK;
}

static bool any_null(const struct vec *keys, uint32_t n, uint32_t row)
{
    for (uint32_t k = 0; k < n; k++)
        if (vec_get(&keys[k], row).null) return true;
    return false;
}

static enum status build_rows(void *ctx, const struct batch *b)
{
    struct hash_join *h = ctx;
    const struct plan_node *n = h->j.n;
    uint32_t nk = n->join.key_count;
    arena_clear(h->probe);
    struct vec *keys = ARENA_ARRAY(h->probe, struct vec, nk + 1);
    uint64_t *hashes = arena_alloc(h->probe, BATCH_ROWS * sizeof *hashes);
    TRY(eval_keys(h->j.x, n->join.right_keys, nk, b, h->probe, keys, hashes));
    struct batch key_batch = *b;
    key_batch.columns = keys;
    key_batch.column_count = (uint16_t)nk;
    rowset_add_batch(&h->build, b);
    rowset_add_batch(&h->build_keys, &key_batch);
    for (uint32_t i = 0; i < b->count; i++) {
        bool null = any_null(keys, nk, op__row(b, i));
        h->build_null |= null;
        row_index_add(&h->index, hashes[i]);
    }
    return exec_check(h->j.x);
}

static bool keys_equal(const struct hash_join *h, const struct vec *keys, uint32_t row,
                       uint32_t right)
{
    for (uint32_t k = 0; k < h->j.n->join.key_count; k++) {
        struct datum a = vec_get(&keys[k], row), b = rowset_get(&h->build_keys, right, k);
        if (a.null || b.null || value_compare(keys[k].type, &a.v, &b.v) != 0) return false;
    }
    return true;
}

static enum status probe_rows(void *ctx, const struct batch *b)
{
    struct hash_join *h = ctx;
    const struct plan_node *n = h->j.n;
    uint32_t nk = n->join.key_count;
    arena_clear(h->probe);
    exec_arena_prime(h->probe, b->count);
    struct vec *keys = ARENA_ARRAY(h->probe, struct vec, nk + 1);
    uint64_t *hashes = arena_alloc(h->probe, BATCH_ROWS * sizeof *hashes);
    TRY(eval_keys(h->j.x, n->join.left_keys, nk, b, h->probe, keys, hashes));
    join_begin_batch(&h->j, b);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = op__row(b, i);
        /* NOT IN: a NULL on either side makes the answer unknown, unless the right side is empty. */
        if (n->join.null_aware && h->build.count &&
            (h->build_null || any_null(keys, nk, row))) {
            h->j.left_matched[i] = true;
            continue;
        }
        for (uint32_t r = row_index_find(&h->index, hashes[i], 0); r;
             r = row_index_find(&h->index, hashes[i], r)) {
            if (!keys_equal(h, keys, row, r - 1)) continue;
            TRY(join_add_pair(&h->j, i, r - 1));
            if (join_left_done(&h->j, i)) break;
        }
    }
    return join_end_batch(&h->j);
}

enum status op__hash_join(struct execution *x, const struct plan_node *n,
                          const struct exec_sink *out)
{
    struct arena *keep = op__arena(x, n, 1);
    struct hash_join *h = arena_zalloc(keep, sizeof *h);
    h->keep = keep;
    h->probe = op__arena(x, n, 2);
    join_init(&h->j, x, n, out, op__arena(x, n, 0));
    type_id *types = ARENA_ARRAY(keep, type_id, n->right->column_count + 1);
    for (uint32_t c = 0; c < n->right->column_count; c++) types[c] = n->right->columns[c].type;
    type_id *key_types = ARENA_ARRAY(keep, type_id, n->join.key_count + 1);
    for (uint32_t k = 0; k < n->join.key_count; k++) key_types[k] = n->join.right_keys[k]->type;
    rowset_init(&h->build, (uint16_t)n->right->column_count, types, keep);
    rowset_init(&h->build_keys, (uint16_t)n->join.key_count, key_types, keep);
    row_index_init(&h->index, keep);
    struct exec_sink build = {build_rows, h};
    TRY(op__run(x, n->right, &build));
    if (h->build.count > UINT32_MAX - 2)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a join's side has too many rows");
    h->j.right = &h->build;
    if (n->join.type == JOIN_RIGHT || n->join.type == JOIN_FULL)
        h->j.right_matched = arena_zalloc(keep, h->build.count + 1);
    if (h->build.count == 0 && (n->join.type == JOIN_INNER || n->join.type == JOIN_SEMI)) return OK;
    struct exec_sink probe = {probe_rows, h};
    TRY(op__run(x, n->left, &probe));
    return join_end(&h->j);
}
