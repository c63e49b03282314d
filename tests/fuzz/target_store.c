/* A data directory that says anything: superblocks, manifest, log, with checksums that fit. The
 * store refuses it with an error that says where, or opens it; then everything in it can be read.
 * An input is a list of pieces: a byte of kind, two bytes of length, bytes. */
#include <stdio.h>

#include "base/hash.h"
#include "base/hlc.h"
#include "base/sim.h"
#include "core/file/blocks.h"
#include "core/txn.h"
#include "core/wal/wal_priv.h"
#include "fuzz.h"

enum { INPUT_MAX = 1 << 15, DATA_BYTES = 1 << 20, WAL_BYTES = 64 << 10, ROWS_MAX = 2000 };

const char *const fuzz_words[] = {"HELIOSDB", "HRN1\1", "HSG1\1", "\1\0\0\0\0\0\0\0", NULL};

struct disk {
    struct strbuf manifest, wal;
    char *super; /* two blocks */
    uint32_t epoch;
    uint64_t ts;
};

/* --- the files ------------------------------------------------------------------------------ */

static void pad(struct strbuf *b, size_t to)
{
    static const char zeros[OS_BLOCK_BYTES];
    while (b->len % to) {
        size_t n = to - b->len % to;
        strbuf_add(b, zeros, n < sizeof zeros ? n : sizeof zeros);
    }
}

static void put_super(struct disk *d, struct slice data, uint64_t number)
{
    char *b = d->super + number % 2 * OS_BLOCK_BYTES;
    uint32_t head[2] = {1, (uint32_t)data.len};
    if (data.len > 3500) data.len = 3500;
    memset(b, 0, OS_BLOCK_BYTES);
    memcpy(b, "HELIOSDB", 8);
    memcpy(b + 8, head, 8);
    memcpy(b + 16, &number, 8);
    memcpy(b + 32, data.data, data.len);
    uint32_t crc = crc32c(0, b, OS_BLOCK_BYTES - 4);
    memcpy(b + OS_BLOCK_BYTES - 4, &crc, 4);
}

/* One batch. The records are length and bytes, so they may lie; `one`: the piece is a record. */
static void put_batch(struct disk *d, struct slice piece, bool one)
{
    size_t at = d->manifest.len;
    uint32_t len = (uint32_t)piece.len;
    uint32_t head[2] = {0, one || !piece.len ? 1 : (uint8_t)piece.data[0]};
    uint64_t rest[3] = {32 + (one ? 4 : 0) + piece.len, 1, at};
    strbuf_add(&d->manifest, head, sizeof head);
    strbuf_add(&d->manifest, rest, sizeof rest);
    if (one) strbuf_add(&d->manifest, &len, 4);
    strbuf_add(&d->manifest, piece.data, piece.len);
    uint32_t crc = crc32c(0, d->manifest.data + at + 4, rest[0] - 4);
    memcpy(d->manifest.data + at, &crc, 4);
    pad(&d->manifest, OS_BLOCK_BYTES);
}

static void put_record(struct disk *d, enum wal_kind kind, struct slice piece, uint32_t epoch_step)
{
    char head[WAL_HEADER_BYTES];
    struct strbuf *w = &d->wal;
    pad(w, OS_BLOCK_BYTES); /* a flush of its own */
    d->epoch += epoch_step;
    struct wal_header h = {.kind = kind, .len = (uint32_t)piece.len, .ts = ++d->ts << 20,
                           .payload_crc = crc32c(0, piece.data, piece.len), .flush = w->len,
                           .epoch = d->epoch};
    wal__put_header(head, &h, w->len);
    strbuf_add(w, head, sizeof head);
    strbuf_add(w, piece.data, piece.len);
    pad(w, WAL_ALIGN);
}

static void put_piece(struct disk *d, uint8_t kind, struct slice piece)
{
    uint64_t number;
    switch (kind % 8) {
    case 0: put_batch(d, piece, false); break;
    case 1:
    case 2: put_batch(d, piece, true); break;
    case 3: put_super(d, piece, kind); break;
    case 4:
    case 5: put_record(d, WAL_RECORD, piece, 0); break;
    case 6:
        number = d->wal.len;
        if (kind >> 3 & 1) piece = slice_make(&number, 8);
        put_record(d, WAL_RESUME, piece, kind >> 4 & 1);
        break;
    default: strbuf_add(&d->wal, piece.data, piece.len); break;
    }
}

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
    struct store *store;
    struct txn *txn;
};

