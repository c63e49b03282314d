/* The form that a tree's runs are to have (docs/design/htap.md): told by who knows what its rows consist of, taken
 * on by whatever is written from then on, and by runs that are there already one after another, in merges of their
 * own that nothing else waits for. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"
#include "core/lsm/masks.h"
#include "core/segment/run_columns.h"

enum { WANTED_TOLD = 1, WANTED_FORM_BITS = 4, WANTED_COLUMNS_AT = 8 };

struct run_layout *tree_layout(struct tree *t)
{
    fmutex_lock(&t->mutex);
    struct run_layout *l = run_layout_ref(t->columns);
    fmutex_unlock(&t->mutex);
    return l;
}

void tree_set_layout(struct tree *t, struct run_layout *l)
{
    fmutex_lock(&t->mutex);
    struct run_layout *old = t->columns;
    t->columns = l;
    uint32_t form = l ? l->form : RUN_ROWS, columns = l ? l->count : 0;
    __atomic_store_n(&t->wanted, columns << WANTED_COLUMNS_AT | form << 1 | WANTED_TOLD, __ATOMIC_RELEASE);
    fmutex_unlock(&t->mutex);
    run_layout_unref(old);
}

bool tree_misfits(const struct tree *t, const struct run_ref *r)
{
    uint32_t wanted = __atomic_load_n(&t->wanted, __ATOMIC_ACQUIRE);
    enum run_form form = wanted >> 1 & ((1u << WANTED_FORM_BITS) - 1);
    if (!wanted || run_form(r->run) == form) return false;
    if (__atomic_load_n(&t->retired_ts, __ATOMIC_ACQUIRE)) return false; /* read ever less often */
    if (__atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != RUN_INSTALLED) return false;
    return wanted >> WANTED_COLUMNS_AT >= __atomic_load_n(&r->unfit, __ATOMIC_RELAXED);
}

bool tree__find_misfit(const struct tree *t, const struct shape *s, uint32_t *ret_level, uint32_t *ret_at)
{
    if (!__atomic_load_n(&t->wanted, __ATOMIC_ACQUIRE)) return false;
    for (uint32_t l = LEVELS_MAX; l-- > 0;) {
        for (uint32_t i = s->levels[l].count; i-- > 0;) {
            const struct run_ref *r = s->levels[l].runs[i];
            /* In level 0 nothing goes that is newer than a committed load which is not installed. */
            if (l == 0 && __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == RUN_PREPARED) break;
            if (!tree_misfits(t, r)) continue;
            *ret_level = l;
            *ret_at = i;
            return true;
        }
    }
    return false;
}

void tree__note_unfit(const struct run_layout *l, const struct run_edit *e)
{
    for (size_t i = 0; l && i < e->added.count; i++) {
        struct run_ref *r = e->added.data[i];
        if (e->added_level.data[i] == HISTORY || run_form(r->run) == l->form) continue;
        __atomic_store_n(&r->unfit, l->count + 1, __ATOMIC_RELAXED);
    }
}

void run_edit__discard(struct run_edit *e)
{
    for (size_t i = 0; i < e->added.count; i++) {
        struct run_ref *r = e->added.data[i];
        run_destroy(r->run);
        run_masks_free(r);
        mem_free(MEM_RUN, (char *)r->meta.data);
        mem_free(MEM_RUN, r);
    }
    e->added.count = e->added_level.count = 0;
}
