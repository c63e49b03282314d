#include "core/wal/wal_priv.h"

#include "base/hash.h"
#include "base/log.h"

/* Recovery: walks the records, finds the end, and opens a new session there.
 *
 * A record counts when its checksums fit and it belongs to the flush being read, or begins the next
 * one on a block boundary, in the same session or a later one. Otherwise the log ends there, X:
 *
 * - A session that was cut at X begins on the next block with a resume record that says so: go on.
 * - If any later flush begins with a whole header, then everything before it was synced once, and
 *   what lies at X has been damaged since: DATA_CORRUPTED. But for a resume record on the next block, itself
 *   torn: its session found the end at X, and the power went again.
 * - Else the flush at X was never acknowledged: a torn tail.
 *
 * The resume record is synced before anything is appended. It makes the session's number larger
 * than any before, so that the leavings of the torn flush, whose positions are written anew piece
 * by piece, never count again. */

enum { WINDOW_BYTES = 1 << 20 };

/* --- reading ---------------------------------------------------------------------------------- */

enum status wal__reader_init(struct wal_reader *r, struct wal *w)
{
    *r = (struct wal_reader){.w = w};
    r->window = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, WINDOW_BYTES);
    strbuf_init(&r->whole, NULL);
    if (!w->opts.read_ahead) return OK;
    r->ahead.data = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, WINDOW_BYTES);
    return pool_start(&(struct pool_options){.name = "log reader", .threads = 1}, &r->ahead.pool);
}

void wal__reader_release(struct wal_reader *r)
{
    if (r->ahead.pool) pool_stop(r->ahead.pool);
    mem_free(MEM_WAL, r->ahead.data);
    mem_free(MEM_WAL, r->window);
    strbuf_release(&r->whole);
}

static void read_ahead(void *arg)
{
    struct wal_ahead *a = arg;
    enum status st = file_read(a->file, a->data, a->len, a->offset);
    fmutex_lock(&a->mutex);
    a->st = st;
    a->running = false;
    fcond_signal(&a->ended);
    fmutex_unlock(&a->mutex);
}

/* The thread takes up what follows the window; nothing where the files end. */
static void start_ahead(struct wal_reader *r)
{
    struct wal_ahead *a = &r->ahead;
    uint64_t start = r->window_start + r->window_len;
    const struct wal_file *f = wal__file_at(r->w, start);
    a->len = 0;
    if (!a->pool || !f) return;
    uint64_t left = f->start + f->bytes - start;
    a->file = f->file;
    a->start = start;
    a->offset = start - f->start;
    a->len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    a->running = true;
    bool queued = pool_submit(a->pool, read_ahead, a);
    ASSERT(queued);
}

/* Has the window at `start` been read ahead? Then it becomes the present one. */
static bool take_ahead(struct wal_reader *r, uint64_t start)
{
    struct wal_ahead *a = &r->ahead;
    if (!a->pool) return false;
    fmutex_lock(&a->mutex);
    while (a->running) (void)fcond_wait(&a->ended, &a->mutex, 0);
    fmutex_unlock(&a->mutex);
    if (!a->len || a->st != OK || a->start != start) return false;
    char *free_window = r->window;
    r->window = a->data;
    a->data = free_window;
    r->window_start = start;
    r->window_len = a->len;
    return true;
}

/* Makes the window hold the block of `lsn`. */
static enum status fill(struct wal_reader *r, uint64_t lsn)
{
    uint64_t start = lsn / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    if (lsn >= r->window_start && lsn < r->window_start + r->window_len) return OK;
    const struct wal_file *f = wal__file_at(r->w, start);
    if (!f) return END_OF_DATA;
    uint64_t left = f->start + f->bytes - start;
    if (take_ahead(r, start)) {
        start_ahead(r);
        return OK;
    }
    r->window_len = 0;
    size_t len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    TRY(file_read(f->file, r->window, len, start - f->start));
    r->window_start = start;
    r->window_len = len;
    start_ahead(r);
    return OK;
}

enum status wal__reader_get(struct wal_reader *r, uint64_t lsn, size_t len, const char **ret)
{
    if (lsn + len > r->w->files_end) return END_OF_DATA;
    if (len == 0) {
        *ret = r->window;
        return OK;
    }
    TRY(fill(r, lsn));
    if (lsn + len <= r->window_start + r->window_len) {
        *ret = r->window + (lsn - r->window_start);
        return OK;
    }
    strbuf_clear(&r->whole);
    while (r->whole.len < len) {
        uint64_t at = lsn + r->whole.len;
        TRY(fill(r, at));
        size_t n = (size_t)(r->window_start + r->window_len - at);
        if (n > len - r->whole.len) n = len - r->whole.len;
        strbuf_add(&r->whole, r->window + (at - r->window_start), n);
    }
    *ret = r->whole.data;
    return OK;
}

