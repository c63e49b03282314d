#include "core/file/blocks.h"

#include <stdio.h>

#include "base/fiber.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/point.h"
#include "core/file/blocks_priv.h"

/* Files are only added, under another name until they have their full size, so that a file of the
 * right name is whole. They are never shrunk: the space is used again. Extents go to the lowest
 * file that has room, which leaves the later ones empty.
 *
 * A superblock that could not be written or synced leaves it open which of the two a crash would
 * find; so after a failed sync nothing is promised any more: all later syncs fail. */

enum {
    FILES_MAX = 16384,
    FILE_BYTES_DEFAULT = 256 << 20,
    SUPER_BLOCKS = EXTENT_BLOCKS_MIN, /* of file 1, blocks 0 and 1 in use */
    SUPER_VERSION = 1,
    SUPER_DATA_AT = 32,
    SUPER_CRC_AT = BLOCK_BYTES - 4,
    SUPER_DATA_MAX = 3000,
};

static const char super_magic[8] = "HELIOSDB";
static const char new_name[] = "data.tmp";

struct block_file {
    struct file *file; /* immutable */
    uint64_t bytes;    /* immutable */
    struct buddy buddy; /* guarded by blocks.lock */
    bool dirty;        /* atomic: written since the last sync */
};

struct blocks {
    struct os *os;
    char *dir;
    uint64_t file_bytes;
    struct fmutex grow;    /* one adds a file, syncs or writes a superblock at a time */
    struct spinlock lock;  /* guards the buddies and the sums */
    uint32_t count;        /* atomic; grows under grow */
    uint64_t used, total;  /* atomic */
    bool failed;           /* atomic, sticky: a sync has failed */
    uint64_t super_number; /* guarded by grow */
    char *super;           /* the current one; guarded by grow */
    struct block_file *files[FILES_MAX]; /* file n at n-1; immutable once counted */
};

const char *blocks_path(const struct blocks *b, uint32_t file, char *buf, size_t len)
{
    snprintf(buf, len, "%s/data-%04u.hbf", b->dir, file);
    return buf;
}

static struct block_file *file_at(const struct blocks *b, uint32_t file)
{
    ASSERT(file > 0 && file <= __atomic_load_n(&b->count, __ATOMIC_ACQUIRE));
    return b->files[file - 1];
}

/* --- superblocks ------------------------------------------------------------------------------ */

static void super_encode(char *block, uint64_t number, struct slice data)
{
    uint32_t version = SUPER_VERSION, len = (uint32_t)data.len;
    memset(block, 0, BLOCK_BYTES);
    memcpy(block, super_magic, 8);
    memcpy(block + 8, &version, 4);
    memcpy(block + 12, &len, 4);
    memcpy(block + 16, &number, 8);
    if (data.len) memcpy(block + SUPER_DATA_AT, data.data, data.len);
    uint32_t crc = crc32c(0, block, SUPER_CRC_AT);
    memcpy(block + SUPER_CRC_AT, &crc, 4);
}

/* 0 when it is none. */
static uint64_t super_number(const char *block)
{
    uint32_t version, len, crc;
    uint64_t number;
    memcpy(&crc, block + SUPER_CRC_AT, 4);
    memcpy(&version, block + 8, 4);
    memcpy(&len, block + 12, 4);
    memcpy(&number, block + 16, 8);
    if (memcmp(block, super_magic, 8) != 0 || crc != crc32c(0, block, SUPER_CRC_AT)) return 0;
    return version == SUPER_VERSION && len <= SUPER_DATA_MAX ? number : 0;
}

static enum status super_load(struct blocks *b)
{
    struct file *f = b->files[0]->file;
    char *two = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, 2 * BLOCK_BYTES);
    enum status st = file_read(f, two, 2 * BLOCK_BYTES, 0);
    if (st == OK) {
        uint64_t first = super_number(two), second = super_number(two + BLOCK_BYTES);
        b->super_number = first > second ? first : second;
        memcpy(b->super, first > second ? two : two + BLOCK_BYTES, BLOCK_BYTES);
        if (!b->super_number)
            st = FAIL(DATA_CORRUPTED, "file \"%s\" has no valid superblock", f->path);
    }
    mem_free(MEM_FILE, two);
    return st;
}

enum status blocks_super_read(struct blocks *b, struct strbuf *ret)
{
    uint32_t len;
    fmutex_lock(&b->grow);
    memcpy(&len, b->super + 12, 4);
    strbuf_clear(ret);
    strbuf_add(ret, b->super + SUPER_DATA_AT, len);
    fmutex_unlock(&b->grow);
    return OK;
}

