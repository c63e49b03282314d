/* Branches (docs/design/branches.md) for transactions: the layers that a read goes through, the tree that a
 * write goes to, and the calls that make, drop and list branches. */
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"
#include "base/point.h"
#include "core/lsm/redo.h"

/* --- layers ------------------------------------------------------------------------------------ */

static enum status no_tree(tree_id id)
{
    return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)id);
}

/* The tree of the branch itself: one that it made, or its overlay; NULL: none. */
static struct tree *tree_of(const struct forest *f, const struct branch *b, struct tree *base)
{
    if (base->branch == b->id) return base;
    tree_id id = branch_overlay(b, base->id);
    return id ? forest_tree(f, id) : NULL;
}

/* What was forked lies at a pinned moment, unless the reader looks further back than that. */
static enum status layers_of(struct txn *t, struct tree *base, struct layer *ret, uint32_t *ret_count)
{
    const struct branch *b = t->branch;
    struct forest *f = t->store->forest;
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->steps; i++) {
        const struct branch *at = b->path[i].branch;
        bool first = i == 0, own = base->branch == (at ? at->id : 0);
        bool clipped = b->path[i].ts <= t->snapshot || first;
        struct tree *tree = at ? tree_of(f, at, base) : base;
        if (tree && (own || at)) {
            struct layer *l = &ret[n++];
            *l = (struct layer){tree, txn__view(t), t->past || !first};
            if (clipped && !first) l->view.snapshot = b->path[i].ts;
            if (!first) l->view.command = 0;
            if (t->past && !t->pinned && (first || !clipped)) TRY(mvcc__check_past(t, tree));
        }
        if (!own) continue;
        *ret_count = n;
        return OK;
    }
    return no_tree(base->id);
}

enum status mvcc__layers(struct txn *t, tree_id id, struct layer ret[BRANCH_STEPS_MAX],
                         uint32_t *ret_count, bool *ret_own)
{
    struct tree *base;
    if (t->branch) {
        ASSERT(t->depth > 0);
        base = forest_tree(t->store->forest, id);
        if (!base) return no_tree(id);
        TRY(layers_of(t, base, ret, ret_count));
        if (ret_own) *ret_own = *ret_count && ret[0].tree->branch == t->branch->id;
        return OK;
    }
    TRY(mvcc__tree(t, id, &base));
    ret[0] = (struct layer){base, txn__view(t), t->past};
    *ret_count = 1;
    if (ret_own) *ret_own = true;
    return OK;
}

enum status mvcc__own_tree(struct txn *t, tree_id id, struct tree **ret)
{
    if (!t->branch) return mvcc__tree(t, id, ret);
    ASSERT(t->depth > 0);
    struct tree *base = forest_tree(t->store->forest, id);
    if (!base) return no_tree(id);
    *ret = tree_of(t->store->forest, t->branch, base);
    return *ret ? OK : branch_make_overlay(t->branch, base, ret);
}

enum status mvcc__newest_below(struct txn *t, const struct tree *overlay, struct slice key,
                               struct newest *ret)
{
    struct layer layers[BRANCH_STEPS_MAX];
    struct entry e = {0};
    uint32_t n;
    bool gone = false;
    *ret = (struct newest){0};
    if (!overlay->base) return OK;
    uint64_t hash = run_key_hash(key);
    TRY(mvcc__layers(t, overlay->base, layers, &n, NULL));
    for (uint32_t i = 0; i < n && !gone; i++) {
        if (layers[i].tree == overlay) continue;
        enum status st = mvcc__layer_get(t, &layers[i], key, hash, &e, &gone);
        if (st == NOT_FOUND) continue;
        *ret = (struct newest){.found = st == OK, .ts = e.ts, .row = e.row};
        return st;
    }
    return OK;
}

enum status store_version_ts(struct txn *t, tree_id id, struct slice key, uint64_t *ret)
{
    struct layer layers[BRANCH_STEPS_MAX];
    struct entry e = {0};
    uint32_t n;
    bool own, gone;
    *ret = 0;
    TRY(mvcc__layers(t, id, layers, &n, &own));
    if (!n || !own) return OK;
    enum status st = mvcc__layer_get(t, &layers[0], key, run_key_hash(key), &e, &gone);
    if (st == OK || gone) *ret = e.ts;
    return st == NOT_FOUND ? OK : st;
}

/* --- readers of a fork ------------------------------------------------------------------------- */

static struct txn *begin_pinned(struct txn *t, struct branch *b, uint64_t ts)
{
    struct txn *r = txn__begin_reading(t->store, &t->options, t->shard, ts, true);
    r->branch = b;
    r->pinned = true;
    return r;
}

