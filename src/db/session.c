/* Sessions: coming and going, and the simple query protocol.
 *
 * A simple query is looked up in the plan cache by its normalised text before it is parsed at all: a
 * statement that was seen before costs one pass over its text, a hash and its execution. */
#include "db/session.h"

#include "core/advisory.h"
#include "core/txn.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/siding.h"
#include "db/branch_merge_priv.h"
#include "db/past_priv.h"
#include "db/plan_cache.h"
#include "db/rights.h"
#include "db/session_priv.h"
#include "db/temporary.h"

static char *heap_copy(const char *s)
{
    size_t len = s ? strlen(s) : 0;
    char *p = mem_alloc(MEM_SESSION, len + 1);
    if (len) memcpy(p, s, len);
    return p;
}

/* --- coming and going ----------------------------------------------------------------------- */

static enum status link_session(struct session *s)
{
    struct db *db = s->db;
    fmutex_lock(&db->sessions_mutex);
    uint32_t left = db->session_count_max - db->session_count; /* never more than the maximum */
    bool full = left == 0, reserved = !s->superuser && left <= db->superuser_reserved;
    if (!full && !reserved) {
        s->pid = ++db->last_pid;
        s->next = db->sessions;
        if (s->next) s->next->prev = s;
        db->sessions = s;
        __atomic_store_n(&db->session_count, db->session_count + 1, __ATOMIC_RELAXED);
    }
    fmutex_unlock(&db->sessions_mutex);
    if (full) return FAIL(TOO_MANY_CONNECTIONS, "sorry, too many clients already");
    if (reserved)
        return FAIL(TOO_MANY_CONNECTIONS, "remaining connection slots are reserved for "
                                          "non-replication superuser connections");
    return OK;
}

static void unlink_session(struct session *s)
{
    struct db *db = s->db;
    fmutex_lock(&db->sessions_mutex);
    if (s->next) s->next->prev = s->prev;
    if (s->prev) s->prev->next = s->next;
    else db->sessions = s->next;
    __atomic_store_n(&db->session_count, db->session_count - 1, __ATOMIC_RELAXED);
    fmutex_unlock(&db->sessions_mutex);
}

static void fill_exec(struct session *s)
{
    s->exec = (struct exec_session){.format = &s->settings.format,
                                    .catalog = s->catalog,
                                    .user = s->user,
                                    .session_user = s->user,
                                    .database = s->database,
                                    .backend_pid = s->pid,
                                    .waiter = s->waiter,
                                    .workers = s->db->analytic,
                                    .memory_limit_bytes = s->db->query_memory_bytes,
                                    .batch_rows = BATCH_ROWS,
                                    .usage = s->db->usage,
                                    .os = s->db->os,
                                    .temp_dir = s->db->temp_dir,
                                    .temp_limit_bytes = s->db->query_temp_bytes,
                                    .random = &s->random,
                                    .ctx = s,
                                    .nextval = session__nextval,
                                    .currval = session__currval,
                                    .lastval = session__lastval,
                                    .setval = session__setval,
                                    .virtual_scan = virtual_scan,
                                    .system_function = system_function,
                                    .next_row_id = session__next_row_id,
                                    .is_deferred = session__is_deferred,
                                    .defer = session__defer,
                                    .call_function = session__call_function,
                                    .call_set = session__call_set,
                                    .call_trigger = session__call_trigger,
                                    .defer_trigger = session__defer_trigger,
                                    .channels = session__channels,
                                    .row_versions = session__row_versions,
                                    .verify = session__verify,
                                    .branch_diff = session__branch_diff};
}

static enum status exec_setting(void *ctx, const char *name, bool missing_ok, struct arena *a,
                                const char **ret)
{
    struct session *s = ctx;
    const char *v = settings_get(s, name);
    if (!v && !missing_ok)
        return FAIL(UNDEFINED_OBJECT, "unrecognized configuration parameter \"%s\"", name);
    *ret = v ? arena_strdup(a, v) : NULL;
    return OK;
}

static enum status exec_set_setting(void *ctx, const char *name, const char *value, bool is_local,
                                    struct arena *a, const char **ret)
{
    TRY(settings_set(ctx, name, value, is_local, NULL));
    return exec_setting(ctx, name, false, a, ret);
}

