#include "db/builds.h"

#include "db/ddl_build_priv.h"

struct build_entry {
    struct build_entry *next;
    const struct db_line *line;
    const struct session *session;
    oid_t table;
};

struct builds {
    struct fmutex mutex;
    struct fcond left;
    struct build_entry *first; /* guarded by mutex */
};

struct builds *builds_new(void)
{
    return mem_alloc(MEM_SESSION, sizeof(struct builds));
}

void builds_free(struct builds *b)
{
    ASSERT(!b->first);
    mem_free(MEM_SESSION, b);
}

/* Under the mutex. */
static struct build_entry **find(struct builds *b, const struct session *s, oid_t table)
{
    struct build_entry **p = &b->first;
    while (*p && ((*p)->line != s->line || (*p)->table != table)) p = &(*p)->next;
    return p;
}

bool builds_enter(struct session *s, oid_t table)
{
    struct builds *b = s->db->builds;
    fmutex_lock(&b->mutex);
    struct build_entry **p = find(b, s, table);
    bool is_free = !*p;
    if (is_free) {
        *p = mem_alloc(MEM_SESSION, sizeof **p);
        **p = (struct build_entry){.line = s->line, .session = s, .table = table};
    }
    fmutex_unlock(&b->mutex);
    return is_free;
}

void builds_leave(struct session *s, oid_t table)
{
    struct builds *b = s->db->builds;
    fmutex_lock(&b->mutex);
    struct build_entry **p = find(b, s, table), *e = *p;
    ASSERT(e && e->session == s);
    *p = e->next;
    mem_free(MEM_SESSION, e);
    fcond_broadcast(&b->left);
    fmutex_unlock(&b->mutex);
}

bool builds_running(struct session *s, oid_t table)
{
    struct builds *b = s->db->builds;
    fmutex_lock(&b->mutex);
    const struct build_entry *e = *find(b, s, table);
    bool running = e && e->session != s;
    fmutex_unlock(&b->mutex);
    return running;
}

enum status builds_wait(struct session *s, oid_t table)
{
    struct builds *b = s->db->builds;
    int64_t timeout = s->settings.lock_timeout_us;
    int64_t deadline = timeout ? monotonic_us() + timeout : 0;
    enum park_result r = PARK_WOKEN;
    fmutex_lock(&b->mutex);
    while (*find(b, s, table) && r == PARK_WOKEN) {
        waiter_set_reason(s->waiter, "Lock:relation");
        r = fcond_wait(&b->left, &b->mutex, deadline);
        waiter_set_reason(s->waiter, NULL);
    }
    fmutex_unlock(&b->mutex);
    if (r == PARK_CANCELED)
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    if (r == PARK_TIMEOUT)
        return FAIL(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
    return OK;
}

/* --- how far it is
 * ----------------------------------------------------------------------------- */

void build__show(struct session *s, enum build_command command, const struct table_def *t,
                 const struct index_def *x)
{
    struct build_progress *p = &s->build;
    __atomic_store_n(&p->phase, PHASE_INITIALIZING, __ATOMIC_RELAXED);
    __atomic_store_n(&p->table, t ? t->oid : 0, __ATOMIC_RELAXED);
    __atomic_store_n(&p->index, x ? x->oid : 0, __ATOMIC_RELAXED);
    build__show_rows(s, 0, 0);
    __atomic_store_n(&p->command, (uint32_t)command, __ATOMIC_RELEASE);
}

void build__show_table(struct session *s, const struct table_def *t)
{
    struct tree_statistics stats;
    if (session__tree_statistics(s, t->tree, &stats) == OK) build__show_rows(s, stats.rows, 0);
    else error_clear(); /* a tree that this transaction has made */
}

void build__show_phase(struct session *s, enum build_phase phase)
{
    __atomic_store_n(&s->build.phase, (uint32_t)phase, __ATOMIC_RELAXED);
}

void build__show_rows(struct session *s, uint64_t all, uint64_t done)
{
    __atomic_store_n(&s->build.rows, all, __ATOMIC_RELAXED);
    __atomic_store_n(&s->build.rows_done, done, __ATOMIC_RELAXED);
}
