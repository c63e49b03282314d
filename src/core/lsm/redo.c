#include "core/lsm/redo.h"

#include "base/mem.h"
#include "core/lsm/copy.h"
#include "core/lsm/tree_priv.h"

enum { KIND_BRANCHES = 255 };

/* --- writing ------------------------------------------------------------------------------------- */

static enum status append(struct forest *f, struct slice record, lsn_t *ret_end)
{
    char head[REDO_FOREST_BYTES] = {REDO_FOREST};
    uint64_t ts, bytes = record.len;
    memcpy(head + 1, &bytes, sizeof bytes);
    struct slice parts[] = {slice_make(head, sizeof head), record};
    *ret_end = (lsn_t){0};
    return f->wal ? wal_append(f->wal, parts, 2, false, &ts, ret_end) : OK;
}

enum status forest_redo_branch(struct forest *f, const struct branch *b, lsn_t *ret_end)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    forest__encode_branch(b, &out);
    enum status st = append(f, strbuf_slice(&out), ret_end);
    strbuf_release(&out);
    return st;
}

enum status forest_redo_unbranch(struct forest *f, uint32_t branch, lsn_t *ret_end)
{
    char record[9] = {EDIT_UNBRANCH};
    uint64_t id = branch;
    memcpy(record + 1, &id, sizeof id);
    return append(f, slice_make(record, sizeof record), ret_end);
}

enum status forest_redo_overlay(struct forest *f, const struct tree *t, lsn_t *ret_end)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    forest__encode_owner(t, &out);
    enum status st = append(f, strbuf_slice(&out), ret_end);
    strbuf_release(&out);
    return st;
}

/* --- what the log may lack, at the open ------------------------------------------------------------ */

struct relog {
    struct strbuf out;  /* entries */
    struct strbuf record;
};

static void add_entry(struct relog *r)
{
    uint64_t bytes = r->record.len;
    strbuf_addc(&r->out, REDO_FOREST);
    strbuf_add(&r->out, &bytes, sizeof bytes);
    strbuf_add(&r->out, r->record.data, r->record.len);
    strbuf_clear(&r->record);
}

/* One that has rows is in the log: they are, after it. */
static enum status relog_overlay(void *ctx, struct tree *t)
{
    const struct shape *s = tree_shape(t);
    bool empty = s->memory_count == 1 && memtable_key_count(s->memories[0]->table) == 0;
    for (int l = 0; l < LISTS; l++) empty = empty && !s->levels[l].count;
    if (!t->base || !t->created || !empty) return OK;
    struct relog *r = ctx;
    forest__encode_owner(t, &r->record);
    add_entry(r);
    return OK;
}

static void relog_branches(struct forest *f, struct relog *r)
{
    struct strbuf list;
    strbuf_init(&list, NULL);
    strbuf_addc(&list, (char)KIND_BRANCHES);
    strbuf_add(&list, &f->next_branch, sizeof f->next_branch);
    for (size_t i = 0; i < f->branches.count; i++) {
        strbuf_add(&list, &f->branches.data[i]->id, sizeof(uint32_t));
        forest__encode_branch(f->branches.data[i], &r->record);
        add_entry(r);
    }
    strbuf_add(&r->record, list.data, list.len);
    add_entry(r);
    strbuf_release(&list);
}

enum status forest_redo_branches(struct forest *f)
{
    struct relog r;
    uint64_t ts;
    lsn_t end;
    if (f->next_branch <= 1) return OK;
    strbuf_init(&r.out, NULL);
    strbuf_init(&r.record, NULL);
    relog_branches(f, &r);
    enum status st = forest_each(f, relog_overlay, &r);
    struct slice all = strbuf_slice(&r.out);
    if (st == OK) st = wal_append(f->wal, &all, 1, false, &ts, &end);
    strbuf_release(&r.out);
    strbuf_release(&r.record);
    return st;
}

/* --- runs ------------------------------------------------------------------------------------------ */

struct part_writer {
    struct forest *forest;
    const struct loaded_run *run;
    uint64_t total, offset;
};

static enum status put_part(void *ctx, struct slice bytes)
{
    struct part_writer *w = ctx;
    char head[REDO_PART_BYTES] = {REDO_PART};
    struct slice meta = w->offset ? (struct slice){0} : w->run->ref->meta;
    uint64_t fields[4] = {w->run->tree->id, w->run->ref->id, w->offset, w->total}, ts;
    uint32_t lens[2] = {(uint32_t)meta.len, (uint32_t)bytes.len};
    lsn_t end;
    memcpy(head + 1, fields, sizeof fields);
    memcpy(head + 33, lens, sizeof lens);
    struct slice parts[] = {slice_make(head, sizeof head), meta, bytes};
    w->offset += bytes.len;
    return wal_append(w->forest->wal, parts, 3, true, &ts, &end);
}

