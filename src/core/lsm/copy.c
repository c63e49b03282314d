#include "core/lsm/copy.h"

#include "base/mem.h"
#include "core/lsm/tree_priv.h"

enum { PIECE_BYTES = 1 << 20 };

/* --- copying ----------------------------------------------------------------------------------- */

static enum status malformed(void)
{
    return FAIL(DATA_CORRUPTED, "the copy of a manifest holds a record that is not one");
}

static enum status meta_bytes(struct slice meta, uint64_t *ret)
{
    struct arena a;
    struct extent *e;
    uint32_t n;
    *ret = 0;
    arena_init(&a, MEM_RUN);
    enum status st = run_meta_extents(meta, &a, &e, &n);
    for (uint32_t i = 0; st == OK && i < n; i++) *ret += (uint64_t)e[i].blocks * BLOCK_BYTES;
    arena_release(&a);
    return st;
}

static enum status add_run(copied_runs *runs, uint64_t tree, uint64_t id, struct slice meta)
{
    struct copied_run r = {.tree = tree, .id = id, .meta = meta};
    TRY(meta_bytes(meta, &r.bytes));
    ARRAY_PUSH(runs, r);
    return OK;
}

static bool take(struct slice *left, void *out, size_t len)
{
    if (left->len < len) return false;
    if (out) memcpy(out, left->data, len);
    left->data += len;
    left->len -= len;
    return true;
}

static enum status runs_of_edit(struct slice left, uint64_t tree, copied_runs *ret)
{
    uint32_t removed, added;
    if (!take(&left, NULL, 24) || !take(&left, &removed, 4) || removed > left.len / 8) return malformed();
    if (!take(&left, NULL, 8 * (size_t)removed) || !take(&left, &added, 4)) return malformed();
    for (uint32_t i = 0; i < added; i++) {
        uint64_t id;
        uint32_t level_len[2];
        if (!take(&left, &id, 8) || !take(&left, level_len, 8) || level_len[1] > left.len) return malformed();
        TRY(add_run(ret, tree, id, slice_make(left.data, level_len[1])));
        (void)take(&left, NULL, level_len[1]);
    }
    return OK;
}

enum status manifest_runs(const struct slice *records, uint32_t count, copied_runs *ret)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice left = records[i];
        uint8_t kind;
        uint64_t tree, id;
        if (!take(&left, &kind, 1) || !take(&left, &tree, 8)) return malformed();
        if (kind == EDIT_RUNS) TRY(runs_of_edit(left, tree, ret));
        if (kind != EDIT_PENDING) continue;
        if (!take(&left, &id, 8)) return malformed();
        TRY(add_run(ret, tree, id, left));
    }
    return OK;
}

struct holding {
    struct forest_copy *copy;
    struct map by_id; /* to the place in its runs, plus 1 */
};

/* The references of the runs that the records name. */
static enum status hold_runs(void *ctx, struct tree *t)
{
    struct holding *h = ctx;
    const struct shape *s = tree_shape(t);
    for (int l = 0; l < LISTS; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) {
            struct run_ref *r = s->levels[l].runs[i];
            size_t place = (size_t)map_get_u64(&h->by_id, r->id);
            if (!place) continue;
            __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
            h->copy->runs.data[place - 1].ref = r;
        }
    return OK;
}

static enum status copy_manifest(struct forest *f, struct forest_copy *c)
{
    copied_runs runs = {0};
    struct holding h = {.copy = c};
    TRY(forest__snapshot(f, &c->arena, &c->records, &c->record_count));
    enum status st = manifest_runs(c->records, c->record_count, &runs);
    memcpy(&c->runs, &runs, sizeof runs);
    map_init(&h.by_id);
    for (size_t i = 0; i < c->runs.count; i++) map_put_u64(&h.by_id, c->runs.data[i].id, (void *)(i + 1));
    if (st == OK) st = forest_each(f, hold_runs, &h);
    map_release(&h.by_id);
    return st;
}

enum status forest_copy_begin(struct forest *f, struct forest_copy *ret)
{
    *ret = (struct forest_copy){0};
    arena_init(&ret->arena, MEM_RUN);
    fmutex_lock(&f->manifest_mutex);
    f->whole_log++;
    enum status st = copy_manifest(f, ret);
    ret->log_start = f->log_start;
    ret->store = f->store_number;
    ret->lsn = wal_appended_lsn(f->wal).v;
    for (size_t i = 0; i < ret->runs.count && st == OK; i++)
        if (!ret->runs.data[i].ref)
            st = FAIL(INTERNAL_ERROR, "run %llu of the manifest is not there",
                      (unsigned long long)ret->runs.data[i].id);
    if (st != OK) f->whole_log--;
    fmutex_unlock(&f->manifest_mutex);
    if (st != OK) forest_copy_end(ret);
    return st;
}

