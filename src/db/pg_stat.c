/* Views of pg_catalog over what lives in the process (sessions, prepared statements, cursors), and
 * over relations: pg_stat_*, pg_tables, pg_views, pg_indexes. Counters that nobody keeps are 0. */
#include "core/store.h"
#include "db/system_priv.h"

/* --- sessions -------------------------------------------------------------------------------- */

struct activity {
    struct activity *next;
    uint32_t pid;
    oid_t user, database;
    const char *user_name, *database_name, *application, *address, *query, *state;
    const char *wait; /* "Lock:relation", or NULL */
    int64_t started_us, statement_us, transaction_us; /* 0: none */
};

static const char *const state_names[] = {"idle", "active", "idle in transaction",
                                          "idle in transaction (aborted)"};

/* Why it is not running; what nobody has told about is computing, or reading from disk. */
static const char *wait_of(const struct session *s)
{
    if (session__state(s) != SESSION_ACTIVE) return "Client:ClientRead";
    return waiter_reason(s->waiter);
}

/* Copies are made under the lock, so that rows are handed on without it. */
static struct activity *copy_sessions(struct sys_scan *x)
{
    struct db *db = x->s->db;
    struct activity *first = NULL;
    char text[ACTIVITY_BYTES];
    fmutex_lock(&db->sessions_mutex);
    for (const struct session *s = db->sessions; s; s = s->next) {
        bool open = __atomic_load_n(&s->txn, __ATOMIC_RELAXED) != NULL;
        bool visible = s == x->s || x->s->superuser || s->user_oid == x->s->user_oid;
        struct activity *a = ARENA_NEW(x->arena, struct activity);
        *a = (struct activity){.next = first, .pid = s->pid, .user = s->user_oid,
                               .database = s->database_oid, .started_us = s->backend_start_us,
                               .statement_us = __atomic_load_n(&s->activity_us, __ATOMIC_RELAXED)};
        if (open) a->transaction_us = __atomic_load_n(&s->txn_us, __ATOMIC_RELAXED);
        a->user_name = arena_strdup(x->arena, s->user);
        a->application = arena_strdup(x->arena, s->application);
        a->database_name = arena_strdup(x->arena, s->database);
        a->address = arena_strdup(x->arena, visible ? s->client_address : "");
        if (visible) (void)activity_text_get(&s->activity, text);
        a->query = arena_strdup(x->arena, visible ? text : "<insufficient privilege>");
        a->state = visible ? state_names[session__state(s)] : NULL;
        a->wait = visible ? wait_of(s) : NULL;
        first = a;
    }
    fmutex_unlock(&db->sessions_mutex);
    return first;
}

static struct sys_cell time_or_null(int64_t us)
{
    return us ? I(us) : N;
}

static enum status emit_activity(struct sys_scan *x, const struct activity *a)
{
    const char *colon = strrchr(a->address, ':');
    struct sys_cell port = *a->address ? N : I(-1), address = N;
    int64_t n;
    if (colon && str_to_i64(slice_of(colon + 1), &n)) {
        port = I(n);
        address = T(arena_strndup(x->arena, a->address, (size_t)(colon - a->address)));
    }
    const char *wait_event = a->wait ? strchr(a->wait, ':') + 1 : NULL;
    struct sys_cell wait_type = N;
    if (a->wait)
        wait_type = T(arena_strndup(x->arena, a->wait, (size_t)(wait_event - a->wait - 1)));
    return SYS_EMIT(x, I(a->database), T(a->database_name), I(a->pid), N, I(a->user),
                    T(a->user_name), T(a->application), address, N, port, I(a->started_us),
                    time_or_null(a->transaction_us), time_or_null(a->statement_us),
                    time_or_null(a->statement_us), wait_type, T(wait_event), T(a->state), N, N, N, T(a->query),
                    T("client backend"));
}

enum status sys_pg_stat_activity(struct sys_scan *x)
{
    for (struct activity *a = copy_sessions(x); a; a = a->next) TRY(emit_activity(x, a));
    return OK;
}

enum status sys_pg_stat_ssl(struct sys_scan *x)
{
    for (struct activity *a = copy_sessions(x); a; a = a->next)
        TRY(SYS_EMIT(x, I(a->pid), I(0), N, N, N, N, N, N));
    return OK;
}

enum status sys_pg_stat_database(struct sys_scan *x)
{
    size_t pos = 0;
    const struct database_def *d;
    struct activity *all = copy_sessions(x);
    while (catalog_next_database(x->catalog, &pos, &d)) {
        int64_t backends = 0;
        for (struct activity *a = all; a; a = a->next) backends += a->database == d->oid;
        TRY(SYS_EMIT(x, I(d->oid), T(d->name), I(backends), I(0), I(0), I(0), I(0), I(0), I(0),
                     I(0), I(0), I(0), I(0), I(0), I(0), I(0), N, N, I(0), I(0), I(0), I(0), I(0),
                     I(backends), I(0), I(0), I(0), N));
    }
    return OK;
}

