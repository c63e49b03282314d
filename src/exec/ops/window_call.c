/* Window calls: functions of the row's place, of other rows of the frame, and aggregates.
 *
 * An aggregate's state grows while its frame only grows. Where the frame leaves rows behind, an
 * aggregate whose states can be merged exactly asks a tree of states, which takes few steps however
 * large the frame; others (sums of floats, whose value depends on the order, and lists) are computed
 * anew, as PostgreSQL does. */
#include "exec/ops/window_priv.h"

enum { TREE_MIN_ROWS = 4 * TREE_FANOUT, BATCH_MIN_ROWS = 16 };

static const struct {
    const char *name;
    enum window_function function;
} functions[] = {
    {"row_number", WINDOW_ROW_NUMBER}, {"rank", WINDOW_RANK},
    {"dense_rank", WINDOW_DENSE_RANK}, {"percent_rank", WINDOW_PERCENT_RANK},
    {"cume_dist", WINDOW_CUME_DIST},   {"ntile", WINDOW_NTILE},
    {"lag", WINDOW_LAG},               {"lead", WINDOW_LEAD},
    {"first_value", WINDOW_FIRST_VALUE}, {"last_value", WINDOW_LAST_VALUE},
    {"nth_value", WINDOW_NTH_VALUE},
};

static bool merges_exactly(const struct aggregate_call *call)
{
    static const char *const names[] = {"count", "sum", "avg", "min", "max", "bool_and", "bool_or",
                                        "every", "bit_and", "bit_or", "bit_xor"};
    type_id type = call->arg_count ? call->args[0]->type : TYPE_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(call->proc->name, names[i]) != 0) continue;
        bool sums = names[i][0] == 's' || names[i][0] == 'a';
        return !sums || (type != TYPE_FLOAT4 && type != TYPE_FLOAT8);
    }
    return false;
}

enum status window__call_setup(struct window_run *r, struct window_call *c,
                               const struct aggregate_call *call)
{
    c->call = call;
    c->function = WINDOW_AGGREGATE;
    if (call->proc->kind == 'w') {
        for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
            if (strcmp(call->proc->name, functions[i].name) == 0)
                c->function = functions[i].function;
        if (c->function != WINDOW_AGGREGATE) {
            r->frame.needs_peers |=
                c->function >= WINDOW_RANK && c->function <= WINDOW_CUME_DIST;
            return OK;
        }
    }
    c->impl = aggregate_impl(call->proc->id);
    if (!c->impl || !c->impl->add)
        return UNSUPPORTED("window function %s is not supported", call->proc->name);
    c->mergeable = c->impl->merge && merges_exactly(call);
    if (!c->keep) c->keep = exec_arena(r->x);
    if (!c->tree_arena) c->tree_arena = exec_arena(r->x);
    c->ctx = (struct call_ctx){.session = r->x->session, .arena = r->results, .keep = c->keep,
                               .expr = call->call};
    c->state = arena_zalloc(r->setup, c->impl->state_bytes + 16);
    return OK;
}

static void reset_state(struct window_call *c, uint64_t row)
{
    arena_clear(c->keep);
    memset(c->state, 0, c->impl->state_bytes);
    c->from = c->to = row;
    c->simple = true;
    c->result_epoch = 0;
}

void window__call_partition(struct window_call *c)
{
    c->buckets = 0;
    if (!c->impl) return;
    reset_state(c, UINT64_MAX);
    c->simple = false;
    arena_clear(c->tree_arena);
    c->tree = (struct window_tree){0};
}

/* --- aggregates: adding rows ------------------------------------------------------------------- */

static bool is_skipped(const struct window_call *c, const struct datum *args)
{
    if (!c->impl->skips_nulls) return false;
    for (uint32_t i = 0; i < c->call->arg_count; i++)
        if (args[i].null) return true;
    return false;
}

/* Rows [from, to) of one chunk. */
static enum status add_chunk(struct window_run *r, struct window_call *c, struct arena *keep,
                             void *state, const struct batch *b, uint32_t from, uint32_t to)
{
    uint32_t n = c->call->arg_count, count = 0;
    uint16_t sel[STORE_CHUNK_ROWS];
    for (uint32_t i = from; i < to; i++) {
        if (c->filter_column >= 0) {
            struct datum pass = vec_get(&b->columns[c->filter_column], i);
            if (pass.null || !pass.v.b) continue;
        }
        sel[count++] = (uint16_t)i;
    }
    arena_clear(r->batch);
    if (c->impl->add_batch && count >= BATCH_MIN_ROWS) {
        void **states = arena_alloc(r->batch, count * sizeof *states);
        const struct vec **args = arena_alloc(r->batch, (n + 1) * sizeof *args);
        for (uint32_t i = 0; i < count; i++) states[i] = state;
        for (uint32_t i = 0; i < n; i++) args[i] = &b->columns[c->column + i];
        return c->impl->add_batch(&c->ctx, keep, states, args, n, sel, count);
    }
    struct datum *args = ARENA_ARRAY(r->batch, struct datum, n + 1);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < n; k++) args[k] = vec_get(&b->columns[c->column + k], sel[i]);
        if (!is_skipped(c, args)) TRY(c->impl->add(&c->ctx, keep, state, args, n));
    }
    return OK;
}