void forest_copy_end(struct forest_copy *c)
{
    for (size_t i = 0; i < c->runs.count; i++)
        if (c->runs.data[i].ref) run_ref__unref(c->runs.data[i].ref);
    ARRAY_RELEASE(&c->runs);
    arena_release(&c->arena);
    *c = (struct forest_copy){0};
}

void forest_begin_whole_log(struct forest *f)
{
    fmutex_lock(&f->manifest_mutex);
    f->whole_log++;
    fmutex_unlock(&f->manifest_mutex);
}

void forest_end_whole_log(struct forest *f)
{
    fmutex_lock(&f->manifest_mutex);
    ASSERT(f->whole_log > 0);
    f->whole_log--;
    fmutex_unlock(&f->manifest_mutex);
}

static enum status read_extent(struct forest *f, struct extent e, char *piece,
                               enum status (*fn)(void *ctx, struct slice bytes), void *ctx)
{
    uint64_t bytes = (uint64_t)e.blocks * BLOCK_BYTES;
    for (uint64_t at = 0; at < bytes;) {
        size_t len = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        TRY(blocks_read(f->blocks, e, at, piece, len));
        TRY(fn(ctx, slice_make(piece, len)));
        at += len;
    }
    return OK;
}

enum status forest_read_run(struct forest *f, struct slice meta,
                            enum status (*fn)(void *ctx, struct slice bytes), void *ctx)
{
    struct arena a;
    struct extent *e;
    uint32_t n;
    arena_init(&a, MEM_RUN);
    char *piece = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, PIECE_BYTES);
    enum status st = run_meta_extents(meta, &a, &e, &n);
    for (uint32_t i = 0; st == OK && i < n; i++) st = read_extent(f, e[i], piece, fn, ctx);
    mem_free(MEM_RUN, piece);
    arena_release(&a);
    return st;
}

/* --- placing ----------------------------------------------------------------------------------- */

enum status forest_place_run(struct blocks *b, struct slice meta)
{
    struct arena a;
    struct extent *e;
    uint32_t n, placed = 0;
    arena_init(&a, MEM_RUN);
    enum status st = run_meta_extents(meta, &a, &e, &n);
    for (; st == OK && placed < n; placed++) {
        if (e[placed].blocks < EXTENT_BLOCKS_MIN) st = malformed();
        if (st == OK) st = blocks_allocate(b, e[placed].blocks, &e[placed]);
        if (st != OK) break;
    }
    if (st == OK) run_meta_place(meta, e);
    for (uint32_t i = 0; st != OK && i < placed; i++) blocks_free(b, e[i]);
    arena_release(&a);
    return st;
}

void forest_unplace_run(struct blocks *b, struct slice meta)
{
    struct arena a;
    struct extent *e;
    uint32_t n;
    arena_init(&a, MEM_RUN);
    if (run_meta_extents(meta, &a, &e, &n) == OK)
        for (uint32_t i = 0; i < n; i++) blocks_free(b, e[i]);
    arena_release(&a);
}

enum status forest_receive_run(struct forest *f, struct tree *t, uint64_t id, struct slice meta)
{
    struct run *run;
    TRY(run_open(f->blocks, f->cache, meta, &run));
    struct run_ref *r = run_ref__new(id, run, meta);
    struct loaded_run l = {t, r};
    r->begin = UINT64_MAX - 1; /* nobody sees it */
    r->state = RUN_LOADED;
    fmutex_lock(&t->mutex);
    struct shape *next = shape__copy(t->shape);
    shape__add_run(next, 0, r);
    tree__set_shape(t, next);
    fmutex_unlock(&t->mutex);
    bool whole;
    return forest_prepare_runs(f, &l, 1, &whole);
}

/* --- building ---------------------------------------------------------------------------------- */

