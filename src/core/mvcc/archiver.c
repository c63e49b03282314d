/* The archiver: copies what is closed of the log into the archive, on a thread of its own, and holds the log back
 * from being recycled until that is durable there. It never stops the server: what cannot be archived is tried
 * again, and told; the log grows meanwhile, up to a bound at which writes are refused. */
#include "core/backup.h"
#include "core/mvcc/mvcc_priv.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/lsm/copy.h"
#include "core/wal/archive.h"

enum { LOOK_EVERY_US = 200000, RETRY_US = 1000000, TELL_EVERY_US = 60000000 };

struct archiver {
    struct store *store;
    struct pool *pool;         /* NULL: by store_archive alone */
    struct fmutex work_mutex;  /* one at a time archives; rank: above `mutex` */
    uint32_t hold;
    bool placed;               /* guarded by work_mutex: `position` is known */
    uint64_t position;         /* atomic: archived up to there */
    int64_t since_us;          /* guarded by work_mutex: the last segment, monotonic */
    int64_t told_us;           /* guarded by work_mutex */
    struct fmutex mutex;
    struct fcond wake;
    bool stop;                 /* guarded by mutex */
    uint64_t asked;            /* guarded by mutex: archive up to there, closed or not */
    struct archive_status told; /* guarded by mutex */
};

static struct wal *log_of(const struct archiver *a)
{
    return a->store->wal;
}

/* --- where it goes on --------------------------------------------------------------------------- */

static enum status find_last(struct archiver *a, struct arena *arena, uint64_t *ret)
{
    struct os *os = a->store->o.os;
    const char *dir = a->store->o.archive_dir;
    struct archive_segment last;
    lsn_t *starts;
    uint32_t n;
    if (!os_exists(os, dir)) {
        FAIL(UNDEFINED_FILE, "archive directory \"%s\" does not exist", dir);
        return error_hint("Make it, or mount it; it is not made by the server.");
    }
    TRY(archive_clear(os, dir));
    TRY(archive_list(os, dir, arena, &starts, &n));
    *ret = 0;
    if (!n) return OK;
    TRY(archive_look(os, dir, starts[n - 1], &last));
    if (last.store == a->store->forest->store_number && last.end.v <= wal_durable_lsn(log_of(a)).v)
        return *ret = last.end.v, OK;
    FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "archive directory \"%s\" holds the log of another server", dir);
    return error_hint("Give each server, and each restored one, an empty directory of its own.");
}

/* After the last segment; or, the log not reaching back to it any more, where the log begins. */
static enum status place(struct archiver *a)
{
    struct arena arena;
    uint64_t last;
    if (a->placed) return OK;
    arena_init(&arena, MEM_WAL);
    enum status st = find_last(a, &arena, &last);
    arena_release(&arena);
    TRY(st);
    uint64_t oldest = wal_oldest_lsn(log_of(a)).v;
    if (last && last < oldest)
        LOG(LOG_WARNING, "archive", "the archive lacks the log from %016llx to %016llx: make a new backup",
            (unsigned long long)last, (unsigned long long)oldest);
    __atomic_store_n(&a->position, last > oldest ? last : oldest, __ATOMIC_RELEASE);
    a->since_us = monotonic_us();
    a->placed = true;
    return OK;
}

/* --- segments ----------------------------------------------------------------------------------- */

/* Where the next segment ends; its begin: there is none yet. */
static uint64_t next_end(struct archiver *a, bool all)
{
    uint64_t from = a->position, durable = wal_durable_lsn(log_of(a)).v;
    uint64_t closed = wal_file_end(log_of(a), (lsn_t){from}).v;
    int64_t timeout = a->store->o.archive_timeout_us;
    if (durable >= closed) return closed;
    fmutex_lock(&a->mutex);
    all |= a->asked > from;
    fmutex_unlock(&a->mutex);
    if (timeout && monotonic_us() - a->since_us >= timeout) all = true;
    return all ? durable : from;
}

static void note_segment(struct archiver *a, uint64_t start)
{
    char name[ARCHIVE_NAME_BYTES];
    archive_name((lsn_t){start}, name);
    fmutex_lock(&a->mutex);
    a->told.archived++;
    a->told.last_us = os_wall_us(a->store->o.os);
    snprintf(a->told.last, sizeof a->told.last, "%s", name);
    if (a->told.error[0]) LOG(LOG_NOTICE, "archive", "log segment %s is archived, after all", name);
    a->told.error[0] = '\0';
    fmutex_unlock(&a->mutex);
}

static void note_failure(struct archiver *a)
{
    struct error *e = error_current();
    char name[ARCHIVE_NAME_BYTES];
    int64_t now = monotonic_us();
    archive_name((lsn_t){a->position}, name);
    fmutex_lock(&a->mutex);
    bool again = strncmp(a->told.error, e->message, sizeof a->told.error - 1) == 0;
    size_t len = strnlen(e->message, sizeof a->told.error - 1);
    a->told.failed++;
    a->told.last_failed_us = os_wall_us(a->store->o.os);
    snprintf(a->told.last_failed, sizeof a->told.last_failed, "%s", a->placed ? name : "");
    memcpy(a->told.error, e->message, len);
    a->told.error[len] = '\0';
    fmutex_unlock(&a->mutex);
    if (again && now - a->told_us < TELL_EVERY_US) return;
    a->told_us = now;
    LOG(LOG_WARNING, "archive", "the log cannot be archived, and is kept until it can: %s", e->message);
}

