/* What a commit tells the manifest: trees that it made, runs that it loaded, trees that it dropped. One batch,
 * and so one sync, however many they are: whoever waits for the commit's locks waits for it. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"
#include "base/point.h"

/* Records, one behind the other. */
struct batch {
    struct strbuf bytes;
    ARRAY(size_t) ends;
};

static void begin_record(struct batch *b, enum edit_kind kind, tree_id tree)
{
    strbuf_addc(&b->bytes, (char)kind);
    strbuf_add(&b->bytes, &tree, sizeof tree);
}

static void end_record(struct batch *b)
{
    ARRAY_PUSH(&b->ends, b->bytes.len);
}

static void encode(struct batch *b, const struct commit_edit *e)
{
    for (size_t i = 0; i < e->made_count; i++) {
        const struct tree *t = e->made[i];
        begin_record(b, EDIT_CREATE, t->id);
        end_record(b);
        if (!t->branch) continue;
        forest__encode_owner(t, &b->bytes);
        end_record(b);
    }
    for (size_t i = 0; i < e->load_count; i++) {
        forest__encode_load(LOAD_INSTALLED, &e->loads[i], e->ts, &b->bytes);
        end_record(b);
    }
    for (size_t i = 0; i < e->dropped_count; i++) {
        const struct dropped_tree *d = &e->dropped[i];
        begin_record(b, d->retired ? EDIT_RETIRE : EDIT_DROP, d->tree->id);
        if (d->retired) strbuf_add(&b->bytes, &e->ts, sizeof e->ts);
        end_record(b);
    }
}

static enum status append(struct forest *f, const struct batch *b)
{
    struct slice *records = mem_alloc(MEM_RUN, b->ends.count * sizeof *records);
    size_t start = 0;
    for (size_t i = 0; i < b->ends.count; i++) {
        records[i] = slice_make(b->bytes.data + start, b->ends.data[i] - start);
        start = b->ends.data[i];
    }
    enum status st = forest__append(f, records, (uint32_t)b->ends.count);
    mem_free(MEM_RUN, records);
    return st;
}

/* Under manifest_mutex, before anyone rewrites the manifest. */
static void note(const struct commit_edit *e)
{
    for (size_t i = 0; i < e->made_count; i++)
        __atomic_store_n(&e->made[i]->created, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < e->load_count; i++) forest__installed(e->loads[i].ref, e->ts);
    for (size_t i = 0; i < e->dropped_count; i++) {
        struct tree *t = e->dropped[i].tree;
        if (e->dropped[i].retired) __atomic_store_n(&t->retired_ts, e->ts, __ATOMIC_RELEASE);
        else __atomic_store_n(&t->drop_logged, true, __ATOMIC_RELEASE);
    }
}

enum status forest_log_commit(struct forest *f, const struct commit_edit *e)
{
    struct batch b = {0};
    if (!e->made_count && !e->load_count && !e->dropped_count) return OK;
    strbuf_init(&b.bytes, NULL);
    fmutex_lock(&f->manifest_mutex);
    if (e->load_count) POINT("load.before_install");
    encode(&b, e);
    enum status st = append(f, &b);
    if (st == OK) note(e);
    fmutex_unlock(&f->manifest_mutex);
    strbuf_release(&b.bytes);
    ARRAY_RELEASE(&b.ends);
    return st;
}
