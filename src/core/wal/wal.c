#include "core/wal/wal.h"

#include "base/hash.h"
#include "base/log.h"
#include "core/wal/wal_priv.h"

/* Opening, closing, appending. The order of records, of their timestamps and of their LSNs is made
 * under one spin lock; it is held for the copy of the payload, never over I/O or a wait.
 *
 * Files are made ahead by whoever appends past the middle of the last one, after its own flush has
 * been started, so that others need not wait for that.
 *
 * On a plain thread an append that finds no flush running does the flush itself, so `on_durable`
 * may be called before wal_append returns. On fibers it may too, by another thread. */

enum { HELD_STAGING_SHARE = 8 }; /* of the staging buffer may wait for a window to pass */

/* The directory, and its name for good. */
static enum status make_dir(struct wal *w)
{
    char parent[OS_PATH_MAX];
    const char *slash = strrchr(w->dir, '/');
    size_t len = slash ? (size_t)(slash - w->dir) : 0;
    TRY(os_mkdir(w->os, w->dir));
    memcpy(parent, w->dir, len);
    if (!len) parent[len++] = slash ? '/' : '.';
    parent[len] = '\0';
    return os_sync_dir(w->os, parent);
}

enum status wal_open(const struct wal_options *o, struct wal **ret)
{
    struct wal *w = mem_alloc(MEM_WAL, sizeof *w);
    size_t dir_len = strlen(o->dir) + 1;
    w->opts = *o;
    w->os = o->os;
    w->dir = memcpy(mem_alloc(MEM_WAL, dir_len), o->dir, dir_len);
    if (!w->opts.file_bytes) w->opts.file_bytes = WAL_FILE_BYTES_DEFAULT;
    if (!w->opts.staging_bytes_max) w->opts.staging_bytes_max = WAL_STAGING_BYTES_DEFAULT;
    enum status st = OK;
    if (dir_len > OS_PATH_MAX - 64) st = FAIL(IO_ERROR, "path \"%.64s...\" is too long", o->dir);
    if (w->opts.file_bytes % WAL_FILE_BYTES_UNIT)
        st = FAIL(INVALID_PARAMETER_VALUE, "invalid size of write-ahead log files: %llu",
                  (unsigned long long)w->opts.file_bytes);
    if (st == OK) st = make_dir(w);
    if (st == OK) st = wal__open_files(w);
    if (st == OK) *ret = w;
    else wal_abandon(w);
    return st;
}

static void release(struct wal *w)
{
    ASSERT(!w->waiters && !w->others);
    for (uint32_t i = 0; i < w->files.count; i++) file_close(w->files.at[i].file);
    mem_free(MEM_WAL, w->files.at);
    mem_free(MEM_WAL, w->active.data);
    mem_free(MEM_WAL, w->flushed.data);
    mem_free(MEM_WAL, w->dir);
    mem_free(MEM_WAL, w);
}

void wal_close(struct wal *w)
{
    if (w->replayed && wal_flush(w) != OK) log_error(LOG_ERROR, "wal");
    wal_abandon(w);
}

void wal_abandon(struct wal *w)
{
    spin_lock(&w->lock);
    __atomic_store_n(&w->failed, true, __ATOMIC_RELEASE);
    while (w->flushing || w->preparing) wal__wait_change(w);
    spin_unlock(&w->lock);
    release(w);
}

/* Under the lock, which it may release and take again: room in memory and on disk for a record of
 * `len` bytes. */
static enum status wait_for_room(struct wal *w, uint32_t len)
{
    for (;;) {
        ASSERT(w->replayed);
        if (w->failed) return IO_ERROR;
        uint64_t end = wal__end(wal__next_lsn(w), len);
        if (w->active.len && end - w->active.start > w->opts.staging_bytes_max) {
            bool lead = wal__take_role(w);
            if (!lead) {
                wal__wait_change(w);
                continue;
            }
            spin_unlock(&w->lock);
            wal__drive(w);
            spin_lock(&w->lock);
        } else if (end <= w->files_end) {
            return OK;
        } else if (w->preparing) {
            wal__wait_change(w);
        } else {
            w->preparing = true;
            spin_unlock(&w->lock);
            enum status st = wal__extend(w, end);
            spin_lock(&w->lock);
            w->preparing = false;
            wal__changed(w);
            if (st != OK) return st;
        }
    }
}

