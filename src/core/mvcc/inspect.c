/* `helios inspect`: explains one file of a store, whatever it is, without opening the store. */
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"
#include "core/column/segment.h"

enum { SEGMENT_STEP_BYTES = 16 << 20, BATCH_HEADER_BYTES = 32 };

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcmp(path + n - m, suffix) == 0;
}

/* A segment of rows and the like, or one of columns. */
static bool is_segment(const char *block)
{
    return memcmp(block, "HSG1", 4) == 0 || memcmp(block, "HSC1", 4) == 0;
}

/* --- block files: every segment that begins on a block boundary ---------------------------------- */

static enum status inspect_blocks(struct file *f, uint64_t bytes, struct strbuf *out)
{
    char *data = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, SEGMENT_STEP_BYTES);
    enum status st = OK;
    for (uint64_t at = 0; at < bytes && st == OK; at += SEGMENT_STEP_BYTES) {
        size_t n = bytes - at < SEGMENT_STEP_BYTES ? (size_t)(bytes - at) : SEGMENT_STEP_BYTES;
        st = file_read(f, data, n, at);
        for (size_t b = 0; b < n && st == OK; b += BLOCK_BYTES) {
            struct slice left = {data + b, n - b};
            if (!is_segment(data + b)) continue;
            strbuf_addf(out, "block %llu\n", (unsigned long long)((at + b) / BLOCK_BYTES));
            /* What reaches past this piece is told as too short: the header has been explained. */
            bool columns = data[b + 2] == 'C';
            if ((columns ? column_segment_inspect(left, out) : segment_inspect(left, out)) != OK)
                error_clear();
            while (b + BLOCK_BYTES < n && !is_segment(data + b + BLOCK_BYTES)) b += BLOCK_BYTES;
        }
    }
    mem_free(MEM_FILE, data);
    return st;
}

/* --- the manifest: batches of records (core/file/manifest.c, core/lsm/edit.c) -------------------- */

static void inspect_record(struct slice r, struct strbuf *out)
{
    static const char *const kinds[] = {"?", "create tree", "drop tree", "runs of tree",
                                        "next tree", "log needed from", "pending run of tree",
                                        "installed run of tree", "forgotten run of tree",
                                        "history begins of tree", "retired tree", "branch",
                                        "no branch up to", "owner of tree", "number of the store"};
    unsigned kind = r.len ? (unsigned char)r.data[0] : 0;
    uint64_t tree = 0;
    if (r.len >= 9) memcpy(&tree, r.data + 1, 8);
    strbuf_addf(out, kind == 5 ? "    %s %llX" : "    %s %llu", kinds[kind < 15 ? kind : 0],
                (unsigned long long)tree);
    if (kind >= 6 && r.len >= 17) {
        uint64_t value;
        memcpy(&value, r.data + 9, 8);
        strbuf_addf(out, kind == 11   ? ": parent %llu"
                         : kind == 13 ? ": branch %llu"
                         : kind >= 9  ? ": timestamp %llu"
                                      : ": run %llu", (unsigned long long)value);
    }
    uint32_t removed = 0, added = 0;
    if (kind == 3 && r.len >= 37) {
        uint64_t lsn, rows;
        memcpy(&lsn, r.data + 9, 8);
        memcpy(&rows, r.data + 17, 8);
        memcpy(&removed, r.data + 33, 4);
        if (r.len >= 41 + (uint64_t)removed * 8) memcpy(&added, r.data + 37 + removed * 8, 4);
        strbuf_addf(out, ": -%u +%u runs, about %lld rows, log needed from %llX", removed, added,
                    (long long)rows, (unsigned long long)lsn);
    }
    strbuf_addc(out, '\n');
}

static void inspect_batch(const char *data, uint64_t bytes, struct strbuf *out)
{
    uint64_t at = BATCH_HEADER_BYTES;
    while (at + 4 <= bytes) {
        uint32_t len;
        memcpy(&len, data + at, 4);
        if (len > bytes - at - 4) return;
        inspect_record(slice_make(data + at + 4, len), out);
        at += 4 + (uint64_t)len;
    }
}

static enum status inspect_manifest(struct file *f, uint64_t bytes, struct strbuf *out)
{
    if (bytes > 1ull << 30) return FAIL(PROGRAM_LIMIT_EXCEEDED, "the manifest is too large");
    size_t room = (size_t)((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES);
    char *data = mem_alloc_aligned(MEM_FILE, BLOCK_BYTES, room + BLOCK_BYTES);
    enum status st = bytes ? file_read(f, data, (size_t)bytes, 0) : OK;
    for (uint64_t at = 0; st == OK && at + BATCH_HEADER_BYTES <= bytes;) {
        uint64_t len;
        memcpy(&len, data + at + 8, 8);
        if (len < BATCH_HEADER_BYTES || len > bytes - at) break;
        strbuf_addf(out, "batch at %llu: %llu bytes\n", (unsigned long long)at,
                    (unsigned long long)len);
        inspect_batch(data + at, len, out);
        at = (at + len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    }
    mem_free(MEM_FILE, data);
    return st;
}

enum status store_inspect(struct os *os, const char *path, struct strbuf *out)
{
    bool manifest = has_suffix(path, ".hmf");
    if (!manifest && !has_suffix(path, ".hbf")) return wal_inspect(os, path, out);
    struct file *f;
    uint64_t bytes;
    TRY(os_open(os, path, OPEN_READ_ONLY, &f));
    enum status st = file_size(f, &bytes);
    if (st == OK) st = manifest ? inspect_manifest(f, bytes, out) : inspect_blocks(f, bytes, out);
    file_close(f);
    return st;
}