static enum status check_login(struct session *s)
{
    const struct database_def *d = catalog_database(s->catalog, slice_of(s->database));
    const struct role_def *r = catalog_role(s->catalog, slice_of(s->user));
    if (!r) return FAIL(INVALID_AUTHORIZATION, "role \"%s\" does not exist", s->user);
    if (!r->can_login)
        return FAIL(INVALID_AUTHORIZATION, "role \"%s\" is not permitted to log in", s->user);
    if (!d) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", s->database);
    s->user_oid = s->login_oid = r->oid;
    s->superuser = s->login_superuser = r->superuser;
    s->database_oid = d->oid;
    return OK;
}

static void free_session(struct session *s, bool linked)
{
    session__abort(s, NULL);
    session__close_portals(s, true);
    temporary_end_session(s);
    if (s->spare_siding) siding_free(s->spare_siding);
    prepared__free_all(s);
    session__free_functions(s);
    if (linked) unlink_session(s);
    session__notify_free(s);
    lock_owner_free(s->lock_owner);
    settings_release(&s->settings);
    size_t pos = 0;
    void *v;
    while (map_next(&s->currvals, &pos, NULL, NULL, &v)) mem_free(MEM_SESSION, v);
    past_forget_catalogs(s);
    ARRAY_RELEASE(&s->past_catalogs);
    map_release(&s->currvals);
    ARRAY_RELEASE(&s->rewrote);
    ARRAY_RELEASE(&s->late);
    map_release(&s->prepared);
    map_release(&s->portals);
    arena_release(&s->arena);
    catalog_unref(s->catalog);
    db_line__close(s->line);
    merge__forget_conflicts(s);
    mem_free(MEM_SESSION, s->path_schemas);
    mem_free(MEM_SESSION, s->user);
    mem_free(MEM_SESSION, s->role);
    mem_free(MEM_SESSION, s->database);
    mem_free(MEM_SESSION, s->client_address);
    mem_free(MEM_SESSION, s);
}

static bool names_branch(const char *setting)
{
    return str_eq_nocase(setting, "branch") || str_eq_nocase(setting, "helios.branch");
}

/* The branch that the client asks for, by a setting or behind the name of the database, which it is cut
 * from: postgres@work. NULL: none. */
static const char *branch_of(struct session *s, const struct session_options *o)
{
    const char *asked = NULL;
    char *at = strchr(s->database, '@');
    for (uint32_t i = 0; i < o->setting_count; i++)
        if (names_branch(o->settings[2 * i])) asked = o->settings[2 * i + 1];
    if (!at) return asked;
    *at = '\0';
    return at + 1;
}

enum status session_new(struct db *db, const struct session_options *o, struct session **ret)
{
    struct session *s = mem_alloc(MEM_SESSION, sizeof *s);
    s->db = db;
    s->line = &db->main;
    s->user = heap_copy(o->user);
    s->database = heap_copy(o->database);
    const char *branch = branch_of(s, o);
    s->client_address = heap_copy(o->client_address);
    s->waiter = waiter_self();
    s->catalog = db__catalog(db);
    s->backend_start_us = s->activity_us = db__now_us(db);
    arena_init(&s->arena, MEM_SESSION);
    settings_init(&s->settings, db);
    session__fill_reg_names(s);
    settings__derive_parallel(s);
    map_init(&s->prepared);
    map_init(&s->portals);
    map_init(&s->currvals);
    uint64_t seed;
    os_random(db->os, &seed, sizeof seed);
    os_random(db->os, &s->key, sizeof s->key);
    rng_seed(&s->random, seed);
    bool linked = false;
    enum status result = check_login(s);
    if (result == OK) result = link_session(s), linked = result == OK;
    fill_exec(s);
    s->lock_owner = lock_owner_new(db->store, s->pid, s->database_oid);
    slow_log__derive(s);
    s->exec.setting = exec_setting;
    s->exec.set_setting = exec_set_setting;
    for (uint32_t i = 0; result == OK && i < o->setting_count; i++)
        if (!names_branch(o->settings[2 * i]))
            result = settings_set(s, o->settings[2 * i], o->settings[2 * i + 1], false, NULL);
    if (result == OK && branch) result = session__use_branch(s, slice_of(branch));
    if (result == OK) {
        *ret = s;
        return OK;
    }
    struct error kept = *error_current();
    free_session(s, linked);
    *error_current() = kept;
    return result;
}

