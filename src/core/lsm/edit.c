/* Manifest records of the forest (docs/format/manifest.md; read back in edit_read.c):
 *
 *   u8 kind | u64 tree | …
 *   1 CREATE   nothing more
 *   2 DROP     nothing more
 *   3 EDIT     u64 replay_lsn | i64 rows | u64 next_run | u32 removed | u64 run … |
 *              u32 added | (u64 run | u32 level | u32 meta bytes | meta) …
 *   4 COUNTERS u64 next_tree in the place of the tree
 *   5 LOG      u64 LSN from which the log is needed, in the place of the tree | u32 session |
 *              u64 timestamp of the last commit before it, at least
 *   6 PENDING  u64 run | meta: in front of level 0 once its log record is found or it is installed
 *   7 INSTALL  u64 run, pending until now | u64 timestamp | i64 rows of the tree
 *   8 FORGET   u64 run, pending until now
 *   9 FLOOR    u64 timestamp: what was superseded by then may be gone; tree 0: for all trees
 *  10 RETIRE   u64 timestamp: dropped then, kept for reads of the past
 *  11 to 13    branches: branch_edit.c
 *  14 STORE    u64 number of the store, in the place of the tree: drawn once, and anew at each restore
 *
 * Little-endian. The log is rewritten as one EDIT a tree once it has grown. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"

void run_edit_release(struct run_edit *e)
{
    ARRAY_RELEASE(&e->removed);
    ARRAY_RELEASE(&e->added);
    ARRAY_RELEASE(&e->added_level);
}

enum status run_edit__add(struct forest *f, struct run_edit *e, uint32_t level, struct slice meta)
{
    struct run *run;
    TRY(run_open(f->blocks, f->cache, meta, &run));
    uint64_t id = __atomic_fetch_add(&f->next_run, 1, __ATOMIC_RELAXED);
    ARRAY_PUSH(&e->added, run_ref__new(id, run, meta));
    ARRAY_PUSH(&e->added_level, level);
    return OK;
}

/* --- encoding ---------------------------------------------------------------------------------- */

static void put_u32(struct strbuf *b, uint32_t v)
{
    strbuf_add(b, &v, sizeof v);
}
static void put_u64(struct strbuf *b, uint64_t v)
{
    strbuf_add(b, &v, sizeof v);
}

static void encode_edit(const struct run_edit *e, uint64_t next_run, struct strbuf *out)
{
    strbuf_addc(out, EDIT_RUNS);
    put_u64(out, e->tree);
    put_u64(out, e->replay_lsn);
    put_u64(out, (uint64_t)e->rows);
    put_u64(out, next_run);
    put_u32(out, (uint32_t)e->removed.count);
    for (size_t i = 0; i < e->removed.count; i++) put_u64(out, e->removed.data[i]);
    put_u32(out, (uint32_t)e->added.count);
    for (size_t i = 0; i < e->added.count; i++) {
        const struct run_ref *r = e->added.data[i];
        put_u64(out, r->id);
        put_u32(out, e->added_level.data[i]);
        put_u32(out, (uint32_t)r->meta.len);
        strbuf_add(out, r->meta.data, r->meta.len);
    }
}

static void encode_log_start(const struct log_start *at, struct strbuf *out)
{
    strbuf_addc(out, EDIT_LOG);
    put_u64(out, at->lsn);
    put_u32(out, at->session);
    put_u64(out, at->ts);
}

static void encode_store(uint64_t number, struct strbuf *out)
{
    strbuf_addc(out, EDIT_STORE);
    put_u64(out, number);
}

void forest__encode_load(enum load_record kind, const struct loaded_run *l, uint64_t ts,
                         struct strbuf *out)
{
    strbuf_addc(out, (char)(EDIT_PENDING + kind));
    put_u64(out, l->tree->id);
    put_u64(out, l->ref->id);
    if (kind == LOAD_PENDING) strbuf_add(out, l->ref->meta.data, l->ref->meta.len);
    if (kind != LOAD_INSTALLED) return;
    put_u64(out, ts);
    put_u64(out, (uint64_t)__atomic_load_n(&l->tree->rows, __ATOMIC_RELAXED));
}

static void encode_time(enum edit_kind kind, tree_id id, uint64_t ts, struct strbuf *out)
{
    strbuf_addc(out, (char)kind);
    put_u64(out, id);
    put_u64(out, ts);
}

/* --- writing ----------------------------------------------------------------------------------- */

struct rewrite {
    struct forest *forest;
    struct strbuf bytes;
    ARRAY(size_t) ends;
};

static void rewrite_runs(struct rewrite *w, struct run_edit *e)
{
    encode_edit(e, __atomic_load_n(&w->forest->next_run, __ATOMIC_RELAXED), &w->bytes);
    ARRAY_PUSH(&w->ends, w->bytes.len);
    e->added.count = e->added_level.count = 0;
}

static void rewrite_time(struct rewrite *w, enum edit_kind kind, tree_id id, uint64_t ts)
{
    if (!ts) return;
    encode_time(kind, id, ts, &w->bytes);
    ARRAY_PUSH(&w->ends, w->bytes.len);
}

