/* Compaction: leveled (O'Neil et al., "The LSM-tree", 1996; as LevelDB lays it out).
 *
 * Level 0 is due at LEVEL0_RUNS_DUE runs, or when it and level 1 are small and of like size: all of them merge with
 * what they overlap in level 1. A deeper
 * level is due when it outgrows its target (LEVEL_RATIO times the one above): one run of it, taken round
 * robin, merges with what it overlaps below. Old runs leave the manifest in the edit that names the
 * new ones; their extents are freed when no reader's shape names them.
 *
 * A run that overlaps nothing on its way down, and has nothing to be dropped, is moved as it is. Runs
 * that a transaction has loaded and not committed stay where they are; those older than one that is
 * committed, but not yet installed, may go, while newer ones may hold newer versions of its keys. */
#include "core/lsm/advance_priv.h"

#include "base/mem.h"
#include "base/point.h"
#include "core/segment/run_columns.h"

enum { INPUTS_MAX = 256, MOVED_PART = 16, HOT_RATIO = 4, HOT_BYTES_MAX = 8 << 20 };

struct compaction {
    struct tree *tree;
    uint32_t from, to;              /* levels */
    bool history;                   /* the inputs are history runs */
    bool expired;                   /* … and none of them is needed any more */
    bool moves;                     /* the inputs themselves go one level down */
    ARRAY(struct run_ref *) inputs; /* a reference on each; newer ones first */
    size_t upper;                   /* so many inputs, the first ones, are of `from` */
    struct time_spans spans;        /* of history runs */
    bool bottom;                    /* nothing older lies below */
    struct run_edit edit;
};

static uint64_t level_bytes(const struct shape *s, uint32_t level)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s->levels[level].count; i++)
        bytes += run_bytes(s->levels[level].runs[i]->run);
    return bytes;
}

uint64_t tree__level_target(const struct forest *f, uint32_t level)
{
    uint64_t bytes = f->o.level1_bytes;
    for (uint32_t l = 1; l < level; l++) bytes *= LEVEL_RATIO;
    return bytes;
}

static enum run_state state_of(const struct run_ref *r)
{
    return (enum run_state)__atomic_load_n(&r->state, __ATOMIC_ACQUIRE);
}

/* Its transaction has committed, so that newer versions of its keys may lie above it. */
static bool decided(const struct run_ref *r)
{
    return state_of(r) == RUN_PREPARED && !(__atomic_load_n(&r->begin, __ATOMIC_ACQUIRE) & 1);
}

/* The runs of level 0 that may be taken lie from here to the end, loaded ones between them apart. */
static uint32_t first_free(const struct shape *s)
{
    uint32_t i = s->levels[0].count;
    while (i > 0 && !decided(s->levels[0].runs[i - 1])) i--;
    return i;
}

/* What is left of a memtable of updates to few rows is small, and hides most of what lies below: merged at once,
 * it costs little beside the memtable, and scans have one run less to go through. */
static bool is_hot(const struct shape *s, uint32_t first)
{
    uint64_t bytes = 0, below = level_bytes(s, 1);
    for (uint32_t i = first; i < s->levels[0].count; i++) bytes += run_bytes(s->levels[0].runs[i]->run);
    return below && below <= HOT_RATIO * bytes && bytes + below <= HOT_BYTES_MAX;
}

/* The most urgent level, or LEVELS_MAX. */
static uint32_t due_level(const struct forest *f, const struct shape *s)
{
    uint32_t free = 0;
    for (uint32_t i = first_free(s); i < s->levels[0].count; i++)
        free += state_of(s->levels[0].runs[i]) == RUN_INSTALLED;
    if (free >= LEVEL0_RUNS_DUE || (free && is_hot(s, first_free(s)))) return 0;
    for (uint32_t l = 1; l + 1 < LEVELS_MAX; l++)
        if (level_bytes(s, l) > tree__level_target(f, l)) return l;
    return LEVELS_MAX;
}