void session_free(struct session *s)
{
    free_session(s, true);
}
uint32_t session_pid(const struct session *s)
{
    return s->pid;
}

uint32_t session_key(const struct session *s)
{
    return s->key;
}

char session_txn_state(const struct session *s)
{
    return s->block == BLOCK_FAILED ? 'E' : s->block == BLOCK_OPEN ? 'T' : 'I';
}

const char *session_setting(const struct session *s, const char *name)
{
    return settings_get(s, name);
}

const struct format_options *session_format(const struct session *s)
{
    return &s->settings.format;
}

enum session_state session__state(const struct session *s)
{
    if (__atomic_load_n(&s->running, __ATOMIC_RELAXED)) return SESSION_ACTIVE;
    enum block_state block = __atomic_load_n(&s->block, __ATOMIC_RELAXED);
    if (block == BLOCK_FAILED) return SESSION_ABORTED;
    return block == BLOCK_OPEN ? SESSION_IN_TRANSACTION : SESSION_IDLE;
}

bool session_ending(const struct session *s)
{
    return __atomic_load_n(&s->terminate, __ATOMIC_ACQUIRE);
}

void session_client_gone(struct session *s)
{
    if (!s->settings.client_check_us) return;
    __atomic_store_n(&s->terminate, 1, __ATOMIC_RELEASE);
    waiter_cancel(s->waiter);
}

int64_t session_idle_timeout_us(const struct session *s)
{
    return s->block == BLOCK_NONE ? s->settings.idle_session_us : s->settings.idle_in_transaction_us;
}

