/* A log made of bytes of another: of a directory that is being restored. Nothing needs to be in order on disk before
 * the end, since the directory counts only when it is whole. */
#include "core/wal/wal_priv.h"

#include <stdio.h>

#include "core/wal/build.h"

struct wal_builder {
    struct os *os;
    char *dir;
    struct file *file; /* NULL: none is open */
    uint64_t start;    /* of it */
    uint64_t lsn;      /* the next byte */
};

enum status wal_build_begin(struct os *os, const char *dir, lsn_t start, struct wal_builder **ret)
{
    struct wal_builder *b = mem_alloc(MEM_WAL, sizeof *b);
    size_t len = strlen(dir) + 1;
    b->os = os;
    b->dir = memcpy(mem_alloc(MEM_WAL, len), dir, len);
    b->lsn = start.v;
    enum status st = os_mkdir(os, dir);
    if (st == OK) *ret = b;
    else wal_build_free(b);
    return st;
}

void wal_build_free(struct wal_builder *b)
{
    if (!b) return;
    if (b->file) file_close(b->file);
    mem_free(MEM_WAL, b->dir);
    mem_free(MEM_WAL, b);
}

lsn_t wal_build_end(const struct wal_builder *b)
{
    return (lsn_t){b->lsn};
}

static enum status end_file(struct wal_builder *b)
{
    if (!b->file) return OK;
    enum status st = file_sync(b->file);
    file_close(b->file);
    b->file = NULL;
    return st;
}

static enum status begin_file(struct wal_builder *b)
{
    char path[OS_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%016llx.wal", b->dir, (unsigned long long)b->lsn) >= (int)sizeof path)
        return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", b->dir);
    b->start = b->lsn;
    return os_open(b->os, path, OPEN_CREATE | OPEN_EXCLUSIVE, &b->file);
}

enum status wal_build_add(struct wal_builder *b, struct slice bytes)
{
    ASSERT(bytes.len % WAL_BLOCK_BYTES == 0);
    while (bytes.len) {
        if (b->file && b->lsn - b->start >= WAL_FILE_BYTES_DEFAULT) TRY(end_file(b));
        if (!b->file) TRY(begin_file(b));
        uint64_t left = WAL_FILE_BYTES_DEFAULT - (b->lsn - b->start);
        size_t len = bytes.len < left ? bytes.len : (size_t)left;
        TRY(file_write(b->file, bytes.data, len, b->lsn - b->start));
        b->lsn += len;
        bytes = slice_make(bytes.data + len, bytes.len - len);
    }
    return OK;
}

enum status wal_build_finish(struct wal_builder *b)
{
    static const char zeros[WAL_BLOCK_BYTES];
    TRY(wal_build_add(b, slice_make(zeros, sizeof zeros)));
    TRY(end_file(b));
    return os_sync_dir(b->os, b->dir);
}
