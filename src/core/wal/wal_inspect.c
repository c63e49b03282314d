#include "core/wal/wal_priv.h"

#include "base/hash.h"

/* Explains one file by itself: its name tells the LSN of its first byte. Where no record is found
 * it goes on at the next block, so that a damaged file shows all that it holds. */

enum { INSPECT_BYTES_MAX = 1 << 30 };

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"?", "record", "pad", "resume"};
    return names[kind <= WAL_RESUME ? kind : 0];
}

/* Lines for the record at `at`; 0 when there is none, else where it ends. */
static uint64_t explain(const char *data, uint64_t bytes, uint64_t at, uint64_t start,
                        struct strbuf *out)
{
    struct wal_header h;
    if (bytes - at < WAL_HEADER_BYTES || !wal__get_header(data + at, start + at, &h)) return 0;
    uint64_t body = at + WAL_HEADER_BYTES;
    bool here = h.len <= bytes - body;
    const char *state = !here ? "goes on in the next file"
                        : crc32c(0, data + body, h.len) == h.payload_crc ? "ok"
                                                                         : "payload damaged";
    strbuf_addf(out, "%10llu  lsn %llX  %-6s  %u bytes  ts %llu  flush %llX  session %u  %s\n",
                (unsigned long long)at, (unsigned long long)(start + at), kind_name(h.kind), h.len,
                (unsigned long long)h.ts, (unsigned long long)h.flush, h.epoch, state);
    return wal__end(start + at, h.len) - start;
}

static void explain_all(const char *data, uint64_t bytes, uint64_t start, struct strbuf *out)
{
    uint64_t at = 0, unknown = 0;
    bool in_gap = false;
    while (at < bytes) {
        at = wal__skip(start + at) - start;
        uint64_t end = at < bytes ? explain(data, bytes, at, start, out) : 0;
        if (end) {
            at = end;
            in_gap = false;
            continue;
        }
        if (!in_gap) unknown = at;
        in_gap = true;
        at = wal__block_up(at + 1);
    }
    if (in_gap && unknown < bytes)
        strbuf_addf(out, "%10llu  nothing more that counts\n", (unsigned long long)unknown);
}

enum status wal_inspect(struct os *os, const char *path, struct strbuf *out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    uint64_t start, bytes;
    struct file *f;
    if (!wal__parse_name(name, &start))
        return FAIL(INVALID_PARAMETER_VALUE, "\"%s\" is not the name of a write-ahead log file",
                    name);
    TRY(os_open(os, path, OPEN_READ_ONLY, &f));
    enum status st = file_size(f, &bytes);
    if (st == OK && bytes > INSPECT_BYTES_MAX)
        st = FAIL(PROGRAM_LIMIT_EXCEEDED, "file \"%s\" is too large to inspect", path);
    if (st == OK) {
        char *data = mem_alloc(MEM_WAL, bytes);
        st = bytes ? file_read(f, data, bytes, 0) : OK;
        if (st == OK) {
            strbuf_addf(out, "write-ahead log \"%s\", lsn %llX to %llX\n", name,
                        (unsigned long long)start, (unsigned long long)(start + bytes));
            explain_all(data, bytes, start, out);
        }
        mem_free(MEM_WAL, data);
    }
    file_close(f);
    return st;
}