enum status sys_pg_prepared_statements(struct sys_scan *x)
{
    size_t pos = 0;
    struct slice name;
    void *v;
    while (map_next(&x->s->prepared, &pos, &name, NULL, &v)) {
        const struct prepared *p = v;
        if (name.len == 0) continue; /* the unnamed one is not shown */
        struct datum *types = ARENA_ARRAY(x->arena, struct datum, p->param_count + 1);
        for (uint32_t i = 0; i < p->param_count; i++) types[i].v.u32 = p->param_types[i];
        TRY(SYS_EMIT(x, T(arena_strndup(x->arena, name.data, name.len)),
                     T(arena_strndup(x->arena, p->shown.data, p->shown.len)), I(p->made_us),
                     V(array_make(x->arena, TYPE_REGTYPE, types, p->param_count)), I(p->is_sql),
                     I(0), I(0)));
    }
    return OK;
}

enum status sys_pg_cursors(struct sys_scan *x)
{
    size_t pos = 0;
    struct slice name;
    void *v;
    while (map_next(&x->s->portals, &pos, &name, NULL, &v)) {
        const struct portal *p = v;
        const char *text = p->query_text.data ? p->query_text.data : "";
        TRY(SYS_EMIT(x, T(arena_strndup(x->arena, name.data, name.len)), T(text), I(p->held), I(0),
                     I(p->scroll), I(p->made_us)));
    }
    return OK;
}

/* --- relations ------------------------------------------------------------------------------- */

enum status sys_pg_tables(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        bool foreign = false;
        if (t->kind != 'r') continue;
        for (uint16_t i = 0; i < t->constraint_count; i++)
            foreign |= t->constraints[i]->kind == 'f';
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name),
                     T(sys_role_name(x, t->owner, x->arena)), N, I(t->index_count > 0), I(0),
                     I(foreign), I(0)));
    }
    return OK;
}

enum status sys_pg_views(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const char *definition = NULL;
        if (t->kind != 'v') continue;
        TRY(sys_view_definition(x->s, t->oid, false, x->arena, &definition));
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name),
                     T(sys_role_name(x, t->owner, x->arena)), T(definition)));
    }
    return OK;
}

enum status sys_pg_matviews(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const char *definition = NULL;
        if (t->kind != 'm') continue;
        TRY(sys_view_definition(x->s, t->oid, false, x->arena, &definition));
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name),
                     T(sys_role_name(x, t->owner, x->arena)), N, I(t->index_count > 0),
                     I(t->tree != 0), T(definition)));
    }
    return OK;
}

enum status sys_pg_indexes(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        for (uint16_t i = 0; i < t->index_count; i++) {
            const char *sql;
            TRY(sys_index_definition(x->s, t->indexes[i]->oid, 0, false, x->arena, &sql));
            TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name), T(t->indexes[i]->name),
                         N, T(sql)));
        }
    }
    return OK;
}

static bool wanted(const struct sys_scan *x, const struct table_def *t)
{
    bool all = strstr(x->table->name, "_all_") != NULL;
    bool system = strstr(x->table->name, "_sys_") != NULL;
    return (t->kind == 'r' || t->kind == 'm') && (all || system == sys_is_system(t));
}

static int64_t live_rows(struct sys_scan *x, const struct table_def *t)
{
    struct tree_statistics stats;
    if (t->tree == 0) return 0;
    if (session__tree_statistics(x->s, t->tree, &stats) == OK) return (int64_t)stats.rows;
    error_clear(); /* a tree that this transaction has just made */
    return 0;
}

enum status sys_pg_stat_tables(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (!wanted(x, t)) continue;
        TRY(SYS_EMIT(x, I(t->oid), T(sys_schema_name(x, t->schema)), T(t->name), I(0), I(0),
                     t->index_count ? I(0) : N, t->index_count ? I(0) : N, I(0), I(0), I(0), I(0),
                     I(live_rows(x, t)), I(0), I(0), I(0), N, N, N, N, I(0), I(0), I(0), I(0)));
    }
    return OK;
}

enum status sys_pg_statio_tables(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (!wanted(x, t)) continue;
        TRY(SYS_EMIT(x, I(t->oid), T(sys_schema_name(x, t->schema)), T(t->name), I(0), I(0),
                     t->index_count ? I(0) : N, t->index_count ? I(0) : N, N, N, N, N));
    }
    return OK;
}

enum status sys_pg_stat_indexes(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (!wanted(x, t)) continue;
        for (uint16_t i = 0; i < t->index_count; i++)
            TRY(SYS_EMIT(x, I(t->oid), I(t->indexes[i]->oid), T(sys_schema_name(x, t->schema)),
                         T(t->name), T(t->indexes[i]->name), I(0), I(0), I(0)));
    }
    return OK;
}

enum status sys_pg_statio_indexes(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (!wanted(x, t)) continue;
        for (uint16_t i = 0; i < t->index_count; i++)
            TRY(SYS_EMIT(x, I(t->oid), I(t->indexes[i]->oid), T(sys_schema_name(x, t->schema)),
                         T(t->name), T(t->indexes[i]->name), I(0), I(0)));
    }
    return OK;
}

enum status sys_pg_statio_sequences(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t))
        if (t->kind == 'S')
            TRY(SYS_EMIT(x, I(t->oid), T(sys_schema_name(x, t->schema)), T(t->name), I(0), I(0)));
    return OK;
}