enum status forest_redo_run(struct forest *f, const struct loaded_run *l)
{
    struct part_writer w = {f, l, run_bytes(l->ref->run), 0};
    return forest_read_run(f, l->ref->meta, put_part, &w);
}

/* --- branches, replayed ---------------------------------------------------------------------------- */

static enum status malformed(uint64_t lsn)
{
    return FAIL(DATA_CORRUPTED, "write-ahead log record at %llX is malformed", (unsigned long long)lsn);
}

static enum status replay_branch(struct forest *f, uint64_t id, struct slice record)
{
    struct branch *b = id && id <= UINT32_MAX ? forest_branch(f, (uint32_t)id) : NULL;
    uint64_t mark;
    if (record.len < FOREST_BRANCH_BYTES) return FAIL(DATA_CORRUPTED, "a branch's record is malformed");
    memcpy(&mark, record.data + FOREST_BRANCH_BYTES - sizeof mark, sizeof mark);
    if (b && mark <= b->marks[1]) return OK;
    if (!b && id < f->next_branch) return OK; /* it was dropped later on */
    TRY(forest__replay_branch(f, EDIT_BRANCH, id, record));
    fmutex_lock(&f->manifest_mutex);
    enum status st = forest__append(f, &record, 1);
    fmutex_unlock(&f->manifest_mutex);
    return st;
}

static enum status replay_overlay(struct forest *f, uint64_t lsn, tree_id id, struct slice record)
{
    uint64_t fields[2];
    struct tree *t;
    if (record.len != 9 + sizeof fields) return malformed(lsn);
    memcpy(fields, record.data + 9, sizeof fields);
    struct branch *b = fields[0] <= UINT32_MAX ? forest_branch(f, (uint32_t)fields[0]) : NULL;
    if (!b || !fields[1] || branch_overlay(b, fields[1]) || forest_tree(f, id)) return OK;
    TRY(forest_add(f, id, lsn, &t));
    t->branch = b->id;
    t->base = fields[1];
    branch__note_overlay(b, t->base, id);
    return forest_log_create(f, t);
}

static enum status drop_branch(struct forest *f, uint32_t id)
{
    struct branch *b = forest_branch(f, id);
    return b ? forest_drop_branch(f, b) : OK;
}

static bool listed(struct slice ids, uint32_t id)
{
    for (size_t i = 0; i + 4 <= ids.len; i += 4)
        if (memcmp(ids.data + i, &id, 4) == 0) return true;
    return false;
}

/* Those of that time that are not there were dropped, though the log may not say so. Children first: they have the
 * greater numbers. */
static enum status replay_list(struct forest *f, uint64_t lsn, struct slice ids)
{
    uint32_t next;
    if (ids.len < sizeof next) return malformed(lsn);
    memcpy(&next, ids.data, sizeof next);
    ids = slice_make(ids.data + sizeof next, ids.len - sizeof next);
    for (size_t i = f->branches.count; i-- > 0;) {
        uint32_t id = f->branches.data[i]->id;
        if (id < next && !listed(ids, id)) TRY(drop_branch(f, id));
    }
    return OK;
}

enum status forest_replay_redo(struct forest *f, uint64_t lsn, struct slice record)
{
    uint64_t id = 0;
    unsigned kind = record.len ? (unsigned char)record.data[0] : 0;
    if (kind == KIND_BRANCHES) return replay_list(f, lsn, slice_make(record.data + 1, record.len - 1));
    if (record.len < 9) return malformed(lsn);
    memcpy(&id, record.data + 1, sizeof id);
    if (kind == EDIT_BRANCH) return replay_branch(f, id, record);
    if (kind == EDIT_OWNER) return replay_overlay(f, lsn, id, record);
    return kind == EDIT_UNBRANCH && id <= UINT32_MAX ? drop_branch(f, (uint32_t)id) : malformed(lsn);
}

/* --- runs, replayed ---------------------------------------------------------------------------------- */

struct received_run {
    uint64_t tree, id, offset, total;
    struct slice meta; /* on the heap, its extents those of here */
    struct extent *extents;
    uint32_t extent, extent_count;
    uint64_t at;       /* in the extent */
};

struct received_runs {
    struct forest *forest;
    ARRAY(struct received_run) runs;
    char *piece;
};

struct received_runs *received_runs_new(struct forest *f)
{
    struct received_runs *r = mem_alloc(MEM_RUN, sizeof *r);
    r->forest = f;
    return r;
}

