/* Reading a backup: every block in its place, every run whole and as its index says, every run of the manifest there,
 * be it in another backup. */
#include "core/backup/format.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/lsm/copy.h"

static enum status malformed(const struct backup_reader *r)
{
    return frame_malformed(&r->frames, "its content is malformed");
}

/* --- the begin ---------------------------------------------------------------------------------- */

static bool take(struct slice *left, void *out, size_t len)
{
    if (left->len < len) return false;
    memcpy(out, left->data, len);
    left->data += len;
    left->len -= len;
    return true;
}

/* A plain name: it lies beside the backup that needs it. */
static bool name_valid(struct slice name)
{
    if (!name.len || name.len > BACKUP_NAME_MAX || memchr(name.data, '/', name.len)) return false;
    return !memchr(name.data, '\0', name.len) && name.data[0] != '.';
}

static enum status read_previous(struct backup_reader *r, struct slice left)
{
    uint32_t n = r->head.previous;
    if (n > BACKUP_PREVIOUS_MAX) return malformed(r);
    r->previous = ARENA_ARRAY(&r->arena, struct previous_backup, n + 1);
    memset(r->previous, 0, (n + 1) * sizeof *r->previous);
    for (uint32_t i = 0; i < n; i++) {
        struct previous_backup *p = &r->previous[i];
        uint16_t len;
        if (!take(&left, &p->id, 8) || !take(&left, &len, sizeof len) || len > left.len) return malformed(r);
        struct slice name = slice_make(left.data, len);
        if (!name_valid(name)) return malformed(r);
        p->name = arena_strndup(&r->arena, name.data, len);
        left = slice_make(left.data + len, left.len - len);
    }
    return left.len ? malformed(r) : OK;
}

static enum status read_head(struct frame_reader *f, struct backup_head *ret)
{
    uint32_t version;
    TRY(frame_read(f));
    if (f->kind != BACKUP_BEGIN || f->payload.len < sizeof version)
        return frame_malformed(f, "it does not begin a backup");
    memcpy(&version, f->payload.data, sizeof version);
    if (version != BACKUP_VERSION && version != BACKUP_VERSION_COMPRESSED)
        return FAIL(FEATURE_NOT_SUPPORTED, "backup \"%s\" is of version %u, which this program does not know",
                    f->path, version);
    if (f->payload.len < sizeof *ret) return frame_malformed(f, "its content is malformed");
    memcpy(ret, f->payload.data, sizeof *ret);
    if (ret->log_end < ret->log_from || (ret->log_end | ret->log_from) % OS_BLOCK_BYTES)
        return frame_malformed(f, "its content is malformed");
    f->id = ret->id;
    return OK;
}

enum status backup_open(struct os *os, const char *path, struct backup_reader *ret)
{
    *ret = (struct backup_reader){.os = os};
    arena_init(&ret->arena, MEM_RUN);
    ret->path = arena_printf(&ret->arena, "%s", path);
    enum status st = frame_reader_open(os, "backup", ret->path, &ret->frames);
    if (st == OK) st = read_head(&ret->frames, &ret->head);
    if (st != OK) return st;
    struct slice payload = ret->frames.payload;
    return read_previous(ret, slice_make(payload.data + sizeof ret->head, payload.len - sizeof ret->head));
}

void backup_close(struct backup_reader *r)
{
    if (!r->path) return;
    for (uint32_t i = 0; r->previous && i < r->head.previous; i++) frame_reader_close(&r->previous[i].frames);
    frame_reader_close(&r->frames);
    ARRAY_RELEASE(&r->index);
    arena_release(&r->arena);
    *r = (struct backup_reader){0};
}

/* --- the index ---------------------------------------------------------------------------------- */

static enum status take_index(struct backup_reader *r)
{
    struct slice left = r->frames.payload;
    struct backup_entry e;
    if (left.len % sizeof e) return malformed(r);
    while (take(&left, &e, sizeof e)) {
        if (r->index.count >= r->head.runs) return malformed(r);
        ARRAY_PUSH(&r->index, e);
    }
    return OK;
}

static enum status read_tail(struct backup_reader *r, struct backup_tail *ret)
{
    if (r->frames.kind != BACKUP_END || r->frames.payload.len != sizeof *ret) return malformed(r);
    memcpy(ret, r->frames.payload.data, sizeof *ret);
    return r->frames.at == r->frames.size ? OK : frame_malformed(&r->frames, "more follows after its end");
}

enum status backup_read_index(struct backup_reader *r)
{
    enum { TAIL_BYTES = FRAME_HEADER_BYTES + sizeof(struct backup_tail) };
    struct backup_tail t;
    uint64_t number = 0;
    if (r->frames.size >= TAIL_BYTES) /* where the last block says that it is; checked as it is read */
        TRY(file_read(r->frames.file, &number, sizeof number, r->frames.size - TAIL_BYTES + 16));
    frame_seek(&r->frames, r->frames.size >= TAIL_BYTES ? r->frames.size - TAIL_BYTES : 0, number);
    TRY(frame_read(&r->frames));
    TRY(read_tail(r, &t));
    frame_seek(&r->frames, t.index_offset, t.index_number);
    while (r->frames.number < number) {
        TRY(frame_read(&r->frames));
        if (r->frames.kind != BACKUP_INDEX) return malformed(r);
        TRY(take_index(r));
    }
    return r->index.count == t.runs ? OK : malformed(r);
}

