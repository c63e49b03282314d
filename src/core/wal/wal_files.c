#include "core/wal/wal_priv.h"

#include "base/log.h"

/* The files of the log. A file is named by the LSN of its first byte. A new one is filled with
 * zeros under another name, synced, then renamed; one that is no longer needed is renamed to
 * become the next. So a file that has a log name is whole, and writing inside of it changes no
 * metadata. */

enum { ZERO_CHUNK_BYTES = 1 << 20 };

static const char new_name[] = "new.tmp";

const struct wal_file *wal__file_at(const struct wal *w, uint64_t lsn)
{
    const struct wal_files *f = &w->files;
    for (uint32_t i = f->count; i-- > 0;)
        if (lsn >= f->at[i].start && lsn - f->at[i].start < f->at[i].bytes) return &f->at[i];
    return NULL;
}

void wal__note_flush(struct wal *w, uint64_t lsn)
{
    struct wal_file *f = (struct wal_file *)wal__file_at(w, lsn);
    if (f && lsn < f->first_flush) f->first_flush = lsn;
}

void wal__push_file(struct wal *w, struct wal_file f)
{
    struct wal_files *files = &w->files;
    if (files->count == files->cap) {
        files->cap = files->cap ? files->cap * 2 : 16;
        files->at = mem_realloc(MEM_WAL, files->at, files->cap * sizeof *files->at);
    }
    files->at[files->count++] = f;
    w->files_end = f.start + f.bytes;
}

static enum status fill_zeros(struct file *f, uint64_t bytes)
{
    size_t chunk = bytes < ZERO_CHUNK_BYTES ? (size_t)bytes : ZERO_CHUNK_BYTES;
    char *zeros = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, chunk);
    memset(zeros, 0, chunk);
    enum status st = file_allocate(f, 0, bytes);
    for (uint64_t at = 0; st == OK && at < bytes; at += chunk) {
        if (chunk > bytes - at) chunk = (size_t)(bytes - at);
        st = file_write(f, zeros, chunk, at);
    }
    if (st == OK) st = file_sync(f);
    mem_free(MEM_WAL, zeros);
    return st;
}

/* Opens what was renamed to its log name, when the rename is durable. */
static enum status adopt(struct wal *w, const char *from, uint64_t start)
{
    char path[OS_PATH_MAX];
    struct wal_file f = {.start = start, .bytes = w->opts.file_bytes, .first_flush = UINT64_MAX};
    wal__file_path(w, start, path);
    TRY(os_rename(w->os, from, path));
    TRY(os_sync_dir(w->os, w->dir));
    TRY(os_open(w->os, path, OPEN_DIRECT, &f.file));
    spin_lock(&w->lock);
    wal__push_file(w, f);
    spin_unlock(&w->lock);
    return OK;
}

static enum status make_file(struct wal *w)
{
    char path[OS_PATH_MAX];
    struct file *f;
    wal__path(w, new_name, path);
    if (os_exists(w->os, path)) TRY(os_remove(w->os, path));
    TRY(os_open(w->os, path, OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_DIRECT, &f));
    enum status st = fill_zeros(f, w->opts.file_bytes);
    file_close(f);
    if (st != OK) {
        struct error saved = *error_current();
        enum status removed = os_remove(w->os, path);
        (void)removed; /* the next attempt does */
        *error_current() = saved;
        return st;
    }
    return adopt(w, path, w->files_end);
}

enum status wal__extend(struct wal *w, uint64_t end)
{
    while (w->files_end < end) {
        if (w->files.count >= WAL_FILES_MAX)
            return FAIL(DISK_FULL, "the write-ahead log has too many files");
        TRY(make_file(w));
    }
    return OK;
}

static enum status open_file(struct wal *w, const char *name, uint64_t start)
{
    char path[OS_PATH_MAX];
    struct wal_file f = {.start = start, .first_flush = UINT64_MAX};
    if (w->files.count && start != w->files_end) {
        FAIL(DATA_CORRUPTED, "write-ahead log file \"%016llx.wal\" is missing",
             (unsigned long long)w->files_end);
        return error_detail("The next file is \"%s\".", name);
    }
    TRY(os_open(w->os, wal__path(w, name, path), OPEN_DIRECT, &f.file));
    enum status st = file_size(f.file, &f.bytes);
    if (st == OK && (!f.bytes || (f.bytes | start) % WAL_BLOCK_BYTES || start + f.bytes < start))
        st = FAIL(DATA_CORRUPTED, "write-ahead log file \"%s\" has an invalid size of %llu bytes",
                  path, (unsigned long long)f.bytes);
    if (st == OK) wal__push_file(w, f);
    else file_close(f.file);
    return st;
}

