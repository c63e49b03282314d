/* Which of a gather's hash joins are built first. Those above come first, as their filters narrow what the
 * lower ones build of. But where the rows that will be probed are few, it is the other way round: their keys
 * narrow what is built.
 *
 * What is known of those keys before any row is probed: a join further down lets only keys of its own build
 * through; or they come from the scan at the bottom, which then is run once more, for its keys alone. */
#include "exec/ops/gather_run_priv.h"

#include "exec/ops/row_filter.h"
#include "sql/plan_exprs.h"

/* So many times fewer keys make it worth while, for so many rows; and so many more may be read to find them. */
enum { JOINS_MAX = 64, NARROW = 4, ROWS_WORTH = 10000, READ_AGAIN = 4 };

struct builds {
    struct gather *g;
    struct execution *x;
    const struct plan_node *joins[JOINS_MAX]; /* from the top down */
    uint32_t count;
    bool alone;
};

/* --- where the probed rows' keys come from ------------------------------------------------------ */

/* One node down: the slot's place in the node below; false: it is made here, or rows are added. */
static bool step_down(const struct plan_node *n, uint32_t *slot)
{
    const struct expr *e;
    switch (n->kind) {
    case PLAN_FILTER:
    case PLAN_SUBQUERY_SCAN: return true;
    case PLAN_PROJECT: e = n->project.exprs[*slot]; break;
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP:
        return *slot < n->left->column_count &&
               (n->join.type == JOIN_INNER || n->join.type == JOIN_LEFT ||
                n->join.type == JOIN_SEMI || n->join.type == JOIN_ANTI);
    default: return false;
    }
    if (e->kind != EXPR_SLOT) return false;
    *slot = e->slot;
    return true;
}

/* Is the slot of `from`, which is above the join, the join's key? */
static bool comes_from(const struct plan_node *from, uint32_t slot, const struct plan_node *join)
{
    while (from != join)
        if (!step_down(from, &slot)) return false;
        else from = from->left;
    enum join_kind type = join->join.type;
    if (join->join.key_count != 1 || (type != JOIN_INNER && type != JOIN_SEMI)) return false;
    const struct expr *left = join->join.left_keys[0], *right = join->join.right_keys[0];
    if (left->kind == EXPR_SLOT && left->slot == slot) return true;
    return type == JOIN_INNER && right->kind == EXPR_SLOT &&
           slot == right->slot + join->left->column_count;
}

static const struct plan_node *bottom_scan(const struct plan_node *n, uint32_t *slot)
{
    for (; n->kind != PLAN_SCAN; n = n->left)
        if (!step_down(n, slot)) return NULL;
    return *slot < n->scan.fetch_count ? n : NULL;
}

/* --- the keys of a scan ------------------------------------------------------------------------ */

struct key_list {
    struct execution *x;
    struct row_filter filter;
    struct join_keys keys;
    struct join_table table;
    struct arena *staging;
    type_id type;
    uint32_t slot;
};

static enum status take_keys(void *ctx, const struct batch *b)
{
    struct key_list *k = ctx;
    uint16_t rows[BATCH_ROWS];
    uint64_t keys[BATCH_ROWS];
    bool null;
    uint32_t n = join_keys_read(&k->keys, &b->columns[k->slot], b->sel, b->count, rows, keys, &null);
    join_table_add(&k->table, k->staging, keys, 0, n);
    return OK;
}

/* By this execution alone, uncounted. */
static enum status list_keys(struct execution *x, const struct plan_node *scan, struct key_list *k)
{
    struct parallel *p = x->parallel;
    struct node_stats *stats = x->stats;
    struct exec_sink sink = {take_keys, k};
    k->x = x;
    k->keys = join_keys_of(&k->type, 1);
    k->staging = exec_arena(x);
    join_table_init(&k->table, k->keys.packed);
    x->parallel = NULL;
    x->stats = NULL;
    enum status st = op__run(x, scan, &sink);
    x->parallel = p;
    x->stats = stats;
    TRY(st);
    TRY(join_table_seal(&k->table, x, exec_arena(x)));
    return row_filter_make(x, exec_arena(x), &k->keys, &k->table, &k->filter);
}

static bool is_simple(void *ctx, const struct expr *e)
{
    (void)ctx;
    return !e || (e->kind != EXPR_SUBQUERY && expr_walk(e, is_simple, NULL));
}