/* Which history runs are due. */
static bool history_due(struct tree *t, const struct shape *s, struct history_pick *ret)
{
    uint64_t horizon, floor;
    struct pins pins;
    *ret = (struct history_pick){0};
    if (!s->levels[HISTORY].count) return false;
    t->forest->horizon(t->forest->ctx, t, &horizon, &floor);
    forest_pins(t->forest, t, &pins);
    bool due = history__pick(t->forest, s, floor, &pins, ret);
    pins_release(&pins);
    return due;
}

bool tree_compaction_due(struct tree *t)
{
    struct history_pick p;
    const struct shape *s = tree_shape(t);
    uint32_t level, at;
    if (due_level(t->forest, s) < LEVELS_MAX || tree__find_misfit(t, s, &level, &at)) return true;
    return history_due(t, s, &p);
}

static void take_input(struct compaction *c, struct run_ref *r)
{
    __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
    ARRAY_PUSH(&c->inputs, r);
    ARRAY_PUSH(&c->edit.removed, r->id);
}

/* The runs of the level that overlap [min, max]. */
static void take_overlapping(struct compaction *c, const struct level *v, struct slice min,
                             struct slice max)
{
    for (uint32_t i = 0; i < v->count; i++) {
        struct run *r = v->runs[i]->run;
        if (slice_cmp(run_max_key(r), min) >= 0 && slice_cmp(run_min_key(r), max) <= 0)
            take_input(c, v->runs[i]);
    }
}

static bool overlaps(const struct run *a, const struct run *b)
{
    return slice_cmp(run_max_key(a), run_min_key(b)) >= 0 &&
           slice_cmp(run_min_key(a), run_max_key(b)) <= 0;
}

static bool overlaps_level(const struct run *r, const struct level *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (overlaps(r, v->runs[i]->run)) return true;
    return false;
}

/* Run `at` of the level may go down as it is. Small ones are merged, or they would stay so. */
static bool movable(const struct compaction *c, const struct shape *s, uint32_t level, uint32_t at)
{
    const struct level *from = &s->levels[level];
    const struct run *r = from->runs[at]->run;
    if (run_tombstone_count(r) || run_entry_count(r) != run_key_count(r)) return false;
    if (tree_misfits(c->tree, from->runs[at])) return false;
    if (run_bytes(r) < c->tree->forest->o.run_bytes / MOVED_PART) return false;
    if (overlaps_level(r, &s->levels[level + 1])) return false;
    for (uint32_t i = at + 1; level == 0 && i < from->count; i++) /* older ones */
        if (overlaps(r, from->runs[i]->run)) return false;
    return true;
}

static void pick_level0(struct compaction *c, const struct shape *s)
{
    const struct level *from = &s->levels[0];
    uint32_t first = first_free(s);
    for (uint32_t i = first; i < from->count; i++) {
        if (state_of(from->runs[i]) != RUN_INSTALLED || !movable(c, s, 0, i)) continue;
        c->moves = true;
        take_input(c, from->runs[i]);
    }
    if (c->moves) return;
    uint32_t at = from->count, count = 0; /* the oldest, if they are too many */
    while (at > first && count < INPUTS_MAX)
        count += state_of(from->runs[--at]) == RUN_INSTALLED;
    for (; at < from->count; at++)
        if (state_of(from->runs[at]) == RUN_INSTALLED) take_input(c, from->runs[at]);
}

