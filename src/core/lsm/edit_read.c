/* The manifest's records, read back at open (edit.c draws them): trees, their runs, what is pending. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"

struct reader {
    struct slice left;
    bool bad;
};

static uint64_t take(struct reader *r, size_t bytes)
{
    uint64_t v = 0;
    if (r->left.len < bytes) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->left.data, bytes);
    r->left.data += bytes;
    r->left.len -= bytes;
    return v;
}

static enum status malformed(void)
{
    return FAIL(DATA_CORRUPTED, "the manifest holds a record that is not one");
}

/* Not opened yet: a later record may say that the run is gone, and its place be another's. */
static enum status read_added(struct forest *f, struct shape *next, struct reader *r)
{
    uint64_t id = take(r, 8);
    uint32_t level = (uint32_t)take(r, 4), len = (uint32_t)take(r, 4);
    if (r->bad || level >= LISTS || len > r->left.len) return malformed();
    struct slice meta = slice_make(r->left.data, len);
    r->left.data += len;
    r->left.len -= len;
    if (id >= f->next_run) f->next_run = id + 1;
    shape__add_run(next, level, run_ref__new(id, NULL, meta));
    return OK;
}

static enum status replay_runs(struct forest *f, tree_id id, struct reader *r)
{
    uint64_t lsn = take(r, 8);
    int64_t rows = (int64_t)take(r, 8);
    uint64_t next_run = take(r, 8);
    uint32_t removed = (uint32_t)take(r, 4);
    if (r->bad || removed > r->left.len / 8) return malformed();
    struct tree *t;
    TRY(forest_add(f, id, 0, &t));
    t->created = true;
    t->replay_lsn = lsn;
    t->rows = rows;
    if (next_run > f->next_run) f->next_run = next_run;
    struct shape *next = shape__copy(t->shape);
    enum status st = OK;
    for (uint32_t i = 0; i < removed; i++) shape__remove_run(next, take(r, 8));
    uint32_t added = (uint32_t)take(r, 4);
    if (r->bad) st = malformed();
    for (uint32_t i = 0; i < added && st == OK; i++) st = read_added(f, next, r);
    /* Nobody reads yet: the old shape can go at once. */
    struct shape *old = t->shape;
    t->shape = next;
    shape__free(old);
    return st;
}

/* Not opened yet, as above. */
static enum status replay_pending(struct forest *f, tree_id id, struct reader *r)
{
    uint64_t run = take(r, 8);
    struct tree *t;
    if (r->bad) return malformed();
    TRY(forest_add(f, id, 0, &t));
    if (run >= f->next_run) f->next_run = run + 1;
    struct run_ref *ref = run_ref__new(run, NULL, r->left);
    ref->state = RUN_PREPARED;
    ref->begin = UINT64_MAX - 1; /* nobody sees it */
    shape__add_run(t->shape, 0, ref);
    return OK;
}

/* A pending run that is none any more. */
static enum status replay_outcome(struct forest *f, tree_id id, bool install, struct reader *r)
{
    uint64_t run = take(r, 8), ts = install ? take(r, 8) : 0, rows = install ? take(r, 8) : 0;
    struct tree *t = forest_tree(f, id);
    if (r->bad) return malformed();
    if (!t) return OK;
    if (!install) {
        shape__remove_run(t->shape, run);
        return OK;
    }
    t->rows = (int64_t)rows;
    for (uint32_t i = 0; i < t->shape->levels[0].count; i++) {
        struct run_ref *ref = t->shape->levels[0].runs[i];
        if (ref->id != run || ref->state != RUN_PREPARED) continue;
        if (!run_meta_stampable(ref->meta)) return malformed();
        run_meta_stamp(ref->meta, run_load_ts(ts));
        ref->state = RUN_INSTALLED;
        ref->begin = 0;
        return OK;
    }
    return malformed();
}

static enum status replay_time(struct forest *f, enum edit_kind kind, tree_id id, struct reader *r)
{
    uint64_t ts = take(r, 8);
    struct tree *t = id ? forest_tree(f, id) : NULL;
    if (r->bad || (kind == EDIT_RETIRE && !id)) return malformed();
    if (!id) f->floor = ts;
    else if (t && kind == EDIT_FLOOR) t->floor = t->logged_floor = ts;
    else if (t) t->retired_ts = ts;
    if (ts > f->max_ts) f->max_ts = ts;
    return OK;
}

enum status forest__replay(void *ctx, struct slice record)
{
    struct forest *f = ctx;
    struct reader r = {.left = record};
    unsigned kind = (unsigned)take(&r, 1);
    uint64_t id = take(&r, 8);
    if (r.bad) return malformed();
    struct tree *t;
    switch (kind) {
    case EDIT_CREATE:
        TRY(forest_add(f, id, 0, &t));
        t->created = true;
        return OK;
    case EDIT_DROP:
        t = forest_tree(f, id);
        if (t) forest_remove(f, t, false);
        epoch_collect(f->o.epoch);
        return OK;
    case EDIT_RUNS: return replay_runs(f, id, &r);
    case EDIT_COUNTERS:
        if (id > FOREST_TREES) return malformed();
        if (id > f->next_tree) f->next_tree = id;
        return OK;
    case EDIT_LOG:
        f->log_start.lsn = id;
        f->log_start.session = (uint32_t)take(&r, 4);
        f->log_start.ts = take(&r, 8);
        if (f->log_start.ts > f->max_ts) f->max_ts = f->log_start.ts;
        return r.bad ? malformed() : OK;
    case EDIT_PENDING: return replay_pending(f, id, &r);
    case EDIT_INSTALL: return replay_outcome(f, id, true, &r);
    case EDIT_FLOOR:
    case EDIT_RETIRE: return replay_time(f, (enum edit_kind)kind, id, &r);
    case EDIT_FORGET: return replay_outcome(f, id, false, &r);
    case EDIT_STORE: return f->store_number = id, OK;
    default: return kind <= EDIT_OWNER ? forest__replay_branch(f, kind, id, record) : malformed();
    }
}