struct txn *txn_begin_fork(struct txn *t)
{
    return begin_pinned(t, branch_parent(t->branch), t->branch->fork_ts);
}

struct txn *txn_begin_marked(struct txn *t, uint64_t ts)
{
    return begin_pinned(t, t->branch, ts);
}

/* --- making and dropping ----------------------------------------------------------------------- */

/* The watermark is durable; what a session has committed asynchronously is to be in it, too. */
static enum status fork_now(struct store *s, uint64_t *ret)
{
    TRY(wal_flush(s->wal));
    *ret = __atomic_load_n(&s->visible_ts, __ATOMIC_SEQ_CST);
    if (!*ret) *ret = 2; /* nothing was ever committed */
    return OK;
}

static enum status check_new(struct forest *f, const struct branch *parent, struct slice name)
{
    if (forest_branch_named(f, name))
        return FAIL(DUPLICATE_DATABASE, "branch \"%.*s\" already exists", (int)name.len, name.data);
    if (parent && parent->dropping)
        return FAIL(OBJECT_IN_USE, "branch \"%s\" is being dropped", parent->name);
    return OK;
}

/* The log has it, but the manifest has not. */
static void forget_new(struct forest *f, struct branch *b, bool logged)
{
    struct error kept = *error_current();
    lsn_t end;
    if (logged && forest_redo_unbranch(f, b->id, &end) != OK) error_clear();
    forest_forget_branch(f, b);
    *error_current() = kept;
}

enum status store_create_branch(struct store *s, struct branch *parent, struct slice name,
                                const struct txn *past, uint32_t *ret_id)
{
    struct forest *f = s->forest;
    struct branch *b = NULL;
    uint64_t ts = past ? past->snapshot : 0;
    if (!name.len || name.len > STORE_BRANCH_NAME_MAX)
        return FAIL(INVALID_PARAMETER_VALUE, "the name of a branch has 1 to %d bytes",
                    STORE_BRANCH_NAME_MAX);
    if (!past) TRY(fork_now(s, &ts));
    fmutex_lock(&f->branches_mutex);
    enum status st = check_new(f, parent, name);
    if (st == OK) st = forest_add_branch(f, parent, name, ts, os_wall_us(s->o.os), &b);
    if (st == OK) b->handles = 1;
    lsn_t end;
    enum status logged = st == OK ? forest_redo_branch(f, b, &end) : st;
    fmutex_unlock(&f->branches_mutex);
    TRY(st);
    st = logged == OK ? forest_log_branch(f, b) : logged; /* while the log is being flushed */
    fmutex_lock(&f->branches_mutex);
    *ret_id = b->id;
    b->handles--;
    if (st != OK) forget_new(f, b, logged == OK);
    fmutex_unlock(&f->branches_mutex);
    return st == OK ? wal_wait(s->wal, end, false) : st;
}

static bool has_children(const struct forest *f, const struct branch *b)
{
    for (size_t i = 0; i < f->branches.count; i++)
        if (branch_parent(f->branches.data[i]) == b) return true;
    return false;
}

/* Trees that wait for the last reader of their past are dropped with the rest. */
static void forget_drops(struct store *s, const struct branch *b)
{
    size_t n = 0;
    fmutex_lock(&s->drops_mutex);
    for (size_t i = 0; i < s->drops.count; i++)
        if (s->drops.data[i].tree->branch != b->id) s->drops.data[n++] = s->drops.data[i];
    s->drops.count = n;
    fmutex_unlock(&s->drops_mutex);
}

enum status store_drop_branch(struct branch *b)
{
    struct forest *f = b->forest;
    struct store *s = f->ctx;
    enum status st = OK;
    fmutex_lock(&f->branches_mutex);
    if (has_children(f, b)) {
        st = FAIL(OBJECT_IN_USE, "cannot drop branch \"%s\" because it has branches of its own",
                  b->name);
        error_hint("Drop those first.");
    } else if (b->handles > 1 || b->dropping) {
        st = FAIL(OBJECT_IN_USE, "branch \"%s\" is being accessed by other users", b->name);
    } else {
        b->dropping = true;
    }
    fmutex_unlock(&f->branches_mutex);
    TRY(st);
    forget_drops(s, b);
    uint32_t id = b->id;
    st = forest_drop_branch(f, b);
    if (st == OK) return OK;
    fmutex_lock(&f->branches_mutex);
    b = forest_branch(f, id);
    b->dropping = false;
    fmutex_unlock(&f->branches_mutex);
    return st;
}

