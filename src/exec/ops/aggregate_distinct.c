/* Aggregates with DISTINCT whose values may come in any order: a table of (group, arguments) says which have
 * been seen, and is fed to the states when the input has ended.
 *
 * In a parallel run each worker has tables of its own. Entries go to whoever merges their group, by the
 * group's part, and are made one set there; without group columns they are parted by their own hash, so
 * that all take part in it. When memory is pressed the entries go to disk by the same parts; what has
 * been on disk is made distinct by sorting it. */
#include "exec/ops/aggregate_priv.h"

#include "exec/parallel.h"

enum { ENTRIES_LEAST = 256, SHARE = 8, CHECK_CHUNKS = 16 };

bool agg__hashes(const struct aggregate_call *c)
{
    return !c->grouping && c->distinct && !c->order_count && exec_is_distinct_mergeable(c->proc);
}

struct agg_distinct *agg__distinct_new(struct agg_run *r, const struct aggregate_call *call)
{
    struct arena *a = r->x->arena;
    struct agg_distinct *d = ARENA_NEW(a, struct agg_distinct);
    d->first = r->key_count > 0;
    d->columns = d->first + call->arg_count;
    d->types = ARENA_ARRAY(a, type_id, d->columns + 1);
    d->types[0] = TYPE_INT4;
    for (uint32_t i = 0; i < call->arg_count; i++) d->types[d->first + i] = call->args[i]->type;
    d->keys = exec_arena(r->x);
    d->batch = exec_arena(r->x);
    for (uint32_t i = 0; i < GROUP_SLOT_ARENAS; i++) d->slots[i] = exec_arena(r->x);
    return d;
}

static void reset(struct agg_run *r, struct agg_distinct *d)
{
    arena_release(d->keys);
    for (uint32_t i = 0; i < GROUP_SLOT_ARENAS; i++) arena_release(d->slots[i]);
    group_table_init(&d->table, r->x, d->columns, d->types, d->keys, d->slots[0], d->slots[1]);
    d->order = NULL;
}

void agg__distinct_begin(struct agg_run *r, struct agg_distinct *d)
{
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) {
        if (d->parts[p]) spill_free(d->parts[p]);
        d->parts[p] = NULL;
    }
    d->spilled = false;
    reset(r, d);
}

static uint64_t bytes_of(const struct agg_distinct *d)
{
    return arena_bytes(d->keys) + arena_bytes(d->slots[0]) + arena_bytes(d->slots[1]);
}

uint64_t agg__distinct_memory(const struct agg_run *r)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].set) bytes += bytes_of(r->calls[i].set);
    return bytes;
}

/* --- entries ----------------------------------------------------------------------------------- */

static bool is_null(const struct vec *v, uint32_t row)
{
    if (v->form == VEC_DICT) return nulls_get(v->dict->nulls, v->codes[row]);
    return nulls_get(v->nulls, v->form == VEC_CONST ? 0 : row);
}

/* Rows without NULL arguments. */
static void leave_out_nulls(struct agg_run *r, const struct agg_call *c, struct batch *b)
{
    for (uint32_t a = 0; a < c->call->arg_count; a++) {
        const struct vec *v = &c->values[a];
        if (!(v->form == VEC_DICT ? v->dict->nulls : v->nulls)) continue;
        uint16_t *sel = arena_alloc(r->batch, b->count * sizeof *sel + 1);
        uint32_t n = 0;
        for (uint32_t i = 0; i < b->count; i++) {
            uint32_t row = op__row(b, i);
            sel[n] = (uint16_t)row;
            n += !is_null(v, row);
        }
        b->sel = sel;
        b->count = n;
    }
}

enum status agg__distinct_add(struct agg_run *r, struct agg_call *c, const struct batch *b,
                              const uint32_t *ids)
{
    struct agg_distinct *d = c->set;
    struct batch rows = *b;
    struct vec *keys = ARENA_ARRAY(r->batch, struct vec, d->columns + 1);
    uint32_t *found = arena_alloc(r->batch, b->count * sizeof *found);
    if (d->first) {
        vec_init_flat_rows(&keys[0], TYPE_INT4, b->rows, r->batch);
        for (uint32_t i = 0; i < b->count; i++)
            VEC_DATA(&keys[0], uint32_t)[op__row(b, i)] = ids[i];
    }
    memcpy(keys + d->first, c->values, c->call->arg_count * sizeof *keys);
    leave_out_nulls(r, c, &rows);
    if (!rows.count) return OK;
    return group_table_find(&d->table, &rows, keys, false, r->batch, found);
}

