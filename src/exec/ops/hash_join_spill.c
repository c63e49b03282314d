/* A hash join whose build side does not fit in memory. Rows of both sides go to disk in parts, by bits of
 * their keys' hashes, and each pair of parts is joined by itself. A part that is still too large is
 * parted again by other bits. When that does not help (one key has most of the rows, or it was done
 * often enough), as much of the build side as fits is joined with the whole probe part, again and again:
 * then what matched in an earlier pass is remembered by left row.
 *
 * Rows with NULL keys are on no disk: those that must go out do so at once. */
#include "exec/ops/hash_join_priv.h"

enum {
    PARTS_MIN = 4,
    FIRST_BIT = 12, /* of the hash: tags have those below, slots the highest */
    PART_BITS = 5,
    PRESSED_PERCENT = 60,
    ARENA_GROWTH = 2 << 20,
    OWN_SHARE = 16,     /* it does not spill before it has this part of the limit */
    BUFFERS_SHARE = 8,  /* of the limit, for the parts' buffers */
    STUCK_PERCENT = 80, /* a part with so much of what was parted */
};

struct join_parts {
    struct spill *build[JOIN_PARTS_MAX], *probe[JOIN_PARTS_MAX];
    uint32_t count, depth;
    uint64_t rows; /* build side */
};

bool hash_join__must_spill(const struct hash_join *h)
{
    struct execution *x = h->j.x;
    uint64_t limit = exec_memory_limit(x), row_bytes = 1;
    if (limit == UINT64_MAX) return false;
    uint64_t own = arena_bytes(h->rows_arena) + arena_bytes(h->bytes_arena);
    if (own < limit / OWN_SHARE) return false;
    for (uint32_t c = 0; c < h->column_count; c++) row_bytes += type_get(h->types[c])->width;
    uint64_t seal = join_table_bytes(h->build.table.count) + h->build.rows.count * row_bytes;
    if (h->joint) /* entries are sorted, too */
        seal = (seal + h->build.table.count * sizeof(struct join_entry)) * h->builders;
    uint64_t growth = own < ARENA_GROWTH ? own : ARENA_GROWTH; /* arenas double, up to that */
    return exec_memory_used(x) + seal + growth > limit / 100 * PRESSED_PERCENT;
}

/* --- spills ----------------------------------------------------------------------------------- */

static enum status open_spill(struct hash_join *h, const struct plan_node *side, struct spill **ret)
{
    uint32_t free = 0, room = sizeof h->open / sizeof *h->open;
    while (free < room && h->open[free]) free++;
    ASSERT(free < room);
    type_id *types = ARENA_ARRAY(h->load_arena, type_id, side->column_count + 1);
    for (uint32_t c = 0; c < side->column_count; c++) types[c] = side->columns[c].type;
    TRY(spill_new(h->j.x, (uint16_t)side->column_count, types, &h->open[free]));
    *ret = h->open[free];
    return OK;
}

static void close_spill(struct hash_join *h, struct spill *s)
{
    uint32_t i = 0;
    while (h->open[i] != s) i++;
    h->open[i] = NULL;
    spill_free(s);
}

void hash_join__release(struct hash_join *h)
{
    for (uint32_t i = 0; i < sizeof h->open / sizeof *h->open; i++)
        if (h->open[i]) spill_free(h->open[i]);
    if (h->seen) mem_free(MEM_QUERY, h->seen);
    h->seen = NULL;
}

static enum status open_parts(struct hash_join *h, uint32_t depth, struct join_parts *p)
{
    uint64_t room = exec_memory_limit(h->j.x) / BUFFERS_SHARE;
    *p = (struct join_parts){.count = PARTS_MIN, .depth = depth};
    while (p->count < JOIN_PARTS_MAX && 2 * p->count * 2 * spill_buffer_bytes(h->j.x) <= room)
        p->count *= 2;
    arena_clear(h->load_arena);
    for (uint32_t i = 0; i < p->count; i++) {
        TRY(open_spill(h, h->j.n->right, &p->build[i]));
        TRY(open_spill(h, h->j.n->left, &p->probe[i]));
    }
    return OK;
}