/* --- walking ---------------------------------------------------------------------------------- */

struct walk {
    struct wal_reader reader;
    uint64_t lsn;   /* where the next record should begin */
    uint64_t flush; /* of the record before */
    uint32_t epoch; /* of the record before; at the start the least that counts */
    bool any;       /* a record was read: flush is set */
    bool cut;       /* the next record is newer than the replay is to go */
};

static bool begins_flush(const struct wal_header *h, uint64_t lsn)
{
    return h->flush == lsn && lsn % WAL_BLOCK_BYTES == 0;
}

static bool in_sequence(const struct walk *k, const struct wal_header *h, uint64_t lsn)
{
    if (!k->any) return h->epoch >= k->epoch;
    if (h->flush == k->flush && h->epoch == k->epoch) return true;
    return begins_flush(h, lsn) && h->epoch >= k->epoch;
}

/* The record at `lsn`. NOT_FOUND when there is none that counts. */
static enum status read_record(struct walk *k, uint64_t lsn, struct wal_header *ret,
                               struct slice *ret_payload)
{
    const char *p;
    enum status st = wal__reader_get(&k->reader, lsn, WAL_HEADER_BYTES, &p);
    if (st == END_OF_DATA) return NOT_FOUND;
    TRY(st);
    if (!wal__get_header(p, lsn, ret) || !in_sequence(k, ret, lsn)) return NOT_FOUND;
    st = wal__reader_get(&k->reader, lsn + WAL_HEADER_BYTES, ret->len, &p);
    if (st == END_OF_DATA) return NOT_FOUND;
    TRY(st);
    if (crc32c(0, p, ret->len) != ret->payload_crc) return NOT_FOUND;
    *ret_payload = slice_make(p, ret->len);
    return OK;
}

/* Nothing counts at k->lsn: is the log carried on by a session that was cut there? */
static enum status try_resume(struct walk *k, bool *ret_found)
{
    struct wal_header h;
    struct slice payload;
    uint64_t cut, lsn = wal__block_up(k->lsn);
    *ret_found = false;
    enum status st = read_record(k, lsn, &h, &payload);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    if (h.kind != WAL_RESUME || payload.len != sizeof cut) return OK;
    memcpy(&cut, payload.data, sizeof cut);
    if (cut != k->lsn) return OK;
    k->lsn = lsn;
    *ret_found = true;
    return OK;
}

/* The next block at which a flush begins, at or after `from`. END_OF_DATA when there is none. */
static enum status find_flush(struct walk *k, uint64_t from, uint64_t *ret)
{
    struct wal_header h;
    const char *p;
    for (uint64_t lsn = wal__block_up(from);; lsn += WAL_BLOCK_BYTES) {
        TRY(wal__reader_get(&k->reader, lsn, WAL_HEADER_BYTES, &p));
        if (!wal__get_header(p, lsn, &h) || !begins_flush(&h, lsn)) continue;
        if (h.epoch < k->epoch) continue;
        *ret = lsn;
        return OK;
    }
}

static enum status fail_damaged(struct wal *w, uint64_t lsn, uint64_t later)
{
    char path[OS_PATH_MAX];
    const struct wal_file *f = wal__file_at(w, lsn);
    ASSERT(f);
    FAIL(DATA_CORRUPTED, "write-ahead log file \"%s\" is damaged at offset %llu",
         wal__file_path(w, f->start, path), (unsigned long long)(lsn - f->start));
    return error_detail("The record at %llX is invalid, but the log goes on at %llX.",
                        (unsigned long long)lsn, (unsigned long long)later);
}

/* At the block behind k->lsn, where no record counts: does a resume record begin there that was not written whole? */
static enum status is_torn_resume(struct walk *k, uint64_t lsn, bool *ret)
{
    struct wal_header h;
    struct slice payload;
    const char *p;
    *ret = false;
    if (lsn != wal__block_up(k->lsn)) return OK;
    TRY(wal__reader_get(&k->reader, lsn, WAL_HEADER_BYTES, &p));
    if (!wal__get_header(p, lsn, &h) || h.kind != WAL_RESUME) return OK;
    enum status st = read_record(k, lsn, &h, &payload);
    *ret = st == NOT_FOUND;
    return *ret ? OK : st;
}