/* --- runs of other backups ------------------------------------------------------------------------ */

static enum status open_holder(struct backup_reader *r, struct previous_backup *p)
{
    struct backup_head h;
    const char *slash = strrchr(r->path, '/');
    if (p->frames.file) return OK;
    const char *path = arena_printf(&r->arena, "%.*s%s", slash ? (int)(slash + 1 - r->path) : 0, r->path, p->name);
    if (!os_exists(r->os, path)) {
        FAIL(UNDEFINED_FILE, "backup \"%s\" needs \"%s\", which is not there", r->path, path);
        return error_hint("A backup and those that it needs lie side by side.");
    }
    TRY(frame_reader_open(r->os, "backup", path, &p->frames));
    TRY(read_head(&p->frames, &h));
    if (h.id == p->id && h.store == r->head.store) return OK;
    return FAIL(DATA_CORRUPTED, "backup \"%s\" is not the one of that name that \"%s\" needs", path, r->path);
}

static enum status read_held(struct backup_reader *r, const struct backup_entry *e, const struct backup_sink *s)
{
    struct previous_backup *p = r->previous;
    uint32_t crc = 0, i = 0;
    while (i < r->head.previous && p[i].id != e->holder) i++;
    if (i == r->head.previous) return malformed(r);
    TRY(open_holder(r, &p[i]));
    struct frame_reader *f = &p[i].frames;
    frame_seek(f, e->offset, e->number);
    for (uint64_t left = e->bytes; left; left -= f->payload.len) {
        TRY(frame_read(f));
        if (f->kind != BACKUP_DATA || !f->payload.len || f->payload.len > left)
            return frame_malformed(f, "it is not of the run that another backup needs");
        crc = crc32c(crc, f->payload.data, f->payload.len);
        TRY(s->data(s->ctx, f->payload));
    }
    return crc == e->crc ? OK : frame_malformed(f, "the run that ends there is not the one that another backup needs");
}

/* --- all of it ------------------------------------------------------------------------------------ */

struct reading {
    struct backup_reader *r;
    const struct backup_sink *sink;
    ARRAY(struct slice) records;     /* in the reader's arena */
    ARRAY(struct backup_entry) own;  /* as they were read */
    uint64_t left;                   /* of the run that is read */
    uint64_t log_at, log_bytes;
    uint64_t index_offset, index_number; /* of its first block; 0: none yet */
};

static enum status take_manifest(struct reading *x)
{
    struct slice left = x->r->frames.payload;
    uint32_t len;
    while (left.len) {
        if (!take(&left, &len, sizeof len) || len > left.len) return malformed(x->r);
        if (x->records.count >= x->r->head.records) return malformed(x->r);
        ARENA_PUSH(&x->r->arena, &x->records, slice_dup(&x->r->arena, slice_make(left.data, len)));
        left = slice_make(left.data + len, left.len - len);
    }
    if (x->records.count < x->r->head.records) return OK;
    return x->sink->manifest(x->sink->ctx, x->records.data, (uint32_t)x->records.count);
}

static enum status begin_run(struct reading *x)
{
    const struct frame_reader *f = &x->r->frames;
    struct slice payload = f->payload;
    struct backup_entry e = {.holder = x->r->head.id, .offset = f->at, .number = f->number};
    if (payload.len != 24 || x->left || x->records.count < x->r->head.records) return malformed(x->r);
    (void)take(&payload, &e.tree, 8);
    (void)take(&payload, &e.run, 8);
    (void)take(&payload, &e.bytes, 8);
    enum status st = e.bytes ? x->sink->run(x->sink->ctx, e.run, e.bytes) : NOT_FOUND;
    if (st == NOT_FOUND) return malformed(x->r);
    x->left = e.bytes;
    ARRAY_PUSH(&x->own, e);
    return st;
}

static enum status take_data(struct reading *x)
{
    struct slice bytes = x->r->frames.payload;
    if (!x->left || !bytes.len || bytes.len > x->left) return malformed(x->r);
    struct backup_entry *e = &ARRAY_LAST(&x->own);
    e->crc = crc32c(e->crc, bytes.data, bytes.len);
    x->left -= bytes.len;
    return x->sink->data(x->sink->ctx, bytes);
}

static enum status take_log(struct reading *x)
{
    struct slice bytes = x->r->frames.payload;
    uint64_t lsn;
    if (x->left || !take(&bytes, &lsn, 8) || lsn != x->log_at || bytes.len > x->r->head.log_end - lsn)
        return malformed(x->r);
    x->log_at += bytes.len;
    x->log_bytes += bytes.len;
    return x->sink->log(x->sink->ctx, lsn, bytes);
}

