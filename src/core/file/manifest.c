#include "core/file/manifest.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/point.h"

/* A file manifest-<number>.hmf of batches; the superblock tells the number. Each append is one
 * batch, begins on a block boundary and is filled up with zeros to the next, so no block that
 * counts is ever written again. Little-endian:
 *
 *   0  u32  CRC-32C of bytes 4 to the end of the batch
 *   4  u32  records
 *   8  u64  bytes of the batch, this header included, without the filling
 *  16  u64  number of the manifest
 *  24  u64  offset of the batch in the file
 *  32  records: u32 length, bytes
 *
 * Number and offset make a batch valid in its own place only. One append follows the other's sync,
 * so an invalid batch before a valid one is damage, and an invalid last one was never acknowledged.
 * The first batch was synced before the superblock named the file: it must be there. */

enum { HEADER_BYTES = 32, BATCH_BYTES_MAX = 1 << 30, SUPER_BYTES = 8 };

struct manifest {
    struct os *os;
    struct blocks *blocks;
    char *dir;
    struct file *file;
    uint64_t number;
    uint64_t bytes; /* where the next batch goes */
    bool failed;    /* sticky: what the disk holds is not known */
};

static const char *path_of(const struct manifest *m, uint64_t number, char *buf)
{
    snprintf(buf, OS_PATH_MAX, "%s/manifest-%08llu.hmf", m->dir, (unsigned long long)number);
    return buf;
}

static uint64_t block_up(uint64_t n)
{
    return (n + BLOCK_BYTES - 1) & ~(uint64_t)(BLOCK_BYTES - 1);
}

/* --- batches ---------------------------------------------------------------------------------- */

static enum status encode(const struct slice *records, uint32_t count, uint64_t number,
                          uint64_t offset, char **ret, uint64_t *ret_bytes)
{
    uint64_t bytes = HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        bytes += 4 + records[i].len;
        if (records[i].len > BATCH_BYTES_MAX || bytes > BATCH_BYTES_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "manifest records are too large");
    }
    char *data = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, block_up(bytes));
    char *p = data + HEADER_BYTES;
    memcpy(data + 4, &count, 4);
    memcpy(data + 8, &bytes, 8);
    memcpy(data + 16, &number, 8);
    memcpy(data + 24, &offset, 8);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)records[i].len;
        memcpy(p, &len, 4);
        if (len) memcpy(p + 4, records[i].data, len);
        p += 4 + len;
    }
    memset(p, 0, block_up(bytes) - bytes);
    uint32_t crc = crc32c(0, data + 4, bytes - 4);
    memcpy(data, &crc, 4);
    *ret = data;
    *ret_bytes = bytes;
    return OK;
}

/* The bytes of the batch at `offset`; 0 when there is no valid one. */
static uint64_t valid_batch(const char *data, uint64_t size, uint64_t number, uint64_t offset)
{
    uint32_t crc;
    uint64_t bytes, its_number, its_offset;
    const char *p = data + offset;
    if (size - offset < BLOCK_BYTES) return 0;
    memcpy(&crc, p, 4);
    memcpy(&bytes, p + 8, 8);
    memcpy(&its_number, p + 16, 8);
    memcpy(&its_offset, p + 24, 8);
    if (its_number != number || its_offset != offset) return 0;
    if (bytes < HEADER_BYTES || bytes > size - offset) return 0;
    return crc == crc32c(0, p + 4, bytes - 4) ? bytes : 0;
}

/* A valid checksum over lengths that do not add up: written so by us, or forged. */
static enum status fail_malformed(struct manifest *m, uint64_t offset)
{
    return FAIL(DATA_CORRUPTED, "manifest \"%s\" has a malformed batch at offset %llu",
                m->file->path, (unsigned long long)offset);
}

static enum status replay_batch(struct manifest *m, const char *data, uint64_t bytes,
                                enum status (*fn)(void *ctx, struct slice record), void *ctx)
{
    uint32_t count, len;
    uint64_t at = HEADER_BYTES;
    memcpy(&count, data + 4, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (bytes - at < 4) return fail_malformed(m, m->bytes);
        memcpy(&len, data + at, 4);
        at += 4;
        if (bytes - at < len) return fail_malformed(m, m->bytes);
        TRY(fn(ctx, slice_make(data + at, len)));
        at += len;
    }
    return at == bytes ? OK : fail_malformed(m, m->bytes);
}

