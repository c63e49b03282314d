/* Hash join: the right side is kept and sealed in a table by its keys, the left side streams by.
 * NULL keys match nothing; rows with them are kept where an outer join must give them. What does not
 * fit in memory is joined part by part (hash_join_spill.c).
 *
 * In a parallel run (gather_priv.h) one worker has the table built, and hands its filter to the scan, before
 * the others begin; all probe, each with a state of its own. Where a gather stands on the build side,
 * its workers build together (hash_join_together.c). What is on disk only one worker can join, so then
 * it works alone. */
#include "exec/ops/hash_join_priv.h"

#include "exec/ops/gather_priv.h"

enum { SMALL_LIMIT_BYTES = 32 << 20, FEW_ROWS = 256 };

enum status hash_join__keys(struct hash_join *h, struct expr *const *exprs, const struct batch *b,
                            bool *ret_null)
{
    struct hash_probe *p = &h->probe;
    arena_clear(p->arena);
    op__prime(h->j.x, p->arena, b->count);
    p->keys = ARENA_ARRAY(p->arena, struct vec, h->build.keys.count + 1);
    for (uint32_t k = 0; k < h->build.keys.count; k++)
        TRY(exec_eval(h->j.x, exprs[k], b, p->arena, &p->keys[k]));
    p->candidates = join_keys_read(&h->build.keys, p->keys, b->sel, b->count, p->rows, p->hashes,
                                   ret_null);
    return OK;
}

uint32_t hash_join__null_rows(const struct hash_join *h, const struct batch *b, uint16_t *ret)
{
    uint32_t n = 0, k = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = op__row(b, i);
        if (k < h->probe.candidates && h->probe.rows[k] == row) k++;
        else ret[n++] = (uint16_t)row;
    }
    return n;
}

/* --- building --------------------------------------------------------------------------------- */

void hash_join__reset(struct hash_join *h)
{
    struct hash_build *b = &h->build;
    arena_clear(h->rows_arena);
    arena_clear(h->bytes_arena);
    arena_clear(h->table_arena);
    rowset_init(&b->rows, (uint16_t)h->column_count, h->types, h->rows_arena);
    b->rows.bytes = h->bytes_arena;
    join_table_init(&b->table, b->keys.packed);
    h->j.right_matched = NULL;
}

/* Rows with keys first, then those without, as far as they are kept. */
enum status hash_join__add(struct hash_join *h, const struct batch *b)
{
    struct hash_build *to = &h->build;
    struct hash_probe *p = &h->probe;
    const struct plan_node *n = h->j.n;
    bool null;
    TRY(hash_join__keys(h, n->join.right_keys, b, &null));
    struct batch kept = *b;
    kept.count = p->candidates;
    uint16_t *sel = arena_alloc(p->arena, (b->count + 1) * sizeof *sel);
    memcpy(sel, p->rows, p->candidates * sizeof *sel);
    kept.sel = sel;
    if (null && to->keeps_right) kept.count += hash_join__null_rows(h, b, sel + kept.count);
    if (h->column_count > h->j.right_columns) {
        kept.columns = ARENA_ARRAY(p->arena, struct vec, h->column_count);
        memcpy(kept.columns, b->columns, h->j.right_columns * sizeof *kept.columns);
        for (uint32_t k = 0; k < to->keys.count; k++)
            if (to->key_at[k] >= h->j.right_columns) kept.columns[to->key_at[k]] = p->keys[k];
    }
    kept.column_count = (uint16_t)h->column_count;
    if (to->rows.count + kept.count > UINT32_MAX - 2)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a join's side has too many rows");
    join_table_add(&to->table, h->rows_arena, p->hashes, (uint32_t)to->rows.count, p->candidates);
    rowset_add_batch(&to->rows, &kept);
    return OK;
}

