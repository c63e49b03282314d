/* Bulk loads: what load.c and load_buffer.c share. */
#ifndef HELIOS_CORE_MVCC_LOAD_PRIV_H
#define HELIOS_CORE_MVCC_LOAD_PRIV_H

#include "core/mvcc/mvcc_priv.h"

/* Lies in the buffer's arena: this, the key, the row. */
struct load_item {
    uint32_t key_len, row_len;
    uint64_t tag;
    bool written; /* as a version, too (txn__write_over) */
    char bytes[];
};
static inline struct slice load_key(const struct load_item *i)
{
    return slice_make(i->bytes, i->key_len);
}
static inline struct slice load_row(const struct load_item *i)
{
    return slice_make(i->bytes + i->key_len, i->row_len);
}

struct load_entry {
    uint64_t head; /* the key's first bytes as a number */
    struct load_item *item;
};

/* What one tree has in a buffer. */
struct load_part {
    tree_id tree;
    struct run_layout *columns; /* of its runs */
    ARRAY(struct load_entry) entries;
    bool unsorted;
    /* Once written: */
    struct strbuf meta; /* of the run; empty when there are no entries */
    const struct load_item *twice; /* the first in the input whose key came before, or NULL */
};

struct load_buffer {
    struct load_part *parts;
    uint32_t count;
    struct arena arena;
    uint64_t bytes; /* of all parts */
};

void load_buffer__init(struct load_buffer *b, const struct load_tree *trees, uint32_t n);
void load_buffer__release(struct load_buffer *b);
void load_buffer__clear(struct load_buffer *b);
void load_buffer__add(struct load_buffer *b, uint32_t part, struct slice key, struct slice row,
                      uint64_t tag);
/* Sorts each part and writes it as a run. With a key twice nothing of that part is written. Ends with
 * QUERY_CANCELED when *stop (atomic) becomes true, or the running waiter is canceled. */
enum status load_buffer__write(struct load_buffer *b, struct forest *f, const uint32_t *stop) MUST;

/* A load of one tree whose runs are not published but kept by who loads: `keep` gets the meta of
 * each, written and not synced, and from then on it is its own. A key that comes twice in one
 * buffer is UNIQUE_VIOLATION. */
enum status load__begin_kept(struct txn *t, tree_id tree,
                             void (*keep)(void *ctx, struct slice meta), void *ctx,
                             struct load **ret) MUST;

#endif