/* The log grows into its last file: makes the next before it is needed. When that fails, who needs
 * it will try again and tell. */
static void extend_ahead(struct wal *w)
{
    spin_lock(&w->lock);
    const struct wal_file *last = &w->files.at[w->files.count - 1];
    bool needed = !w->preparing && !w->failed && w->ahead_failed != w->files_end &&
                  w->appended > last->start + last->bytes / 2;
    if (needed) w->preparing = true;
    spin_unlock(&w->lock);
    if (!needed) return;
    bool made = wal__extend(w, w->files_end + 1) == OK;
    if (!made) log_error(LOG_WARNING, "wal");
    spin_lock(&w->lock);
    if (!made) w->ahead_failed = w->files_end;
    w->preparing = false;
    wal__changed(w);
    spin_unlock(&w->lock);
}

static enum status measure(const struct slice *parts, uint32_t count, struct wal_header *ret)
{
    size_t len = 0;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].len > WAL_RECORD_BYTES_MAX - len)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "transaction is too large for the write-ahead log");
        len += parts[i].len;
        if (parts[i].len) crc = crc32c(crc, parts[i].data, parts[i].len);
    }
    *ret = (struct wal_header){.kind = WAL_RECORD, .len = (uint32_t)len, .payload_crc = crc};
    return OK;
}

enum status wal_append(struct wal *w, const struct slice *parts, uint32_t count, bool batch,
                       uint64_t *commit_ts, lsn_t *ret_end)
{
    struct wal_header h;
    TRY(measure(parts, count, &h));
    spin_lock(&w->lock);
    enum status st = wait_for_room(w, h.len);
    if (st != OK) {
        bool failed = w->failed;
        spin_unlock(&w->lock);
        if (!failed) return st;
        FAIL(IO_ERROR, "could not write to the write-ahead log");
        return error_hint("The log has failed for good; the server must be restarted.");
    }
    h.ts = hlc_now(w->opts.clock);
    __atomic_store_n(commit_ts, h.ts, __ATOMIC_RELEASE);
    uint64_t lsn = wal__stage(w, &h, parts, count);
    __atomic_store_n(&w->appended_ts, h.ts, __ATOMIC_RELEASE); /* who knows it finds `appended` past it */
    uint64_t end = wal__end(lsn, h.len);
    const struct wal_file *last = &w->files.at[w->files.count - 1];
    bool held = batch && w->opts.batch_window_us > 0 &&
                w->active.len < w->opts.staging_bytes_max / HELD_STAGING_SHARE;
    bool lead = !held && wal__take_role(w);
    bool extends = end > last->start + last->bytes / 2;
    spin_unlock(&w->lock);
    *ret_end = (lsn_t){end};
    if (lead) wal__start(w);
    if (extends) extend_ahead(w);
    return OK;
}

uint32_t wal_session_at(const struct wal *w, lsn_t lsn)
{
    return lsn.v >= w->epoch_start ? w->epoch : 0;
}

uint64_t wal_bytes_from(const struct wal *w, lsn_t from)
{
    uint64_t start = w->files.count ? w->files.at[0].start : 0;
    if (from.v > start) start = from.v;
    return w->files_end > start ? w->files_end - start : 0;
}

lsn_t wal_durable_lsn(const struct wal *w)
{
    return (lsn_t){__atomic_load_n(&w->durable, __ATOMIC_ACQUIRE)};
}

lsn_t wal_appended_lsn(const struct wal *w)
{
    return (lsn_t){__atomic_load_n(&w->appended, __ATOMIC_ACQUIRE)};
}

uint64_t wal_appended_ts(const struct wal *w)
{
    return __atomic_load_n(&w->appended_ts, __ATOMIC_ACQUIRE);
}

bool wal_failed(const struct wal *w)
{
    return __atomic_load_n(&w->failed, __ATOMIC_ACQUIRE);
}

bool wal_was_cut(const struct wal *w)
{
    return w->was_cut;
}

uint64_t wal_flush_count(const struct wal *w)
{
    return __atomic_load_n(&w->flush_count, __ATOMIC_RELAXED);
}