/* The end of the log is at k->lsn, unless a later flush says otherwise. */
static enum status check_tail(struct walk *k)
{
    uint64_t later;
    bool torn = false;
    enum status st = find_flush(k, k->lsn + 1, &later);
    if (st == OK) TRY(is_torn_resume(k, later, &torn));
    if (torn) st = find_flush(k, later + 1, &later);
    if (st == END_OF_DATA) return OK;
    TRY(st);
    return fail_damaged(k->reader.w, k->lsn, later);
}

/* Where to begin. The oldest file may begin within a record. A place that was named is trusted: all
 * before it was durable, so what lies there was either written after it or is of an older session. */
static enum status find_start(struct walk *k, uint64_t from)
{
    struct wal *w = k->reader.w;
    uint64_t oldest = w->files.count ? w->files.at[0].start : 0;
    k->lsn = from;
    if (from == 0 && oldest > 0) {
        enum status st = find_flush(k, oldest, &k->lsn);
        if (st != END_OF_DATA) return st;
        k->lsn = oldest;
        return OK;
    }
    if (from >= oldest && from <= w->files_end) return OK;
    FAIL(DATA_CORRUPTED, "write-ahead log does not reach back to %llX", (unsigned long long)from);
    return error_detail("The log in \"%s\" holds %llX to %llX.", w->dir, (unsigned long long)oldest,
                        (unsigned long long)w->files_end);
}

static enum status walk_all(struct walk *k,
                            enum status (*fn)(void *ctx, lsn_t lsn, uint64_t ts, struct slice p),
                            void *ctx)
{
    struct wal_header h;
    struct slice payload;
    for (;;) {
        k->lsn = wal__skip(k->lsn);
        enum status st = read_record(k, k->lsn, &h, &payload);
        if (st == NOT_FOUND) {
            bool found;
            TRY(try_resume(k, &found));
            if (found) continue;
            return check_tail(k);
        }
        TRY(st);
        uint64_t until = k->reader.w->opts.until_ts;
        if (until && h.kind == WAL_RECORD && h.ts > until) return k->cut = true, OK;
        k->any = true;
        k->flush = h.flush;
        k->epoch = h.epoch;
        if (begins_flush(&h, k->lsn)) wal__note_flush(k->reader.w, k->lsn);
        if (h.kind != WAL_PAD) hlc_observe(k->reader.w->opts.clock, h.ts);
        if (h.kind == WAL_RECORD) TRY(fn(ctx, (lsn_t){k->lsn}, h.ts, payload));
        k->lsn = wal__end(k->lsn, h.len);
    }
}

/* Begins the session: everything before k->lsn is the past. */
static enum status resume(struct wal *w, const struct walk *k)
{
    uint64_t cut = k->lsn, start = wal__block_up(cut);
    const struct slice payload = slice_make(&cut, sizeof cut);
    struct wal_header h = {.kind = WAL_RESUME, .len = sizeof cut};
    TRY(wal__extend(w, start + WAL_BLOCK_BYTES));
    h.payload_crc = crc32c(0, &cut, sizeof cut);
    h.ts = hlc_now(w->opts.clock);
    spin_lock(&w->lock);
    w->epoch = k->epoch + 1;
    w->epoch_start = start;
    w->active.start = start;
    __atomic_store_n(&w->durable, start, __ATOMIC_RELEASE);
    w->replayed = true;
    uint64_t end = wal__end(wal__stage(w, &h, &payload, 1), h.len);
    spin_unlock(&w->lock);
    return wal_wait(w, (lsn_t){end}, false);
}

enum status wal_replay(struct wal *w, lsn_t from, uint32_t session,
                       enum status (*fn)(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload),
                       void *ctx)
{
    struct walk k = {.epoch = session};
    ASSERT(!w->replayed);
    enum status st = wal__reader_init(&k.reader, w);
    if (st == OK) st = find_start(&k, from.v);
    if (st == OK) st = walk_all(&k, fn, ctx);
    wal__reader_release(&k.reader);
    TRY(st);
    w->was_cut = k.cut;
    if (w->opts.until_ts) TRY(wal__erase(w, k.lsn));
    return resume(w, &k);
}