enum status store_mark_branch(struct branch *b, uint64_t keep, uint64_t ts)
{
    struct forest *f = b->forest;
    fmutex_lock(&f->branches_mutex);
    b->marks[0] = keep;
    b->marks[1] = ts;
    lsn_t end;
    enum status st = forest_redo_branch(f, b, &end);
    fmutex_unlock(&f->branches_mutex);
    if (st == OK) st = forest_log_branch(f, b);
    return st == OK ? wal_wait(f->wal, end, false) : st;
}

/* --- handles ----------------------------------------------------------------------------------- */

static struct branch *take_handle(struct branch *b)
{
    if (!b || b->dropping) return NULL;
    b->handles++;
    return b;
}

struct branch *store_open_branch(struct store *s, struct slice name)
{
    struct forest *f = s->forest;
    fmutex_lock(&f->branches_mutex);
    struct branch *b = take_handle(forest_branch_named(f, name));
    fmutex_unlock(&f->branches_mutex);
    return b;
}

struct branch *store_open_branch_id(struct store *s, uint32_t id)
{
    struct forest *f = s->forest;
    fmutex_lock(&f->branches_mutex);
    struct branch *b = take_handle(forest_branch(f, id));
    fmutex_unlock(&f->branches_mutex);
    return b;
}

struct branch *store_ref_branch(struct branch *b)
{
    if (!b) return NULL;
    fmutex_lock(&b->forest->branches_mutex);
    b->handles++;
    fmutex_unlock(&b->forest->branches_mutex);
    return b;
}

void store_close_branch(struct branch *b)
{
    if (!b) return;
    struct forest *f = b->forest;
    fmutex_lock(&f->branches_mutex);
    b->handles--;
    fmutex_unlock(&f->branches_mutex);
}

uint32_t branch_id(const struct branch *b)
{
    return b ? b->id : 0;
}

uint32_t branch_parent_id(const struct branch *b)
{
    return branch_id(branch_parent(b));
}

const char *branch_name(const struct branch *b)
{
    return b ? b->name : "main";
}

uint64_t branch_fork_ts(const struct branch *b)
{
    return b->fork_ts;
}

struct branch *txn_branch(const struct txn *t)
{
    return t->branch;
}

/* --- what they have ---------------------------------------------------------------------------- */

struct listed {
    struct branch_info *info;
    uint32_t count;
};

static enum status add_tree(void *ctx, struct tree *t)
{
    struct listed *l = ctx;
    uint32_t lo = 0, hi = l->count;
    if (!__atomic_load_n(&t->created, __ATOMIC_ACQUIRE)) return OK; /* its branch may not be told yet */
    if (!t->branch) return OK;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (l->info[mid].id < t->branch) lo = mid + 1;
        else hi = mid;
    }
    if (lo == l->count || l->info[lo].id != t->branch) return OK;
    const struct shape *s = tree_shape(t);
    l->info[lo].trees++;
    l->info[lo].bytes += tree_disk_bytes(t);
    for (uint32_t i = 0; i < s->memory_count; i++)
        if (memtable_key_count(s->memories[i]->table))
            l->info[lo].bytes += memtable_bytes(s->memories[i]->table);
    return OK;
}

void store_list_branches(struct store *s, struct arena *a, struct branch_info **ret,
                         uint32_t *ret_count)
{
    struct forest *f = s->forest;
    fmutex_lock(&f->branches_mutex);
    struct listed l = {.count = (uint32_t)f->branches.count};
    l.info = arena_alloc(a, (l.count + 1) * sizeof *l.info);
    for (uint32_t i = 0; i < l.count; i++) {
        const struct branch *b = f->branches.data[i];
        l.info[i] = (struct branch_info){
            .id = b->id, .parent = branch_parent_id(b), .fork_ts = b->fork_ts,
            .created_us = b->created_us, .depth = b->steps - 1,
        };
        memcpy(l.info[i].name, b->name, sizeof b->name);
    }
    fmutex_unlock(&f->branches_mutex);
    if (forest_each(f, add_tree, &l) != OK) error_clear();
    *ret = l.info;
    *ret_count = l.count;
}

void branch_changed_trees(struct branch *b, struct arena *a, tree_id **ret, uint32_t *ret_count)
{
    ARRAY(tree_id) found = {0};
    fmutex_lock(&b->mutex);
    const struct overlay_map *m = b->overlays;
    for (uint32_t i = 0; m && i <= m->mask; i++)
        if (m->slots[i].base) ARENA_PUSH(a, &found, m->slots[i].base);
    fmutex_unlock(&b->mutex);
    *ret = found.data;
    *ret_count = (uint32_t)found.count;
}