static void rewrite_level(struct run_edit *e, const struct shape *s, uint32_t level)
{
    for (uint32_t i = 0; i < s->levels[level].count; i++) {
        ARRAY_PUSH(&e->added, s->levels[level].runs[i]);
        ARRAY_PUSH(&e->added_level, level);
    }
}

static enum status rewrite_tree(void *ctx, struct tree *t)
{
    struct rewrite *w = ctx;
    bool created = __atomic_load_n(&t->created, __ATOMIC_ACQUIRE);
    if (t->drop_logged) return OK;
    struct run_edit e = {.tree = t->id, .replay_lsn = t->replay_lsn,
                         .rows = __atomic_load_n(&t->rows, __ATOMIC_RELAXED)};
    const struct shape *s = tree_shape(t);
    for (uint32_t l = 1; l < LISTS; l++) rewrite_level(&e, s, l);
    if (created) rewrite_runs(w, &e);
    if (created && t->branch) {
        forest__encode_owner(t, &w->bytes);
        ARRAY_PUSH(&w->ends, w->bytes.len);
    }
    if (created) rewrite_time(w, EDIT_FLOOR, t->id, t->logged_floor);
    if (created) rewrite_time(w, EDIT_RETIRE, t->id, t->retired_ts);
    for (uint32_t i = s->levels[0].count; i-- > 0;) { /* oldest first; a pending one has its place */
        struct run_ref *r = s->levels[0].runs[i];
        if (r->state == RUN_LOADED) continue;
        if (r->state == RUN_INSTALLED) {
            ARRAY_PUSH(&e.added, r);
            ARRAY_PUSH(&e.added_level, 0);
            if (created) rewrite_runs(w, &e);
            continue;
        }
        forest__encode_load(LOAD_PENDING, &(struct loaded_run){t, r}, 0, &w->bytes);
        ARRAY_PUSH(&w->ends, w->bytes.len);
    }
    run_edit_release(&e);
    return OK;
}

static struct slice *records_of(const struct rewrite *w)
{
    struct slice *records = mem_alloc(MEM_RUN, w->ends.count * sizeof *records);
    size_t start = 0;
    for (size_t i = 0; i < w->ends.count; i++) {
        records[i] = slice_make(w->bytes.data + start, w->ends.data[i] - start);
        start = w->ends.data[i];
    }
    return records;
}

static void rewrite_branch(void *ctx, size_t bytes)
{
    struct rewrite *w = ctx;
    ARRAY_PUSH(&w->ends, bytes);
}

/* Under manifest_mutex. Every edit is logged and its shape set under the mutex, so that the shapes
 * seen here are those of the log. */
static enum status encode_all(struct rewrite *w, bool copy)
{
    struct forest *f = w->forest;
    strbuf_init(&w->bytes, NULL);
    strbuf_addc(&w->bytes, EDIT_COUNTERS);
    put_u64(&w->bytes, __atomic_load_n(&f->next_tree, __ATOMIC_RELAXED));
    ARRAY_PUSH(&w->ends, w->bytes.len);
    encode_log_start(&f->log_start, &w->bytes);
    ARRAY_PUSH(&w->ends, w->bytes.len);
    if (f->store_number) {
        encode_store(f->store_number, &w->bytes);
        ARRAY_PUSH(&w->ends, w->bytes.len);
    }
    rewrite_time(w, EDIT_FLOOR, 0, f->floor);
    forest__encode_branches(f, copy, &w->bytes, rewrite_branch, w);
    return forest_each(f, rewrite_tree, w);
}

static enum status rewrite_manifest(struct forest *f)
{
    struct rewrite w = {.forest = f};
    enum status st = encode_all(&w, false);
    struct slice *records = records_of(&w);
    if (st == OK) st = manifest_rewrite(f->manifest, records, (uint32_t)w.ends.count);
    mem_free(MEM_RUN, records);
    strbuf_release(&w.bytes);
    ARRAY_RELEASE(&w.ends);
    return st;
}

/* What must be said of a large store takes more than the option says. */
static enum status keep_short(struct forest *f)
{
    uint64_t bytes = manifest_bytes(f->manifest);
    if (bytes <= f->o.manifest_bytes || bytes <= 2 * f->rewritten_bytes) return OK;
    TRY(rewrite_manifest(f));
    f->rewritten_bytes = manifest_bytes(f->manifest);
    return OK;
}

enum status forest__snapshot(struct forest *f, struct arena *a, struct slice **ret, uint32_t *ret_count)
{
    struct rewrite w = {.forest = f};
    enum status st = encode_all(&w, true);
    struct slice *records = records_of(&w);
    *ret = arena_alloc(a, w.ends.count * sizeof **ret);
    *ret_count = (uint32_t)w.ends.count;
    for (uint32_t i = 0; i < *ret_count; i++) (*ret)[i] = slice_dup(a, records[i]);
    mem_free(MEM_RUN, records);
    strbuf_release(&w.bytes);
    ARRAY_RELEASE(&w.ends);
    return st;
}

enum status forest__append(struct forest *f, const struct slice *records, uint32_t n)
{
    TRY(keep_short(f));
    return manifest_append(f->manifest, records, n);
}