struct forest_builder {
    struct os *os;
    char *dir;
    struct blocks *blocks;
    struct slice *records;
    uint32_t record_count;
    copied_runs runs;
    struct map by_id;       /* to the place in runs, plus 1 */
    struct copied_run *run; /* that is being filled */
    struct arena arena;     /* of its extents */
    struct extent *extents;
    uint32_t extent, extent_count;
    uint64_t offset;        /* in the extent */
    char *piece;
};

enum status forest_build_begin(struct os *os, const char *dir, struct slice *records, uint32_t count,
                               struct forest_builder **ret)
{
    struct forest_builder *b = mem_alloc(MEM_RUN, sizeof *b);
    size_t len = strlen(dir) + 1;
    b->os = os;
    b->dir = memcpy(mem_alloc(MEM_RUN, len), dir, len);
    b->records = records;
    b->record_count = count;
    b->piece = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, PIECE_BYTES);
    map_init(&b->by_id);
    arena_init(&b->arena, MEM_RUN);
    struct blocks_options bo = {.os = os, .dir = dir};
    enum status st = blocks_open(&bo, &b->blocks);
    if (st == OK) st = manifest_runs(records, count, &b->runs);
    for (size_t i = 0; i < b->runs.count && st == OK; i++) {
        if (map_get_u64(&b->by_id, b->runs.data[i].id)) st = malformed();
        map_put_u64(&b->by_id, b->runs.data[i].id, (void *)(i + 1));
    }
    if (st == OK) *ret = b;
    else forest_build_free(b);
    return st;
}

void forest_build_free(struct forest_builder *b)
{
    if (!b) return;
    if (b->blocks) blocks_close(b->blocks);
    ARRAY_RELEASE(&b->runs);
    map_release(&b->by_id);
    arena_release(&b->arena);
    mem_free(MEM_RUN, b->piece);
    mem_free(MEM_RUN, b->dir);
    mem_free(MEM_RUN, b);
}

enum status forest_build_run(struct forest_builder *b, uint64_t id, uint64_t bytes)
{
    size_t place = (size_t)map_get_u64(&b->by_id, id);
    struct copied_run *r = place ? &b->runs.data[place - 1] : NULL;
    if (!r || r->whole || b->run || r->bytes != bytes) return NOT_FOUND;
    TRY(forest_place_run(b->blocks, r->meta));
    arena_clear(&b->arena);
    TRY(run_meta_extents(r->meta, &b->arena, &b->extents, &b->extent_count));
    b->run = r;
    b->extent = 0;
    b->offset = 0;
    return OK;
}

enum status forest_build_data(struct forest_builder *b, struct slice bytes)
{
    if (!b->run || !bytes.len || bytes.len % BLOCK_BYTES) return malformed();
    while (bytes.len) {
        if (b->extent == b->extent_count) return malformed();
        struct extent e = b->extents[b->extent];
        uint64_t left = (uint64_t)e.blocks * BLOCK_BYTES - b->offset;
        size_t len = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;
        if (len > left) len = (size_t)left;
        memcpy(b->piece, bytes.data, len);
        TRY(blocks_write(b->blocks, e, b->offset, b->piece, len));
        bytes = slice_make(bytes.data + len, bytes.len - len);
        b->offset += len;
        if (len < left) continue;
        b->extent++;
        b->offset = 0;
    }
    if (b->extent < b->extent_count) return OK;
    b->run->whole = true;
    b->run = NULL;
    return OK;
}

const struct copied_run *forest_build_missing(const struct forest_builder *b)
{
    for (size_t i = 0; i < b->runs.count; i++)
        if (!b->runs.data[i].whole) return &b->runs.data[i];
    return NULL;
}

static enum status no_record(void *ctx, struct slice record)
{
    (void)ctx;
    (void)record;
    return OK;
}

enum status forest_build_finish(struct forest_builder *b, uint64_t store)
{
    struct manifest *m;
    char record[9] = {EDIT_STORE};
    ASSERT(!forest_build_missing(b));
    memcpy(record + 1, &store, sizeof store);
    TRY(blocks_sync(b->blocks));
    TRY(manifest_open(b->os, b->dir, b->blocks, no_record, NULL, &m));
    struct slice *all = mem_alloc(MEM_RUN, (b->record_count + 1) * sizeof *all);
    memcpy(all, b->records, b->record_count * sizeof *all);
    all[b->record_count] = slice_make(record, sizeof record); /* the last one counts */
    enum status st = manifest_rewrite(m, all, b->record_count + 1);
    mem_free(MEM_RUN, all);
    manifest_close(m);
    return st;
}
