/* What the manifest says of branches (docs/format/manifest.md):
 *
 *   u8 kind | u64 branch or tree | …
 *  11 BRANCH   u64 parent, 0 the main line | u64 fork timestamp | i64 made, µs of the wall clock |
 *              u64 mark | u64 mark, 0 none | name: again when the marks have changed
 *  12 UNBRANCH nothing more: no branch has this number any more
 *  13 OWNER    u64 branch | u64 base: whose the tree is; what it is an overlay of, 0 nothing
 *
 * Parents have lesser numbers than their children, so they come first. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"
#include "base/point.h"

enum { BRANCH_BYTES = FOREST_BRANCH_BYTES, OWNER_BYTES = 25 };

static void put_u64(struct strbuf *b, uint64_t v)
{
    strbuf_add(b, &v, sizeof v);
}

static uint64_t u64_at(struct slice record, size_t at)
{
    uint64_t v;
    memcpy(&v, record.data + at, sizeof v);
    return v;
}

void forest__encode_branch(const struct branch *b, struct strbuf *out)
{
    const struct branch *parent = branch_parent(b);
    strbuf_addc(out, EDIT_BRANCH);
    put_u64(out, b->id);
    put_u64(out, parent ? parent->id : 0);
    put_u64(out, b->fork_ts);
    put_u64(out, (uint64_t)b->created_us);
    put_u64(out, b->marks[0]);
    put_u64(out, b->marks[1]);
    strbuf_adds(out, b->name);
}

static void encode_unbranch(uint32_t branch, struct strbuf *out)
{
    strbuf_addc(out, EDIT_UNBRANCH);
    put_u64(out, branch);
}

void forest__encode_owner(const struct tree *t, struct strbuf *out)
{
    strbuf_addc(out, EDIT_OWNER);
    put_u64(out, t->id);
    put_u64(out, t->branch);
    put_u64(out, t->base);
}

/* That the last number was given out is told by its end, if it has one. */
void forest__encode_branches(struct forest *f, bool all, struct strbuf *out,
                             void (*ended)(void *ctx, size_t bytes), void *ctx)
{
    fmutex_lock(&f->branches_mutex);
    if (f->next_branch > 1 && !forest_branch(f, f->next_branch - 1)) {
        encode_unbranch(f->next_branch - 1, out);
        ended(ctx, out->len);
    }
    for (size_t i = 0; i < f->branches.count; i++) {
        if (!all && !f->branches.data[i]->logged) continue;
        forest__encode_branch(f->branches.data[i], out);
        ended(ctx, out->len);
    }
    fmutex_unlock(&f->branches_mutex);
}

enum status forest_log_branch(struct forest *f, struct branch *b)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    fmutex_lock(&f->manifest_mutex);
    fmutex_lock(&f->branches_mutex);
    forest__encode_branch(b, &out);
    fmutex_unlock(&f->branches_mutex);
    struct slice record = strbuf_slice(&out);
    POINT("branch.before_log");
    enum status st = forest__append(f, &record, 1);
    if (st == OK) b->logged = true;
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&out);
    return st;
}

enum status forest__log_owned(struct forest *f, struct tree *t)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    strbuf_addc(&out, EDIT_CREATE);
    put_u64(&out, t->id);
    size_t first = out.len;
    forest__encode_owner(t, &out);
    struct slice records[] = {slice_make(out.data, first), slice_make(out.data + first, out.len - first)};
    fmutex_lock(&f->manifest_mutex);
    enum status st = forest__append(f, records, 2);
    if (st == OK) __atomic_store_n(&t->created, true, __ATOMIC_RELEASE);
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&out);
    return st;
}

enum status forest__log_unbranch(struct forest *f, uint32_t branch, struct tree *const *trees,
                                 size_t n)
{
    struct arena scratch;
    struct strbuf out;
    arena_init(&scratch, MEM_RUN);
    struct slice *records = arena_alloc(&scratch, (n + 1) * sizeof *records);
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (trees[i]->drop_logged || !trees[i]->created) continue;
        strbuf_init(&out, &scratch);
        strbuf_addc(&out, EDIT_DROP);
        put_u64(&out, trees[i]->id);
        records[count++] = strbuf_slice(&out);
    }
    strbuf_init(&out, &scratch);
    encode_unbranch(branch, &out);
    records[count++] = strbuf_slice(&out);
    enum status st = forest__append(f, records, count);
    for (size_t i = 0; i < n && st == OK; i++)
        __atomic_store_n(&trees[i]->drop_logged, true, __ATOMIC_RELEASE);
    arena_release(&scratch);
    return st;
}

/* --- reading ----------------------------------------------------------------------------------- */

static enum status malformed(void)
{
    return FAIL(DATA_CORRUPTED, "the manifest holds a record of a branch that is not one");
}

static enum status replay_branch(struct forest *f, uint64_t id, struct slice record)
{
    if (record.len < BRANCH_BYTES || record.len > BRANCH_BYTES + STORE_BRANCH_NAME_MAX)
        return malformed();
    uint64_t parent = u64_at(record, 9), fork_ts = u64_at(record, 17);
    struct slice name = slice_make(record.data + BRANCH_BYTES, record.len - BRANCH_BYTES);
    struct branch *up = parent ? forest_branch(f, (uint32_t)parent) : NULL;
    struct branch *b = forest_branch(f, (uint32_t)id);
    if (!id || id > UINT32_MAX || parent >= id || (parent && !up)) return malformed();
    if (up && up->steps >= BRANCH_STEPS_MAX) return malformed();
    if (!b) {
        b = branch__new(f, (uint32_t)id, up, name, fork_ts, (int64_t)u64_at(record, 25));
        b->logged = true;
        branch__list(f, b);
    }
    b->marks[0] = u64_at(record, 33);
    b->marks[1] = u64_at(record, 41);
    if (fork_ts > f->max_ts) f->max_ts = fork_ts;
    return OK;
}

static enum status replay_owner(struct forest *f, tree_id id, struct slice record)
{
    struct tree *t = forest_tree(f, id);
    if (record.len != OWNER_BYTES) return malformed();
    struct branch *b = forest_branch(f, (uint32_t)u64_at(record, 9));
    if (!t || !b) return malformed();
    t->branch = b->id;
    t->base = u64_at(record, 17);
    if (t->base) branch__note_overlay(b, t->base, id);
    return OK;
}

enum status forest__replay_branch(struct forest *f, unsigned kind, uint64_t id, struct slice record)
{
    if (kind == EDIT_BRANCH) return replay_branch(f, id, record);
    if (kind == EDIT_OWNER) return replay_owner(f, id, record);
    struct branch *b = id <= UINT32_MAX ? forest_branch(f, (uint32_t)id) : NULL;
    if (id >= UINT32_MAX) return malformed();
    if (b) forest_forget_branch(f, b);
    if (id >= f->next_branch) f->next_branch = (uint32_t)id + 1;
    return OK;
}
