/* Sources of a scan: cursor_source.c; their merge: cursor.c. */
#ifndef HELIOS_CORE_MVCC_CURSOR_PRIV_H
#define HELIOS_CORE_MVCC_CURSOR_PRIV_H

#include "core/mvcc/mvcc_priv.h"

enum { WALK_LEAVES = 128, ROWS_AHEAD = 64 };

enum source_kind { SOURCE_MEMORY, SOURCE_RUNS, SOURCE_HISTORY };

struct source {
    enum source_kind kind;
    const struct layer *layer;
    bool ended;
    struct slice key, row; /* the head; row.data stays until the source moves */
    bool tombstone;
    uint64_t ts;           /* of the head */
    /* MEMORY */
    struct memory *memory;
    struct leaf **leaves;
    uint32_t count, at;
    bool walked;
    /* RUNS */
    struct run_ref *const *runs;
    uint32_t run_count, run_at;
    struct run_cursor *cursor;
    struct entry entry;    /* where the run's cursor stands */
    bool has_entry;
    struct strbuf last_key; /* given last */
    struct strbuf held_row; /* backward: the best version so far */
    bool shown;             /* some key of it is in no memtable, as far as it has come */
    bool interleaves;       /* its keys come between those of others: */
    struct run_row *ahead;  /* its heads are found many at once; NULL: not yet */
    uint32_t ahead_at, ahead_count; /* the head is that at `ahead_at`; count 0: it is `entry` */
};

struct cursor {
    struct txn *txn;
    struct layer layers[BRANCH_STEPS_MAX];
    bool reverse, skip_keys, changes;
    bool learns; /* notes at its end which runs memtables hide */
    uint64_t since;
    struct strbuf lower, upper;
    bool has_lower, has_upper;
    tree_id tree;
    struct strbuf tracked; /* SERIALIZABLE: from here on, in the scan's order, nothing is tracked yet */
    bool tracks;
    struct arena batch;
    struct page_pins pins; /* of the batch */
    struct source *sources;
    uint32_t source_count;
    struct source **order; /* those that have not ended, by their heads */
    uint32_t live;
};

/* The rows of a batch, as they are gathered. */
struct gather {
    struct slice *keys, *rows; /* keys NULL: not wanted */
    uint32_t max, count;
};

/* To the head of the source, or the next; `ended` when there is none. */
enum status source__first(struct cursor *c, struct source *s) MUST;
enum status source__next(struct cursor *c, struct source *s) MUST;
/* Forward: what this page has before `limit`; the source has moved on then. Of runs whose head is `entry`. */
enum status source__take_page(struct cursor *c, struct source *s, struct slice limit, uint32_t max,
                              struct slice *keys, struct slice *rows, uint32_t *ret_count) MUST;
/* What a memtable has for good hides the head of the other from all who come later, too: that is kept with the run. */
void source__keep_hidden(struct source *s, uint64_t ts);
/* A head of the one source has hidden one of the other. */
static inline void source__hide(const struct cursor *c, const struct source *by, struct source *s)
{
    if (by->kind != SOURCE_MEMORY || !by->ts) s->shown = true;
    else if (c->learns && !c->reverse && s->kind == SOURCE_RUNS) source__keep_hidden(s, by->ts);
}
/* Forward, of today: the rows of a memtable and of a run's heads that were found ahead, in order, as long as there are
 * more of these. The memtable, which lies above, may have ended then. */
void source__zip(struct cursor *c, struct source *memory, struct source *run, struct gather *g);
void source__close(struct source *s);

#endif
