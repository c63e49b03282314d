/* Verification of branches: each has its parent and a fork that lies in the past, and each tree that a branch has is
 * an overlay of one that an ancestor has, the only one, or the branch's own. */
#include "core/lsm/tree_priv.h"
#include "core/lsm/verify_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/fiber.h"
#include "base/hlc.h"

enum { ROUNDS = 50, ROUND_US = 1000 };

static const char *words(char out[ERROR_TEXT_MAX], const char *fmt, ...) PRINTF(2, 3);
static const char *words(char out[ERROR_TEXT_MAX], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out, ERROR_TEXT_MAX, fmt, args);
    va_end(args);
    return out;
}

static bool is_ancestor(const struct branch *b, uint32_t id)
{
    for (uint32_t i = 1; i < b->steps; i++)
        if ((b->path[i].branch ? b->path[i].branch->id : 0) == id) return true;
    return false;
}

/* Under branches_mutex, in an epoch section. NULL: nothing is wrong. */
static const char *check_tree(struct forest *f, const struct tree *t, char out[ERROR_TEXT_MAX])
{
    const struct branch *b = forest_branch(f, t->branch);
    unsigned long long id = t->id, base_id = t->base;
    if (!b) return words(out, "tree %llu is of branch %u, which does not exist", id, t->branch);
    if (!t->base) return NULL;
    const struct tree *base = forest_tree(f, t->base);
    if (!base) return words(out, "tree %llu lies over tree %llu, which does not exist", id, base_id);
    if (!is_ancestor(b, base->branch))
        return words(out, "tree %llu of branch %u lies over tree %llu, which none of its ancestors has", id, b->id,
                     base_id);
    tree_id known = branch_overlay(b, t->base);
    if (known == t->id) return NULL;
    return words(out, "tree %llu lies over tree %llu in branch %u, and so does tree %llu", id, base_id, b->id,
                 (unsigned long long)known);
}

struct trees_check {
    struct forest *forest;
    const struct verify_sink *sink;
    uint64_t checked;
    uint32_t problems;
    ARRAY(tree_id) suspects; /* perhaps just being made or dropped */
    char out[ERROR_TEXT_MAX];
};

static enum status suspect(void *ctx, struct tree *t)
{
    struct trees_check *c = ctx;
    if (!t->branch || !__atomic_load_n(&t->created, __ATOMIC_ACQUIRE)) return OK;
    c->checked++;
    fmutex_lock(&c->forest->branches_mutex);
    if (check_tree(c->forest, t, c->out)) ARRAY_PUSH(&c->suspects, t->id);
    fmutex_unlock(&c->forest->branches_mutex);
    return OK;
}

/* Whether it is wrong yet. */
static bool is_wrong(struct trees_check *c, tree_id id)
{
    struct epoch_slot *slot = epoch_slot_new(c->forest->o.epoch);
    epoch_enter(slot);
    const struct tree *t = forest_tree(c->forest, id);
    fmutex_lock(&c->forest->branches_mutex);
    bool wrong = t && !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE) && check_tree(c->forest, t, c->out);
    fmutex_unlock(&c->forest->branches_mutex);
    epoch_exit(slot);
    epoch_slot_free(slot);
    return wrong;
}

static enum status judge(struct trees_check *c, tree_id id)
{
    struct verify_finding x = {"branches", "overlay", 1, c->out};
    for (int i = 0; i < ROUNDS; i++) {
        if (!is_wrong(c, id)) return OK;
        (void)fiber_sleep_us(ROUND_US);
    }
    c->problems++;
    return c->sink->found(c->sink->ctx, &x);
}

/* Later than all commits, and than what the clock says: one may fork from a moment at which nothing was committed. */
static bool in_future(const struct forest *f, uint64_t ts, uint64_t newest)
{
    return ts > newest && hlc_wall_us(ts) > os_wall_us(f->o.os);
}

static const char *check_branch(const struct forest *f, const struct branch *b, uint64_t newest,
                                char out[ERROR_TEXT_MAX])
{
    const struct branch *parent = branch_parent(b);
    bool listed = !parent;
    for (size_t i = 0; i < f->branches.count; i++) listed |= f->branches.data[i] == parent;
    if (!listed || (parent && parent->id >= b->id))
        return words(out, "branch %u has no parent", b->id);
    if (in_future(f, b->fork_ts, newest) || in_future(f, b->marks[0], newest) || in_future(f, b->marks[1], newest))
        return words(out, "branch %u forks after the newest commit, %llu", b->id, (unsigned long long)newest);
    return b->marks[0] > b->marks[1] ? words(out, "the marks of branch %u are out of order", b->id) : NULL;
}

/* The first that is wrong; problems are few, and told one a look. */
static const char *check_branches(struct forest *f, uint64_t newest, char out[ERROR_TEXT_MAX], uint64_t *ret_checked)
{
    const char *problem = NULL;
    fmutex_lock(&f->branches_mutex);
    *ret_checked = f->branches.count;
    for (size_t i = 0; i < f->branches.count && !problem; i++)
        problem = check_branch(f, f->branches.data[i], newest, out);
    fmutex_unlock(&f->branches_mutex);
    return problem;
}

enum status verify__branches(struct forest *f, uint64_t newest, const struct verify_sink *sink)
{
    struct trees_check c = {.forest = f, .sink = sink};
    struct verify_finding x = {.object = "branches", .kind = "fork"};
    x.problem = check_branches(f, newest, c.out, &x.checked);
    if (x.checked) TRY(sink->found(sink->ctx, &x));
    enum status st = forest_each(f, suspect, &c);
    for (size_t i = 0; i < c.suspects.count && st == OK; i++) st = judge(&c, c.suspects.data[i]);
    ARRAY_RELEASE(&c.suspects);
    x = (struct verify_finding){"branches", "overlay", c.checked, NULL};
    return st == OK && c.checked && !c.problems ? sink->found(sink->ctx, &x) : st;
}