enum status wal__open_files(struct wal *w)
{
    struct arena a;
    char **names, path[OS_PATH_MAX];
    size_t count;
    uint64_t start;
    arena_init(&a, MEM_WAL);
    enum status st = os_list(w->os, w->dir, &a, &names, &count);
    for (size_t i = 0; st == OK && i < count; i++) {
        if (strcmp(names[i], new_name) == 0) st = os_remove(w->os, wal__path(w, new_name, path));
        else if (wal__parse_name(names[i], &start)) st = open_file(w, names[i], start);
    }
    arena_release(&a);
    return st;
}

/* --- erasing ---------------------------------------------------------------------------------- */

static enum status zero_from(struct file *f, uint64_t at, uint64_t bytes)
{
    char *zeros = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, ZERO_CHUNK_BYTES);
    enum status st = OK;
    memset(zeros, 0, ZERO_CHUNK_BYTES);
    for (uint64_t len; st == OK && at < bytes; at += len) {
        len = bytes - at < ZERO_CHUNK_BYTES ? bytes - at : ZERO_CHUNK_BYTES;
        st = file_write(f, zeros, len, at);
    }
    mem_free(MEM_WAL, zeros);
    return st == OK ? file_sync(f) : st;
}

static enum status erase_in(struct wal_file *f, uint64_t from)
{
    char *block = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, WAL_BLOCK_BYTES);
    uint64_t at = from > f->start ? from - f->start : 0, first = at / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    enum status st = file_read(f->file, block, WAL_BLOCK_BYTES, first);
    memset(block + (at - first), 0, WAL_BLOCK_BYTES - (at - first));
    if (st == OK) st = file_write(f->file, block, WAL_BLOCK_BYTES, first);
    mem_free(MEM_WAL, block);
    return st == OK ? zero_from(f->file, first + WAL_BLOCK_BYTES, f->bytes) : st;
}

/* Files that begin after it go. */
enum status wal__erase(struct wal *w, uint64_t from)
{
    char path[OS_PATH_MAX];
    while (w->files.count) {
        struct wal_file *last = &w->files.at[w->files.count - 1];
        if (last->start + last->bytes <= from) break;
        if (last->start < from || w->files.count == 1) return erase_in(last, from);
        TRY(os_remove(w->os, wal__file_path(w, last->start, path)));
        file_close(last->file);
        w->files_end = last->start;
        w->files.count--;
    }
    return os_sync_dir(w->os, w->dir);
}

/* --- recycling -------------------------------------------------------------------------------- */

/* Takes the oldest file off the list if nothing in it is needed: replay finds its start where a
 * flush begins, so one must begin in the files that stay, before `keep`. Under the lock. */
static bool take_oldest(struct wal *w, uint64_t keep, struct wal_file *ret)
{
    struct wal_files *f = &w->files;
    bool dispensable = false;
    for (uint32_t i = 1; i < f->count && !dispensable; i++)
        dispensable = f->at[i].first_flush <= keep;
    if (!dispensable) return false;
    *ret = f->at[0];
    f->count--;
    memmove(f->at, f->at + 1, f->count * sizeof *f->at);
    return true;
}

/* It could not be renamed or removed: a gap must not arise. */
static void put_back(struct wal *w, struct wal_file f)
{
    spin_lock(&w->lock);
    memmove(w->files.at + 1, w->files.at, w->files.count * sizeof f);
    w->files.at[0] = f;
    w->files.count++;
    spin_unlock(&w->lock);
}

static uint32_t files_ahead(const struct wal *w)
{
    uint32_t n = 0;
    for (uint32_t i = w->files.count; i-- > 0 && w->files.at[i].start > w->appended;) n++;
    return n;
}

static enum status recycle_files(struct wal *w, uint64_t keep)
{
    char path[OS_PATH_MAX];
    struct wal_file f;
    bool removed = false;
    for (;;) {
        spin_lock(&w->lock);
        bool any = take_oldest(w, keep, &f);
        uint32_t ahead = files_ahead(w);
        spin_unlock(&w->lock);
        if (!any) break;
        wal__file_path(w, f.start, path);
        bool again = ahead < WAL_FILES_AHEAD_MAX && f.bytes == w->opts.file_bytes;
        enum status st = again ? adopt(w, path, w->files_end) : os_remove(w->os, path);
        if (st != OK && os_exists(w->os, path)) put_back(w, f);
        else file_close(f.file);
        TRY(st);
        removed |= !again;
    }
    return removed ? os_sync_dir(w->os, w->dir) : OK;
}

/* The start of the last flush stays, so that the next session learns the number of this one. */
enum status wal_recycle(struct wal *w, lsn_t keep)
{
    spin_lock(&w->lock);
    uint64_t limit = keep.v < w->last_flush ? keep.v : w->last_flush, held = wal__held(w);
    if (held < limit) limit = held;
    ASSERT(w->replayed);
    while (w->preparing) wal__wait_change(w);
    w->preparing = true;
    spin_unlock(&w->lock);
    enum status st = recycle_files(w, limit);
    spin_lock(&w->lock);
    w->preparing = false;
    wal__changed(w);
    spin_unlock(&w->lock);
    return st;
}