static void pick_inputs(struct compaction *c, const struct shape *s, uint32_t level)
{
    const struct level *from = &s->levels[level];
    c->from = level;
    c->to = level + 1;
    if (level == 0) {
        pick_level0(c, s);
    } else {
        uint32_t at = c->tree->next_compaction[level]++ % from->count;
        take_input(c, from->runs[at]);
        c->moves = movable(c, s, level, at);
    }
    if (c->moves || c->inputs.count == 0) return; /* none: loads went on meanwhile */
    struct slice min = run_min_key(c->inputs.data[0]->run);
    struct slice max = run_max_key(c->inputs.data[0]->run);
    for (size_t i = 1; i < c->inputs.count; i++) {
        struct run *r = c->inputs.data[i]->run;
        if (slice_cmp(run_min_key(r), min) < 0) min = run_min_key(r);
        if (slice_cmp(run_max_key(r), max) > 0) max = run_max_key(r);
    }
    c->upper = c->inputs.count;
    take_overlapping(c, &s->levels[c->to], min, max);
    c->bottom = true;
    for (uint32_t l = c->to + 1; l < LEVELS_MAX; l++)
        c->bottom = c->bottom && s->levels[l].count == 0;
}

/* A run that is not kept as the tree wants: merged by itself to where it is, but for level 0, whose order counts. */
static void pick_misfit(struct compaction *c, const struct shape *s)
{
    uint32_t level, at;
    if (!tree__find_misfit(c->tree, s, &level, &at)) return;
    if (level == 0) {
        pick_inputs(c, s, 0);
        return;
    }
    c->from = c->to = level;
    take_input(c, s->levels[level].runs[at]);
    c->upper = 1;
    c->bottom = true;
    for (uint32_t l = level + 1; l < LEVELS_MAX; l++) c->bottom = c->bottom && s->levels[l].count == 0;
}

/* `all`: for VACUUM FULL, whatever their sizes. */
static void pick_history(struct compaction *c, const struct shape *s, bool all)
{
    const struct level *v = &s->levels[HISTORY];
    struct history_pick p;
    c->history = true;
    bool due = history_due(c->tree, s, &p);
    c->expired = due && p.expired;
    c->spans = all && !c->expired ? history__all_spans(c->tree->forest, v, 0) : p.spans;
    if (all && !c->expired)
        for (uint32_t i = 0; i < v->count; i++) take_input(c, v->runs[i]);
    else if (due)
        for (uint32_t i = 0; i < p.count; i++) take_input(c, v->runs[p.at[i]]);
}

static enum status collect_run(void *ctx, bool history, struct slice meta)
{
    struct compaction *c = ctx;
    return run_edit__add(c->tree->forest, &c->edit, history ? HISTORY : c->to, meta);
}

/* What a merge of levels makes past ended, most of it, after all that lay below was written. */
static struct time_spans spans_of(const struct compaction *c, uint64_t horizon, uint64_t floor)
{
    uint64_t bytes = 0, from = floor, least = UINT64_MAX, to = 0;
    for (size_t i = 0; i < c->inputs.count; i++) {
        const struct run *r = c->inputs.data[i]->run;
        bool upper = i < c->upper;
        if (upper) bytes += run_bytes(r);
        if (upper && run_min_ts(r) < least) least = run_min_ts(r);
        if (!upper && run_max_ts(r) > from) from = run_max_ts(r);
        if (run_max_ts(r) > to) to = run_max_ts(r);
    }
    if (c->upper == c->inputs.count && least > from) from = least;
    return history__spans(c->tree->forest, bytes, from, to, horizon > floor ? horizon - floor : 0);
}

static enum status merge_all(struct compaction *c, const struct merge_options *o)
{
    struct entry_source **sources = mem_alloc(MEM_RUN, c->inputs.count * sizeof(void *));
    uint32_t count = 0;
    enum status st = OK;
    for (size_t i = 0; i < c->inputs.count && st == OK; i++) {
        st = run_source_new(c->inputs.data[i]->run, &sources[count]);
        if (st == OK) count++;
    }
    if (st == OK) st = merge_runs(sources, count, o, collect_run, c);
    for (uint32_t i = 0; i < count; i++) run_source_free(sources[i]);
    mem_free(MEM_RUN, sources);
    return st;
}