static enum status add_rows(struct window_run *r, struct window_call *c, struct arena *keep,
                            void *state, uint64_t from, uint64_t to)
{
    while (from < to) {
        const struct batch *b;
        uint32_t at = (uint32_t)(from % STORE_CHUNK_ROWS), n = STORE_CHUNK_ROWS - at;
        if (n > to - from) n = (uint32_t)(to - from);
        TRY(row_store_chunk(r->store, from, &b));
        TRY(add_chunk(r, c, keep, state, b, at, at + n));
        from += n;
        r->steps += n;
        if (r->steps >> 12 != (r->steps - n) >> 12) TRY(exec_check(r->x));
    }
    return OK;
}

/* --- aggregates: the tree ---------------------------------------------------------------------- */

static char *tree_state(const struct window_call *c, uint32_t level, uint64_t i)
{
    size_t bytes = (c->impl->state_bytes + 15) & ~(size_t)15;
    return c->tree.levels[level] + i * bytes;
}

static char *new_level(struct window_call *c, uint64_t count)
{
    size_t bytes = (c->impl->state_bytes + 15) & ~(size_t)15;
    c->tree.counts[c->tree.level_count] = count;
    return c->tree.levels[c->tree.level_count++] = arena_zalloc(c->tree_arena, count * bytes);
}

static enum status build_tree(struct window_run *r, struct window_call *c)
{
    struct window_tree *t = &c->tree;
    uint64_t first = r->frame.first, rows = r->frame.end - first, n = rows / TREE_FANOUT;
    t->refused = n == 0 || exec_memory_pressed(r->x);
    if (t->refused) return OK;
    new_level(c, n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t from = first + i * TREE_FANOUT;
        TRY(add_rows(r, c, c->tree_arena, tree_state(c, 0, i), from, from + TREE_FANOUT));
        if ((i & 1023) != 0 || !exec_memory_pressed(r->x)) continue;
        t->refused = true;
        arena_clear(c->tree_arena);
        return OK;
    }
    while (t->counts[t->level_count - 1] >= TREE_FANOUT && t->level_count < TREE_LEVELS) {
        uint32_t below = t->level_count - 1;
        n = t->counts[below] / TREE_FANOUT;
        new_level(c, n);
        for (uint64_t i = 0; i < n * TREE_FANOUT; i++)
            TRY(c->impl->merge(&c->ctx, c->tree_arena, tree_state(c, below + 1, i / TREE_FANOUT),
                               tree_state(c, below, i)));
    }
    t->built = true;
    return OK;
}

/* Of level 0: rows; of level l: states of level l - 1. Numbers count from the partition's start. */
static enum status add_some(struct window_run *r, struct window_call *c, uint32_t level,
                            uint64_t from, uint64_t to)
{
    uint64_t first = r->frame.first;
    if (level == 0) return from < to ? add_rows(r, c, c->keep, c->state, first + from, first + to) : OK;
    for (uint64_t i = from; i < to; i++)
        TRY(c->impl->merge(&c->ctx, c->keep, c->state, tree_state(c, level - 1, i)));
    return OK;
}

static enum status ask_tree(struct window_run *r, struct window_call *c, uint64_t from, uint64_t to)
{
    struct row_range right[TREE_LEVELS + 1];
    uint32_t level = 0;
    from -= r->frame.first;
    to -= r->frame.first;
    /* Up on the left side, and down again on the right: states are merged in the rows' order. */
    while (level < c->tree.level_count && to - from >= 2 * TREE_FANOUT) {
        uint64_t up = (from + TREE_FANOUT - 1) / TREE_FANOUT, down = to / TREE_FANOUT;
        TRY(add_some(r, c, level, from, up * TREE_FANOUT));
        right[level] = (struct row_range){down * TREE_FANOUT, to};
        from = up;
        to = down;
        level++;
    }
    TRY(add_some(r, c, level, from, to));
    while (level-- > 0) TRY(add_some(r, c, level, right[level].start, right[level].end));
    return OK;
}

static enum status anew(struct window_run *r, struct window_call *c)
{
    const struct window_frame *f = &r->frame;
    uint64_t start = f->range_count ? f->ranges[0].start : f->pos;
    reset_state(c, start);
    c->simple = f->range_count <= 1;
    for (uint32_t i = 0; i < f->range_count; i++) {
        const struct row_range *g = &f->ranges[i];
        bool large = c->mergeable && g->end - g->start >= TREE_MIN_ROWS && g->start > f->first;
        if (large && !c->tree.built && !c->tree.refused) TRY(build_tree(r, c));
        if (large && c->tree.built) TRY(ask_tree(r, c, g->start, g->end));
        else TRY(add_rows(r, c, c->keep, c->state, g->start, g->end));
        c->to = g->end;
    }
    return OK;
}