static void forget(struct received_runs *r, size_t i)
{
    mem_free(MEM_RUN, (char *)r->runs.data[i].meta.data);
    mem_free(MEM_RUN, r->runs.data[i].extents);
    r->runs.data[i] = ARRAY_LAST(&r->runs);
    r->runs.count--;
}

void received_runs_free(struct received_runs *r)
{
    if (!r) return;
    while (r->runs.count) {
        forest_unplace_run(r->forest->blocks, r->runs.data[0].meta);
        forget(r, 0);
    }
    ARRAY_RELEASE(&r->runs);
    mem_free(MEM_RUN, r->piece);
    mem_free(MEM_RUN, r);
}

static enum status begin_run(struct received_runs *r, const uint64_t fields[4], struct slice meta)
{
    struct received_run x = {.tree = fields[0], .id = fields[1], .total = fields[3]};
    struct arena a;
    struct extent *e;
    char *copy = mem_alloc(MEM_RUN, meta.len + 1);
    memcpy(copy, meta.data, meta.len);
    x.meta = slice_make(copy, meta.len);
    enum status st = forest_place_run(r->forest->blocks, x.meta);
    if (st != OK) {
        mem_free(MEM_RUN, copy);
        return st;
    }
    arena_init(&a, MEM_RUN);
    st = run_meta_extents(x.meta, &a, &e, &x.extent_count);
    ASSERT(st == OK);
    x.extents = mem_alloc(MEM_RUN, (x.extent_count + 1) * sizeof *e);
    memcpy(x.extents, e, x.extent_count * sizeof *e);
    arena_release(&a);
    ARRAY_PUSH(&r->runs, x);
    return OK;
}

static enum status write_part(struct received_runs *r, struct received_run *x, uint64_t lsn, struct slice bytes)
{
    if (!r->piece) r->piece = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, REDO_PART_MAX);
    while (bytes.len) {
        if (x->extent == x->extent_count) return malformed(lsn);
        struct extent e = x->extents[x->extent];
        uint64_t left = (uint64_t)e.blocks * BLOCK_BYTES - x->at;
        size_t len = bytes.len < left ? bytes.len : (size_t)left;
        memcpy(r->piece, bytes.data, len);
        TRY(blocks_write(r->forest->blocks, e, x->at, r->piece, len));
        bytes = slice_make(bytes.data + len, bytes.len - len);
        x->offset += len;
        x->at += len;
        if (len < left) continue;
        x->extent++;
        x->at = 0;
    }
    return OK;
}

enum status received_runs_claim(struct received_runs *r, struct tree *t, uint64_t id, uint64_t lsn)
{
    size_t i = 0;
    while (i < r->runs.count && r->runs.data[i].id != id) i++;
    if (i == r->runs.count) return OK;
    struct received_run *x = &r->runs.data[i];
    if (x->offset != x->total || x->tree != t->id) return malformed(lsn);
    enum status st = forest_receive_run(r->forest, t, id, x->meta);
    forget(r, i);
    return st;
}

/* The manifest names it. */
static bool is_known(const struct forest *f, tree_id tree, uint64_t id)
{
    const struct tree *t = forest_tree(f, tree);
    for (int l = 0; t && l < LISTS; l++)
        for (uint32_t i = 0; i < t->shape->levels[l].count; i++)
            if (t->shape->levels[l].runs[i]->id == id) return true;
    return false;
}

enum status received_runs_add(struct received_runs *r, uint64_t lsn, struct slice payload, bool skip)
{
    uint64_t fields[4];
    uint32_t lens[2];
    size_t i = 0;
    if (payload.len < REDO_PART_BYTES) return malformed(lsn);
    memcpy(fields, payload.data + 1, sizeof fields);
    memcpy(lens, payload.data + 33, sizeof lens);
    if ((uint64_t)lens[0] + lens[1] != payload.len - REDO_PART_BYTES) return malformed(lsn);
    if (lens[1] > REDO_PART_MAX || lens[1] % BLOCK_BYTES || !lens[1]) return malformed(lsn);
    if (skip || is_known(r->forest, fields[0], fields[1])) return OK;
    struct slice meta = slice_make(payload.data + REDO_PART_BYTES, lens[0]);
    while (i < r->runs.count && r->runs.data[i].id != fields[1]) i++;
    if (i < r->runs.count && !fields[2]) return malformed(lsn);
    if (i == r->runs.count && fields[2]) return OK; /* of one that is known to have begun before the copy */
    if (i == r->runs.count) TRY(begin_run(r, fields, meta));
    struct received_run *x = &r->runs.data[i];
    if (x->offset != fields[2] || x->tree != fields[0]) return malformed(lsn);
    return write_part(r, x, lsn, slice_make(meta.data + meta.len, lens[1]));
}
