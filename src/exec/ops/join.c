#include "exec/ops/join.h"

/* Fewer than one in so many rows matched: the batch is made anew, small. */
enum { SPARSE = 4 };

void join_init(struct join_run *j, struct execution *x, const struct plan_node *n,
               const struct exec_sink *out, struct arena *a)
{
    j->x = x;
    j->n = n;
    j->out = out;
    j->arena = a;
    j->pairs = 0;
    j->left_columns = n->left->column_count;
    j->right_columns = n->right->column_count;
    j->right = NULL;
    j->right_count = 0;
    j->right_matched = NULL;
}

bool join_left_only(const struct join_run *j)
{
    return j->n->join.type == JOIN_SEMI || j->n->join.type == JOIN_ANTI;
}

bool join_keeps_left(const struct join_run *j)
{
    return j->n->join.type == JOIN_LEFT || j->n->join.type == JOIN_FULL;
}

void join_begin_batch(struct join_run *j, const struct batch *left)
{
    j->left = left;
    memset(j->left_matched, 0, left->rows);
}

/* --- the batch of pairs ----------------------------------------------------------------------- */

/* Has no left row two pairs? */
static bool is_single(const struct join_run *j)
{
    bool single = true;
    for (uint32_t i = 1; i < j->pairs; i++) single &= j->pair_left[i - 1] < j->pair_left[i];
    return single;
}

static void add_right(const struct join_run *j, struct vec *to, const uint32_t *codes)
{
    for (uint32_t c = 0; c < j->right_columns; c++)
        to[c] = (struct vec){.type = j->right[c].type, .form = VEC_DICT, .width = j->right[c].width,
                             .codes = codes, .dict = &j->right[c]};
}

/* The left batch as it is, with a selection; codes are at the left rows. */
static const uint32_t *make_in_place(struct join_run *j, struct batch *b)
{
    uint32_t *codes = ARENA_ARRAY(j->arena, uint32_t, j->left->rows);
    b->rows = j->left->rows;
    b->sel = arena_memdup(j->arena, j->pair_left, j->pairs * sizeof *b->sel);
    for (uint32_t i = 0; i < j->pairs; i++) codes[j->pair_left[i]] = j->pair_right[i];
    memcpy(b->columns, j->left->columns, j->left_columns * sizeof *b->columns);
    add_right(j, b->columns + j->left_columns, codes);
    return codes;
}

/* Codes of columns that came from one join are one array: it is composed once. */
static void gather_left(struct join_run *j, const struct vec *from, struct vec *to,
                        const uint32_t **last_codes, const uint32_t **last_made)
{
    if (from->form == VEC_CONST) {
        *to = *from;
        return;
    }
    if (from->form == VEC_FLAT) {
        vec_init_flat_rows(to, from->type, j->pairs, j->arena);
        vec_gather(to, 0, from, j->pair_left, j->pairs, NULL);
        return;
    }
    if (*last_codes != from->codes) {
        uint32_t *made = arena_alloc(j->arena, j->pairs * sizeof *made);
        for (uint32_t i = 0; i < j->pairs; i++) made[i] = from->codes[j->pair_left[i]];
        *last_codes = from->codes;
        *last_made = made;
    }
    *to = *from;
    to->codes = *last_made;
}

static void make_anew(struct join_run *j, struct batch *b)
{
    const uint32_t *last_codes = NULL, *last_made = NULL;
    b->rows = j->pairs;
    for (uint32_t c = 0; c < j->left_columns; c++)
        gather_left(j, &j->left->columns[c], &b->columns[c], &last_codes, &last_made);
    add_right(j, b->columns + j->left_columns,
              arena_memdup(j->arena, j->pair_right, j->pairs * sizeof *j->pair_right));
}

/* Returns the right rows by left row when the batch is the left one, else NULL. */
static const uint32_t *make_pairs(struct join_run *j, struct batch *b)
{
    uint32_t columns = j->left_columns + j->right_columns;
    *b = (struct batch){.count = j->pairs, .column_count = (uint16_t)columns};
    b->columns = ARENA_ARRAY(j->arena, struct vec, columns + 1);
    if (j->pairs * SPARSE >= j->left->rows && is_single(j)) return make_in_place(j, b);
    make_anew(j, b);
    return NULL;
}

/* --- matches ---------------------------------------------------------------------------------- */

static enum status push_filtered(struct join_run *j, struct batch *b)
{
    if (j->n->filter) {
        uint16_t *sel = arena_alloc(j->arena, (b->count + 1) * sizeof *sel);
        struct batch all = *b;
        TRY(exec_filter(j->x, j->n->filter, &all, j->arena, sel, &b->count));
        b->sel = sel;
    }
    return op__push(j->x, j->out, b);
}

