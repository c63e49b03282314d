/* A new data directory from a backup and the archive of the log: the files are made as they were, with the log on
 * top of them cut at the commit that was asked for, and opened once, which recovers as after a crash. The directory
 * has another name until all of it is there. */
#include "core/backup/format.h"

#include <stdio.h>
#include <time.h>

#include "base/hlc.h"
#include "base/mem.h"
#include "core/lsm/copy.h"
#include "core/wal/archive.h"
#include "core/wal/build.h"

struct restore {
    const struct restore_options *o;
    const char *part;           /* the directory, while it is being made */
    struct backup_reader backup;
    struct forest_builder *forest;
    struct wal_builder *log;
    uint64_t segments;
    char missing[ARCHIVE_NAME_BYTES]; /* the segment that the archive ends before, though it goes on; empty: none */
};

/* --- the backup --------------------------------------------------------------------------------- */

static enum status put_manifest(void *ctx, struct slice *records, uint32_t count)
{
    struct restore *r = ctx;
    return forest_build_begin(r->o->os, r->part, records, count, &r->forest);
}

static enum status put_run(void *ctx, uint64_t run, uint64_t bytes)
{
    struct restore *r = ctx;
    return forest_build_run(r->forest, run, bytes);
}

static enum status put_data(void *ctx, struct slice bytes)
{
    struct restore *r = ctx;
    return forest_build_data(r->forest, bytes);
}

static enum status put_log(void *ctx, uint64_t lsn, struct slice bytes)
{
    struct restore *r = ctx;
    ASSERT(lsn == wal_build_end(r->log).v);
    if (bytes.len % OS_BLOCK_BYTES) return frame_malformed(&r->backup.frames, "its content is malformed");
    return wal_build_add(r->log, bytes);
}

static enum status take_backup(struct restore *r)
{
    char path[OS_PATH_MAX];
    const struct backup_sink sink = {put_manifest, put_run, put_data, put_log, r};
    if (snprintf(path, sizeof path, "%s/wal", r->part) >= (int)sizeof path)
        return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", r->part);
    TRY(os_mkdir(r->o->os, r->part));
    TRY(wal_build_begin(r->o->os, path, (lsn_t){r->backup.head.log_from}, &r->log));
    TRY(backup_read(&r->backup, &sink));
    return forest_build_missing(r->forest) ? frame_malformed(&r->backup.frames, "a run is missing") : OK;
}

/* --- the archive -------------------------------------------------------------------------------- */

static enum status put_segment(void *ctx, lsn_t lsn, struct slice bytes)
{
    struct restore *r = ctx;
    uint64_t at = wal_build_end(r->log).v;
    if (lsn.v + bytes.len <= at) return OK;
    if (lsn.v < at) bytes = slice_make(bytes.data + (at - lsn.v), bytes.len - (at - lsn.v));
    return wal_build_add(r->log, bytes);
}

static enum status no_segment(struct restore *r)
{
    archive_name(wal_build_end(r->log), r->missing);
    return OK;
}

/* The segments from the end of the backup's log on, up to the first gap. */
static enum status take_segments(struct restore *r, const lsn_t *starts, uint32_t n)
{
    const struct restore_options *o = r->o;
    struct archive_segment x;
    uint64_t at = wal_build_end(r->log).v;
    uint32_t i = 0;
    while (i + 1 < n && starts[i + 1].v <= at) i++;
    for (; i < n; i++) {
        if (starts[i].v > wal_build_end(r->log).v) return no_segment(r);
        TRY(archive_look(o->os, o->archive, starts[i], &x));
        if (x.store != r->backup.head.store) {
            FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "archive \"%s\" is not of the server that the backup is of",
                 o->archive);
            return error_hint("Each server, and each that was restored, has an archive of its own.");
        }
        TRY(archive_read(o->os, o->archive, starts[i], put_segment, r, &x));
        r->segments++;
    }
    return OK;
}

static enum status take_archive(struct restore *r)
{
    struct arena a;
    lsn_t *starts;
    uint32_t n;
    if (!r->o->archive) return OK;
    if (!os_exists(r->o->os, r->o->archive))
        return FAIL(UNDEFINED_FILE, "archive directory \"%s\" does not exist", r->o->archive);
    arena_init(&a, MEM_RUN);
    enum status st = archive_list(r->o->os, r->o->archive, &a, &starts, &n);
    if (st == OK) st = take_segments(r, starts, n);
    arena_release(&a);
    return st;
}

/* --- the target --------------------------------------------------------------------------------- */

static void describe(uint64_t ts, char out[64])
{
    int64_t us = hlc_wall_us(ts);
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, 64, "%04d-%02d-%02d %02d:%02d:%02d.%06d+00", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us % 1000000));
}

static enum status check_target(const struct restore *r)
{
    const struct restore_options *o = r->o;
    char at[64];
    if (o->target == RESTORE_BACKUP || o->target == RESTORE_LATEST) return OK;
    if (o->target_ts >= r->backup.head.ts) return OK;
    describe(r->backup.head.ts, at);
    FAIL(INVALID_PARAMETER_VALUE, "requested recovery stop point is before consistent recovery point");
    error_detail("The backup is as of %s, transaction %llu.", at, (unsigned long long)r->backup.head.ts);
    return error_hint("Use an earlier backup.");
}