/* The rows of h->probe, which are the batch's with keys, each into its part. */
static enum status add_to_parts(struct hash_join *h, const struct join_parts *p,
                                struct spill *const *to, const struct batch *b, uint32_t columns)
{
    const struct hash_probe *from = &h->probe;
    uint32_t counts[JOIN_PARTS_MAX] = {0}, shift = FIRST_BIT + PART_BITS * p->depth;
    uint16_t *rows = arena_alloc(from->arena, p->count * BATCH_ROWS * sizeof *rows);
    for (uint32_t i = 0; i < from->candidates; i++) {
        uint64_t hash = join_key_hash(h->build.keys.packed, from->hashes[i]);
        uint32_t part = (uint32_t)(hash >> shift) & (p->count - 1);
        rows[part * BATCH_ROWS + counts[part]++] = from->rows[i];
    }
    for (uint32_t i = 0; i < p->count; i++) {
        struct batch some = *b;
        some.sel = rows + (size_t)i * BATCH_ROWS;
        some.count = counts[i];
        some.column_count = (uint16_t)columns;
        if (some.count) TRY(spill_add_batch(to[i], &some));
    }
    return OK;
}

static enum status part_build(struct hash_join *h, struct join_parts *p, const struct batch *b)
{
    bool null;
    TRY(hash_join__keys(h, h->j.n->join.right_keys, b, &null));
    h->build.has_null |= null;
    p->rows += h->probe.candidates;
    TRY(add_to_parts(h, p, p->build, b, h->j.right_columns));
    if (!null || !h->build.keeps_right) return OK;
    struct batch nulls = *b;
    uint16_t *sel = arena_alloc(h->probe.arena, b->count * sizeof *sel);
    nulls.count = hash_join__null_rows(h, b, sel);
    nulls.sel = sel;
    arena_clear(h->j.arena);
    return join_push_right(&h->j, &nulls);
}

static enum status part_probe(struct hash_join *h, struct join_parts *p, const struct batch *b)
{
    bool null;
    TRY(hash_join__keys(h, h->j.n->join.left_keys, b, &null));
    TRY(add_to_parts(h, p, p->probe, b, h->j.left_columns));
    bool wanted = join_keeps_left(&h->j) || h->j.n->join.type == JOIN_ANTI;
    if (!null || !wanted || h->build.null_aware) return OK;
    struct batch nulls = *b;
    uint16_t *sel = arena_alloc(h->probe.arena, b->count * sizeof *sel);
    nulls.count = hash_join__null_rows(h, b, sel);
    nulls.sel = sel;
    arena_clear(h->j.arena);
    return join_push_left(&h->j, &nulls);
}

/* What lies in memory goes to the parts; what is too much is asked afterwards. */
static enum status part_built(struct hash_join *h, struct join_parts *p)
{
    const struct rowset *rows = &h->build.rows;
    for (uint32_t k = 0; k < rows->chunk_count; k++) {
        struct batch b = rows->chunks[k];
        b.column_count = (uint16_t)h->j.right_columns;
        TRY(exec_check_canceled(h->j.x));
        TRY(part_build(h, p, &b));
    }
    hash_join__reset(h);
    return OK;
}

enum status hash_join__spill(struct hash_join *h)
{
    h->parts = arena_alloc(h->keep, sizeof *h->parts);
    TRY(open_parts(h, 0, h->parts));
    h->batches = h->parts->count;
    return part_built(h, h->parts);
}

enum status hash_join__spill_build(struct hash_join *h, const struct batch *b)
{
    TRY(part_build(h, h->parts, b));
    return exec_check(h->j.x);
}

enum status hash_join__spill_probe(struct hash_join *h, const struct batch *b)
{
    TRY(part_probe(h, h->parts, b));
    return exec_check(h->j.x);
}

/* --- one part --------------------------------------------------------------------------------- */

/* Are matches of a left row of use beyond the pass that finds them? */
static bool remembers(const struct hash_join *h)
{
    return join_left_only(&h->j) || join_keeps_left(&h->j);
}