/* --- in which order ----------------------------------------------------------------------------- */

static bool may_narrow(const struct plan_node *n)
{
    enum join_kind type = n->join.type;
    bool drops = type == JOIN_INNER || type == JOIN_LEFT || type == JOIN_SEMI || type == JOIN_ANTI;
    return drops && !n->join.null_aware;
}

/* How many values the slot has in all: of fewer keys than that, some are narrower than all rows. */
static double values_of(const struct plan_node *scan, uint32_t slot)
{
    double distinct = scan->columns[slot].distinct;
    return distinct > 0 && distinct < scan->rows ? distinct : scan->rows;
}

/* What the build side has to do with when nothing narrows the scan below it: its own rows, or those that it
 * groups or joins first. A join leaves few of its left side's, as its own filter narrows that. */
static double rows_without(const struct plan_node *n, const struct plan_node *scan)
{
    double most = n->rows;
    for (; n && n != scan; n = n->left) {
        if (n->kind == PLAN_HASH_JOIN || n->kind == PLAN_NESTED_LOOP) return n->rows > most ? n->rows : most;
        if (n->left && n->left->rows > most) most = n->left->rows;
    }
    return most;
}

static enum status build(struct builds *b, uint32_t i);

/* *ret NULL: nothing narrows what is built. */
static enum status find_filter(struct builds *b, uint32_t i, struct row_filter **ret)
{
    const struct plan_node *n = b->joins[i];
    *ret = NULL;
    for (uint32_t k = 0; k < n->join.key_count && may_narrow(n); k++) {
        const struct expr *left = n->join.left_keys[k], *right = n->join.right_keys[k];
        if (left->kind != EXPR_SLOT || right->kind != EXPR_SLOT) continue;
        uint32_t slot = right->slot, bottom = left->slot;
        const struct plan_node *target = row_filter_find(n->right, &slot), *scan;
        if (!target) continue;
        double values = values_of(target, slot), rows = rows_without(n->right, target);
        if (rows < ROWS_WORTH) continue;
        for (uint32_t j = i + 1; j < b->count; j++) {
            const struct plan_node *low = b->joins[j];
            if (low->right->rows * NARROW > values || !comes_from(n->left, left->slot, low)) continue;
            TRY(build(b, j));
            struct row_filter *f = ARENA_NEW(b->x->arena, struct row_filter);
            if (!op__hash_filter(b->g->p.tables[low->id], f)) continue;
            row_filter_put(b->x, target, slot, f);
            *ret = f;
            return OK;
        }
        scan = bottom_scan(n->left, &bottom);
        if (!scan || scan->rows * NARROW > values || scan->scan.rows_read > rows * READ_AGAIN ||
            !is_simple(NULL, scan->filter) || expr_is_volatile(scan->filter ? scan->filter : left))
            continue;
        struct key_list *list = ARENA_NEW(b->x->arena, struct key_list);
        list->slot = bottom;
        list->type = left->type;
        TRY(list_keys(b->x, scan, list));
        row_filter_put(b->x, target, slot, &list->filter);
        *ret = &list->filter;
        return OK;
    }
    return OK;
}

static enum status build(struct builds *b, uint32_t i)
{
    const struct plan_node *n = b->joins[i];
    struct row_filter *narrow;
    struct execution *x = b->x;
    if (b->g->p.tables[n->id]) return OK;
    TRY(find_filter(b, i, &narrow));
    struct exec_usage before = op__usage(x);
    enum status st = op__hash_build(x, n, &b->g->p.tables[n->id], &b->alone);
    if (narrow) row_filter_detach(x, narrow);
    TRY(st);
    for (const struct plan_node *above = b->g->n->left; above != n->left; above = above->left)
        op__count_usage(x, above, &before);
    return OK;
}

enum status gather__build(struct gather *g, struct execution *x, bool *ret_alone)
{
    struct builds b = {.g = g, .x = x};
    for (const struct plan_node *n = g->n->left; n && b.count < JOINS_MAX; n = n->left)
        if (n->kind == PLAN_HASH_JOIN && n->join.shared) b.joins[b.count++] = n;
    for (uint32_t i = 0; i < b.count; i++) TRY(build(&b, i));
    *ret_alone = b.alone;
    return OK;
}
