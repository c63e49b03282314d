#include "core/wal/wal_priv.h"

#include "base/hash.h"

/* Verification: reads the log as replay does, but only what is durable, where no torn tail can be,
 * and while the log is written to and recycled. So it opens the files by itself, and what it finds
 * wrong counts only when the file still belongs to the log afterwards: a recycled one holds the
 * leavings of another place. Then it goes on at the oldest file that is left. */

enum { CHUNK_BYTES = 1 << 20 };

struct checker {
    struct wal *w;
    struct file *file; /* open, of the stretch [start, start + bytes) of the log; or NULL */
    uint64_t start, bytes;
    uint64_t limit;    /* durable up to here */
    char *chunk;
    uint64_t chunk_start;
    size_t chunk_len;
    uint64_t records;
};

/* The file that holds `lsn`; false when it has been recycled. */
static bool file_of(struct wal *w, uint64_t lsn, uint64_t *ret_start, uint64_t *ret_bytes)
{
    spin_lock(&w->lock);
    const struct wal_file *f = wal__file_at(w, lsn);
    if (f) {
        *ret_start = f->start;
        *ret_bytes = f->bytes;
    }
    spin_unlock(&w->lock);
    return f != NULL;
}

static uint64_t oldest(struct wal *w)
{
    spin_lock(&w->lock);
    uint64_t start = w->files.count ? w->files.at[0].start : w->files_end;
    spin_unlock(&w->lock);
    return start;
}

static void close_file(struct checker *c)
{
    if (c->file) file_close(c->file);
    c->file = NULL;
    c->chunk_len = 0;
}

static enum status open_at(struct checker *c, uint64_t lsn)
{
    char path[OS_PATH_MAX];
    if (c->file && lsn >= c->start && lsn - c->start < c->bytes) return OK;
    close_file(c);
    if (!file_of(c->w, lsn, &c->start, &c->bytes))
        return FAIL(DATA_CORRUPTED, "write-ahead log has no file for %llX",
                    (unsigned long long)lsn);
    return os_open(c->w->os, wal__file_path(c->w, c->start, path), OPEN_DIRECT | OPEN_READ_ONLY,
                   &c->file);
}

/* As much as one chunk of a file holds of the log from `lsn` on. */
static enum status read_at(struct checker *c, uint64_t lsn, const char **ret, size_t *ret_len)
{
    TRY(open_at(c, lsn));
    if (lsn < c->chunk_start || lsn >= c->chunk_start + c->chunk_len) {
        uint64_t from = lsn / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
        uint64_t left = c->start + c->bytes - from;
        size_t len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        c->chunk_len = 0;
        TRY(file_read(c->file, c->chunk, len, from - c->start));
        c->chunk_start = from;
        c->chunk_len = len;
    }
    *ret = c->chunk + (lsn - c->chunk_start);
    *ret_len = c->chunk_start + c->chunk_len - lsn;
    return OK;
}

static enum status checksum(struct checker *c, uint64_t lsn, uint32_t len, uint32_t *ret)
{
    uint32_t crc = 0;
    while (len) {
        const char *p;
        size_t n;
        TRY(read_at(c, lsn, &p, &n));
        if (n > len) n = len;
        crc = crc32c(crc, p, n);
        lsn += n;
        len -= (uint32_t)n;
    }
    *ret = crc;
    return OK;
}

/* The whole record at `lsn`. */
static enum status check_record(struct checker *c, uint64_t lsn, struct wal_header *h, bool *ret_ok)
{
    const char *p;
    size_t n;
    uint32_t crc;
    *ret_ok = false;
    TRY(read_at(c, lsn, &p, &n));
    if (n < WAL_HEADER_BYTES || !wal__get_header(p, lsn, h)) return OK;
    TRY(checksum(c, lsn + WAL_HEADER_BYTES, h->len, &crc));
    *ret_ok = crc == h->payload_crc;
    return OK;
}

/* A session that found the log cut at `lsn` goes on in the next block. */
static enum status check_resume(struct checker *c, uint64_t lsn, bool *ret_ok)
{
    struct wal_header h;
    uint64_t cut, block = wal__block_up(lsn);
    const char *p;
    size_t n;
    *ret_ok = false;
    if (block >= c->limit) return OK;
    TRY(check_record(c, block, &h, ret_ok));
    if (!*ret_ok) return OK;
    *ret_ok = false;
    if (h.kind != WAL_RESUME || h.len != sizeof cut) return OK;
    TRY(read_at(c, block + WAL_HEADER_BYTES, &p, &n));
    if (n < sizeof cut) return OK;
    memcpy(&cut, p, sizeof cut);
    *ret_ok = cut == lsn;
    return OK;
}

static enum status fail_damaged(struct checker *c, uint64_t lsn)
{
    char path[OS_PATH_MAX];
    uint64_t start = 0, bytes;
    if (!file_of(c->w, lsn, &start, &bytes)) start = c->start;
    return FAIL(DATA_CORRUPTED, "write-ahead log file \"%s\" is damaged at offset %llu",
                wal__file_path(c->w, start, path), (unsigned long long)(lsn - start));
}

/* The oldest file may begin within a record: the first block where a flush begins. */
static enum status find_flush(struct checker *c, uint64_t *lsn)
{
    struct wal_header h;
    const char *p;
    size_t n;
    for (; *lsn < c->limit; *lsn += WAL_BLOCK_BYTES) {
        TRY(read_at(c, *lsn, &p, &n));
        if (wal__get_header(p, *lsn, &h) && h.flush == *lsn) return OK;
    }
    return OK;
}

static enum status check_from(struct checker *c, uint64_t *lsn)
{
    struct wal_header h;
    bool ok;
    TRY(find_flush(c, lsn));
    for (;;) {
        uint64_t at = wal__skip(*lsn);
        if (at >= c->limit) return OK;
        TRY(check_record(c, at, &h, &ok));
        if (ok) {
            *lsn = wal__end(at, h.len);
            c->records += h.kind == WAL_RECORD;
            continue;
        }
        TRY(check_resume(c, at, &ok));
        if (!ok) return fail_damaged(c, at);
        *lsn = wal__block_up(at);
    }
}

enum status wal_verify(struct wal *w, uint64_t *ret_records)
{
    struct checker c = {.w = w, .limit = wal_durable_lsn(w).v};
    c.chunk = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, CHUNK_BYTES);
    uint64_t lsn = oldest(w), from;
    enum status st;
    do {
        from = oldest(w);
        if (lsn < from) lsn = from;
        st = check_from(&c, &lsn);
        close_file(&c);
    } while (st != OK && oldest(w) > lsn);
    mem_free(MEM_WAL, c.chunk);
    if (st == OK) *ret_records = c.records;
    return st;
}