static enum status build_some(struct hash_join *h, const struct batch *b)
{
    if (hash_join__is_spilling(h)) {
        if (h->is_part) return hash_join__pass_on(h, b);
        if (!h->parts) TRY(hash_join__spill(h));
    }
    h->build.rows_in += b->count;
    if (h->parts) return hash_join__spill_build(h, b);
    uint64_t before = h->build.table.count;
    TRY(hash_join__add(h, b));
    h->build.has_null |= h->build.table.count - before < b->count;
    if (!hash_join__must_spill(h)) return exec_check(h->j.x);
    hash_join__say_spilling(h);
    return h->is_part ? OK : hash_join__spill(h);
}

/* Little at a time where little is allowed: wide rows of a batch may be half of it. */
enum status hash_join__build_rows(void *ctx, const struct batch *b)
{
    struct hash_join *h = ctx;
    if (exec_memory_limit(h->j.x) >= SMALL_LIMIT_BYTES) return build_some(h, b);
    uint16_t rows[FEW_ROWS];
    for (uint32_t at = 0; at < b->count; at += FEW_ROWS) {
        struct batch some = *b;
        some.count = b->count - at < FEW_ROWS ? b->count - at : FEW_ROWS;
        some.sel = rows;
        for (uint32_t i = 0; i < some.count; i++) rows[i] = (uint16_t)op__row(b, at + i);
        TRY(build_some(h, &some));
    }
    return OK;
}

enum status hash_join__seal(struct hash_join *h)
{
    struct hash_build *b = &h->build;
    const struct vec *columns;
    TRY(join_table_seal(&b->table, h->j.x, h->table_arena));
    TRY(rowset_columns(&b->rows, h->j.x, h->table_arena, &columns));
    hash_join__sealed(h, columns, b->rows.count,
                      arena_bytes(h->rows_arena) + arena_bytes(h->bytes_arena));
    if (b->rows.chunk_count != 1) arena_clear(h->rows_arena);
    return OK;
}

void hash_join__sealed(struct hash_join *h, const struct vec *columns, uint64_t rows, uint64_t bytes)
{
    struct hash_build *b = &h->build;
    h->j.right = b->columns = columns;
    h->j.right_count = rows;
    if (b->keeps_right) h->j.right_matched = arena_zalloc(h->table_arena, rows + 1);
    bytes += arena_bytes(h->table_arena);
    uint64_t slots = join_table_slots(&b->table);
    if (bytes > h->memory_most) h->memory_most = bytes;
    if (slots > h->buckets_most) h->buckets_most = slots;
}

/* --- probing ---------------------------------------------------------------------------------- */

/* The pairs so far, of which some may be equal only by hash. */
static enum status flush(struct hash_join *h)
{
    if (!h->build.keys.packed) hash_join__match(&h->j, &h->build, h->probe.keys);
    return join_flush(&h->j);
}

static enum status probe_unique(struct hash_join *h, uint32_t found)
{
    const struct hash_probe *p = &h->probe;
    struct join_run *j = &h->j;
    for (uint32_t i = 0; i < found; i++) {
        j->pair_left[i] = p->rows[p->sel[i]];
        j->pair_right[i] = p->from[i];
    }
    j->pairs = found;
    return OK;
}

static enum status add_pair(struct hash_join *h, uint16_t left, uint32_t right)
{
    struct join_run *j = &h->j;
    j->pair_left[j->pairs] = left;
    j->pair_right[j->pairs++] = right;
    return j->pairs == BATCH_ROWS ? flush(h) : OK;
}

static enum status probe_direct(struct hash_join *h, uint32_t found, bool first_only)
{
    const struct hash_probe *p = &h->probe;
    const uint32_t *rows = h->build.table.rows;
    for (uint32_t i = 0; i < found; i++) {
        uint16_t left = p->rows[p->sel[i]];
        if (join_left_done(&h->j, left)) continue;
        uint32_t to = first_only ? p->from[i] + 1 : p->to[i];
        for (uint32_t e = p->from[i]; e < to; e++) TRY(add_pair(h, left, rows[e]));
    }
    return OK;
}

