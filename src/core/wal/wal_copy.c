/* Reading the log's own bytes beside appends and recycling: for its archive and for backups. What is read is
 * durable, so it never changes, and is held against recycling by the reader meanwhile. */
#include "core/wal/wal_priv.h"

enum { CHUNK_BYTES = 1 << 20 };

uint32_t wal_hold(struct wal *w, lsn_t from)
{
    uint32_t i = 0;
    spin_lock(&w->lock);
    while (i < WAL_HOLDS_MAX && w->hold_used[i]) i++;
    if (i < WAL_HOLDS_MAX) {
        w->hold_used[i] = true;
        w->holds[i] = from.v;
    }
    spin_unlock(&w->lock);
    return i;
}

void wal_move_hold(struct wal *w, uint32_t hold, lsn_t from)
{
    spin_lock(&w->lock);
    w->holds[hold] = from.v;
    spin_unlock(&w->lock);
}

void wal_end_hold(struct wal *w, uint32_t hold)
{
    spin_lock(&w->lock);
    w->hold_used[hold] = false;
    spin_unlock(&w->lock);
}

uint64_t wal__held(const struct wal *w)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < WAL_HOLDS_MAX; i++)
        if (w->hold_used[i] && w->holds[i] < least) least = w->holds[i];
    return least;
}

lsn_t wal_oldest_lsn(struct wal *w)
{
    spin_lock(&w->lock);
    uint64_t start = w->files.count ? w->files.at[0].start : w->files_end;
    spin_unlock(&w->lock);
    return (lsn_t){start};
}

lsn_t wal_file_end(struct wal *w, lsn_t at)
{
    spin_lock(&w->lock);
    const struct wal_file *f = wal__file_at(w, at.v);
    uint64_t end = f ? f->start + f->bytes : w->files_end;
    spin_unlock(&w->lock);
    return (lsn_t){end};
}

/* Up to `to`, as far as the file goes that holds `from`. */
static enum status copy_file(struct wal *w, uint64_t from, uint64_t to, char *chunk, uint64_t *ret_end,
                             enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx)
{
    char path[OS_PATH_MAX];
    struct file *file;
    spin_lock(&w->lock);
    const struct wal_file *f = wal__file_at(w, from);
    struct wal_file at = f ? *f : (struct wal_file){0};
    spin_unlock(&w->lock);
    if (!f)
        return FAIL(DATA_CORRUPTED, "write-ahead log has no file for %llX", (unsigned long long)from);
    if (to > at.start + at.bytes) to = at.start + at.bytes;
    TRY(os_open(w->os, wal__file_path(w, at.start, path), OPEN_DIRECT | OPEN_READ_ONLY, &file));
    enum status st = OK;
    for (uint64_t lsn = from; st == OK && lsn < to;) {
        size_t len = to - lsn < CHUNK_BYTES ? (size_t)(to - lsn) : CHUNK_BYTES;
        st = file_read(file, chunk, len, lsn - at.start);
        if (st == OK) st = fn(ctx, (lsn_t){lsn}, slice_make(chunk, len));
        lsn += len;
    }
    file_close(file);
    *ret_end = to;
    return st;
}

enum status wal_copy(struct wal *w, lsn_t from, lsn_t to,
                     enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx)
{
    char *chunk = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, CHUNK_BYTES);
    enum status st = OK;
    ASSERT(from.v % WAL_BLOCK_BYTES == 0 && to.v % WAL_BLOCK_BYTES == 0);
    for (uint64_t lsn = from.v; st == OK && lsn < to.v;) st = copy_file(w, lsn, to.v, chunk, &lsn, fn, ctx);
    mem_free(MEM_WAL, chunk);
    return st;
}
