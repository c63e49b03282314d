/* Grouping by hashing, and plain aggregates.
 *
 * A batch is taken in steps: group columns and arguments as vectors, the group of each row
 * (group_table.h), then one loop a call over its argument. Each group has its states side by side in
 * one block. Aggregates with DISTINCT or ORDER BY first collect their arguments and are fed at the
 * end. Grouping sets run each batch once a set, with the columns that are not in the set NULL and
 * the set's number as one more key.
 *
 * When memory is pressed, no more groups are made: rows of groups that are not in the table go to
 * disk, parted by hash. After the groups in memory have been given out, each part is read as if it
 * were the input, and may be parted again. */
#include "exec/ops/aggregate_priv.h"
#include "exec/ops/gather_priv.h"

enum { FIRST_GROUPS = 64, GROUPS_LEAST = 256, FULL_PERCENT = 45, PARTS_MAX = 16, PART_ROWS = 32 };

/* --- what stays the same in all runs of the node --------------------------------------------- */

struct agg_shape {
    struct agg_call *calls;
    struct expr **shared;
    uint32_t shared_count, key_count;
    type_id *key_types, *spill_types;
    size_t state_bytes;
    bool can_spill;
};

static enum status shape_call(struct agg_call *c, const struct aggregate_call *call)
{
    c->call = call;
    if (call->grouping) return OK;
    c->impl = aggregate_impl(call->proc->id);
    if (!c->impl || !c->impl->add)
        return UNSUPPORTED("aggregate function %s is not supported",
                    call->proc->name);
    c->hashes = agg__hashes(call);
    c->collects = !c->hashes && (call->distinct || call->order_count > 0);
    return OK;
}

static enum status make_shape(struct agg_run *r, struct agg_shape *s)
{
    const struct plan_node *n = r->n;
    struct arena *a = r->x->arena;
    uint32_t groups = n->aggregate.group_count, columns = n->left->column_count;
    r->calls = ARENA_ARRAY(a, struct agg_call, r->call_count + 1);
    for (uint32_t i = 0; i < r->call_count; i++)
        TRY(shape_call(&r->calls[i], &n->aggregate.calls[i]));
    TRY(agg__share(r));
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        c->offset = c->twin ? c->twin->offset : s->state_bytes;
        if (c->impl && !c->twin) s->state_bytes += (c->impl->state_bytes + 15) & ~(size_t)15;
    }
    s->key_count = groups + (n->aggregate.set_count > 0);
    s->key_types = ARENA_ARRAY(a, type_id, s->key_count + 1);
    for (uint32_t g = 0; g < groups; g++) s->key_types[g] = n->aggregate.groups[g]->type;
    if (n->aggregate.set_count) s->key_types[groups] = TYPE_INT4;
    s->spill_types = ARENA_ARRAY(a, type_id, columns + 1);
    for (uint32_t c = 0; c < columns; c++) s->spill_types[c] = n->left->columns[c].type;
    s->spill_types[columns] = TYPE_INT4;
    r->key_count = s->key_count;
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].hashes) r->calls[i].set = agg__distinct_new(r, r->calls[i].call);
    s->calls = r->calls;
    s->shared = r->shared;
    s->shared_count = r->shared_count;
    s->can_spill = agg__can_spill(r);
    return OK;
}

static enum status take_shape(struct agg_run *r)
{
    bool fresh;
    struct op_state *state = exec_state(r->x, r->n, sizeof *state, &fresh);
    struct agg_shape *s = state->own;
    if (!s) {
        s = ARENA_NEW(r->x->arena, struct agg_shape);
        TRY(make_shape(r, s));
        state->own = s;
    }
    r->calls = s->calls;
    r->shared = s->shared;
    r->shared_count = s->shared_count;
    r->state_bytes = s->state_bytes;
    r->key_count = s->key_count;
    r->key_types = s->key_types;
    r->spill_types = s->spill_types;
    r->can_spill = s->can_spill;
    for (uint32_t i = 0; i < r->call_count; i++) r->hashes |= r->calls[i].hashes;
    return OK;
}

/* --- states ---------------------------------------------------------------------------------- */