/* Nothing valid at m->bytes: is it the end? */
static enum status check_tail(struct manifest *m, const char *data, uint64_t size)
{
    bool damaged = m->bytes == 0;
    for (uint64_t at = m->bytes + BLOCK_BYTES; !damaged && at < size; at += BLOCK_BYTES)
        damaged = valid_batch(data, size, m->number, at) > 0;
    if (!damaged) return OK;
    return FAIL(DATA_CORRUPTED, "manifest \"%s\" is damaged at offset %llu", m->file->path,
                (unsigned long long)m->bytes);
}

/* Makes what follows the last batch void for good. Were it left there, the first sectors of a torn
 * batch and the last ones of its successor, torn too, could add up to the torn one. */
static enum status cut_tail(struct manifest *m)
{
    TRY(file_truncate(m->file, m->bytes));
    return file_sync(m->file);
}

static enum status replay_all(struct manifest *m, enum status (*fn)(void *ctx, struct slice record),
                              void *ctx)
{
    uint64_t whole, size, bytes;
    TRY(file_size(m->file, &whole));
    size = whole - whole % BLOCK_BYTES;
    char *data = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, size ? size : BLOCK_BYTES);
    enum status st = size ? file_read(m->file, data, size, 0) : OK;
    while (st == OK && m->bytes < size) {
        bytes = valid_batch(data, size, m->number, m->bytes);
        if (!bytes) break;
        st = replay_batch(m, data + m->bytes, bytes, fn, ctx);
        if (st == OK) m->bytes += block_up(bytes);
    }
    if (st == OK) st = check_tail(m, data, size);
    mem_free(MEM_FILE, data);
    if (st == OK && whole != m->bytes) st = cut_tail(m);
    return st;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Writes the first batch of the manifest `number`; it does not count before the superblock says. */
static enum status create(struct manifest *m, uint64_t number, const struct slice *records,
                          uint32_t count, struct file **ret, uint64_t *ret_bytes)
{
    char path[OS_PATH_MAX], *data;
    struct file *f;
    uint64_t bytes;
    TRY(encode(records, count, number, 0, &data, &bytes));
    path_of(m, number, path);
    enum status st = os_exists(m->os, path) ? os_remove(m->os, path) : OK;
    if (st == OK) st = os_open(m->os, path, OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_DIRECT, &f);
    if (st == OK) {
        st = file_write(f, data, block_up(bytes), 0);
        if (st == OK) st = file_sync(f);
        if (st == OK) st = os_sync_dir(m->os, m->dir);
        if (st != OK) file_close(f);
    }
    mem_free(MEM_FILE, data);
    TRY(st);
    *ret = f;
    *ret_bytes = block_up(bytes);
    return OK;
}

static enum status point_to(struct manifest *m, uint64_t number)
{
    return blocks_super_write(m->blocks, slice_make(&number, SUPER_BYTES));
}

/* Earlier manifests, and one that was never pointed to. What cannot be removed only takes space. */
static void remove_others(struct manifest *m)
{
    struct arena a;
    char **names, current[OS_PATH_MAX], path[OS_PATH_MAX];
    size_t count, removed = 0;
    enum status st;
    arena_init(&a, MEM_FILE);
    path_of(m, m->number, current);
    if (os_list(m->os, m->dir, &a, &names, &count) != OK) count = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], "manifest-", 9) != 0) continue;
        snprintf(path, sizeof path, "%s/%s", m->dir, names[i]);
        if (strcmp(path, current) == 0) continue;
        st = os_remove(m->os, path);
        if (st != OK) log_error(LOG_WARNING, "manifest");
        else removed++;
    }
    if (removed && os_sync_dir(m->os, m->dir) != OK) log_error(LOG_WARNING, "manifest");
    arena_release(&a);
}

/* There is no other manifest than one that nothing was ever added to? Else the superblock that names
 * it was lost after all. */
static enum status check_unnamed(struct manifest *m, const char *path)
{
    uint64_t bytes;
    if (!os_exists(m->os, path)) return OK;
    TRY(os_open(m->os, path, OPEN_READ_ONLY, &m->file));
    enum status st = file_size(m->file, &bytes);
    file_close(m->file);
    m->file = NULL;
    TRY(st);
    if (bytes <= BLOCK_BYTES) return OK;
    return FAIL(DATA_CORRUPTED, "the superblocks in \"%s\" name no manifest, but \"%s\" is one",
                m->dir, path);
}

static enum status open_named(struct manifest *m)
{
    char path[OS_PATH_MAX];
    path_of(m, m->number, path);
    if (os_exists(m->os, path)) return os_open(m->os, path, OPEN_DIRECT, &m->file);
    FAIL(DATA_CORRUPTED, "manifest \"%s\" is missing", path);
    return error_detail("The newest valid superblock names it.");
}

