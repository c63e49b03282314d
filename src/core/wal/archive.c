#include "core/wal/archive.h"

#include <stdio.h>

#include "base/point.h"
#include "core/file/frames.h"
#include "core/wal/wal_priv.h"

/* A segment is a file of blocks (core/file/frames.h):
 *
 *   1 begin  u32 version of this form | u32 0 | u64 store | u64 start | u64 end | i64 made, µs since 1970 UTC
 *   2 log    bytes of the stream, those that follow
 *   3 end    u64 bytes of the stream in all
 *
 * The number of the file, which its checksums know, is the store's mixed with the start. */

enum { VERSION = 1, BEGIN_BYTES = 40, KIND_BEGIN = 1, KIND_LOG, KIND_END };

void archive_name(lsn_t start, char ret[ARCHIVE_NAME_BYTES])
{
    snprintf(ret, ARCHIVE_NAME_BYTES, "%016llx.hwa", (unsigned long long)start.v);
}

static enum status path_of(const char *dir, lsn_t start, const char *suffix, char ret[OS_PATH_MAX])
{
    char name[ARCHIVE_NAME_BYTES];
    archive_name(start, name);
    if (snprintf(ret, OS_PATH_MAX, "%s/%s%s", dir, name, suffix) < OS_PATH_MAX) return OK;
    return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", dir);
}

static uint64_t number_of(uint64_t store, uint64_t start)
{
    return store ^ (start * 0x9e3779b97f4a7c15ull);
}

/* --- the directory ------------------------------------------------------------------------------ */

static bool parse_name(const char *name, lsn_t *ret)
{
    char log_name[ARCHIVE_NAME_BYTES];
    if (strlen(name) != ARCHIVE_NAME_BYTES - 1 || strcmp(name + 16, ".hwa") != 0) return false;
    snprintf(log_name, sizeof log_name, "%.16s.wal", name);
    return wal__parse_name(log_name, &ret->v);
}

enum status archive_list(struct os *os, const char *dir, struct arena *a, lsn_t **ret, uint32_t *ret_count)
{
    ARRAY(lsn_t) found = {0};
    char **names;
    size_t count;
    lsn_t start;
    TRY(os_list(os, dir, a, &names, &count)); /* sorted: so are hexadecimal numbers of one length */
    for (size_t i = 0; i < count; i++)
        if (parse_name(names[i], &start)) ARENA_PUSH(a, &found, start);
    *ret = found.data;
    *ret_count = (uint32_t)found.count;
    return OK;
}

enum status archive_clear(struct os *os, const char *dir)
{
    struct arena a;
    char **names, path[OS_PATH_MAX];
    size_t count;
    arena_init(&a, MEM_WAL);
    enum status st = os_list(os, dir, &a, &names, &count);
    for (size_t i = 0; st == OK && i < count; i++) {
        size_t len = strlen(names[i]);
        if (len != ARCHIVE_NAME_BYTES + 4 || strcmp(names[i] + len - 9, ".hwa.part") != 0) continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) < (int)sizeof path) st = os_remove(os, path);
    }
    arena_release(&a);
    return st;
}

/* --- reading ------------------------------------------------------------------------------------ */

static enum status read_begin(struct frame_reader *r, lsn_t start, struct archive_segment *ret)
{
    uint32_t version;
    TRY(frame_read(r));
    if (r->kind != KIND_BEGIN || r->payload.len < sizeof version)
        return frame_malformed(r, "it does not begin a segment");
    memcpy(&version, r->payload.data, sizeof version);
    if (version != VERSION)
        return FAIL(FEATURE_NOT_SUPPORTED, "%s \"%s\" is of version %u, which this program does not know",
                    r->what, r->path, version);
    if (r->payload.len != BEGIN_BYTES) return frame_malformed(r, "its content is malformed");
    memcpy(&ret->store, r->payload.data + 8, 8);
    memcpy(&ret->start.v, r->payload.data + 16, 8);
    memcpy(&ret->end.v, r->payload.data + 24, 8);
    memcpy(&ret->made_us, r->payload.data + 32, 8);
    if (ret->end.v <= ret->start.v || (ret->start.v | ret->end.v) % WAL_BLOCK_BYTES)
        return frame_malformed(r, "its content is malformed");
    if (ret->start.v != start.v) return frame_malformed(r, "it is another segment's");
    r->id = number_of(ret->store, ret->start.v);
    return OK;
}