/* Zeroed states for all groups of the table. The first chunk grows by moving: states may be. */
void agg__reserve_states(struct agg_run *r, uint32_t groups)
{
    while (r->groups < groups) {
        uint32_t chunk = r->groups / BATCH_ROWS, rows = BATCH_ROWS;
        if (!chunk && r->key_count) {
            rows = r->groups ? r->first_state_cap * 4 : FIRST_GROUPS;
            while (rows < BATCH_ROWS && rows < groups) rows *= 4;
            if (rows > BATCH_ROWS) rows = BATCH_ROWS;
        } else if (!chunk) {
            rows = 1;
        }
        if (chunk == r->state_chunk_cap) {
            uint32_t cap = chunk ? chunk * 2 : 8;
            char **grown = ARENA_ARRAY(r->keep, char *, cap);
            if (chunk) memcpy(grown, r->states, chunk * sizeof *grown);
            r->states = grown;
            r->state_chunk_cap = cap;
        }
        char *block = arena_zalloc(r->keep, rows * r->state_bytes + 1);
        if (!chunk && r->groups)
            memcpy(block, r->states[0], r->first_state_cap * r->state_bytes);
        if (!chunk) r->first_state_cap = rows;
        r->states[chunk] = block;
        r->groups = chunk * BATCH_ROWS + rows;
    }
}

/* --- feeding ----------------------------------------------------------------------------------- */

/* The selected rows whose groups are in memory, and what was found for them. */
struct found {
    struct batch rows;
    const uint32_t *ids;
    char *const *blocks;
    const struct batch *whole; /* with the shared values; all rows */
    bool one_group;
    /* The rows group by group, when there are few groups: part p is sel[starts[p] .. starts[p + 1]) of the
     * group with that block. */
    uint32_t parts;
    uint32_t starts[PARTS_MAX + 1];
    char *part_blocks[PARTS_MAX];
    uint16_t *part_sel;
};

/* Parts of a batch whose rows belong to few groups, each large enough for a loop of its own. */
static void divide(struct agg_run *r, struct found *f)
{
    uint32_t counts[PARTS_MAX] = {0}, n = f->rows.count, groups = r->table.count;
    f->parts = 0;
    if (f->one_group || groups > PARTS_MAX || n < groups * PART_ROWS) return;
    for (uint32_t i = 0; i < n; i++) counts[f->ids[i]]++;
    uint32_t at[PARTS_MAX], from = 0;
    for (uint32_t g = 0; g < groups; g++) {
        at[g] = f->starts[g] = from;
        f->part_blocks[g] = agg__states(r, g);
        from += counts[g];
    }
    f->starts[groups] = from;
    f->parts = groups;
    f->part_sel = arena_alloc(r->batch, n * sizeof *f->part_sel + 1);
    for (uint32_t i = 0; i < n; i++) f->part_sel[at[f->ids[i]]++] = (uint16_t)op__row(&f->rows, i);
}

bool agg__skips(const struct agg_call *c, const struct datum *args)
{
    if (!c->impl->skips_nulls) return false;
    for (uint32_t i = 0; i < c->call->arg_count; i++)
        if (args[i].null) return true;
    return false;
}

static enum status feed_rows(struct agg_run *r, struct agg_call *c, const struct batch *b,
                             void *const *states)
{
    uint32_t n = c->call->arg_count;
    struct datum *row = ARENA_ARRAY(r->batch, struct datum, n + 1);
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t a = 0; a < n; a++) row[a] = vec_get(&c->values[a], op__row(b, i));
        if (agg__skips(c, row)) continue;
        TRY(c->impl->add(&c->ctx, r->keep, states[i], row, n));
    }
    return OK;
}

/* Of the rows, those that pass the call's FILTER. */
static enum status filter_rows(struct agg_run *r, const struct agg_call *c, struct found *f)
{
    const struct batch in = f->rows;
    uint16_t *sel = arena_alloc(r->batch, in.count * sizeof *sel);
    uint32_t *ids = arena_alloc(r->batch, in.count * sizeof *ids), at = 0;
    char **blocks = arena_alloc(r->batch, in.count * sizeof *blocks);
    TRY(exec_filter(r->x, c->call->filter, &in, r->batch, sel, &f->rows.count));
    f->rows.sel = sel;
    for (uint32_t i = 0; i < f->rows.count; i++) {
        while (op__row(&in, at) != sel[i]) at++;
        ids[i] = f->ids[at];
        blocks[i] = f->blocks[at];
    }
    f->ids = ids;
    f->blocks = blocks;
    return OK;
}

static enum status eval_args(struct agg_run *r, struct agg_call *c, const struct batch *b)
{
    c->values = ARENA_ARRAY(r->batch, struct vec, c->call->arg_count + 1);
    for (uint32_t a = 0; a < c->call->arg_count; a++)
        TRY(exec_eval(r->x, c->args[a], b, r->batch, &c->values[a]));
    return OK;
}

