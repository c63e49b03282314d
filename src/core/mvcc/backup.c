/* Making a backup: a copy of the manifest, the runs that it names, and the log that is needed on top of them, as of
 * the commit that was the last when the copy was made. Runs never change, so they are copied at leisure, held by
 * references; the log is held against recycling. What an earlier backup has is named, not copied. */
#include "core/backup/format.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "core/lsm/copy.h"
#include "core/mvcc/mvcc_priv.h"

enum { MANIFEST_BLOCK_BYTES = 1 << 20 };

struct writer {
    struct store *store;
    const struct backup_options *o;
    struct frame_writer frames;
    struct forest_copy copy;
    struct backup_head head;
    struct backup_reader previous; /* zeroed: none */
    struct map previous_runs;      /* from their numbers to their place in its index, plus 1 */
    ARRAY(struct backup_entry) index;
    ARRAY(uint64_t) holders;       /* other backups that are needed */
    uint32_t crc;                  /* of the run that is being copied */
    uint64_t copied_runs, log_bytes;
};

static enum status end_block(struct writer *w, enum backup_kind kind)
{
    if (w->o->poll) TRY(w->o->poll(w->o->ctx));
    return frame_end(&w->frames, kind);
}

/* --- what an earlier one has -------------------------------------------------------------------- */

static enum status open_previous(struct writer *w)
{
    const char *path = w->o->previous, *slash = path ? strrchr(path, '/') : NULL;
    const char *own = strrchr(w->o->path, '/');
    map_init(&w->previous_runs);
    if (!path) return OK;
    if (!slash || slash - path != own - w->o->path || memcmp(path, w->o->path, (size_t)(slash - path)) != 0) {
        FAIL(INVALID_PARAMETER_VALUE, "backup \"%s\" does not lie in the directory of the new one", path);
        return error_hint("A backup and those that it needs lie side by side.");
    }
    TRY(backup_open(w->store->o.os, path, &w->previous));
    if (w->previous.head.store != w->store->forest->store_number)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "backup \"%s\" is of another server", path);
    TRY(backup_read_index(&w->previous));
    for (size_t i = 0; i < w->previous.index.count; i++)
        map_put_u64(&w->previous_runs, w->previous.index.data[i].run, (void *)(i + 1));
    return OK;
}

/* The entry of the run there, or NULL. */
static const struct backup_entry *find_previous(const struct writer *w, const struct copied_run *r)
{
    size_t place = (size_t)map_get_u64(&w->previous_runs, r->id);
    const struct backup_entry *e = place ? &w->previous.index.data[place - 1] : NULL;
    return e && e->tree == r->tree && e->bytes == r->bytes ? e : NULL;
}

static void note_holder(struct writer *w, uint64_t id)
{
    for (size_t i = 0; i < w->holders.count; i++)
        if (w->holders.data[i] == id) return;
    ARRAY_PUSH(&w->holders, id);
}

static const char *holder_name(const struct writer *w, uint64_t id)
{
    const struct backup_reader *p = &w->previous;
    for (uint32_t i = 0; i < p->head.previous; i++)
        if (p->previous[i].id == id) return p->previous[i].name;
    return strrchr(w->o->previous, '/') + 1;
}

/* --- blocks ------------------------------------------------------------------------------------- */