static enum status open_segment(struct os *os, const char *dir, lsn_t start, char path[OS_PATH_MAX],
                                struct frame_reader *r, struct archive_segment *ret)
{
    *r = (struct frame_reader){0};
    TRY(path_of(dir, start, "", path));
    enum status st = frame_reader_open(os, "log segment", path, r);
    return st == OK ? read_begin(r, start, ret) : st;
}

enum status archive_look(struct os *os, const char *dir, lsn_t start, struct archive_segment *ret)
{
    char path[OS_PATH_MAX];
    struct frame_reader r;
    enum status st = open_segment(os, dir, start, path, &r, ret);
    frame_reader_close(&r);
    return st;
}

static enum status read_stream(struct frame_reader *r, const struct archive_segment *x,
                               enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx)
{
    uint64_t lsn = x->start.v, total;
    for (;;) {
        TRY(frame_read(r));
        if (r->kind == KIND_END) break;
        if (r->kind != KIND_LOG || r->payload.len % WAL_BLOCK_BYTES || r->payload.len > x->end.v - lsn)
            return frame_malformed(r, "its content is malformed");
        TRY(fn(ctx, (lsn_t){lsn}, r->payload));
        lsn += r->payload.len;
    }
    if (r->payload.len != sizeof total) return frame_malformed(r, "its content is malformed");
    memcpy(&total, r->payload.data, sizeof total);
    if (lsn != x->end.v || total != x->end.v - x->start.v)
        return frame_malformed(r, "a part of the segment is missing before it");
    if (r->at != r->size) return frame_malformed(r, "more follows after its end");
    return OK;
}

enum status archive_read(struct os *os, const char *dir, lsn_t start,
                         enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx,
                         struct archive_segment *ret)
{
    char path[OS_PATH_MAX];
    struct frame_reader r;
    enum status st = open_segment(os, dir, start, path, &r, ret);
    if (st == OK) st = read_stream(&r, ret, fn, ctx);
    frame_reader_close(&r);
    return st;
}

/* --- writing ------------------------------------------------------------------------------------ */

static enum status put_log(void *ctx, lsn_t lsn, struct slice bytes)
{
    struct frame_writer *w = ctx;
    (void)lsn;
    frame_begin(w);
    strbuf_add(&w->out, bytes.data, bytes.len);
    return frame_end(w, KIND_LOG);
}

static enum status put_all(struct frame_writer *f, struct wal *w, const struct archive_segment *x)
{
    uint32_t version[2] = {VERSION, 0};
    uint64_t head[3] = {x->store, x->start.v, x->end.v}, total = x->end.v - x->start.v;
    frame_begin(f);
    strbuf_add(&f->out, version, sizeof version);
    strbuf_add(&f->out, head, sizeof head);
    strbuf_add(&f->out, &x->made_us, sizeof x->made_us);
    TRY(frame_end(f, KIND_BEGIN));
    TRY(wal_copy(w, x->start, x->end, put_log, f));
    frame_begin(f);
    strbuf_add(&f->out, &total, sizeof total);
    return frame_end(f, KIND_END);
}

static enum status write_part(struct wal *w, struct os *os, const char *part, const struct archive_segment *x)
{
    struct frame_writer f = {.id = number_of(x->store, x->start.v)};
    if (os_exists(os, part)) TRY(os_remove(os, part));
    TRY(os_open(os, part, OPEN_CREATE | OPEN_EXCLUSIVE, &f.file));
    enum status st = put_all(&f, w, x);
    POINT("archive.before_sync");
    if (st == OK) st = file_sync(f.file);
    file_close(f.file);
    frame_writer_release(&f);
    return st;
}

enum status archive_write(struct wal *w, struct os *os, const char *dir, uint64_t store, lsn_t start,
                          lsn_t end)
{
    char path[OS_PATH_MAX], part[OS_PATH_MAX];
    struct archive_segment x = {start, end, store, os_wall_us(os)}, there;
    TRY(path_of(dir, start, "", path));
    TRY(path_of(dir, start, ".part", part));
    if (os_exists(os, path)) {
        TRY(archive_look(os, dir, start, &there));
        if (there.store == store && there.end.v == end.v) return os_sync_dir(os, dir);
        return FAIL(DUPLICATE_FILE, "log segment \"%s\" already exists, and is another one", path);
    }
    enum status st = write_part(w, os, part, &x);
    POINT("archive.before_rename");
    if (st == OK) st = os_rename(os, part, path);
    if (st != OK) {
        struct error kept = *error_current();
        if (os_exists(os, part)) (void)!os_remove(os, part);
        *error_current() = kept;
        return st;
    }
    return os_sync_dir(os, dir);
}