static enum status feed_groups(struct agg_run *r, struct agg_call *c, const struct found *f)
{
    uint32_t n = c->call->arg_count;
    const struct vec **args = arena_alloc(r->batch, (n + 1) * sizeof *args);
    for (uint32_t a = 0; a < n; a++) args[a] = &c->values[a];
    if (f->one_group)
        return c->impl->add_group(&c->ctx, r->keep, f->blocks[0] + c->offset, args, n, f->rows.sel,
                                  f->rows.count);
    for (uint32_t p = 0; p < f->parts; p++) {
        uint32_t count = f->starts[p + 1] - f->starts[p];
        if (!count) continue;
        TRY(c->impl->add_group(&c->ctx, r->keep, f->part_blocks[p] + c->offset, args, n,
                               f->part_sel + f->starts[p], count));
    }
    return OK;
}

static enum status feed_call(struct agg_run *r, struct agg_call *c, const struct found *all)
{
    struct found f = *all;
    uint32_t n = c->call->arg_count;
    if (c->call->filter) {
        TRY(filter_rows(r, c, &f));
        if (f.rows.count) TRY(eval_args(r, c, &f.rows));
    } else if (!c->values) {
        TRY(eval_args(r, c, f.whole));
    }
    if (!f.rows.count) return OK;
    if (c->collects) return agg__collect(r, c, &f.rows, c->values, f.ids);
    if (c->set) return agg__distinct_add(r, c, &f.rows, f.ids);
    bool by_group = c->impl->add_group && (f.one_group || (f.parts && !c->call->filter));
    if (by_group) return feed_groups(r, c, &f);
    void **states = arena_alloc(r->batch, f.rows.count * sizeof *states);
    for (uint32_t i = 0; i < f.rows.count; i++) states[i] = f.blocks[i] + c->offset;
    if (!c->impl->add_batch) return feed_rows(r, c, &f.rows, states);
    const struct vec **pointers = arena_alloc(r->batch, (n + 1) * sizeof *pointers);
    for (uint32_t a = 0; a < n; a++) pointers[a] = &c->values[a];
    c->ctx.one_group = f.one_group;
    return c->impl->add_batch(&c->ctx, r->keep, states, pointers, n, f.rows.sel, f.rows.count);
}

/* The rows' groups; rows of groups that may not be made go to disk. */
static enum status find_groups(struct agg_run *r, const struct batch *b, const struct vec *keys,
                               int set, struct found *f)
{
    uint32_t *ids = arena_alloc(r->batch, b->count * sizeof *ids);
    char **blocks = arena_alloc(r->batch, b->count * sizeof *blocks);
    f->rows = *b;
    f->ids = ids;
    f->blocks = blocks;
    if (!r->key_count) {
        f->one_group = true;
        memset(ids, 0, b->count * sizeof *ids);
        for (uint32_t i = 0; i < b->count; i++) blocks[i] = r->states[0];
        return OK;
    }
    TRY(group_table_find(&r->table, b, keys, r->frozen, r->batch, ids));
    agg__reserve_states(r, r->table.count);
    if (r->frozen) {
        uint16_t *sel = arena_alloc(r->batch, 2 * b->count * sizeof *sel), *gone = sel + b->count;
        uint64_t *hashes = arena_alloc(r->batch, b->count * sizeof *hashes);
        uint32_t n = 0, lost = 0;
        group_table_hash(b, keys, r->key_count, hashes);
        for (uint32_t i = 0; i < b->count; i++) {
            if (ids[i] == GROUP_NONE) {
                hashes[lost] = hashes[i];
                gone[lost++] = (uint16_t)op__row(b, i);
            } else {
                ids[n] = ids[i];
                sel[n++] = (uint16_t)op__row(b, i);
            }
        }
        f->rows.sel = sel;
        f->rows.count = n;
        TRY(agg__spill_rows(r, b, gone, lost, hashes, set));
    }
    uint32_t differ = 0;
    for (uint32_t i = 0; i < f->rows.count; i++) {
        blocks[i] = agg__states(r, ids[i]);
        differ |= ids[i] ^ ids[0];
    }
    f->one_group = differ == 0;
    divide(r, f);
    return OK;
}