static enum status write_head(struct writer *w)
{
    struct store *s = w->store;
    for (size_t i = 0; i < w->copy.runs.count; i++) {
        const struct backup_entry *e = find_previous(w, &w->copy.runs.data[i]);
        if (e) note_holder(w, e->holder);
    }
    if (w->holders.count > BACKUP_PREVIOUS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a backup cannot need more than %d others", BACKUP_PREVIOUS_MAX);
    w->head.version = w->o->compress ? BACKUP_VERSION_COMPRESSED : BACKUP_VERSION;
    w->frames.compress = w->o->compress;
    w->head.previous = (uint32_t)w->holders.count;
    w->head.store = w->copy.store;
    w->head.made_us = os_wall_us(s->o.os);
    w->head.copied_lsn = w->copy.lsn;
    w->head.log_from = w->copy.log_start.lsn / OS_BLOCK_BYTES * OS_BLOCK_BYTES;
    w->head.records = w->copy.record_count;
    w->head.runs = (uint32_t)w->copy.runs.count;
    while (!w->head.id) os_random(s->o.os, &w->head.id, sizeof w->head.id);
    w->frames.id = w->head.id;
    frame_begin(&w->frames);
    strbuf_add(&w->frames.out, &w->head, sizeof w->head);
    for (size_t i = 0; i < w->holders.count; i++) {
        const char *name = holder_name(w, w->holders.data[i]);
        uint16_t len = (uint16_t)strlen(name);
        strbuf_add(&w->frames.out, &w->holders.data[i], 8);
        strbuf_add(&w->frames.out, &len, sizeof len);
        strbuf_add(&w->frames.out, name, len);
    }
    return end_block(w, BACKUP_BEGIN);
}

static enum status write_manifest(struct writer *w)
{
    frame_begin(&w->frames);
    for (uint32_t i = 0; i < w->copy.record_count; i++) {
        struct slice record = w->copy.records[i];
        uint32_t len = (uint32_t)record.len;
        if (frame_payload_bytes(&w->frames) && frame_payload_bytes(&w->frames) + len > MANIFEST_BLOCK_BYTES) {
            TRY(end_block(w, BACKUP_MANIFEST));
            frame_begin(&w->frames);
        }
        strbuf_add(&w->frames.out, &len, sizeof len);
        strbuf_add(&w->frames.out, record.data, record.len);
    }
    return end_block(w, BACKUP_MANIFEST);
}

static enum status write_data(void *ctx, struct slice bytes)
{
    struct writer *w = ctx;
    w->crc = crc32c(w->crc, bytes.data, bytes.len);
    frame_begin(&w->frames);
    strbuf_add(&w->frames.out, bytes.data, bytes.len);
    return end_block(w, BACKUP_DATA);
}

static enum status write_run(struct writer *w, const struct copied_run *r)
{
    const struct backup_entry *there = find_previous(w, r);
    if (there) {
        ARRAY_PUSH(&w->index, *there);
        return OK;
    }
    uint64_t fields[3] = {r->tree, r->id, r->bytes};
    frame_begin(&w->frames);
    strbuf_add(&w->frames.out, fields, sizeof fields);
    TRY(end_block(w, BACKUP_RUN));
    struct backup_entry e = {.tree = r->tree, .run = r->id, .bytes = r->bytes, .holder = w->head.id,
                             .offset = w->frames.bytes, .number = w->frames.number};
    w->crc = 0;
    TRY(forest_read_run(w->store->forest, r->meta, write_data, w));
    e.crc = w->crc;
    ARRAY_PUSH(&w->index, e);
    w->copied_runs++;
    return OK;
}

static enum status write_log(void *ctx, lsn_t lsn, struct slice bytes)
{
    struct writer *w = ctx;
    frame_begin(&w->frames);
    strbuf_add(&w->frames.out, &lsn.v, sizeof lsn.v);
    strbuf_add(&w->frames.out, bytes.data, bytes.len);
    w->log_bytes += bytes.len;
    return end_block(w, BACKUP_LOG);
}

static enum status write_index(struct writer *w)
{
    for (size_t i = 0; i < w->index.count; i += BACKUP_INDEX_ENTRIES) {
        size_t n = w->index.count - i < BACKUP_INDEX_ENTRIES ? w->index.count - i : BACKUP_INDEX_ENTRIES;
        frame_begin(&w->frames);
        strbuf_add(&w->frames.out, &w->index.data[i], n * sizeof w->index.data[i]);
        TRY(end_block(w, BACKUP_INDEX));
    }
    return OK;
}

static enum status write_all(struct writer *w)
{
    TRY(write_head(w));
    TRY(write_manifest(w));
    for (size_t i = 0; i < w->copy.runs.count; i++) TRY(write_run(w, &w->copy.runs.data[i]));
    TRY(wal_copy(w->store->wal, (lsn_t){w->head.log_from}, (lsn_t){w->head.log_end}, write_log, w));
    struct backup_tail t = {w->index.count, w->copied_runs, w->log_bytes, w->frames.bytes, w->frames.number};
    TRY(write_index(w));
    frame_begin(&w->frames);
    strbuf_add(&w->frames.out, &t, sizeof t);
    TRY(end_block(w, BACKUP_END));
    return file_sync(w->frames.file);
}

/* --- the moment --------------------------------------------------------------------------------- */

/* All commits up to `ts` are in the log before `log_end`, or in the runs. */
static enum status take_copy(struct writer *w)
{
    struct store *s = w->store;
    TRY(forest_copy_begin(s->forest, &w->copy));
    uint64_t visible = __atomic_load_n(&s->visible_ts, __ATOMIC_SEQ_CST);
    w->head.ts = wal_appended_ts(s->wal);
    if (visible > w->head.ts) w->head.ts = visible;
    enum status st = wal_flush(s->wal);
    w->head.log_end = wal_durable_lsn(s->wal).v;
    forest_end_whole_log(s->forest);
    return st;
}

static enum status write_part(struct writer *w, const char *part)
{
    struct wal *wal = w->store->wal;
    uint32_t hold = wal_hold(wal, (lsn_t){0});
    if (hold == WAL_HOLDS_MAX)
        return FAIL(CONFIGURATION_LIMIT_EXCEEDED, "too many backups are being made");
    enum status st = take_copy(w);
    if (st == OK) {
        wal_move_hold(wal, hold, (lsn_t){w->copy.log_start.lsn / OS_BLOCK_BYTES * OS_BLOCK_BYTES});
        st = os_open(w->store->o.os, part, OPEN_CREATE | OPEN_EXCLUSIVE, &w->frames.file);
    }
    if (st == OK) {
        st = write_all(w);
        file_close(w->frames.file);
    }
    struct error kept = *error_current();
    wal_end_hold(wal, hold);
    forest_copy_end(&w->copy);
    *error_current() = kept;
    return st;
}

static enum status write_file(struct writer *w, const char *part)
{
    struct os *os = w->store->o.os;
    char dir[OS_PATH_MAX];
    enum status st = write_part(w, part);
    if (st == OK) st = os_rename(os, part, w->o->path);
    if (st != OK) {
        struct error kept = *error_current();
        if (w->frames.file) (void)!os_remove(os, part); /* else it is another's */
        *error_current() = kept;
        return st;
    }
    size_t len = (size_t)(strrchr(w->o->path, '/') - w->o->path);
    memcpy(dir, w->o->path, len);
    dir[len] = '\0';
    return os_sync_dir(os, len ? dir : "/");
}

enum status store_backup(struct store *s, const struct backup_options *o, struct backup_result *ret)
{
    struct writer w = {.store = s, .o = o};
    char part[OS_PATH_MAX];
    const char *slash = strrchr(o->path, '/');
    if (!slash) return FAIL(INVALID_NAME, "relative path not allowed for a backup");
    if (snprintf(part, sizeof part, "%s.part", o->path) >= (int)sizeof part ||
        strlen(slash + 1) > BACKUP_NAME_MAX)
        return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", o->path);
    if (os_exists(s->o.os, o->path)) return FAIL(DUPLICATE_FILE, "file \"%s\" already exists", o->path);
    enum status st = open_previous(&w);
    if (st == OK) st = write_file(&w, part);
    *ret = (struct backup_result){w.frames.bytes, w.index.count, w.copied_runs, w.head.ts};
    struct error kept = *error_current();
    backup_close(&w.previous);
    map_release(&w.previous_runs);
    ARRAY_RELEASE(&w.index);
    ARRAY_RELEASE(&w.holders);
    frame_writer_release(&w.frames);
    *error_current() = kept;
    return st;
}