static enum status note_index(struct reading *x)
{
    if (!x->index_number) {
        x->index_offset = x->r->frames.begin;
        x->index_number = x->r->frames.number - 1;
    }
    return take_index(x->r);
}

/* What the index says of its own runs is what was read; the others are read now. */
static enum status check_index(struct reading *x)
{
    struct backup_reader *r = x->r;
    size_t own = 0;
    for (size_t i = 0; i < r->index.count; i++) {
        const struct backup_entry *e = &r->index.data[i];
        if (e->holder == r->head.id) {
            if (own == x->own.count || memcmp(e, &x->own.data[own++], sizeof *e) != 0) return malformed(r);
            continue;
        }
        enum status st = e->bytes ? x->sink->run(x->sink->ctx, e->run, e->bytes) : NOT_FOUND;
        if (st == NOT_FOUND) return malformed(r);
        TRY(st);
        TRY(read_held(r, e, x->sink));
    }
    return own == x->own.count ? OK : malformed(r);
}

/* The manifest's runs are those of the index. */
static enum status check_runs(struct reading *x)
{
    copied_runs runs = {0};
    struct map ids;
    map_init(&ids);
    enum status st = manifest_runs(x->records.data, (uint32_t)x->records.count, &runs);
    for (size_t i = 0; i < runs.count; i++) map_put_u64(&ids, runs.data[i].id, &runs.data[i]);
    bool same = st == OK && runs.count == x->r->index.count;
    for (size_t i = 0; same && i < x->r->index.count; i++) {
        const struct backup_entry *e = &x->r->index.data[i];
        const struct copied_run *c = map_remove_u64(&ids, e->run);
        same = c && c->tree == e->tree && c->bytes == e->bytes;
    }
    map_release(&ids);
    ARRAY_RELEASE(&runs);
    if (st != OK || !same) return frame_malformed(&x->r->frames, "its runs are not those of its manifest");
    return OK;
}

static enum status check_end(struct reading *x)
{
    struct backup_tail t;
    TRY(read_tail(x->r, &t));
    if (x->left || x->log_at != x->r->head.log_end || x->records.count != x->r->head.records) return malformed(x->r);
    if (t.runs != x->r->index.count || t.own_runs != x->own.count || t.log_bytes != x->log_bytes)
        return malformed(x->r);
    if (x->index_number && (t.index_offset != x->index_offset || t.index_number != x->index_number))
        return malformed(x->r);
    TRY(check_runs(x));
    return check_index(x);
}

static enum status read_blocks(struct reading *x)
{
    unsigned last = BACKUP_BEGIN;
    for (;;) {
        TRY(frame_read(&x->r->frames));
        unsigned kind = x->r->frames.kind;
        if (kind < last && !(last == BACKUP_DATA && kind == BACKUP_RUN)) return malformed(x->r);
        last = kind;
        switch (kind) {
        case BACKUP_MANIFEST: TRY(take_manifest(x)); break;
        case BACKUP_RUN: TRY(begin_run(x)); break;
        case BACKUP_DATA: TRY(take_data(x)); break;
        case BACKUP_LOG: TRY(take_log(x)); break;
        case BACKUP_INDEX: TRY(note_index(x)); break;
        case BACKUP_END: return check_end(x);
        default: return malformed(x->r);
        }
    }
}

enum status backup_read(struct backup_reader *r, const struct backup_sink *sink)
{
    struct reading x = {.r = r, .sink = sink, .log_at = r->head.log_from};
    enum status st = read_blocks(&x);
    ARRAY_RELEASE(&x.own);
    return st;
}

void backup_tell(const struct backup_reader *r, struct backup_info *ret)
{
    *ret = (struct backup_info){
        .id = r->head.id, .store = r->head.store, .ts = r->head.ts, .log_end = r->head.log_end,
        .made_us = r->head.made_us, .runs = r->index.count, .bytes = r->frames.size,
        .previous_count = r->head.previous,
    };
    for (size_t i = 0; i < r->index.count; i++) ret->own_runs += r->index.data[i].holder == r->head.id;
}

/* --- verification ----------------------------------------------------------------------------------- */

static enum status see_manifest(void *ctx, struct slice *records, uint32_t count)
{
    (void)ctx, (void)records, (void)count;
    return OK;
}

static enum status see_run(void *ctx, uint64_t run, uint64_t bytes)
{
    (void)ctx, (void)run, (void)bytes;
    return OK;
}

static enum status see_data(void *ctx, struct slice bytes)
{
    (void)ctx, (void)bytes;
    return OK;
}

static enum status see_log(void *ctx, uint64_t lsn, struct slice bytes)
{
    (void)ctx, (void)lsn, (void)bytes;
    return OK;
}

enum status backup_verify(struct os *os, const char *path, struct backup_info *ret)
{
    struct backup_reader r;
    const struct backup_sink nobody = {see_manifest, see_run, see_data, see_log, NULL};
    enum status st = backup_open(os, path, &r);
    if (st == OK) st = backup_read(&r, &nobody);
    if (st == OK) backup_tell(&r, ret);
    struct error kept = *error_current();
    backup_close(&r);
    *error_current() = kept;
    return st;
}