/* All left rows of a part against what is built. */
static enum status pass(struct hash_join *h, struct spill *probe, bool last)
{
    struct batch b;
    enum status st;
    uint64_t at = 0;
    TRY(spill_rewind(probe));
    for (;; at += b.count) {
        arena_clear(h->load_arena);
        if ((st = spill_next(probe, h->load_arena, &b)) != OK) break;
        join_begin_batch(&h->j, &b);
        for (uint32_t i = 0; h->seen && i < b.count; i++)
            h->j.left_matched[i] = h->seen[(at + i) >> 6] >> ((at + i) & 63) & 1;
        TRY(hash_join__probe(h, &b));
        if (last) TRY(join_end_batch(&h->j));
        for (uint32_t i = 0; h->seen && !last && i < b.count; i++)
            h->seen[(at + i) >> 6] |= (uint64_t)h->j.left_matched[i] << ((at + i) & 63);
    }
    if (st != END_OF_DATA) return st;
    return join_end(&h->j);
}

static enum status join_part(struct hash_join *h, struct spill *build, struct spill *probe,
                             uint32_t depth, bool stuck);

/* Both of a part's spills into parts of their own, which are joined. */
static enum status part_again(struct hash_join *h, struct spill *build, struct spill *probe,
                              uint32_t depth)
{
    struct join_parts p;
    struct batch b;
    enum status st;
    TRY(exec_check_stack());
    TRY(open_parts(h, depth, &p));
    h->batches += p.count - 1;
    TRY(part_built(h, &p));
    for (;;) {
        arena_clear(h->load_arena);
        if ((st = spill_next(build, h->load_arena, &b)) != OK) break;
        TRY(part_build(h, &p, &b));
        TRY(exec_check(h->j.x));
    }
    if (st != END_OF_DATA) return st;
    close_spill(h, build);
    TRY(spill_rewind(probe));
    for (;;) {
        arena_clear(h->load_arena);
        if ((st = spill_next(probe, h->load_arena, &b)) != OK) break;
        TRY(part_probe(h, &p, &b));
        TRY(exec_check(h->j.x));
    }
    if (st != END_OF_DATA) return st;
    close_spill(h, probe);
    for (uint32_t i = 0; i < p.count; i++) {
        TRY(spill_rest(p.build[i]));
        TRY(spill_rest(p.probe[i]));
    }
    for (uint32_t i = 0; i < p.count; i++) {
        bool stuck = spill_row_count(p.build[i]) * 100 > p.rows * STUCK_PERCENT;
        TRY(join_part(h, p.build[i], p.probe[i], depth, stuck));
    }
    return OK;
}

static enum status join_part(struct hash_join *h, struct spill *build, struct spill *probe,
                             uint32_t depth, bool stuck)
{
    bool needs_left = join_keeps_left(&h->j) || h->j.n->join.type == JOIN_ANTI;
    bool idle = (!spill_row_count(probe) && !h->build.keeps_right) ||
                (!spill_row_count(build) && !needs_left);
    struct batch b;
    enum status st = END_OF_DATA;
    hash_join__reset(h);
    if (!idle) TRY(spill_rewind(build));
    for (; !idle;) {
        arena_clear(h->load_arena);
        if ((st = spill_next(build, h->load_arena, &b)) != OK) break;
        TRY(hash_join__add(h, &b));
        if (!hash_join__must_spill(h)) {
            TRY(exec_check(h->j.x));
            continue;
        }
        if (depth + 1 < JOIN_DEPTH_MAX && !stuck)
            return part_again(h, build, probe, depth + 1);
        if (!h->seen && remembers(h))
            h->seen = mem_alloc(MEM_QUERY, (spill_row_count(probe) / 64 + 1) * sizeof *h->seen);
        TRY(hash_join__seal(h));
        TRY(pass(h, probe, false));
        hash_join__reset(h);
    }
    if (st != END_OF_DATA) return st;
    if (!idle) {
        TRY(hash_join__seal(h));
        TRY(pass(h, probe, true));
    }
    if (h->seen) mem_free(MEM_QUERY, h->seen);
    h->seen = NULL;
    close_spill(h, build);
    close_spill(h, probe);
    return OK;
}

enum status hash_join__join_spilled(struct hash_join *h)
{
    struct join_parts *p = h->parts;
    for (uint32_t i = 0; i < p->count; i++) {
        TRY(spill_rest(p->build[i]));
        TRY(spill_rest(p->probe[i]));
    }
    for (uint32_t i = 0; i < p->count; i++) {
        bool stuck = spill_row_count(p->build[i]) * 100 > p->rows * STUCK_PERCENT;
        TRY(join_part(h, p->build[i], p->probe[i], 0, stuck));
    }
    return OK;
}
