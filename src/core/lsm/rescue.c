/* Versions that recovery cannot put back where they were, since a loaded run outdates them, and that branches
 * need: they become a history run of their tree. Each ends with what outdates it; where it ended earlier, the
 * deletion between is among them, too. */
#include "core/lsm/tree_priv.h"

#include <stdlib.h>

#include "base/mem.h"

struct rescued {
    struct slice key, row; /* the row as in a history run: its end before it */
    uint64_t ts;
    bool tombstone;
};

struct rescue {
    struct tree *tree;
    struct arena arena;
    ARRAY(struct rescued) list;
};

struct rescue *tree_rescue_new(struct tree *t)
{
    struct rescue *r = mem_alloc(MEM_RUN, sizeof *r);
    r->tree = t;
    arena_init(&r->arena, MEM_RUN);
    return r;
}

void tree_rescue_free(struct rescue *r)
{
    if (!r) return;
    arena_release(&r->arena);
    mem_free(MEM_RUN, r);
}

void tree_rescue_add(struct rescue *r, const struct entry *e, uint64_t end)
{
    struct pins pins;
    forest_pins(r->tree->forest, r->tree, &pins);
    bool needed = pins_between(&pins, e->ts, end);
    pins_release(&pins);
    if (!needed) return;
    char *row = arena_alloc(&r->arena, sizeof end + e->row.len);
    memcpy(row, &end, sizeof end);
    if (e->row.len) memcpy(row + sizeof end, e->row.data, e->row.len);
    struct rescued x = {slice_dup(&r->arena, e->key), slice_make(row, sizeof end + e->row.len), e->ts,
                        e->tombstone};
    ARENA_PUSH(&r->arena, &r->list, x);
}

static int compare(const void *a, const void *b)
{
    const struct rescued *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : x->ts > y->ts ? -1 : x->ts < y->ts;
}

static enum status write_list(struct rescue *r, struct run_edit *e)
{
    struct forest *f = r->tree->forest;
    struct run_options o = {.blocks = f->blocks, .cache = f->cache, .tree = r->tree->id,
                            .filter_bits = 10, .compress = true, .history = true};
    struct run_builder *b;
    struct strbuf meta;
    TRY(run_builder_new(&o, &b));
    enum status st = OK;
    for (size_t i = 0; i < r->list.count && st == OK; i++) {
        const struct rescued *x = &r->list.data[i];
        struct entry entry = {.key = x->key, .ts = x->ts, .tombstone = x->tombstone, .gap = true,
                              .row = x->row};
        st = run_builder_add(b, &entry);
    }
    if (st != OK) {
        run_builder_abort(b);
        return st;
    }
    strbuf_init(&meta, NULL);
    st = run_builder_finish(b, &meta);
    if (st == OK) st = blocks_sync(f->blocks);
    if (st == OK) st = run_edit__add(f, e, HISTORY, strbuf_slice(&meta));
    strbuf_release(&meta);
    return st;
}

enum status tree_rescue_end(struct rescue *r)
{
    struct tree *t = r->tree;
    struct forest *f = t->forest;
    struct run_edit e = {.tree = t->id, .rows = t->rows};
    if (!r->list.count) return OK;
    qsort(r->list.data, r->list.count, sizeof *r->list.data, compare);
    enum status st = write_list(r, &e);
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    e.replay_lsn = t->replay_lsn;
    if (st == OK) st = forest__log_edit(f, t, &e);
    if (st == OK) {
        struct shape *next = shape__copy(t->shape);
        for (size_t i = 0; i < e.added.count; i++) shape__add_run(next, HISTORY, e.added.data[i]);
        tree__set_shape(t, next);
    }
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    run_edit_release(&e);
    return st;
}
