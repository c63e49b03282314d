#include "exec/ops/scan_filter.h"

#include "types/row.h"

/* Where so many rows of eight stay, all are decoded: none has to be picked, and what is decoded at once is
 * read from the first cache. */
enum { DENSE_OF_8 = 5, TRIAL_ROWS = 4096 };

struct slots_read {
    uint64_t *set;
    bool all; /* a subquery reads what it likes */
};

static bool note_slot(void *ctx, const struct expr *e)
{
    struct slots_read *r = ctx;
    if (!e) return true;
    if (e->kind == EXPR_SLOT) r->set[e->slot / 64] |= 1ull << e->slot % 64;
    if (e->kind == EXPR_SUBQUERY) r->all = true;
    return expr_walk(e, note_slot, r);
}

static void add_step(struct scan_steps *s, struct arena *a, const struct plan_node *n,
                     const struct expr *condition, uint64_t *done)
{
    uint32_t slots = n->scan.fetch_count;
    struct scan_step *step = &s->steps[s->count++];
    struct slots_read r = {ARENA_ARRAY(a, uint64_t, n->column_count / 64 + 1), !condition};
    if (condition) (void)note_slot(&r, condition);
    step->condition = condition;
    step->slots = ARENA_ARRAY(a, uint16_t, slots + 1);
    for (uint32_t i = 0; i < slots; i++) {
        uint64_t bit = 1ull << i % 64;
        if ((!r.all && !(r.set[i / 64] & bit)) || done[i / 64] & bit) continue;
        done[i / 64] |= bit;
        step->slots[step->slot_count++] = (uint16_t)i;
    }
}

void scan_steps_of(struct scan_steps *s, struct arena *a, const struct plan_node *n,
                   const struct expr *const *conditions, uint32_t count)
{
    uint64_t *done = ARENA_ARRAY(a, uint64_t, n->column_count / 64 + 1);
    *s = (struct scan_steps){.steps = ARENA_ARRAY(a, struct scan_step, count + 1),
                             .all_count = n->scan.fetch_count};
    for (uint32_t i = 0; i < count; i++) add_step(s, a, n, conditions[i], done);
    add_step(s, a, n, NULL, done);
    s->all = ARENA_ARRAY(a, uint16_t, s->all_count + 1);
    for (uint32_t i = 0; i < s->all_count; i++) s->all[i] = (uint16_t)i;
}

void scan_steps_make(struct scan_steps *s, struct execution *x, const struct plan_node *n)
{
    const struct expr *f = n->filter;
    bool is_and = f && f->kind == EXPR_BOOL && f->bool_op == BOOL_AND;
    if (is_and) scan_steps_of(s, x->arena, n, (const struct expr *const *)f->args, f->arg_count);
    else scan_steps_of(s, x->arena, n, &f, f != NULL);
}

static void decode(const struct plan_node *n, const struct slice *rows, const struct batch *b,
                   const uint16_t *slots, uint32_t slot_count, const struct datum *missing)
{
    bool dense = !b->sel || b->count >= b->rows / 8 * DENSE_OF_8;
    row_decode_picks(n->scan.table->layout, rows, dense ? NULL : b->sel, dense ? b->rows : b->count,
                     n->scan.fetch, slots, slot_count, missing, b->columns);
}

enum status scan_steps_run(struct scan_steps *s, struct execution *x,
                           const struct plan_node *n, const struct slice *rows,
                           const struct datum *missing, struct arena *a, struct batch *b)
{
    uint16_t *sel = n->filter ? arena_alloc(a, b->rows * sizeof *sel) : NULL;
    bool at_once = s->in >= TRIAL_ROWS && s->out >= s->in / 8 * DENSE_OF_8;
    s->in += b->rows;
    if (at_once) decode(n, rows, b, s->all, s->all_count, missing);
    for (uint32_t i = 0; i < s->count && b->count; i++) {
        const struct scan_step *step = &s->steps[i];
        if (!at_once) decode(n, rows, b, step->slots, step->slot_count, missing);
        if (!step->condition) break;
        TRY(exec_filter(x, step->condition, b, a, sel, &b->count));
        b->sel = sel;
    }
    s->out += b->count;
    return OK;
}