static enum status merge_inputs(struct compaction *c)
{
    struct forest *f = c->tree->forest;
    struct merge_options o = {
        .drop_tombstones = c->bottom && !c->tree->base,
        .history = c->history,
        .run = {.blocks = f->blocks, .cache = f->cache, .tree = c->tree->id, .filter_bits = 10,
                .compress = true, .history = c->history},
        .run_bytes_max = f->o.run_bytes,
        .past_bytes_max = HISTORY_RUN_BYTES,
    };
    struct pins pins;
    f->horizon(f->ctx, c->tree, &o.horizon_ts, &o.floor_ts);
    forest_pins(f, c->tree, &pins); /* after that: who forks from the past holds a snapshot until then */
    o.pins = pins.ts.data;
    o.pin_count = pins.ts.count;
    o.run.columns = tree_layout(c->tree);
    o.spans = c->history ? c->spans : spans_of(c, o.horizon_ts, o.floor_ts);
    enum status st = merge_all(c, &o);
    if (st == COLUMNS_UNFIT) {
        run_edit__discard(&c->edit);
        o.run.keep_rows = true;
        st = merge_all(c, &o);
    }
    if (st == OK) tree__note_unfit(o.run.columns, &c->edit);
    run_layout_unref(o.run.columns);
    pins_release(&pins);
    return st == OK ? blocks_sync(f->blocks) : st;
}

static enum status move_inputs(struct compaction *c)
{
    for (size_t i = 0; i < c->inputs.count; i++) {
        struct run_ref *r = c->inputs.data[i];
        __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
        ARRAY_PUSH(&c->edit.added, r);
        ARRAY_PUSH(&c->edit.added_level, c->to);
    }
    return OK;
}

static enum status install(struct compaction *c)
{
    struct tree *t = c->tree;
    struct forest *f = t->forest;
    enum status st = OK;
    struct advance a;
    tree__advance(t, &c->edit, NULL, &a);
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    c->edit.replay_lsn = t->replay_lsn;
    c->edit.rows = __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
    if (!t->dropped && !t->drop_logged) {
        POINT("compact.before_manifest");
        st = forest__log_edit(f, t, &c->edit);
        POINT("compact.after_manifest");
    }
    if (st == OK) {
        struct shape *next = shape__copy(t->shape);
        for (size_t i = 0; i < c->inputs.count; i++) {
            if (!c->moves) __atomic_store_n(&c->inputs.data[i]->doomed, true, __ATOMIC_RELEASE);
            shape__remove_run(next, c->inputs.data[i]->id);
        }
        for (size_t i = 0; i < c->edit.added.count; i++) {
            struct run_ref *r = c->edit.added.data[i];
            if (t->dropped || !c->moves) __atomic_store_n(&r->doomed, t->dropped, __ATOMIC_RELEASE);
            shape__add_run(next, c->edit.added_level.data[i], r);
        }
        tree__apply_advance(t, next, &a);
        tree__set_shape(t, next);
    }
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    advance__release(&a);
    return st;
}

/* Takes the flag, or tells that somebody else has it or waits for it. */
static bool begin_work(struct tree *t)
{
    fmutex_lock(&t->forest->work_mutex);
    bool mine = !t->compacting && !t->compactions_wanted &&
                !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE);
    if (mine) t->compacting = true;
    fmutex_unlock(&t->forest->work_mutex);
    return mine;
}

/* Takes the flag, waiting for whoever has it. */
enum status tree__begin_work(struct tree *t, bool *ret)
{
    struct forest *f = t->forest;
    enum status st = OK;
    fmutex_lock(&f->work_mutex);
    t->compactions_wanted++;
    while (t->compacting && st == OK)
        if (fcond_wait(&f->work_done, &f->work_mutex, 0) == PARK_CANCELED)
            st = FAIL(QUERY_CANCELED, "canceling statement due to user request");
    t->compactions_wanted--;
    *ret = st == OK && !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE);
    if (*ret) t->compacting = true;
    fmutex_unlock(&f->work_mutex);
    return st;
}