static enum status feed_set(struct agg_run *r, const struct batch *b, const struct batch *whole,
                            struct vec *keys, int set)
{
    const struct plan_node *n = r->n;
    struct vec *used = keys;
    if (set >= 0) {
        used = ARENA_ARRAY(r->batch, struct vec, r->key_count);
        for (uint32_t g = 0; g < n->aggregate.group_count; g++) {
            if (n->aggregate.sets[set] >> g & 1) used[g] = keys[g];
            else vec_init_const(&used[g], r->key_types[g], (struct datum){.null = true}, r->batch);
        }
        vec_init_const(&used[n->aggregate.group_count], TYPE_INT4, (struct datum){.v.i32 = set},
                       r->batch);
    }
    struct found f = {.whole = whole};
    TRY(find_groups(r, b, used, set, &f));
    if (!f.rows.count) return OK;
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].impl && !r->calls[i].twin) TRY(feed_call(r, &r->calls[i], &f));
    return OK;
}

static uint64_t memory_of(const struct agg_run *r)
{
    uint64_t bytes = arena_bytes(r->keep) + arena_bytes(r->slots[0]) + arena_bytes(r->slots[1]);
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].collects) bytes += sorter_memory(r->calls[i].kept.sorter);
    return bytes + agg__distinct_memory(r);
}

static bool is_full(const struct agg_run *r)
{
    return exec_memory_above(r->x, r->is_part ? AGG_SHARED_PERCENT : FULL_PERCENT);
}

enum status agg__check_memory(struct agg_run *r)
{
    uint64_t bytes = memory_of(r);
    bool spilled = false;
    if (bytes > r->memory_most) r->memory_most = bytes;
    if (r->can_spill && r->hashes && is_full(r)) TRY(agg__distinct_spill(r, bytes, &spilled));
    if (r->can_spill && !spilled && is_full(r))
        r->frozen = r->frozen || (r->key_count && r->depth < AGG_DEPTH_MAX &&
                                  r->table.count >= GROUPS_LEAST);
    return exec_check(r->x);
}

/* Input rows; `only_set`, where the rows are of one grouping set only, else -1. */
static enum status take_input(struct agg_run *r, const struct batch *b, int only_set)
{
    const struct plan_node *n = r->n;
    struct batch whole = *b;
    whole.columns = ARENA_ARRAY(r->batch, struct vec, n->left->column_count + r->shared_count + 1);
    memcpy(whole.columns, b->columns, b->column_count * sizeof *whole.columns);
    for (uint32_t i = 0; i < r->shared_count; i++) {
        uint32_t slot = n->left->column_count + i;
        TRY(exec_eval(r->x, r->shared[i], &whole, r->batch, &whole.columns[slot]));
        whole.column_count = (uint16_t)(slot + 1);
    }
    struct vec *keys = ARENA_ARRAY(r->batch, struct vec, r->key_count + 1);
    for (uint32_t g = 0; g < n->aggregate.group_count; g++)
        TRY(exec_eval(r->x, n->aggregate.groups[g], b, r->batch, &keys[g]));
    for (uint32_t i = 0; i < r->call_count; i++) r->calls[i].values = NULL;
    if (!n->aggregate.set_count) TRY(feed_set(r, b, &whole, keys, -1));
    for (uint32_t s = 0; s < n->aggregate.set_count; s++) {
        if (only_set >= 0 && only_set != (int)s) continue;
        TRY(feed_set(r, b, &whole, keys, (int)s));
        if (s + 1 < n->aggregate.set_count) TRY(agg__check_memory(r));
    }
    return agg__check_memory(r);
}

static enum status take_rows(void *ctx, const struct batch *b)
{
    struct agg_run *r = ctx;
    arena_clear(r->batch);
    op__prime(r->x, r->batch, b->count);
    return take_input(r, b, -1);
}

/* Without rows: one group for each empty grouping set. */
enum status agg__add_empty_groups(struct agg_run *r)
{
    const struct plan_node *n = r->n;
    if (!r->key_count || r->table.count) return OK;
    struct datum *row = ARENA_ARRAY(r->keep, struct datum, r->key_count);
    for (uint32_t s = 0; s < n->aggregate.set_count; s++) {
        if (n->aggregate.sets[s]) continue;
        for (uint32_t g = 0; g < n->aggregate.group_count; g++) row[g].null = true;
        row[n->aggregate.group_count] = (struct datum){.v.i32 = (int32_t)s};
        TRY(group_table_add(&r->table, row, r->keep));
    }
    agg__reserve_states(r, r->table.count);
    return OK;
}