static enum status open_current(struct manifest *m)
{
    struct strbuf super;
    char path[OS_PATH_MAX];
    strbuf_init(&super, NULL);
    enum status st = blocks_super_read(m->blocks, &super);
    size_t len = super.len;
    if (st == OK && len == SUPER_BYTES) memcpy(&m->number, super.data, SUPER_BYTES);
    strbuf_release(&super);
    TRY(st);
    if (len == SUPER_BYTES) return open_named(m);
    if (len) return FAIL(DATA_CORRUPTED, "the superblock in \"%s\" names no manifest", m->dir);
    m->number = 1;
    TRY(check_unnamed(m, path_of(m, m->number, path)));
    TRY(create(m, m->number, NULL, 0, &m->file, &m->bytes));
    m->bytes = 0; /* to be replayed like any other */
    return point_to(m, m->number);
}

enum status manifest_open(struct os *os, const char *dir, struct blocks *b,
                          enum status (*fn)(void *ctx, struct slice record), void *ctx,
                          struct manifest **ret)
{
    struct manifest *m = mem_alloc(MEM_FILE, sizeof *m);
    size_t dir_len = strlen(dir) + 1;
    m->os = os;
    m->blocks = b;
    m->dir = memcpy(mem_alloc(MEM_FILE, dir_len), dir, dir_len);
    enum status st = dir_len > OS_PATH_MAX - 64
                         ? FAIL(IO_ERROR, "path \"%.64s...\" is too long", dir) : open_current(m);
    if (st == OK) st = replay_all(m, fn, ctx);
    if (st == OK) {
        remove_others(m);
        *ret = m;
    } else {
        manifest_close(m);
    }
    return st;
}

void manifest_close(struct manifest *m)
{
    if (m->file) file_close(m->file);
    mem_free(MEM_FILE, m->dir);
    mem_free(MEM_FILE, m);
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum status fail_failed(struct manifest *m)
{
    FAIL(IO_ERROR, "could not write manifest \"%s\"", m->file->path);
    return error_hint("An earlier write has failed; the server must be restarted.");
}

static enum status sync_batch(struct manifest *m)
{
    POINT_TRY("manifest.before_sync");
    return file_sync(m->file);
}

/* On a full disk the batch is not whole: it is cut off, and the next may be tried. After any other
 * failure nobody knows what is there. */
static enum status fail_full(struct manifest *m)
{
    struct error saved = *error_current();
    m->failed = cut_tail(m) != OK;
    *error_current() = saved;
    return DISK_FULL;
}

enum status manifest_append(struct manifest *m, const struct slice *records, uint32_t count)
{
    char *data;
    uint64_t bytes;
    if (m->failed) return fail_failed(m);
    TRY(encode(records, count, m->number, m->bytes, &data, &bytes));
    enum status st = file_write(m->file, data, block_up(bytes), m->bytes);
    mem_free(MEM_FILE, data);
    if (st == DISK_FULL) return fail_full(m);
    if (st == OK) st = sync_batch(m);
    if (st == OK) m->bytes += block_up(bytes);
    else m->failed = true;
    return st;
}

enum status manifest_rewrite(struct manifest *m, const struct slice *records, uint32_t count)
{
    struct file *f, *old = m->file;
    uint64_t bytes;
    if (m->failed) return fail_failed(m);
    TRY(create(m, m->number + 1, records, count, &f, &bytes));
    enum status st = point_to(m, m->number + 1);
    if (st != OK) {
        m->failed = true;
        file_close(f);
        return st;
    }
    m->file = f;
    m->number++;
    m->bytes = bytes;
    file_close(old);
    remove_others(m);
    return OK;
}

uint64_t manifest_bytes(const struct manifest *m)
{
    return m->bytes;
}

enum status manifest_verify(struct manifest *m, uint64_t *ret_batches)
{
    uint64_t batches = 0, at = 0, bytes = 1;
    char *data = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, m->bytes);
    enum status st = file_read(m->file, data, m->bytes, 0);
    while (st == OK && at < m->bytes) {
        bytes = valid_batch(data, m->bytes, m->number, at);
        if (!bytes)
            st = FAIL(DATA_CORRUPTED, "manifest \"%s\" is damaged at offset %llu", m->file->path,
                      (unsigned long long)at);
        at += block_up(bytes);
        batches += bytes > 0;
    }
    mem_free(MEM_FILE, data);
    *ret_batches = batches;
    return st;
}