enum status blocks_verify(struct blocks *b)
{
    struct file *f = b->files[0]->file;
    char *block = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, BLOCK_BYTES);
    fmutex_lock(&b->grow);
    uint64_t number = super_number(b->super), offset = number % 2 * BLOCK_BYTES;
    enum status st = file_read(f, block, BLOCK_BYTES, offset);
    if (st == OK && memcmp(block, b->super, BLOCK_BYTES) != 0)
        st = FAIL(DATA_CORRUPTED, "superblock in file \"%s\" at offset %llu is damaged", f->path,
                  (unsigned long long)offset);
    fmutex_unlock(&b->grow);
    mem_free(MEM_FILE, block);
    return st;
}

static enum status fail_failed(struct blocks *b)
{
    FAIL(IO_ERROR, "could not sync the data files in \"%s\"", b->dir);
    return error_hint("An earlier sync has failed; the server must be restarted.");
}

/* Under grow. */
static enum status super_write(struct blocks *b, struct slice data)
{
    struct file *f = b->files[0]->file;
    uint64_t number = b->super_number + 1;
    if (b->failed) return fail_failed(b);
    POINT_TRY("superblock.before_write");
    char *block = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, BLOCK_BYTES);
    super_encode(block, number, data);
    enum status st = file_write(f, block, BLOCK_BYTES, number % 2 * BLOCK_BYTES);
    if (st == OK) st = file_sync(f);
    if (st == OK) {
        memcpy(b->super, block, BLOCK_BYTES);
        b->super_number = number;
    } else {
        __atomic_store_n(&b->failed, true, __ATOMIC_RELEASE);
    }
    mem_free(MEM_FILE, block);
    return st;
}

enum status blocks_super_write(struct blocks *b, struct slice data)
{
    if (data.len > SUPER_DATA_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "superblock data of %zu bytes is too large", data.len);
    fmutex_lock(&b->grow);
    enum status st = super_write(b, data);
    fmutex_unlock(&b->grow);
    return st;
}

/* --- files ------------------------------------------------------------------------------------ */

static void add_file(struct blocks *b, struct file *file, uint64_t bytes)
{
    uint32_t count = b->count;
    struct block_file *f = mem_alloc(MEM_FILE, sizeof *f);
    ASSERT(count < FILES_MAX);
    f->file = file;
    f->bytes = bytes;
    buddy__init(&f->buddy, (uint32_t)(bytes / BLOCK_BYTES / BUDDY_CELL_BLOCKS));
    if (count == 0) {
        bool super_free = buddy__mark(&f->buddy, 0, buddy__order(SUPER_BLOCKS));
        ASSERT(super_free);
    }
    spin_lock(&b->lock);
    b->files[count] = f;
    b->total += bytes;
    if (count == 0) b->used += SUPER_BLOCKS * BLOCK_BYTES;
    __atomic_store_n(&b->count, count + 1, __ATOMIC_RELEASE);
    spin_unlock(&b->lock);
}

static enum status fill_new(struct blocks *b, struct file *f, uint64_t bytes)
{
    TRY(file_allocate(f, 0, bytes));
    if (b->count == 0) {
        char *block = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, BLOCK_BYTES);
        super_encode(block, 1, slice_make(NULL, 0));
        enum status st = file_write(f, block, BLOCK_BYTES, BLOCK_BYTES);
        mem_free(MEM_FILE, block);
        TRY(st);
    }
    return file_sync(f);
}

/* Under grow. */
static enum status make_file(struct blocks *b, uint64_t bytes)
{
    char path[OS_PATH_MAX], temporary[OS_PATH_MAX];
    struct file *f;
    if (b->count == FILES_MAX)
        return FAIL(DISK_FULL, "the database has reached its limit of %d data files", FILES_MAX);
    snprintf(temporary, sizeof temporary, "%s/%s", b->dir, new_name);
    blocks_path(b, b->count + 1, path, sizeof path);
    if (os_exists(b->os, temporary)) TRY(os_remove(b->os, temporary));
    TRY(os_open(b->os, temporary, OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_DIRECT, &f));
    enum status st = fill_new(b, f, bytes);
    file_close(f);
    if (st != OK) {
        struct error saved = *error_current();
        enum status removed = os_remove(b->os, temporary);
        (void)removed; /* the next attempt does */
        *error_current() = saved;
        return st;
    }
    TRY(os_rename(b->os, temporary, path));
    TRY(os_sync_dir(b->os, b->dir));
    TRY(os_open(b->os, path, OPEN_DIRECT, &f));
    add_file(b, f, bytes);
    return OK;
}