/* --- levels ------------------------------------------------------------------------------------ */

enum status agg__begin_level(struct agg_run *r)
{
    arena_clear(r->keep);
    arena_clear(r->batch);
    for (uint32_t i = 0; i < GROUP_SLOT_ARENAS; i++) arena_clear(r->slots[i]);
    group_table_init(&r->table, r->x, r->key_count, r->key_types, r->keep, r->slots[0], r->slots[1]);
    r->groups = r->state_chunk_cap = 0;
    r->frozen = false;
    r->batches++;
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        c->ctx = (struct call_ctx){.session = r->x->session, .arena = r->batch, .keep = r->keep,
                                   .expr = c->call->call};
        if (c->collects) agg__collect_init(r, c);
        if (c->set) agg__distinct_begin(r, c->set);
    }
    if (!r->key_count) agg__reserve_states(r, 1);
    return OK;
}

enum status agg__end_level(struct agg_run *r)
{
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].collects) TRY(sorter_rest(r->calls[i].kept.sorter));
    for (uint32_t i = 0; i < r->call_count; i++) {
        arena_clear(r->batch);
        if (r->calls[i].collects) TRY(agg__collect_feed(r, &r->calls[i]));
    }
    TRY(agg__distinct_feed(r, r));
    return agg__push_groups(r);
}

enum status agg__feed_partition(struct agg_run *r, struct spill *s)
{
    uint16_t columns = (uint16_t)r->n->left->column_count;
    enum status st;
    TRY(spill_rewind(s));
    for (;;) {
        struct batch b;
        arena_clear(r->batch);
        st = spill_next(s, r->batch, &b);
        if (st != OK) break;
        if (!r->n->aggregate.set_count) {
            TRY(take_input(r, &b, -1));
            continue;
        }
        const int32_t *sets = VEC_DATA(&b.columns[columns], int32_t);
        uint16_t *sel = arena_alloc(r->batch, b.rows * sizeof *sel);
        for (uint32_t set = 0; set < r->n->aggregate.set_count; set++) {
            struct batch of = b;
            of.column_count = columns;
            of.sel = sel;
            of.count = 0;
            for (uint32_t i = 0; i < b.rows; i++)
                if (sets[i] == (int32_t)set) sel[of.count++] = (uint16_t)i;
            if (of.count) TRY(take_input(r, &of, (int)set));
        }
    }
    return st == END_OF_DATA ? OK : st;
}

/* Partitions of this level, one after another; each may leave some of its own. */
enum status agg__run_partitions(struct agg_run *r)
{
    struct spill *parts[AGG_PARTITIONS];
    memcpy(parts, r->partitions, sizeof parts);
    memset(r->partitions, 0, sizeof r->partitions);
    r->depth++;
    for (uint32_t i = 0; i < AGG_PARTITIONS; i++) {
        if (!parts[i]) continue;
        TRY(agg__begin_level(r));
        TRY(agg__feed_partition(r, parts[i]));
        spill_free(parts[i]);
        TRY(agg__end_level(r));
        TRY(agg__run_partitions(r));
    }
    r->depth--;
    return OK;
}

enum status op__aggregate(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct agg_run *r = ARENA_NEW(op__arena(x, n, 5), struct agg_run); /* other workers read it */
    *r = (struct agg_run){.x = x, .n = n, .out = out, .call_count = n->aggregate.call_count};
    r->keep = op__arena(x, n, 1);
    r->batch = op__arena(x, n, 2);
    for (uint32_t i = 0; i < GROUP_SLOT_ARENAS; i++) r->slots[i] = op__arena(x, n, 3 + i);
    r->is_part = op__shares_groups(x, n);
    TRY(take_shape(r));
    TRY(agg__begin_top(r));
    TRY(agg__begin_level(r));
    struct exec_sink sink = {take_rows, r, agg__asks_zones(r) ? agg__take_block : NULL};
    TRY(op__run(x, n->left, &sink));
    if (r->is_part) {
        TRY(agg__merge(r));
    } else {
        TRY(agg__add_empty_groups(r));
        TRY(agg__end_level(r));
        TRY(agg__run_partitions(r));
    }
    if (x->stats) {
        struct node_stats *s = &x->stats[n->id];
        s->batches = r->batches;
        if (r->memory_most > s->memory_bytes) s->memory_bytes = r->memory_most;
        s->spilled_bytes += r->disk_bytes;
    }
    return OK;
}