enum status session_idle_expired(struct session *s)
{
    if (s->block == BLOCK_NONE)
        return FAIL(IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout");
    return FAIL(IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout");
}

enum status session_idle_canceled(struct session *s)
{
    if (__atomic_load_n(&s->terminate, __ATOMIC_ACQUIRE))
        return FAIL(ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    __atomic_store_n(&s->cancel, 0, __ATOMIC_RELEASE);
    return OK;
}

void session_fail(struct session *s, const struct result_sink *sink)
{
    struct error kept = *error_current();
    session__statement_failed(s, sink);
    *error_current() = kept;
}

/* --- search path ---------------------------------------------------------------------------- */

/* Splits "a, "B c", $user" into names; in the arena. */
static void split_names(struct arena *a, const char *list, struct name_list *ret)
{
    ARRAY(const char *) names = {0};
    for (const char *p = list; *p;) {
        struct strbuf b;
        while (*p == ' ' || *p == ',') p++;
        if (!*p) break;
        strbuf_init(&b, a);
        if (*p == '"') {
            for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
                strbuf_addc(&b, *p);
                if (*p == '"') p++;
            }
            if (*p) p++;
        } else {
            for (; *p && *p != ',' && *p != ' '; p++) strbuf_addc(&b, *p);
        }
        ARENA_PUSH(a, &names, b.data);
    }
    *ret = (struct name_list){names.data, (uint32_t)names.count};
}

const struct search_path *session__path(struct session *s)
{
    if (s->path_schemas && s->path_catalog_version == catalog_version(s->catalog) &&
        s->path_generation == s->settings.generation)
        return &s->path;
    struct arena a;
    struct name_list names;
    arena_init(&a, MEM_SESSION);
    split_names(&a, settings_get(s, "search_path"), &names);
    mem_free(MEM_SESSION, s->path_schemas);
    s->path_schemas = mem_alloc(MEM_SESSION, (names.count + 2) * sizeof *s->path_schemas);
    s->path = (struct search_path){.database = s->database_oid, .schemas = s->path_schemas,
                                   .temporary = temporary_schema(s)};
    if (s->path_front) s->path_schemas[s->path.count++] = s->path_front;
    for (uint32_t i = 0; i < names.count; i++) {
        const char *name = strcmp(names.items[i], "$user") == 0 ? session__user(s) : names.items[i];
        const struct schema_def *d = catalog_schema(s->catalog, s->database_oid, slice_of(name));
        if (strcmp(name, "pg_temp") == 0) {
            s->path.temporary_listed = true;
            d = catalog_schema_by_oid(s->catalog, s->path.temporary);
        }
        if (!d || !rights_schema(s, d)) continue;
        if (d->oid == OID_SCHEMA_PG_CATALOG) s->path.pg_catalog_listed = true;
        s->path_schemas[s->path.count++] = d->oid;
    }
    arena_release(&a);
    s->path_catalog_version = catalog_version(s->catalog);
    s->path_generation = s->settings.generation;
    return &s->path;
}

void session__path_front(struct session *s, oid_t schema)
{
    s->path_front = schema;
    mem_free(MEM_SESSION, s->path_schemas);
    s->path_schemas = NULL; /* the path is made anew */
}

/* --- one statement -------------------------------------------------------------------------- */

void session__begin_statement(struct session *s, struct slice text)
{
    s->statement_us = s->exec.statement_us = db__now_us(s->db);
    s->deadline_us = s->settings.statement_timeout_us
                         ? monotonic_us() + s->settings.statement_timeout_us
                         : 0;
    waiter_cancel_at(s->waiter, s->deadline_us);
    __atomic_store_n(&s->activity_us, s->statement_us, __ATOMIC_RELAXED);
    __atomic_store_n(&s->running, 1, __ATOMIC_RELAXED);
    if (!text.data) return;
    s->running_text = text;
    activity_text_set(&s->activity, text);
}

void session__end_statement(struct session *s)
{
    s->deadline_us = 0;
    s->running_text = slice_make(NULL, 0);
    __atomic_store_n(&s->running, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->cancel, 0, __ATOMIC_RELEASE);
    waiter_clear_cancel(s->waiter);
    past_forget_catalogs(s);
    arena_clear(&s->arena);
}

enum status session__check_failed_block(struct session *s, const struct ast *a)
{
    if (s->block != BLOCK_FAILED) return OK;
    if (a && a->kind == AST_TRANSACTION) return OK; /* it decides itself */
    return FAIL(IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored until "
                                           "end of transaction block");
}

/* SHOW, SET and the like look at nothing that a snapshot holds, but need no care either: every
 * statement but transaction control runs in a transaction. */
enum status session__run_statement(struct session *s, const struct statement *st, struct slice text,
                                   const struct exec_params *params, const struct result_sink *sink,
                                   char tag[64])
{
    TRY(session__check_failed_block(s, st->ast));
    TRY(session__check_interrupts(s));
    if (st->ast->kind != AST_TRANSACTION && st->ast->kind != AST_SET) TRY(session__ensure_txn(s));
    if (!is_plannable(st->ast)) return session__run_utility(s, st, text, params, sink, tag);
    enum status result = PLAN_STALE;
    for (int i = 0; i < REPLANS_MAX && result == PLAN_STALE; i++) {
        uint32_t param_count = 0;
        if (i > 0) TRY(session__ensure_txn(s));
        struct cached_plan *p = session__plan(s, st, text, NULL, &param_count, false, &result);
        if (!p) return result;
        struct run_options o = {.params = params, .describe = true};
        result = session__run_plan(s, p, &o, sink, tag);
        cached_plan_unref(p);
    }
    return result;
}

/* --- the plan cache's way ------------------------------------------------------------------- */

void session__plan_key_prefix(struct session *s, struct strbuf *out)
{
    const struct search_path *path = session__path(s);
    uint64_t version = catalog_version(s->catalog);
    const struct format_options *f = &s->settings.format;
    struct {
        oid_t database, user;
        uint32_t schemas;
        int8_t digits;
        uint8_t style, order, interval;
        const struct timezone *zone;
        oid_t temporary;
        bool as_of, temporary_listed;
        struct parallel_options parallel;
        enum group_below_mode group_below;
        bool by_row;
    } fixed;
    memset(&fixed, 0, sizeof fixed);
    fixed.database = s->database_oid;
    fixed.user = s->user_oid;
    fixed.schemas = path->count << 1 | path->pg_catalog_listed;
    fixed.digits = f->extra_float_digits;
    fixed.style = f->date_style;
    fixed.order = f->date_order;
    fixed.interval = f->interval_style;
    fixed.zone = f->zone;
    fixed.temporary = path->temporary;
    fixed.temporary_listed = path->temporary_listed;
    fixed.as_of = s->settings.as_of != 0;
    fixed.parallel = s->settings.parallel;
    fixed.group_below = s->settings.group_below;
    fixed.by_row = s->exec.force_format == FORMAT_ROW;
    strbuf_add(out, &version, sizeof version);
    strbuf_add(out, &fixed, sizeof fixed);
    strbuf_add(out, path->schemas, path->count * sizeof *path->schemas);
}

/* A literal as a value of the parameter's type. */
static enum status literal_value(struct session *s, const struct literal *l, type_id type,
                                 struct datum *ret)
{
    struct slice text = l->text;
    ret->null = false;
    if (l->has_quote) {
        struct strbuf b;
        strbuf_init(&b, &s->arena);
        for (size_t i = 0; i < text.len; i++) {
            strbuf_addc(&b, text.data[i]);
            if (text.data[i] == '\'') i++;
        }
        text = strbuf_slice(&b);
    }
    return value_from_text(type, -1, text, &s->settings.format, &s->arena, &ret->v);
}

static type_id literal_type(enum literal_kind k)
{
    static const type_id types[] = {[LITERAL_INT4] = TYPE_INT4,
                                    [LITERAL_INT8] = TYPE_INT8,
                                    [LITERAL_NUMERIC] = TYPE_NUMERIC,
                                    [LITERAL_STRING] = TYPE_NONE};
    return types[k];
}

/* Plans the normalised text; *ret NULL when it is better run as it was written: more than one
 * statement, a utility statement, or an error, whose place is to be told in the text as written. */
static void plan_normalised(struct session *s, struct slice text, const struct literal *literals,
                            uint32_t n, struct slice key, uint64_t hash, struct cached_plan **ret)
{
    struct statement *st;
    uint32_t count;
    type_id types[LITERALS_MAX];
    enum status result;
    struct arena trees;
    struct cached_plan *p = NULL;
    *ret = NULL;
    arena_init(&trees, MEM_PLAN);
    for (uint32_t i = 0; i < n; i++) types[i] = literal_type(literals[i].kind);
    if (sql_parse(&trees, text, &st, &count) == OK && count == 1 && is_plannable(st[0].ast))
        p = session__plan(s, &st[0], text, types, &n, false, &result);
    if (p) cached_plan_take_trees(p, &trees);
    arena_release(&trees);
    if (!p) return;
    if (!s->own_catalog && !p->once) {
        cached_plan_set_key(p, key, hash);
        plan_cache_put(s->db->plans, p);
    }
    *ret = p;
}

/* False: one is none of its type. It is said again, with its place, by the text as written. */
static bool literal_values(struct session *s, const struct literal *l, uint32_t n,
                           const struct cached_plan *p, struct datum *values)
{
    for (uint32_t i = 0; i < n; i++)
        if (literal_value(s, &l[i], p->plan->param_types[i], &values[i]) != OK) return false;
    return true;
}

/* The plan of a normalised text, from the cache or made, and for the moments that the literals tell; NULL: it
 * is better run as it was written. */
static struct cached_plan *normalised_plan(struct session *s, struct slice text,
                                           const struct literal *literals, uint32_t n,
                                           struct slice key, uint64_t hash, struct datum *values)
{
    const struct exec_params params = {values, n, NULL};
    struct cached_plan *p = s->own_catalog ? NULL : plan_cache_get(s->db->plans, key, hash);
    if (p && custom_plan__is_outgrown(s, p)) {
        cached_plan_release(p);
        p = NULL;
    }
    if (!p) plan_normalised(s, text, literals, n, key, hash, &p);
    for (int i = 0; p; i++) {
        bool ok = literal_values(s, literals, n, p, values), fits = i > 0;
        s->moment_params = &params;
        if (ok && !fits) fits = past_fits(s, p);
        if (ok && fits) break;
        cached_plan_release(p);
        p = NULL;
        if (ok) plan_normalised(s, text, literals, n, key, hash, &p);
    }
    s->moment_params = NULL;
    return p;
}

/* Runs the query through the plan cache. *ret_handled false: it is not for the cache, and nothing has
 * been done. */
static enum status query_cached(struct session *s, struct slice text,
                                const struct result_sink *sink, bool *ret_handled, char tag[64])
{
    struct literal literals[LITERALS_MAX];
    uint32_t n = 0;
    struct strbuf normal, key;
    *ret_handled = false;
    strbuf_init(&normal, &s->arena);
    if (!sql_normalize(text, &normal, literals, &n)) return OK;
    *ret_handled = true;
    TRY(session__check_interrupts(s));
    TRY(session__ensure_txn(s));
    strbuf_init(&key, &s->arena);
    session__plan_key_prefix(s, &key);
    for (uint32_t i = 0; i < n; i++) strbuf_addc(&key, (char)('0' + literals[i].kind));
    strbuf_addc(&key, 'Q');
    strbuf_add(&key, normal.data, normal.len);
    uint64_t hash = hash_bytes(key.data, key.len);
    struct datum *values = ARENA_ARRAY(&s->arena, struct datum, n + 1);
    struct cached_plan *p = normalised_plan(s, strbuf_slice(&normal), literals, n,
                                            strbuf_slice(&key), hash, values);
    if (!p) {
        *ret_handled = false;
        return OK;
    }
    if (custom_plan__wanted(s, p, n)) { /* planned as it was written */
        cached_plan_release(p);
        *ret_handled = false;
        return OK;
    }
    struct exec_params params = {values, n, past_take_moments(s, p, &s->arena)};
    struct run_options o = {.params = &params, .describe = true};
    enum status result = session__run_plan(s, p, &o, sink, tag);
    if (result == PLAN_STALE) { /* said again: planned anew */
        *ret_handled = false;
        result = OK;
    }
    cached_plan_release(p);
    return result;
}

/* --- the simple protocol -------------------------------------------------------------------- */

static enum status finish(struct session *s, enum status result, const struct result_sink *sink,
                          const char *tag)
{
    if (result == OK && s->block == BLOCK_NONE) result = session__commit(s, sink);
    if (result != OK) {
        session__statement_failed(s, sink);
        return result;
    }
    return sink->complete(sink->ctx, tag);
}

static enum status query_parsed(struct session *s, struct slice text,
                                const struct result_sink *sink)
{
    static const struct exec_params no_params = {0};
    struct statement *st;
    uint32_t n;
    struct arena trees; /* outlives the statements' arena */
    arena_init(&trees, MEM_PLAN);
    enum status result = sql_parse(&trees, text, &st, &n);
    if (result != OK) session__statement_failed(s, sink);
    else if (n == 0) result = sink->empty(sink->ctx);
    if (result == OK && n > 1 && s->block == BLOCK_NONE) session__set_block(s, BLOCK_IMPLICIT);
    for (uint32_t i = 0; result == OK && i < n; i++) {
        char tag[64] = "";
        result = session__run_statement(s, &st[i], text, &no_params, sink, tag);
        if (i + 1 == n && s->block == BLOCK_IMPLICIT) session__set_block(s, BLOCK_NONE);
        result = finish(s, result, sink, tag);
        if (result == OK && i + 1 < n && s->block == BLOCK_NONE) session__set_block(s, BLOCK_IMPLICIT);
        if (i + 1 < n) arena_clear(&s->arena);
    }
    arena_release(&trees);
    return result;
}

enum status session_query(struct session *s, struct slice text, const struct result_sink *sink)
{
    bool handled = false;
    char tag[64] = "", *kept = NULL;
    enum status result = OK;
    session__time_begin(s);
    session__begin_statement(s, text);
    s->notices = sink;
    if (s->block != BLOCK_FAILED) {
        result = query_cached(s, text, sink, &handled, tag);
        if (handled || result != OK) result = finish(s, result, sink, tag);
    }
    if (!handled && result == OK) {
        /* COPY reads messages into the room where the text came. */
        kept = mem_alloc(MEM_SESSION, text.len + 1);
        memcpy(kept, text.data, text.len);
        text = s->running_text = slice_make(kept, text.len);
        result = query_parsed(s, text, sink);
    }
    session__end_statement(s);
    s->notices = NULL;
    session__time_end(s, "statement", "", text);
    mem_free(MEM_SESSION, kept);
    return result;
}
