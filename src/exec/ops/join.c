#include "exec/ops/join.h"

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
    j->right_matched = NULL;
}

static bool left_only(const struct join_run *j)
{
    return j->n->join.type == JOIN_SEMI || j->n->join.type == JOIN_ANTI;
}

static bool keeps_left(const struct join_run *j)
{
    return j->n->join.type == JOIN_LEFT || j->n->join.type == JOIN_FULL;
}

void join_begin_batch(struct join_run *j, const struct batch *left)
{
    j->left = left;
    memset(j->left_matched, 0, left->count);
}

/* left ++ right of the pairs, as a flat batch. */
static void make_pairs(struct join_run *j, struct batch *b)
{
    uint32_t n = j->pairs, columns = j->left_columns + j->right_columns;
    *b = (struct batch){.rows = n, .count = n, .column_count = (uint16_t)columns};
    b->columns = ARENA_ARRAY(j->arena, struct vec, columns + 1);
    uint16_t rows[BATCH_ROWS];
    for (uint32_t i = 0; i < n; i++) rows[i] = (uint16_t)op__row(j->left, j->pair_left[i]);
    for (uint32_t c = 0; c < j->left_columns; c++) {
        vec_init_flat_rows(&b->columns[c], j->left->columns[c].type, n, j->arena);
        vec_gather(&b->columns[c], 0, &j->left->columns[c], rows, n, NULL);
    }
    for (uint32_t c = 0; c < j->right_columns; c++)
        vec_init_flat_rows(&b->columns[j->left_columns + c], j->n->right->columns[c].type, n,
                           j->arena);
    rowset_gather(j->right, j->pair_right, n, 0, j->right_columns, b->columns + j->left_columns);
}

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

static enum status flush_pairs(struct join_run *j)
{
    if (!j->pairs) return OK;
    arena_clear(j->arena);
    exec_arena_prime(j->arena, j->pairs);
    struct batch b;
    make_pairs(j, &b);
    if (j->n->join.condition) {
        uint16_t *sel = arena_alloc(j->arena, b.rows * sizeof *sel);
        TRY(exec_filter(j->x, j->n->join.condition, &b, j->arena, sel, &b.count));
        b.sel = sel;
    }
    for (uint32_t i = 0; i < b.count; i++) {
        uint32_t p = op__row(&b, i);
        j->left_matched[j->pair_left[p]] = true;
        if (j->right_matched) j->right_matched[j->pair_right[p]] = 1;
    }
    j->pairs = 0;
    return left_only(j) ? OK : push_filtered(j, &b);
}

enum status join_add_pair(struct join_run *j, uint32_t left_position, uint32_t right_row)
{
    if (left_only(j) && !j->n->join.condition) {
        j->left_matched[left_position] = true;
        return OK;
    }
    j->pair_left[j->pairs] = (uint16_t)left_position;
    j->pair_right[j->pairs++] = right_row;
    return j->pairs == BATCH_ROWS ? flush_pairs(j) : OK;
}

bool join_left_done(const struct join_run *j, uint32_t left_position)
{
    return left_only(j) && j->left_matched[left_position];
}

enum status join_end_batch(struct join_run *j)
{
    TRY(flush_pairs(j));
    enum join_kind type = j->n->join.type;
    if (!left_only(j) && !keeps_left(j)) return OK;
    arena_clear(j->arena);
    uint16_t *sel = arena_alloc(j->arena, (j->left->count + 1) * sizeof *sel);
    uint32_t n = 0;
    bool want = type == JOIN_SEMI;
    for (uint32_t i = 0; i < j->left->count; i++)
        if (j->left_matched[i] == want) sel[n++] = (uint16_t)op__row(j->left, i);
    if (!n) return OK;
    struct batch b = *j->left;
    b.sel = sel;
    b.count = n;
    if (keeps_left(j)) {
        b.column_count = (uint16_t)(j->left_columns + j->right_columns);
        b.columns = ARENA_ARRAY(j->arena, struct vec, b.column_count + 1);
        memcpy(b.columns, j->left->columns, j->left_columns * sizeof *b.columns);
        for (uint32_t c = 0; c < j->right_columns; c++)
            vec_init_const(&b.columns[j->left_columns + c], j->n->right->columns[c].type,
                           (struct datum){.null = true}, j->arena);
    }
    return push_filtered(j, &b);
}

enum status join_end(struct join_run *j)
{
    if (!j->right_matched) return OK;
    uint32_t columns = j->left_columns + j->right_columns;
    for (uint32_t k = 0; k < j->right->chunk_count; k++) {
        struct batch *chunk = &j->right->chunks[k];
        arena_clear(j->arena);
        uint16_t *sel = arena_alloc(j->arena, chunk->rows * sizeof *sel);
        struct batch b = {.rows = chunk->rows, .sel = sel, .column_count = (uint16_t)columns};
        for (uint32_t i = 0; i < chunk->rows; i++)
            if (!j->right_matched[(uint64_t)k * BATCH_ROWS + i]) sel[b.count++] = (uint16_t)i;
        if (!b.count) continue;
        b.columns = ARENA_ARRAY(j->arena, struct vec, columns + 1);
        for (uint32_t c = 0; c < j->left_columns; c++)
            vec_init_const(&b.columns[c], j->n->left->columns[c].type,
                           (struct datum){.null = true}, j->arena);
        memcpy(b.columns + j->left_columns, chunk->columns, j->right_columns * sizeof *b.columns);
        TRY(push_filtered(j, &b));
    }
    return OK;
}