static enum status open_file(struct blocks *b, uint32_t number)
{
    char path[OS_PATH_MAX];
    struct file *f;
    uint64_t bytes;
    TRY(os_open(b->os, blocks_path(b, number, path, sizeof path), OPEN_DIRECT, &f));
    enum status st = file_size(f, &bytes);
    if (st == OK && (bytes < SUPER_BLOCKS * BLOCK_BYTES || bytes / BLOCK_BYTES > UINT32_MAX))
        st = FAIL(DATA_CORRUPTED, "data file \"%s\" has an invalid size of %llu bytes", path,
                  (unsigned long long)bytes);
    if (st == OK) add_file(b, f, bytes);
    else file_close(f);
    return st;
}

static bool parse_name(const char *name, uint64_t *ret_number)
{
    size_t len = strlen(name);
    if (len < 13 || strncmp(name, "data-", 5) != 0 || strcmp(name + len - 4, ".hbf") != 0)
        return false;
    return str_to_u64(slice_make(name + 5, len - 9), ret_number);
}

static enum status open_files(struct blocks *b, struct arena *a)
{
    char **names;
    size_t count;
    uint64_t number, largest = 0, found = 0;
    bool used = false;
    TRY(os_list(b->os, b->dir, a, &names, &count));
    for (size_t i = 0; i < count; i++) {
        used |= strncmp(names[i], "manifest-", 9) == 0; /* the first one comes after the file */
        if (!parse_name(names[i], &number)) continue;
        found++;
        if (number > largest) largest = number;
    }
    if (found == 0 && !used) return make_file(b, b->file_bytes);
    if (found == 0 || largest != found || largest > FILES_MAX)
        return FAIL(DATA_CORRUPTED, "data files are missing in \"%s\": found %llu of %llu", b->dir,
                    (unsigned long long)found, (unsigned long long)largest);
    for (uint32_t n = 1; n <= largest; n++) TRY(open_file(b, n));
    return OK;
}

enum status blocks_open(const struct blocks_options *o, struct blocks **ret)
{
    struct blocks *b = mem_alloc(MEM_FILE, sizeof *b);
    size_t dir_len = strlen(o->dir) + 1;
    struct arena a;
    b->os = o->os;
    b->dir = memcpy(mem_alloc(MEM_FILE, dir_len), o->dir, dir_len);
    b->super = mem_alloc(MEM_FILE, BLOCK_BYTES);
    b->file_bytes = o->file_bytes ? o->file_bytes : FILE_BYTES_DEFAULT;
    enum status st = OK;
    if (b->file_bytes < 2 * SUPER_BLOCKS * BLOCK_BYTES ||
        b->file_bytes % (BUDDY_CELL_BLOCKS * BLOCK_BYTES))
        st = FAIL(INVALID_PARAMETER_VALUE, "invalid size of data files: %llu",
                  (unsigned long long)b->file_bytes);
    if (st == OK && dir_len > OS_PATH_MAX - 64)
        st = FAIL(IO_ERROR, "path \"%.64s...\" is too long", o->dir);
    arena_init(&a, MEM_FILE);
    if (st == OK) st = open_files(b, &a);
    arena_release(&a);
    if (st == OK) st = super_load(b);
    if (st == OK) *ret = b;
    else blocks_close(b);
    return st;
}

void blocks_close(struct blocks *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        file_close(b->files[i]->file);
        buddy__release(&b->files[i]->buddy);
        mem_free(MEM_FILE, b->files[i]);
    }
    mem_free(MEM_FILE, b->super);
    mem_free(MEM_FILE, b->dir);
    mem_free(MEM_FILE, b);
}

/* --- extents ---------------------------------------------------------------------------------- */

static uint64_t order_bytes(unsigned order)
{
    return (uint64_t)BUDDY_CELL_BLOCKS * BLOCK_BYTES << order;
}

static bool allocate_from(struct blocks *b, unsigned order, struct extent *ret)
{
    uint32_t cell;
    bool found = false;
    spin_lock(&b->lock);
    for (uint32_t i = 0; i < b->count && !found; i++) {
        found = buddy__allocate(&b->files[i]->buddy, order, &cell);
        if (found) *ret = (struct extent){.file = i + 1, .block = cell * BUDDY_CELL_BLOCKS};
    }
    if (found) __atomic_fetch_add(&b->used, order_bytes(order), __ATOMIC_RELAXED);
    spin_unlock(&b->lock);
    return found;
}