static enum status missing(const struct restore *r)
{
    return FAIL(UNDEFINED_FILE, "log segment \"%s\" is missing in archive \"%s\"", r->missing, r->o->archive);
}

static enum status check_reached(const struct restore *r, const struct store_restore *x)
{
    const struct restore_options *o = r->o;
    char at[64];
    if (x->last_ts < r->backup.head.ts)
        return FAIL(DATA_CORRUPTED, "backup \"%s\" lacks a part of its log: it ends at transaction %llu in place of %llu",
                    o->path, (unsigned long long)x->last_ts, (unsigned long long)r->backup.head.ts);
    if (x->was_cut || o->target == RESTORE_BACKUP) return OK;
    if (o->target == RESTORE_COMMIT && x->last_ts == o->target_ts) return OK;
    if (r->missing[0]) return missing(r);
    if (o->target == RESTORE_LATEST) return OK;
    describe(x->last_ts, at);
    FAIL(INVALID_PARAMETER_VALUE, "recovery ended before configured recovery target was reached");
    return error_detail("The archive ends at %s, transaction %llu.", at, (unsigned long long)x->last_ts);
}

static uint64_t until(const struct restore *r)
{
    switch (r->o->target) {
    case RESTORE_BACKUP: return r->backup.head.ts;
    case RESTORE_LATEST: return UINT64_MAX;
    default: return r->o->target_ts;
    }
}

/* --- the directory ------------------------------------------------------------------------------ */

static enum status open_once(struct restore *r, struct restore_result *ret)
{
    struct store_restore x = {.copied_lsn = r->backup.head.copied_lsn, .until_ts = until(r)};
    struct store_options so;
    struct store *s;
    store_options_init(&so);
    so.os = r->o->os;
    so.dir = r->part;
    so.retention_us = INT64_MAX;
    so.restore = &x;
    TRY(store_open(&so, &s));
    enum status st = check_reached(r, &x);
    ret->last_ts = x.last_ts;
    if (st == OK) return store_close(s);
    struct error kept = *error_current();
    store_abandon(s);
    *error_current() = kept;
    return st;
}

static enum status make(struct restore *r, struct restore_result *ret)
{
    uint64_t store = 0;
    TRY(backup_open(r->o->os, r->o->path, &r->backup));
    TRY(check_target(r));
    TRY(take_backup(r));
    TRY(take_archive(r));
    TRY(wal_build_finish(r->log));
    while (!store) os_random(r->o->os, &store, sizeof store);
    TRY(forest_build_finish(r->forest, store));
    forest_build_free(r->forest);
    r->forest = NULL;
    backup_tell(&r->backup, &ret->backup);
    ret->segments = r->segments;
    return open_once(r, ret);
}

/* What a failed restore has made: the directory, its files, and those of the directories in it. */
static void remove_part(struct os *os, const char *part)
{
    struct arena a;
    char **names, **inner;
    size_t count, inner_count;
    arena_init(&a, MEM_RUN);
    enum status st = os_exists(os, part) ? os_list(os, part, &a, &names, &count) : NOT_FOUND;
    for (size_t i = 0; st == OK && i < count; i++) {
        const char *path = arena_printf(&a, "%s/%s", part, names[i]);
        if (os_remove(os, path) == OK) continue;
        if (os_list(os, path, &a, &inner, &inner_count) != OK) continue;
        for (size_t k = 0; k < inner_count; k++)
            (void)!os_remove(os, arena_printf(&a, "%s/%s", path, inner[k]));
        (void)!os_remove(os, path);
    }
    if (st == OK) (void)!os_remove(os, part);
    arena_release(&a);
}

static enum status check_paths(const struct restore_options *o, char part[OS_PATH_MAX], char parent[OS_PATH_MAX])
{
    if (snprintf(part, OS_PATH_MAX, "%s.part", o->dir) >= OS_PATH_MAX)
        return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", o->dir);
    if (os_exists(o->os, o->dir)) return FAIL(DUPLICATE_FILE, "\"%s\" already exists", o->dir);
    if (os_exists(o->os, part)) {
        FAIL(DUPLICATE_FILE, "\"%s\" already exists", part);
        return error_hint("A restore that was killed has left it: remove it.");
    }
    snprintf(parent, OS_PATH_MAX, "%s", o->dir);
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    else snprintf(parent, OS_PATH_MAX, ".");
    return OK;
}

enum status store_restore(const struct restore_options *o, struct restore_result *ret)
{
    char part[OS_PATH_MAX], parent[OS_PATH_MAX];
    struct restore r = {.o = o, .part = part};
    *ret = (struct restore_result){0};
    TRY(check_paths(o, part, parent));
    enum status st = make(&r, ret);
    struct error kept = *error_current();
    forest_build_free(r.forest);
    wal_build_free(r.log);
    backup_close(&r.backup);
    if (st != OK) remove_part(o->os, part);
    *error_current() = kept;
    if (st == OK) st = os_rename(o->os, part, o->dir);
    return st == OK ? os_sync_dir(o->os, parent) : st;
}