static void view(const struct agg_distinct *d, uint32_t chunk, struct arena *a, struct batch *ret)
{
    uint32_t rows = d->table.count - chunk * BATCH_ROWS;
    *ret = (struct batch){.rows = rows < BATCH_ROWS ? rows : BATCH_ROWS,
                          .column_count = (uint16_t)d->columns};
    ret->count = ret->rows;
    ret->columns = ARENA_ARRAY(a, struct vec, d->columns + 1);
    for (uint32_t k = 0; k < d->columns; k++) group_table_view(&d->table, chunk, k, &ret->columns[k]);
}

/* The part of each entry of a chunk; `of_groups`: that of each group. */
static void parts_of(const struct agg_distinct *d, const struct batch *b, const uint8_t *of_groups,
                     struct arena *a, uint8_t *ret)
{
    if (d->first) {
        const uint32_t *ids = VEC_DATA(&b->columns[0], uint32_t);
        for (uint32_t i = 0; i < b->rows; i++) ret[i] = of_groups ? of_groups[ids[i]] : 0;
        return;
    }
    uint64_t *hashes = arena_alloc(a, b->rows * sizeof *hashes);
    group_table_hash(b, b->columns, d->columns, hashes);
    for (uint32_t i = 0; i < b->rows; i++) ret[i] = (uint8_t)(hashes[i] >> 32) % AGG_PARTITIONS;
}

/* --- to disk ----------------------------------------------------------------------------------- */

static enum status spill_chunk(struct agg_run *r, struct agg_distinct *d, uint32_t chunk,
                               const uint8_t *of_groups)
{
    struct batch b;
    uint16_t sel[BATCH_ROWS];
    uint8_t parts[BATCH_ROWS];
    arena_clear(d->batch);
    view(d, chunk, d->batch, &b);
    parts_of(d, &b, of_groups, d->batch, parts);
    b.sel = sel;
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) {
        b.count = 0;
        for (uint32_t i = 0; i < b.rows; i++)
            if (parts[i] == p) sel[b.count++] = (uint16_t)i;
        if (!b.count) continue;
        if (!d->parts[p]) TRY(spill_new(r->x, (uint16_t)d->columns, d->types, &d->parts[p]));
        uint64_t before = spill_bytes(d->parts[p]);
        TRY(spill_add_batch(d->parts[p], &b));
        r->disk_bytes += spill_bytes(d->parts[p]) - before;
    }
    return exec_check_canceled(r->x);
}

static enum status spill_set(struct agg_run *r, struct agg_distinct *d)
{
    uint8_t *of_groups = NULL;
    if (d->first && r->is_part) TRY(agg__group_parts(r, &of_groups));
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < d->table.count; chunk++)
        TRY(spill_chunk(r, d, chunk, of_groups));
    d->spilled = true;
    reset(r, d);
    return OK;
}

enum status agg__distinct_spill(struct agg_run *r, uint64_t memory, bool *ret_any)
{
    *ret_any = false;
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_distinct *d = r->calls[i].set;
        if (!d || d->table.count < ENTRIES_LEAST || bytes_of(d) < memory / SHARE) continue;
        TRY(spill_set(r, d));
        *ret_any = true;
    }
    return OK;
}

/* --- merging ----------------------------------------------------------------------------------- */

static enum status order_set(struct agg_run *r, struct agg_distinct *d, const uint8_t *of_groups)
{
    uint32_t total = d->table.count, at[AGG_PARTITIONS + 1] = {0};
    uint8_t *parts = arena_alloc(d->keys, (total / BATCH_ROWS + 1) * BATCH_ROWS);
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < total; chunk++) {
        struct batch b;
        arena_clear(d->batch);
        if (chunk % CHECK_CHUNKS == 0) TRY(exec_check_canceled(r->x));
        view(d, chunk, d->batch, &b);
        parts_of(d, &b, of_groups, d->batch, parts + chunk * BATCH_ROWS);
    }
    for (uint32_t i = 0; i < total; i++) at[parts[i] + 1]++;
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) at[p + 1] += at[p];
    memcpy(d->starts, at, sizeof at);
    d->order = arena_alloc(d->keys, (total + 1) * sizeof *d->order);
    for (uint32_t i = 0; i < total; i++) d->order[at[parts[i]]++] = i;
    return OK;
}