enum status blocks_allocate(struct blocks *b, uint32_t count, struct extent *ret)
{
    enum status st = OK;
    struct extent e;
    unsigned order = buddy__order(count);
    bool found = allocate_from(b, order, &e);
    if (!found) {
        uint64_t bytes = b->file_bytes > order_bytes(order) ? b->file_bytes : order_bytes(order);
        fmutex_lock(&b->grow);
        while (st == OK && !(found = allocate_from(b, order, &e))) st = make_file(b, bytes);
        fmutex_unlock(&b->grow);
    }
    TRY(st);
    e.blocks = count;
    *ret = e;
    return OK;
}

void blocks_free(struct blocks *b, struct extent e)
{
    struct block_file *f = file_at(b, e.file);
    unsigned order = buddy__order(e.blocks);
    ASSERT(e.block % BUDDY_CELL_BLOCKS == 0);
    spin_lock(&b->lock);
    buddy__free(&f->buddy, e.block / BUDDY_CELL_BLOCKS, order);
    __atomic_fetch_sub(&b->used, order_bytes(order), __ATOMIC_RELAXED);
    spin_unlock(&b->lock);
}

uint64_t blocks_extent_bytes(struct extent e)
{
    return order_bytes(buddy__order(e.blocks));
}

bool blocks_extent_valid(const struct blocks *b, struct extent e)
{
    if (!e.file || e.file > __atomic_load_n(&b->count, __ATOMIC_ACQUIRE)) return false;
    if (!e.blocks || e.blocks > EXTENT_BLOCKS_MAX || e.block % BUDDY_CELL_BLOCKS) return false;
    if (e.file == 1 && e.block < SUPER_BLOCKS) return false;
    uint64_t blocks = b->files[e.file - 1]->bytes / BLOCK_BYTES;
    return e.block < blocks && blocks_extent_bytes(e) / BLOCK_BYTES <= blocks - e.block;
}

enum status blocks_mark_used(struct blocks *b, struct extent e)
{
    bool sane = blocks_extent_valid(b, e);
    spin_lock(&b->lock);
    if (sane)
        sane = buddy__mark(&b->files[e.file - 1]->buddy, e.block / BUDDY_CELL_BLOCKS,
                           buddy__order(e.blocks));
    if (sane) b->used += order_bytes(buddy__order(e.blocks));
    spin_unlock(&b->lock);
    if (sane) return OK;
    FAIL(DATA_CORRUPTED, "invalid extent: file %u, block %u, %u blocks", e.file, e.block, e.blocks);
    return error_detail("It lies outside of the data files or overlaps another extent.");
}

static uint64_t position(const struct block_file *f, struct extent e, uint64_t offset, size_t len)
{
    uint64_t at = (uint64_t)e.block * BLOCK_BYTES + offset;
    ASSERT((offset | len) % BLOCK_BYTES == 0 && offset + len <= (uint64_t)e.blocks * BLOCK_BYTES);
    ASSERT(at + len <= f->bytes);
    return at;
}

enum status blocks_read(struct blocks *b, struct extent e, uint64_t offset, void *data, size_t len)
{
    struct block_file *f = file_at(b, e.file);
    return file_read(f->file, data, len, position(f, e, offset, len));
}

enum status blocks_write(struct blocks *b, struct extent e, uint64_t offset, const void *data,
                         size_t len)
{
    struct block_file *f = file_at(b, e.file);
    enum status st = file_write(f->file, data, len, position(f, e, offset, len));
    __atomic_store_n(&f->dirty, true, __ATOMIC_RELEASE);
    return st;
}

enum status blocks_sync(struct blocks *b)
{
    enum status st = OK;
    fmutex_lock(&b->grow);
    if (b->failed) st = fail_failed(b);
    for (uint32_t i = 0; i < b->count && st == OK; i++)
        if (__atomic_exchange_n(&b->files[i]->dirty, false, __ATOMIC_ACQ_REL)) {
            st = file_sync(b->files[i]->file);
            if (st != OK) __atomic_store_n(&b->failed, true, __ATOMIC_RELEASE);
        }
    fmutex_unlock(&b->grow);
    return st;
}

uint64_t blocks_bytes_used(const struct blocks *b)
{
    return __atomic_load_n(&b->used, __ATOMIC_RELAXED);
}

uint64_t blocks_bytes_total(const struct blocks *b)
{
    return __atomic_load_n(&b->total, __ATOMIC_RELAXED);
}
