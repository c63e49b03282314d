/* Keys that may stand otherwise in two branches, without reading what they share.
 *
 * Both descend from a common line, which each reads as of some moment. What lies above it in either has been
 * changed there: all of it is looked at. Of the common line itself only what was changed after the earlier of the two
 * moments can tell them apart. So the cost is that of what was changed, in whichever of them. */
#include "db/branch_lines_priv.h"

enum { LINES_MAX = 2 * STORE_BRANCH_DEPTH_MAX + 2, KEYS = 64 };

struct line {
    struct branch *branch; /* a handle; NULL: the main line */
    uint64_t ts;           /* it is read as of then */
    uint64_t since;        /* only what was changed after that; 0: all */
    struct txn *txn;
    struct cursor *cursor;
    struct slice keys[KEYS], rows[KEYS];
    uint32_t count, at;
};

struct branch_lines {
    struct session *s;
    struct line lines[LINES_MAX];
    uint32_t count;
};

struct descent {
    struct line steps[STORE_BRANCH_DEPTH_MAX + 1];
    uint32_t count;
};

static void descend(struct store *s, struct branch *b, struct descent *ret)
{
    uint64_t ts = UINT64_MAX;
    ret->count = 0;
    for (struct branch *at = store_ref_branch(b);; at = store_open_branch_id(s, branch_parent_id(at))) {
        ret->steps[ret->count++] = (struct line){.branch = at, .ts = ts};
        if (!at) return;
        if (branch_fork_ts(at) < ts) ts = branch_fork_ts(at);
    }
}

static void close_all(struct descent *x)
{
    for (uint32_t i = 0; i < x->count; i++) store_close_branch(x->steps[i].branch);
}

static void take(struct branch_lines *l, struct line *from, uint64_t since)
{
    struct line *to = &l->lines[l->count++];
    to->branch = store_ref_branch(from->branch);
    to->since = since;
}

/* All above the line where they meet, and what came later there. */
static void choose(struct branch_lines *l, struct descent *a, struct descent *b)
{
    uint32_t i = a->count, k = b->count;
    while (i > 1 && k > 1 && branch_id(a->steps[i - 2].branch) == branch_id(b->steps[k - 2].branch)) {
        i--;
        k--;
    }
    struct line *x = &a->steps[i - 1], *y = &b->steps[k - 1];
    if (x->ts != y->ts) take(l, x, x->ts < y->ts ? x->ts : y->ts);
    for (uint32_t n = 0; n + 1 < i; n++) take(l, &a->steps[n], 0);
    for (uint32_t n = 0; n + 1 < k; n++) take(l, &b->steps[n], 0);
}

enum status branch_lines_new(struct session *s, struct branch *a, struct branch *b,
                             struct branch_lines **ret)
{
    struct descent x, y;
    struct branch_lines *l = *ret = mem_alloc(MEM_SESSION, sizeof *l);
    l->s = s;
    descend(s->db->store, a, &x);
    descend(s->db->store, b, &y);
    choose(l, &x, &y);
    close_all(&x);
    close_all(&y);
    for (uint32_t i = 0; i < l->count; i++) {
        struct line *at = &l->lines[i];
        struct txn_options o = {.isolation = REPEATABLE_READ, .read_only = true, .branch = at->branch,
                                .min_snapshot_ts = s->last_commit_ts};
        TRY(txn_begin(s->db->store, &o, &at->txn));
        txn_statement_begin(at->txn);
    }
    return OK;
}

void branch_lines_close(struct branch_lines *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->lines[i].cursor) cursor_close(l->lines[i].cursor);
        l->lines[i].cursor = NULL;
        l->lines[i].count = l->lines[i].at = 0;
    }
}

void branch_lines_free(struct branch_lines *l)
{
    if (!l) return;
    branch_lines_close(l);
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->lines[i].txn) {
            txn_statement_end(l->lines[i].txn);
            txn_abort(l->lines[i].txn);
        }
        store_close_branch(l->lines[i].branch);
    }
    mem_free(MEM_SESSION, l);
}

/* A line may have lost the tree since, or may have come too late to know it: then it has nothing of it. */
enum status branch_lines_open(struct branch_lines *l, tree_id tree)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct line *at = &l->lines[i];
        struct scan_request q = {.tree = tree, .changes = true, .since = at->since};
        enum status st = store_scan(at->txn, &q, &at->cursor);
        if (st == UNDEFINED_OBJECT) {
            error_clear();
            at->cursor = NULL;
            continue;
        }
        TRY(st);
    }
    return OK;
}

static enum status fill(struct line *x)
{
    if (!x->cursor || x->at < x->count) return OK;
    x->at = 0;
    TRY(cursor_next(x->cursor, x->keys, x->rows, KEYS, &x->count));
    if (x->count) return OK;
    cursor_close(x->cursor);
    x->cursor = NULL;
    return OK;
}

enum status branch_lines_next(struct branch_lines *l, struct slice *ret, bool *ret_any)
{
    *ret_any = false;
    for (uint32_t i = 0; i < l->count; i++) {
        struct line *x = &l->lines[i];
        TRY(fill(x));
        if (x->at == x->count) continue;
        if (!*ret_any || slice_cmp(x->keys[x->at], *ret) < 0) *ret = x->keys[x->at];
        *ret_any = true;
    }
    for (uint32_t i = 0; i < l->count && *ret_any; i++) {
        struct line *x = &l->lines[i];
        if (x->at < x->count && slice_eq(x->keys[x->at], *ret)) x->at++;
    }
    return OK;
}
