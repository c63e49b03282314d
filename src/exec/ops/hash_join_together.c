/* The build side of a hash join by all workers of the gather that stands on it: each keeps the rows that
 * it reads, then they make one table of them, in steps:
 *
 *   count    by the last to arrive: how many rows there are, room for all columns and the table
 *   place    each: its rows into the columns, its entries by part of the table
 *   fill     each: parts that nobody has taken
 *
 * When memory becomes short, whoever sees it says so, and all hand over what they have and what follows
 * to the leader, which spills by itself (hash_join_spill.c). Few rows are placed and filled by the last
 * to arrive. */
#include "exec/ops/gather_priv.h"
#include "exec/ops/hash_join_priv.h"

enum { FEW_ROWS = 16384 };

struct joint_build {
    struct hash_join *h;      /* the leader's, which gets it all */
    struct hash_join **parts; /* by place; NULL: none. Written before their first meeting. */
    uint32_t place_count;
    struct join_entries *entries;           /* by place */
    const struct join_entries **of;
    uint32_t of_count;
    uint32_t *first_rows;     /* by place */
    struct vec *columns;
    uint64_t rows;
    uint32_t table_parts, next_part; /* the latter atomic */
    uint32_t spilling;        /* atomic: rows go to the leader */
    uint32_t twice;           /* atomic: a key came twice, so that the form must be another */
    bool again, done, too_many;
    struct arena_mark planned; /* in the table's arena */
    uint64_t dropped;         /* atomic: rows that were given away as others, as their keys are NULL */
};

bool hash_join__is_spilling(const struct hash_join *h)
{
    return h->joint && __atomic_load_n(&h->joint->spilling, __ATOMIC_RELAXED);
}

void hash_join__say_spilling(struct hash_join *h)
{
    if (h->joint) __atomic_store_n(&h->joint->spilling, 1, __ATOMIC_RELAXED);
}

/* --- rows --------------------------------------------------------------------------------------- */

/* What a worker has kept goes to the leader, and rows that come now. */
static enum status give_away(struct hash_join *h)
{
    const struct rowset *rows = &h->build.rows;
    uint64_t lost = h->build.rows_in - rows->count;
    for (uint32_t k = 0; k < rows->chunk_count; k++) {
        struct batch b = rows->chunks[k];
        b.column_count = (uint16_t)h->j.right_columns;
        TRY(exec_check_canceled(h->j.x));
        TRY(h->j.out->rows(h->j.out->ctx, &b));
    }
    if (lost) __atomic_add_fetch(&h->joint->dropped, lost, __ATOMIC_RELAXED);
    h->build.rows_in = 0;
    hash_join__reset(h);
    return OK;
}

enum status hash_join__pass_on(struct hash_join *h, const struct batch *b)
{
    if (h->build.rows_in) TRY(give_away(h));
    TRY(h->j.out->rows(h->j.out->ctx, b));
    return exec_check(h->j.x);
}

static struct exec_sink begin(void *ctx, struct execution *x, uint32_t place,
                              const struct exec_sink *out)
{
    struct joint_build *t = ctx;
    struct hash_join *h = hash_join__begin(x, t->h->j.n, out);
    h->joint = t;
    h->is_part = true;
    h->builders = t->place_count;
    h->place = place;
    t->parts[place] = h;
    return (struct exec_sink){hash_join__build_rows, h};
}

/* --- steps -------------------------------------------------------------------------------------- */

/* Bits of a chunk to where they may share words with others'. */
static void place_nulls(struct vec *to, uint64_t at, const struct vec *from, uint32_t rows)
{
    uint32_t shift = at & 63;
    uint64_t *words = to->nulls + at / 64;
    for (uint32_t i = 0; i * 64 < rows; i++) {
        uint64_t bits = from->nulls[i];
        if (rows - i * 64 < 64) bits &= (1ull << (rows - i * 64)) - 1;
        if (!bits) continue;
        __atomic_fetch_or(&words[i], bits << shift, __ATOMIC_RELAXED);
        if (shift && bits >> (64 - shift))
            __atomic_fetch_or(&words[i + 1], bits >> (64 - shift), __ATOMIC_RELAXED);
    }
}

/* With `x` it can be canceled. */
static enum status place_rows(struct joint_build *t, uint32_t place, struct execution *x)
{
    struct hash_join *h = t->parts[place];
    const struct rowset *rows = &h->build.rows;
    uint64_t at = t->first_rows[place];
    for (uint32_t k = 0; k < rows->chunk_count; k++) {
        const struct batch *chunk = &rows->chunks[k];
        if (x) TRY(exec_check(x));
        for (uint32_t c = 0; c < h->column_count; c++) {
            struct vec *to = &t->columns[c];
            memcpy((char *)to->data + at * to->width, chunk->columns[c].data,
                   (size_t)chunk->rows * to->width);
            place_nulls(to, at, &chunk->columns[c], chunk->rows);
        }
        at += chunk->rows;
    }
    return join_table_divide(&t->h->build.table, &h->build.table, t->first_rows[place], x,
                             h->rows_arena, &t->entries[place]);
}

static void plan_table(struct joint_build *t)
{
    if (t->again) arena_rewind(t->h->table_arena, t->planned);
    t->planned = arena_mark(t->h->table_arena);
    t->table_parts = join_table_plan(&t->h->build.table, t->h->table_arena, t->again);
    t->next_part = 0;
}