enum status agg__distinct_order(struct agg_run *r, uint64_t *ret_entries)
{
    uint8_t *of_groups = NULL;
    *ret_entries = 0;
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_distinct *d = r->calls[i].set;
        if (!d) continue;
        if (d->spilled && d->table.count) TRY(spill_set(r, d));
        for (uint32_t p = 0; p < AGG_PARTITIONS; p++)
            if (d->parts[p]) TRY(spill_rest(d->parts[p]));
        if (d->first && !of_groups) TRY(agg__group_parts(r, &of_groups));
        TRY(order_set(r, d, of_groups));
        *ret_entries += d->table.count;
    }
    return OK;
}

bool agg__distinct_spilled(const struct agg_run *r)
{
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].set && r->calls[i].set->spilled) return true;
    return false;
}

void agg__distinct_give(const struct agg_run *r, uint32_t part, struct execution *to)
{
    for (uint32_t i = 0; i < r->call_count; i++)
        if (r->calls[i].set && r->calls[i].set->parts[part])
            spill_give(to, r->calls[i].set->parts[part]);
}

/* Entries of another run, whose groups have other numbers there. */
static enum status take(struct agg_run *m, struct agg_distinct *d, struct batch *b, const uint32_t *map)
{
    uint32_t *found = arena_alloc(d->batch, b->count * sizeof *found + 1);
    struct vec *keys = arena_memdup(d->batch, b->columns, d->columns * sizeof *keys);
    if (d->first) {
        const uint32_t *ids = VEC_DATA(&b->columns[0], uint32_t);
        vec_init_flat_rows(&keys[0], TYPE_INT4, b->rows, d->batch);
        for (uint32_t i = 0; i < b->count; i++) {
            uint32_t row = op__row(b, i);
            VEC_DATA(&keys[0], uint32_t)[row] = map[ids[row]];
        }
    }
    TRY(group_table_find(&d->table, b, keys, false, d->batch, found));
    return agg__check_memory(m);
}

static enum status take_table(struct agg_run *m, struct agg_distinct *d, const struct agg_distinct *o,
                              uint32_t from, uint32_t to, const uint32_t *map)
{
    while (from < to) {
        uint32_t chunk = o->order[from] / BATCH_ROWS;
        uint16_t sel[BATCH_ROWS];
        struct batch b;
        arena_clear(d->batch);
        view(o, chunk, d->batch, &b);
        for (b.count = 0; from < to && o->order[from] / BATCH_ROWS == chunk; from++)
            sel[b.count++] = (uint16_t)(o->order[from] % BATCH_ROWS);
        b.sel = sel;
        TRY(take(m, d, &b, map));
    }
    return OK;
}

static enum status take_file(struct agg_run *m, struct agg_distinct *d, struct spill *s,
                             const uint32_t *map)
{
    enum status st;
    TRY(spill_rewind(s));
    for (;;) {
        struct batch b;
        arena_clear(d->batch);
        st = spill_next(s, d->batch, &b);
        if (st != OK) break;
        TRY(take(m, d, &b, map));
    }
    return st == END_OF_DATA ? OK : st;
}

enum status agg__distinct_merge(struct agg_run *m, const struct agg_run *o, uint32_t part, bool all,
                                const uint32_t *map)
{
    for (uint32_t i = 0; i < m->call_count; i++) {
        struct agg_distinct *d = m->calls[i].set, *from = o->calls[i].set;
        if (!d) continue;
        uint32_t low = all ? 0 : from->starts[part];
        uint32_t high = all ? from->table.count : from->starts[part + 1];
        TRY(take_table(m, d, from, low, high, map));
        struct spill *s = from->parts[part];
        if (!s) continue;
        TRY(take_file(m, d, s, map));
        spill_free(s);
        from->parts[part] = NULL;
    }
    return OK;
}

/* --- to the states ----------------------------------------------------------------------------- */