static enum status aggregate(struct window_run *r, struct window_call *c, struct datum *ret)
{
    const struct window_frame *f = &r->frame;
    bool single = f->range_count == 1;
    uint64_t start = single ? f->ranges[0].start : 0, end = single ? f->ranges[0].end : 0;
    if (single && c->simple && c->from == start && c->to <= end && c->to > c->from) {
        if (c->to < end) c->result_epoch = 0;
        TRY(add_rows(r, c, c->keep, c->state, c->to, end));
        c->to = end;
    } else {
        TRY(anew(r, c));
    }
    if (c->result_epoch != r->epoch) {
        c->result = (struct datum){0};
        c->ctx.arena = r->results;
        TRY(c->impl->result(&c->ctx, c->state, &c->result));
        /* It may point into the state, which goes on changing. */
        c->result = datum_copy(r->results, c->call->result, c->result);
        c->result_epoch = r->epoch;
    }
    *ret = c->result;
    return OK;
}

/* --- functions --------------------------------------------------------------------------------- */

static enum status ntile(struct window_run *r, struct window_call *c, struct datum *ret)
{
    const struct window_frame *f = &r->frame;
    if (!c->buckets) {
        struct datum n;
        TRY(row_store_get(r->store, f->pos, c->column, &n));
        ret->null = n.null;
        if (n.null) return OK;
        if (n.v.i32 <= 0)
            return FAIL(INVALID_ARGUMENT_FOR_NTILE, "argument of ntile must be greater than zero");
        c->buckets = n.v.i32;
        c->ntile_from = f->pos;
    }
    uint64_t k = (uint64_t)c->buckets, rows = f->end - f->first, at = f->pos - c->ntile_from;
    uint64_t each = rows / k, larger = rows % k;
    if (at < larger * (each + 1)) ret->v.i32 = (int32_t)(at / (each + 1) + 1);
    else ret->v.i32 = (int32_t)(larger + (at - larger * (each + 1)) / (each ? each : 1) + 1);
    return OK;
}

static enum status neighbour(struct window_run *r, struct window_call *c, struct datum *ret)
{
    const struct window_frame *f = &r->frame;
    struct datum offset = {.v.i32 = 1};
    if (c->call->arg_count > 1) TRY(row_store_get(r->store, f->pos, c->column + 1, &offset));
    ret->null = offset.null;
    if (offset.null) return OK;
    int64_t k = c->function == WINDOW_LAG ? -(int64_t)offset.v.i32 : offset.v.i32;
    int64_t row = (int64_t)f->pos + k;
    if (row >= (int64_t)f->first && row < (int64_t)f->end)
        return row_store_get(r->store, (uint64_t)row, c->column, ret);
    ret->null = true;
    return c->call->arg_count > 2 ? row_store_get(r->store, f->pos, c->column + 2, ret) : OK;
}

static enum status of_frame(struct window_run *r, struct window_call *c, struct datum *ret)
{
    const struct window_frame *f = &r->frame;
    struct datum n = {.v.i32 = 1};
    if (c->function == WINDOW_NTH_VALUE) TRY(row_store_get(r->store, f->pos, c->column + 1, &n));
    ret->null = true;
    if (n.null) return OK;
    if (n.v.i32 <= 0)
        return FAIL(INVALID_ARGUMENT_FOR_NTH_VALUE,
                    "argument of nth_value must be greater than zero");
    if (!f->range_count) return OK;
    if (c->function == WINDOW_LAST_VALUE)
        return row_store_get(r->store, f->ranges[f->range_count - 1].end - 1, c->column, ret);
    uint64_t left = (uint64_t)n.v.i32 - 1;
    for (uint32_t i = 0; i < f->range_count; i++) {
        const struct row_range *g = &f->ranges[i];
        if (left < g->end - g->start)
            return row_store_get(r->store, g->start + left, c->column, ret);
        left -= g->end - g->start;
    }
    return OK;
}

enum status window__call(struct window_run *r, struct window_call *c, struct datum *ret)
{
    const struct window_frame *f = &r->frame;
    uint64_t rows = f->end - f->first, before = f->group_start - f->first;
    *ret = (struct datum){0};
    switch (c->function) {
    case WINDOW_AGGREGATE: return aggregate(r, c, ret);
    case WINDOW_ROW_NUMBER: ret->v.i64 = (int64_t)(f->pos - f->first + 1); return OK;
    case WINDOW_RANK: ret->v.i64 = (int64_t)before + 1; return OK;
    case WINDOW_DENSE_RANK: ret->v.i64 = f->group + 1; return OK;
    case WINDOW_PERCENT_RANK:
        ret->v.f64 = rows > 1 ? (double)before / (double)(rows - 1) : 0;
        return OK;
    case WINDOW_CUME_DIST:
        ret->v.f64 = (double)(f->group_end - f->first) / (double)rows;
        return OK;
    case WINDOW_NTILE: return ntile(r, c, ret);
    case WINDOW_LAG:
    case WINDOW_LEAD: return neighbour(r, c, ret);
    case WINDOW_FIRST_VALUE:
    case WINDOW_LAST_VALUE:
    case WINDOW_NTH_VALUE: return of_frame(r, c, ret);
    }
    return FAIL(INTERNAL_ERROR, "no such window function");
}