static enum status probe_hashed(struct hash_join *h, uint32_t found, bool first_only)
{
    const struct hash_probe *p = &h->probe;
    const struct join_entry *entries = h->build.table.entries;
    for (uint32_t i = 0; i < found; i++) {
        uint16_t left = p->rows[p->sel[i]];
        uint64_t key = p->hashes[p->sel[i]];
        if (join_left_done(&h->j, left)) continue;
        for (uint32_t e = p->from[i]; e < p->to[i]; e++) {
            if (entries[e].key != key) continue;
            TRY(add_pair(h, left, entries[e].row));
            if (first_only) break;
        }
    }
    return OK;
}

static enum status probe_found(struct hash_join *h, uint32_t found, bool first_only)
{
    enum join_table_form form = h->build.table.form;
    if (form == JOIN_TABLE_DIRECT_UNIQUE) return probe_unique(h, found);
    if (form == JOIN_TABLE_DIRECT) return probe_direct(h, found, first_only);
    return probe_hashed(h, found, first_only);
}

enum status hash_join__probe(struct hash_join *h, const struct batch *b)
{
    struct hash_probe *p = &h->probe;
    bool null;
    TRY(hash_join__keys(h, h->j.n->join.left_keys, b, &null));
    uint32_t found = join_table_find(&h->build.table, p->hashes, p->candidates, p->sel, p->from,
                                     p->to);
    /* One match is enough: the first with the same hash, as a rule. */
    bool one = join_left_only(&h->j) && !h->j.n->join.condition;
    TRY(probe_found(h, found, one));
    TRY(flush(h));
    if (!one || h->build.keys.packed) return OK;
    TRY(probe_hashed(h, found, false));
    return flush(h);
}

static enum status probe_rows(void *ctx, const struct batch *b)
{
    struct hash_join *h = ctx;
    if (h->parts) return hash_join__spill_probe(h, b);
    join_begin_batch(&h->j, b);
    TRY(hash_join__probe(h, b));
    /* NOT IN: NULL makes the answer unknown, unless the right side is empty. */
    if (h->build.null_aware && h->build.rows_in) {
        uint16_t *nulls = arena_alloc(h->probe.arena, (b->count + 1) * sizeof *nulls);
        uint32_t n = hash_join__null_rows(h, b, nulls);
        for (uint32_t i = 0; i < n; i++) h->j.left_matched[nulls[i]] = true;
    }
    return join_end_batch(&h->j);
}

/* --- the operator ----------------------------------------------------------------------------- */

/* The right columns; keys that a hash stands for and that are not columns come after them. */
static void choose_columns(struct hash_join *h, struct arena *keep)
{
    const struct plan_node *n = h->j.n;
    uint32_t nk = n->join.key_count;
    type_id *key_types = ARENA_ARRAY(keep, type_id, nk + 1);
    type_id *types = ARENA_ARRAY(keep, type_id, n->right->column_count + nk + 1);
    uint32_t *at = ARENA_ARRAY(keep, uint32_t, nk + 1);
    for (uint32_t k = 0; k < nk; k++) key_types[k] = n->join.right_keys[k]->type;
    h->build.keys = join_keys_of(key_types, nk);
    h->column_count = n->right->column_count;
    for (uint32_t c = 0; c < h->column_count; c++) types[c] = n->right->columns[c].type;
    for (uint32_t k = 0; k < nk && !h->build.keys.packed; k++) {
        const struct expr *e = n->join.right_keys[k];
        if (e->kind == EXPR_SLOT) {
            at[k] = e->slot;
        } else {
            at[k] = h->column_count;
            types[h->column_count++] = e->type;
        }
    }
    h->types = types;
    h->build.key_at = at;
}

struct hash_join *hash_join__begin(struct execution *x, const struct plan_node *n,
                                   const struct exec_sink *out)
{
    struct arena *keep = op__arena(x, n, 1);
    struct hash_join *h = arena_zalloc(op__arena(x, n, 7), sizeof *h); /* large: a chunk of its own */
    h->keep = keep;
    join_init(&h->j, x, n, out, op__arena(x, n, 0));
    h->probe.arena = op__arena(x, n, 2);
    h->rows_arena = op__arena(x, n, 3);
    h->bytes_arena = op__arena(x, n, 4);
    h->table_arena = op__arena(x, n, 5);
    h->load_arena = op__arena(x, n, 6);
    h->build.keeps_right = n->join.type == JOIN_RIGHT || n->join.type == JOIN_FULL;
    h->build.null_aware = n->join.null_aware;
    choose_columns(h, keep);
    hash_join__reset(h);
    return h;
}