static enum status feed_rows(struct agg_run *to, struct agg_call *c, const struct batch *b,
                             void *const *states)
{
    uint32_t n = c->call->arg_count;
    struct datum *row = ARENA_ARRAY(c->set->batch, struct datum, n + 1);
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t a = 0; a < n; a++)
            row[a] = vec_get(&b->columns[c->set->first + a], op__row(b, i));
        TRY(c->impl->add(&c->ctx, to->keep, states[i], row, n));
    }
    return OK;
}

/* Entries that come once, into the states of `to`, whose groups they are of. */
static enum status feed(struct agg_run *to, struct agg_call *c, const struct batch *b)
{
    const struct agg_distinct *d = c->set;
    uint32_t n = c->call->arg_count;
    const struct vec **args = arena_alloc(d->batch, (n + 1) * sizeof *args);
    for (uint32_t a = 0; a < n; a++) args[a] = &b->columns[d->first + a];
    if (!b->count) return OK;
    c->ctx.one_group = !d->first;
    if (!d->first && c->impl->add_group)
        return c->impl->add_group(&c->ctx, to->keep, agg__states(to, 0) + c->offset, args, n, b->sel,
                                  b->count);
    void **states = arena_alloc(d->batch, b->count * sizeof *states);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t group = d->first ? VEC_DATA(&b->columns[0], uint32_t)[op__row(b, i)] : 0;
        states[i] = agg__states(to, group) + c->offset;
    }
    if (!c->impl->add_batch) return feed_rows(to, c, b, states);
    return c->impl->add_batch(&c->ctx, to->keep, states, args, n, b->sel, b->count);
}

static struct sorter *sorter_of(struct agg_run *r, struct agg_distinct *d)
{
    if (d->sorter) return d->sorter;
    struct key_part *parts = ARENA_ARRAY(r->x->arena, struct key_part, d->columns + 1);
    for (uint32_t i = 0; i < d->columns; i++) parts[i].type = d->types[i];
    return d->sorter = sorter_new(r->x, (uint16_t)d->columns, d->types, parts, d->columns);
}

static enum status sort_file(struct agg_distinct *d, struct spill *s)
{
    enum status st;
    TRY(spill_rewind(s));
    for (;;) {
        struct batch b;
        arena_clear(d->batch);
        st = spill_next(s, d->batch, &b);
        if (st != OK) break;
        TRY(sorter_add(d->sorter, &b, b.columns));
    }
    return st == END_OF_DATA ? OK : st;
}

static enum status feed_sorted(struct agg_run *r, struct agg_run *to, struct agg_call *c)
{
    struct agg_distinct *d = c->set;
    bool same[BATCH_ROWS];
    uint16_t sel[BATCH_ROWS];
    TRY(spill_set(r, d));
    sorter_begin(sorter_of(r, d), UINT64_MAX);
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) {
        if (!d->parts[p]) continue;
        TRY(sort_file(d, d->parts[p]));
        spill_free(d->parts[p]);
        d->parts[p] = NULL;
    }
    TRY(sorter_finish(d->sorter));
    for (;;) {
        struct batch b;
        arena_clear(d->batch);
        enum status st = sorter_next(d->sorter, d->batch, &b, same);
        if (st == END_OF_DATA) break;
        TRY(st);
        for (uint32_t i = b.count = 0; i < b.rows; i++)
            if (!same[i]) sel[b.count++] = (uint16_t)i;
        b.sel = sel;
        TRY(feed(to, c, &b));
        TRY(exec_check(r->x));
    }
    sorter_end(d->sorter);
    return OK;
}

enum status agg__distinct_feed(struct agg_run *r, struct agg_run *to)
{
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        if (!c->set) continue;
        if (c->set->spilled) {
            TRY(feed_sorted(r, to, c));
            continue;
        }
        for (uint32_t chunk = 0; chunk * BATCH_ROWS < c->set->table.count; chunk++) {
            struct batch b;
            arena_clear(c->set->batch);
            view(c->set, chunk, c->set->batch, &b);
            TRY(feed(to, c, &b));
            if (chunk % CHECK_CHUNKS == 0) TRY(exec_check(r->x));
        }
        agg__distinct_begin(r, c->set);
    }
    return OK;
}