static enum status fill_parts(struct joint_build *t, struct execution *x)
{
    for (;;) {
        uint32_t part = __atomic_fetch_add(&t->next_part, 1, __ATOMIC_RELAXED);
        if (part >= t->table_parts || __atomic_load_n(&t->twice, __ATOMIC_RELAXED)) return OK;
        bool twice;
        TRY(join_table_fill(&t->h->build.table, x, t->of, t->of_count, part, &twice));
        if (twice) __atomic_store_n(&t->twice, 1, __ATOMIC_RELAXED);
    }
}

/* The entries are in order for any form but the hashed, which needs no second try. */
static void plan_again(void *ctx)
{
    struct joint_build *t = ctx;
    t->again = t->twice && !t->again;
    t->twice = 0;
    if (t->again) plan_table(t);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

/* The leader's own rows are among those of its table. */
static void count(void *ctx)
{
    struct joint_build *t = ctx;
    struct hash_join *h = t->h;
    struct join_table sum;
    join_table_init(&sum, h->build.keys.packed);
    for (uint32_t i = 0; i < t->place_count; i++) {
        if (!t->parts[i]) continue;
        t->of[t->of_count++] = &t->entries[i];
        t->first_rows[i] = (uint32_t)t->rows;
        t->rows += t->parts[i]->build.rows.count;
        join_table_count(&sum, &t->parts[i]->build.table);
    }
    t->too_many = t->rows > UINT32_MAX - 2;
    if (t->too_many) return;
    t->columns = ARENA_ARRAY(h->table_arena, struct vec, h->column_count + 1);
    for (uint32_t c = 0; c < h->column_count; c++)
        vec_init_flat_rows(&t->columns[c], h->types[c], (uint32_t)t->rows, h->table_arena);
    sum.blocks = h->build.table.blocks;
    sum.last = h->build.table.last;
    h->build.table = sum;
    plan_table(t);
    if (t->rows > FEW_ROWS) return;
    enum status st = OK;
    for (uint32_t i = 0; i < t->place_count && st == OK; i++)
        if (t->parts[i]) st = place_rows(t, i, NULL);
    if (st == OK) st = fill_parts(t, NULL);
    plan_again(t);
    if (st == OK && t->again) st = fill_parts(t, NULL);
    ASSERT(st == OK);
    t->done = true;
}

static enum status finish(void *ctx, void *own)
{
    struct joint_build *t = ctx;
    struct hash_join *h = own ? own : t->h;
    struct parallel *p = h->j.x->parallel;
    if (!own) t->parts[0] = h;
    TRY(parallel_meet_all(p, &t->spilling, count, t));
    if (hash_join__is_spilling(h)) {
        if (own) return h->build.rows_in ? give_away(h) : OK;
        return h->parts ? OK : hash_join__spill(h);
    }
    if (t->too_many) return FAIL(PROGRAM_LIMIT_EXCEEDED, "a join's side has too many rows");
    if (t->done) return OK;
    TRY(place_rows(t, h->place, h->j.x));
    TRY(parallel_meet_all(p, &t->spilling, nothing, t));
    TRY(fill_parts(t, h->j.x));
    TRY(parallel_meet_all(p, &t->spilling, plan_again, t));
    if (!t->again) return OK;
    TRY(fill_parts(t, h->j.x));
    return parallel_meet_all(p, &t->spilling, nothing, t);
}

/* The bytes of the workers' rows are the leader's from here on. */
static void collect(void *ctx)
{
    struct joint_build *t = ctx;
    struct hash_join *h = t->h;
    uint64_t bytes = 0;
    h->build.rows_in += t->dropped;
    h->build.has_null |= t->dropped > 0;
    for (uint32_t i = 0; i < t->place_count; i++) {
        struct hash_join *w = t->parts[i];
        if (!w) continue;
        bytes += arena_bytes(w->rows_arena) + arena_bytes(w->bytes_arena) +
                 (w == h ? 0 : arena_bytes(w->table_arena));
        if (w == h) continue;
        h->build.rows_in += w->build.rows_in;
        h->build.has_null |= w->build.has_null;
        struct arena *to = exec_arena(h->j.x);
        *to = *w->bytes_arena;
        arena_init(w->bytes_arena, MEM_QUERY);
    }
    if (t->spilling) return;
    h->build.table.blocks = h->build.table.last = NULL;
    hash_join__sealed(h, t->columns, t->rows, bytes);
    arena_clear(h->rows_arena);
}

bool hash_join__builds_together(const struct hash_join *h)
{
    const struct plan_node *n = h->j.n->right;
    return n->kind == PLAN_GATHER && h->j.x->session->workers && !h->build.keeps_right;
}

enum status hash_join__build_together(struct hash_join *h)
{
    struct execution *x = h->j.x;
    const struct plan_node *n = h->j.n->right;
    struct joint_build *t = ARENA_NEW(x->arena, struct joint_build);
    t->h = h;
    t->place_count = n->gather.workers;
    t->parts = ARENA_ARRAY(x->arena, struct hash_join *, t->place_count);
    t->entries = ARENA_ARRAY(x->arena, struct join_entries, t->place_count);
    t->of = ARENA_ARRAY(x->arena, const struct join_entries *, t->place_count);
    t->first_rows = ARENA_ARRAY(x->arena, uint32_t, t->place_count);
    h->joint = t;
    h->builders = t->place_count;
    struct exec_sink sink = {hash_join__build_rows, h};
    enum status st = op__gather_into(x, n, &sink, &(struct gather_into){t, begin, finish, collect});
    h->joint = NULL;
    h->builders = 1;
    if (st == OK && t->spilling && !h->parts) st = hash_join__seal(h);
    if (x->stats) x->stats[n->id].rows += h->build.rows_in;
    return st;
}