/* With the table that another worker has built. */
static struct hash_join *begin_shared(struct execution *x, const struct plan_node *n,
                                      const struct exec_sink *out, const struct hash_join *from)
{
    struct hash_join *h = arena_zalloc(op__arena(x, n, 7), sizeof *h);
    join_init(&h->j, x, n, out, op__arena(x, n, 0));
    h->probe.arena = op__arena(x, n, 2);
    h->build = from->build;
    h->j.right = from->j.right;
    h->j.right_count = from->j.right_count;
    return h;
}

static void note_stats(const struct hash_join *h)
{
    if (!h->j.x->stats) return;
    struct node_stats *s = &h->j.x->stats[h->j.n->id];
    if (h->memory_most > s->memory_bytes) s->memory_bytes = h->memory_most;
    if (h->buckets_most > s->buckets) s->buckets = h->buckets_most;
    uint32_t batches = h->batches ? h->batches : 1;
    if (batches > s->batches) s->batches = batches;
}

static bool drops_left(const struct hash_join *h)
{
    enum join_kind type = h->j.n->join.type;
    return type == JOIN_INNER || type == JOIN_SEMI || type == JOIN_RIGHT;
}

/* Is there nothing in the table that gives a row, or is every row's answer known? */
static bool gives_nothing(const struct hash_join *h)
{
    if (h->build.null_aware && h->build.has_null) return true;
    return h->build.rows_in == 0 && drops_left(h);
}

static enum status build(struct hash_join *h)
{
    struct exec_sink sink = {hash_join__build_rows, h};
    bool together = hash_join__builds_together(h);
    if (together) TRY(hash_join__build_together(h));
    else TRY(op__run(h->j.x, h->j.n->right, &sink));
    if (gives_nothing(h) || h->parts) return OK;
    if (!together) TRY(hash_join__seal(h));
    if (!drops_left(h) || h->j.n->join.key_count != 1) return OK;
    TRY(row_filter_make(h->j.x, h->table_arena, &h->build.keys, &h->build.table, &h->filter));
    row_filter_attach(h->j.x, h->j.n, &h->filter);
    return OK;
}

static enum status join(struct hash_join *h)
{
    struct exec_sink sink = {probe_rows, h};
    if (gives_nothing(h)) return OK;
    TRY(op__run(h->j.x, h->j.n->left, &sink));
    return h->parts ? hash_join__join_spilled(h) : join_end(&h->j);
}

static void finish(struct hash_join *h)
{
    row_filter_detach(h->j.x, &h->filter);
    note_stats(h);
    hash_join__release(h);
}

enum status op__hash_build(struct execution *x, const struct plan_node *n, struct hash_join **ret,
                           bool *ret_alone)
{
    struct hash_join *h = *ret = hash_join__begin(x, n, NULL);
    TRY(build(h));
    *ret_alone |= h->parts != NULL;
    return OK;
}

bool op__hash_filter(const struct hash_join *h, struct row_filter *ret)
{
    *ret = (struct row_filter){.keys = &h->build.keys, .table = &h->build.table,
                               .bits = h->filter.bits};
    return !gives_nothing(h) && !h->parts && h->j.n->join.key_count == 1;
}

void op__hash_end(struct hash_join *h)
{
    finish(h);
}

enum status op__hash_join(struct execution *x, const struct plan_node *n,
                          const struct exec_sink *out)
{
    struct hash_join *shared = op__shared_table(x, n);
    if (shared && shared->j.x == x) {
        shared->j.out = out;
        return join(shared);
    }
    if (shared) return join(begin_shared(x, n, out, shared));
    struct hash_join *h = hash_join__begin(x, n, out);
    enum status st = build(h);
    if (st == OK) st = join(h);
    finish(h);
    return st;
}