void tree__end_work(struct tree *t)
{
    fmutex_lock(&t->forest->work_mutex);
    t->compacting = false;
    fcond_broadcast(&t->forest->work_done);
    fmutex_unlock(&t->forest->work_mutex);
}

static void count_compaction(const struct compaction *c)
{
    counter_add(counter_get("helios_compactions_total", "Merges of runs."), 1);
    for (size_t i = 0; i < c->edit.added.count; i++)
        counter_add(counter_get("helios_compaction_bytes_total", "Bytes that merges wrote."),
                    run_bytes(c->edit.added.data[i]->run));
}

static enum status run_compaction(struct compaction *c)
{
    enum status st = OK;
    int64_t began = monotonic_us();
    if (c->inputs.count > 0) {
        if (!c->expired) st = c->moves ? move_inputs(c) : merge_inputs(c);
        if (st == OK) st = install(c);
        if (st == OK && !c->moves && !c->expired) {
            count_compaction(c);
            tree__note_work(c->tree, &c->tree->merged, began);
        }
    }
    if (st != OK)
        for (size_t i = 0; i < c->edit.added.count && !c->moves; i++)
            c->edit.added.data[i]->doomed = true;
    /* An epoch section keeps no reference of ours: a throw-away shape gives them all back. */
    struct shape *held = mem_alloc(MEM_RUN, sizeof *held);
    uint32_t extra = st == OK ? 0 : (uint32_t)c->edit.added.count;
    held->levels[0].runs = mem_alloc(MEM_RUN, (c->inputs.count + extra + 1) * sizeof(void *));
    for (size_t i = 0; i < c->inputs.count; i++)
        held->levels[0].runs[held->levels[0].count++] = c->inputs.data[i];
    for (uint32_t i = 0; i < extra; i++)
        held->levels[0].runs[held->levels[0].count++] = c->edit.added.data[i];
    shape__free(held);
    run_edit_release(&c->edit);
    ARRAY_RELEASE(&c->inputs);
    tree__end_work(c->tree);
    epoch_collect(c->tree->forest->o.epoch);
    return st;
}

enum status tree_compact(struct tree *t, bool *ret_worked)
{
    *ret_worked = false;
    if (!begin_work(t)) return OK;
    struct compaction c = {.tree = t, .edit.tree = t->id};
    fmutex_lock(&t->mutex);
    uint32_t level = due_level(t->forest, t->shape);
    if (level < LEVELS_MAX) pick_inputs(&c, t->shape, level);
    else pick_history(&c, t->shape, false);
    if (level == LEVELS_MAX && !c.inputs.count) {
        c.history = false;
        pick_misfit(&c, t->shape);
    }
    fmutex_unlock(&t->mutex);
    if (level < LEVELS_MAX || c.inputs.count) *ret_worked = true;
    return run_compaction(&c);
}

static void pick_all(struct compaction *c, const struct shape *s)
{
    c->to = 1;
    c->bottom = true;
    for (uint32_t l = 0; l < LEVELS_MAX; l++) {
        for (uint32_t i = l ? 0 : first_free(s); i < s->levels[l].count; i++)
            if (state_of(s->levels[l].runs[i]) == RUN_INSTALLED)
                take_input(c, s->levels[l].runs[i]);
        if (s->levels[l].count && l > c->to) c->to = l;
        if (l == 0) c->upper = c->inputs.count;
    }
}

enum status tree_compact_all(struct tree *t)
{
    for (int history = 0; history < 2; history++) {
        bool mine;
        TRY(tree__begin_work(t, &mine));
        if (!mine) return OK;
        struct compaction c = {.tree = t, .edit.tree = t->id};
        fmutex_lock(&t->mutex);
        if (history) pick_history(&c, t->shape, true);
        else pick_all(&c, t->shape);
        fmutex_unlock(&t->mutex);
        TRY(run_compaction(&c));
    }
    return OK;
}