/* Under manifest_mutex. */
static enum status append_record(struct forest *f, const struct strbuf *b)
{
    struct slice record = strbuf_slice(b);
    return forest__append(f, &record, 1);
}

/* What the edit takes away is told in the same batch. */
enum status forest__log_edit(struct forest *f, struct tree *t, const struct run_edit *e)
{
    struct rewrite w = {.forest = f};
    uint64_t floor = __atomic_load_n(&t->floor, __ATOMIC_ACQUIRE);
    strbuf_init(&w.bytes, NULL);
    encode_edit(e, __atomic_load_n(&f->next_run, __ATOMIC_RELAXED), &w.bytes);
    ARRAY_PUSH(&w.ends, w.bytes.len);
    if (floor > t->logged_floor) rewrite_time(&w, EDIT_FLOOR, t->id, floor);
    enum status st = keep_short(f);
    struct slice *records = records_of(&w);
    if (st == OK) st = manifest_append(f->manifest, records, (uint32_t)w.ends.count);
    if (st == OK) t->logged_floor = floor;
    mem_free(MEM_RUN, records);
    strbuf_release(&w.bytes);
    ARRAY_RELEASE(&w.ends);
    return st;
}

enum status forest__log_loads(struct forest *f, enum load_record kind, const struct loaded_run *runs,
                              size_t n, uint64_t ts)
{
    struct rewrite w = {.forest = f};
    strbuf_init(&w.bytes, NULL);
    for (size_t i = 0; i < n; i++) {
        forest__encode_load(kind, &runs[i], ts, &w.bytes);
        ARRAY_PUSH(&w.ends, w.bytes.len);
    }
    struct slice *records = records_of(&w);
    enum status st = keep_short(f);
    if (st == OK) st = manifest_append(f->manifest, records, (uint32_t)n);
    mem_free(MEM_RUN, records);
    strbuf_release(&w.bytes);
    ARRAY_RELEASE(&w.ends);
    return st;
}

enum status forest__log_claim(struct forest *f, const struct loaded_run *l)
{
    struct rewrite w = {.forest = f};
    struct run_edit e = {.tree = l->tree->id, .replay_lsn = l->tree->replay_lsn,
                         .rows = __atomic_load_n(&l->tree->rows, __ATOMIC_RELAXED)};
    strbuf_init(&w.bytes, NULL);
    forest__encode_load(LOAD_FORGOTTEN, l, 0, &w.bytes);
    ARRAY_PUSH(&w.ends, w.bytes.len);
    ARRAY_PUSH(&e.added, l->ref);
    ARRAY_PUSH(&e.added_level, 0);
    rewrite_runs(&w, &e);
    struct slice *records = records_of(&w);
    enum status st = manifest_append(f->manifest, records, 2);
    mem_free(MEM_RUN, records);
    run_edit_release(&e);
    strbuf_release(&w.bytes);
    ARRAY_RELEASE(&w.ends);
    return st;
}

static enum status log_tree(struct forest *f, enum edit_kind kind, struct tree *t)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_addc(&b, (char)kind);
    put_u64(&b, t->id);
    fmutex_lock(&f->manifest_mutex);
    enum status st = append_record(f, &b);
    if (st == OK) /* before anyone rewrites the manifest */
        __atomic_store_n(kind == EDIT_DROP ? &t->drop_logged : &t->created, true, __ATOMIC_RELEASE);
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b);
    return st;
}

enum status forest_log_create(struct forest *f, struct tree *t)
{
    return t->branch ? forest__log_owned(f, t) : log_tree(f, EDIT_CREATE, t);
}

enum status forest_log_drop(struct forest *f, struct tree *t)
{
    return log_tree(f, EDIT_DROP, t);
}

enum status forest_log_retire(struct forest *f, struct tree *t, uint64_t ts)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    encode_time(EDIT_RETIRE, t->id, ts, &b);
    fmutex_lock(&f->manifest_mutex);
    enum status st = append_record(f, &b);
    if (st == OK) __atomic_store_n(&t->retired_ts, ts, __ATOMIC_RELEASE);
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b);
    return st;
}

enum status forest_log_floor(struct forest *f, uint64_t ts)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    encode_time(EDIT_FLOOR, 0, ts, &b);
    fmutex_lock(&f->manifest_mutex);
    enum status st = append_record(f, &b);
    if (st == OK) f->floor = ts;
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b);
    return st;
}

enum status forest_log_store(struct forest *f, uint64_t number)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    encode_store(number, &b);
    fmutex_lock(&f->manifest_mutex);
    enum status st = append_record(f, &b);
    if (st == OK) f->store_number = number;
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b);
    return st;
}

enum status forest_log_start(struct forest *f, const struct log_start *at)
{
    struct strbuf b;
    enum status st = OK;
    strbuf_init(&b, NULL);
    encode_log_start(at, &b);
    fmutex_lock(&f->manifest_mutex);
    if (at->lsn > f->log_start.lsn) {
        st = append_record(f, &b);
        if (st == OK) f->log_start = *at;
    }
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b);
    return st;
}