static enum status read_tree(void *ctx, tree_id tree)
{
    struct reading *r = ctx;
    struct scan_request q = {.tree = tree};
    struct slice keys[16], rows[16];
    struct cursor *c;
    struct tree_statistics stats;
    uint32_t n = 1, total = 0;
    (void)!store_get_statistics(r->store, tree, &stats);
    if (store_scan(r->txn, &q, &c) != OK) return OK;
    while (n && total < ROWS_MAX && cursor_next(c, keys, rows, 16, &n) == OK) {
        for (uint32_t i = 0; i < n; i++)
            (void)(hash_bytes(keys[i].data, keys[i].len) + hash_bytes(rows[i].data, rows[i].len));
        total += n;
    }
    cursor_close(c);
    return OK;
}

static enum status found(void *ctx, const struct verify_finding *f)
{
    (void)ctx, (void)f;
    return OK;
}

static void use(struct store *s)
{
    struct reading r = {.store = s};
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct verify_sink sink = {.found = found};
    tree_id tree;
    (void)!store_verify(s, &sink);
    FUZZ_CHECK(txn_begin(s, &o, &r.txn) == OK);
    txn_statement_begin(r.txn);
    (void)!store_each_tree(s, read_tree, &r);
    struct write_request w = {.op = WRITE_PUT, .key = SLICE("a new key"),
                              .row = SLICE("a new row")};
    if (store_create_tree(r.txn, &tree) == OK) {
        w.tree = tree;
        (void)!store_write(r.txn, &w);
    }
    txn_statement_end(r.txn);
    (void)!txn_commit(r.txn, COMMIT_SYNC, NULL);
    (void)!store_checkpoint(s);
}

static void open_and_use(struct os *os)
{
    static const char *const paths[] = {"db/manifest-00000001.hmf", "db/wal/0000000000000000.wal"};
    struct store_options o;
    struct store *s;
    struct strbuf text;
    strbuf_init(&text, NULL);
    for (int i = 0; i < 2; i++) (void)!store_inspect(os, paths[i], &text);
    strbuf_release(&text);
    store_options_init(&o);
    o.os = os;
    o.dir = "db";
    o.cache_bytes = 1 << 20;
    o.memtable_bytes = 1 << 20;
    o.memtable_total_bytes = 4 << 20;
    o.wal_file_bytes = WAL_BYTES;
    for (int i = 0; i < 2; i++) { /* what the first opening wrote must do for the second */
        if (store_open(&o, &s) != OK) return;
        use(s);
        if (i == 0) store_abandon(s);
        else (void)store_close(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct sim_options so = {.seed = 1, .disk_bytes_max = 1ull << 30};
    struct disk d = {.epoch = 1};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    strbuf_init(&d.manifest, NULL);
    strbuf_init(&d.wal, NULL);
    d.super = mem_alloc(MEM_TEST, DATA_BYTES);
    put_super(&d, slice_make("\1\0\0\0\0\0\0\0", 8), 1);
    while (in.p < in.end) {
        uint8_t kind = fuzz_u8(&in);
        size_t len = (size_t)fuzz_u8(&in) << 8;
        len |= fuzz_u8(&in);
        struct slice piece = fuzz_rest(&in);
        if (len < piece.len) piece.len = len;
        put_piece(&d, kind, piece);
        in.p += piece.len;
    }
    if (d.manifest.len == 0) put_batch(&d, (struct slice){"", 0}, true);
    if (d.wal.len == 0) strbuf_addc(&d.wal, 0);
    pad(&d.wal, WAL_BYTES);
    struct os *os = sim_new(&so);
    FUZZ_CHECK(os_mkdir(os, "db") == OK && os_mkdir(os, "db/wal") == OK);
    fuzz_write_file(os, "db/data-0001.hbf", d.super, DATA_BYTES);
    fuzz_write_file(os, "db/manifest-00000001.hmf", d.manifest.data, d.manifest.len);
    fuzz_write_file(os, "db/wal/0000000000000000.wal", d.wal.data, d.wal.len);
    open_and_use(os);
    sim_free(os);
    mem_free(MEM_TEST, d.super);
    strbuf_release(&d.manifest);
    strbuf_release(&d.wal);
    return 0;
}
