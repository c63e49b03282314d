/* DDL at work on all rows of a table. pg_stat_progress_create_index: indexes that are being
 * built, in PostgreSQL's words; what PostgreSQL counts and nothing here corresponds to is 0.
 * helios_progress: rewrites, too. */
#include "db/system_priv.h"

struct build_line {
    struct build_line *next;
    uint32_t pid;
    oid_t database;
    const char *database_name;
    struct build_progress p;
};

static const char *const commands[] = {
    [BUILD_CREATE] = "CREATE INDEX",
    [BUILD_CREATE_CONCURRENTLY] = "CREATE INDEX CONCURRENTLY",
    [BUILD_REINDEX] = "REINDEX",
    [BUILD_REINDEX_CONCURRENTLY] = "REINDEX CONCURRENTLY",
    [BUILD_REWRITE] = "ALTER TABLE",
    [BUILD_VALIDATE] = "VALIDATE CONSTRAINT",
};

static const char *const phases[] = {
    [PHASE_INITIALIZING] = "initializing",
    [PHASE_WAIT_WRITERS] = "waiting for writers before build",
    [PHASE_SCAN] = "building index: scanning table",
    [PHASE_SORT] = "building index: sorting live tuples",
    [PHASE_VALIDATE] = "index validation: scanning table",
    [PHASE_WAIT_SNAPSHOTS] = "waiting for old snapshots",
    [PHASE_WAIT_READERS] = "waiting for readers before marking dead",
    [PHASE_WAIT_DEAD] = "waiting for readers before dropping",
    [PHASE_FOLLOW] = "index validation: scanning table",
    [PHASE_WAIT_LOCK] = "waiting for writers before validation",
};

static void copy_progress(const struct build_progress *from, struct build_progress *to)
{
    to->command = __atomic_load_n(&from->command, __ATOMIC_ACQUIRE);
    to->phase = __atomic_load_n(&from->phase, __ATOMIC_RELAXED);
    to->table = __atomic_load_n(&from->table, __ATOMIC_RELAXED);
    to->index = __atomic_load_n(&from->index, __ATOMIC_RELAXED);
    to->rows = __atomic_load_n(&from->rows, __ATOMIC_RELAXED);
    to->rows_done = __atomic_load_n(&from->rows_done, __ATOMIC_RELAXED);
}

/* Copies are made under the lock, so that rows are handed on without it. */
static struct build_line *copy_builds(struct sys_scan *x)
{
    struct db *db = x->s->db;
    struct build_line *first = NULL;
    fmutex_lock(&db->sessions_mutex);
    for (const struct session *s = db->sessions; s; s = s->next) {
        struct build_progress p;
        copy_progress(&s->build, &p);
        if (!p.command) continue;
        struct build_line *l = ARENA_NEW(x->arena, struct build_line);
        *l = (struct build_line){first, s->pid, s->database_oid,
                                 arena_strdup(x->arena, s->database), p};
        first = l;
    }
    fmutex_unlock(&db->sessions_mutex);
    return first;
}

static bool is_of_index(const struct build_line *l)
{
    return l->p.command != BUILD_REWRITE && l->p.command != BUILD_VALIDATE;
}

enum status sys_pg_stat_progress_create_index(struct sys_scan *x)
{
    for (const struct build_line *l = copy_builds(x); l; l = l->next) {
        if (!is_of_index(l)) continue;
        TRY(SYS_EMIT(x, I(l->pid), I(l->database), T(l->database_name), I(l->p.table),
                     I(l->p.index), T(commands[l->p.command]), T(phases[l->p.phase]), I(0), I(0), I(0), I(0), I(0),
                     I(l->p.rows), I(l->p.rows_done), I(0), I(0)));
    }
    return OK;
}

static const char *phase_words(const struct build_line *l)
{
    if (is_of_index(l)) return phases[l->p.phase];
    if (l->p.command == BUILD_VALIDATE) return "scanning table";
    switch (l->p.phase) {
    case PHASE_FOLLOW: return "following writers";
    case PHASE_WAIT_LOCK: return "waiting for writers";
    default: return "rewriting table";
    }
}

enum status sys_helios_progress(struct sys_scan *x)
{
    for (const struct build_line *l = copy_builds(x); l; l = l->next) {
        TRY(SYS_EMIT(x, I(l->pid), T(l->database_name), I(l->p.table),
                     l->p.index ? I(l->p.index) : N, T(commands[l->p.command]),
                     T(phase_words(l)), I(l->p.rows), I(l->p.rows_done)));
    }
    return OK;
}