static uint64_t waiting_bytes(const struct archiver *a)
{
    uint64_t durable = wal_durable_lsn(log_of(a)).v, at = __atomic_load_n(&a->position, __ATOMIC_ACQUIRE);
    return durable > at ? durable - at : 0;
}

static void look_at_bound(struct archiver *a)
{
    uint64_t max = a->store->o.archive_bytes_max;
    bool full = max && waiting_bytes(a) > max;
    if (full && !__atomic_load_n(&a->store->archive_full, __ATOMIC_RELAXED))
        LOG(LOG_ERROR, "archive", "more log waits to be archived than wal.archive_bytes_max allows: writes are refused");
    __atomic_store_n(&a->store->archive_full, full, __ATOMIC_RELEASE);
}

static enum status archive_one(struct archiver *a, bool all, bool *ret_worked)
{
    struct store *s = a->store;
    *ret_worked = false;
    TRY(place(a));
    uint64_t start = a->position, end = next_end(a, all);
    if (end <= start) return OK;
    TRY(archive_write(log_of(a), s->o.os, s->o.archive_dir, s->forest->store_number, (lsn_t){start},
                      (lsn_t){end}));
    __atomic_store_n(&a->position, end, __ATOMIC_RELEASE);
    a->since_us = monotonic_us();
    wal_move_hold(log_of(a), a->hold, (lsn_t){end});
    note_segment(a, start);
    *ret_worked = true;
    return store__recycle(s);
}

static enum status archive_some(struct archiver *a, bool all)
{
    bool worked = true;
    enum status st = OK;
    fmutex_lock(&a->work_mutex);
    while (st == OK && worked) {
        st = archive_one(a, all, &worked);
        if (st != OK) note_failure(a);
        look_at_bound(a);
    }
    fmutex_unlock(&a->work_mutex);
    return st;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void archiver_main(void *arg)
{
    struct archiver *a = arg;
    fmutex_lock(&a->mutex);
    while (!a->stop) {
        fmutex_unlock(&a->mutex);
        enum status st = archive_some(a, false);
        error_clear();
        fmutex_lock(&a->mutex);
        int64_t until = monotonic_us() + (st == OK ? LOOK_EVERY_US : RETRY_US);
        if (!a->stop) (void)fcond_wait(&a->wake, &a->mutex, until);
    }
    fmutex_unlock(&a->mutex);
}

enum status store__start_archiver(struct store *s)
{
    if (!s->o.archive_dir || !s->o.archive_dir[0] || s->o.restore) return OK;
    struct archiver *a = mem_alloc(MEM_WAL, sizeof *a);
    size_t n = strlen(s->o.archive_dir) + 1;
    s->o.archive_dir = memcpy(mem_alloc(MEM_WAL, n), s->o.archive_dir, n);
    a->store = s;
    a->hold = wal_hold(s->wal, (lsn_t){0});
    a->position = wal_oldest_lsn(s->wal).v;
    s->archiver = a;
    forest_begin_whole_log(s->forest);
    if (!s->o.background) return OK;
    struct pool_options o = {.name = "log archiver", .threads = 1, .queue_max = 1};
    TRY(pool_start(&o, &a->pool));
    bool queued = pool_submit(a->pool, archiver_main, a);
    ASSERT(queued);
    return OK;
}

void store__stop_archiver(struct store *s)
{
    struct archiver *a = s->archiver;
    if (!a || !a->pool) return;
    fmutex_lock(&a->mutex);
    a->stop = true;
    fcond_signal(&a->wake);
    fmutex_unlock(&a->mutex);
    pool_stop(a->pool);
    a->pool = NULL;
}

void store__free_archiver(struct store *s)
{
    if (!s->archiver) return;
    store__stop_archiver(s);
    mem_free(MEM_WAL, (char *)s->o.archive_dir);
    mem_free(MEM_WAL, s->archiver);
    s->archiver = NULL;
}

/* --- for all ------------------------------------------------------------------------------------ */

enum status store_archive(struct store *s, bool all)
{
    return s->archiver ? archive_some(s->archiver, all) : OK;
}

enum status store_switch_log(struct store *s, uint64_t *ret_lsn)
{
    struct archiver *a = s->archiver;
    TRY(wal_flush(s->wal));
    *ret_lsn = wal_durable_lsn(s->wal).v;
    if (!a) return OK;
    fmutex_lock(&a->mutex);
    if (*ret_lsn > a->asked) a->asked = *ret_lsn;
    fcond_signal(&a->wake);
    fmutex_unlock(&a->mutex);
    return OK;
}

void store_get_archive_status(struct store *s, struct archive_status *ret)
{
    struct archiver *a = s->archiver;
    *ret = (struct archive_status){0};
    if (!a) return;
    fmutex_lock(&a->mutex);
    *ret = a->told;
    fmutex_unlock(&a->mutex);
    ret->on = true;
    ret->lsn = __atomic_load_n(&a->position, __ATOMIC_ACQUIRE);
    ret->waiting_bytes = waiting_bytes(a);
    ret->full = __atomic_load_n(&s->archive_full, __ATOMIC_RELAXED);
}