/* Threads that share a right side all write ones. */
static void mark_all(struct join_run *j, const struct batch *b, const uint32_t *by_left)
{
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t p = op__row(b, i);
        uint32_t left = by_left ? p : j->pair_left[p], right = by_left ? by_left[p] : j->pair_right[p];
        j->left_matched[left] = true;
        if (j->right_matched) __atomic_store_n(&j->right_matched[right], 1, __ATOMIC_RELAXED);
    }
}

enum status join_flush(struct join_run *j)
{
    if (!j->pairs) return OK;
    if (join_left_only(j) && !j->n->join.condition) {
        for (uint32_t i = 0; i < j->pairs; i++) j->left_matched[j->pair_left[i]] = true;
        j->pairs = 0;
        return OK;
    }
    TRY(exec_check(j->x));
    arena_clear(j->arena);
    op__prime(j->x, j->arena, j->pairs);
    struct batch b;
    const uint32_t *by_left = make_pairs(j, &b);
    if (j->n->join.condition) {
        uint16_t *sel = arena_alloc(j->arena, b.rows * sizeof *sel);
        TRY(exec_filter(j->x, j->n->join.condition, &b, j->arena, sel, &b.count));
        b.sel = sel;
    }
    mark_all(j, &b, by_left);
    j->pairs = 0;
    return join_left_only(j) ? OK : push_filtered(j, &b);
}

enum status join_add_pair(struct join_run *j, uint32_t left_row, uint32_t right_row)
{
    j->pair_left[j->pairs] = (uint16_t)left_row;
    j->pair_right[j->pairs++] = right_row;
    return j->pairs == BATCH_ROWS ? join_flush(j) : OK;
}

bool join_left_done(const struct join_run *j, uint32_t left_row)
{
    return join_left_only(j) && j->left_matched[left_row];
}

enum status join_push_left(struct join_run *j, const struct batch *left)
{
    struct batch b = *left;
    if (!join_left_only(j)) {
        b.column_count = (uint16_t)(j->left_columns + j->right_columns);
        b.columns = ARENA_ARRAY(j->arena, struct vec, b.column_count + 1);
        memcpy(b.columns, left->columns, j->left_columns * sizeof *b.columns);
        for (uint32_t c = 0; c < j->right_columns; c++)
            vec_init_const(&b.columns[j->left_columns + c], j->n->right->columns[c].type,
                           (struct datum){.null = true}, j->arena);
    }
    return push_filtered(j, &b);
}

enum status join_end_batch(struct join_run *j)
{
    TRY(join_flush(j));
    if (!join_left_only(j) && !join_keeps_left(j)) return OK;
    arena_clear(j->arena);
    uint16_t *sel = arena_alloc(j->arena, (j->left->count + 1) * sizeof *sel);
    uint32_t n = 0;
    bool want = j->n->join.type == JOIN_SEMI;
    for (uint32_t i = 0; i < j->left->count; i++) {
        uint32_t row = op__row(j->left, i);
        sel[n] = (uint16_t)row;
        n += j->left_matched[row] == want;
    }
    if (!n) return OK;
    struct batch b = *j->left;
    b.sel = sel;
    b.count = n;
    return join_push_left(j, &b);
}

enum status join_push_right(struct join_run *j, const struct batch *right)
{
    struct batch b = *right;
    b.column_count = (uint16_t)(j->left_columns + j->right_columns);
    b.columns = ARENA_ARRAY(j->arena, struct vec, b.column_count + 1);
    for (uint32_t c = 0; c < j->left_columns; c++)
        vec_init_const(&b.columns[c], j->n->left->columns[c].type, (struct datum){.null = true},
                       j->arena);
    memcpy(b.columns + j->left_columns, right->columns, j->right_columns * sizeof *b.columns);
    return push_filtered(j, &b);
}

enum status join_end(struct join_run *j)
{
    if (!j->right_matched) return OK;
    for (uint64_t at = 0; at < j->right_count;) {
        arena_clear(j->arena);
        uint32_t *codes = arena_alloc(j->arena, BATCH_ROWS * sizeof *codes), n = 0;
        for (; at < j->right_count && n < BATCH_ROWS; at++)
            if (!j->right_matched[at]) codes[n++] = (uint32_t)at;
        if (!n) break;
        struct batch b = {.rows = n, .count = n, .column_count = (uint16_t)j->right_columns};
        b.columns = ARENA_ARRAY(j->arena, struct vec, j->right_columns + 1);
        add_right(j, b.columns, codes);
        TRY(join_push_right(j, &b));
    }
    return OK;
}
