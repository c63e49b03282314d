/* SET, SHOW and RESET: session settings, undone with the transaction that set them.
 *
 * A value set inside a transaction is remembered with what it replaced and the savepoint level it was
 * set at. Rolling back restores those of that level and deeper; committing keeps them, but for SET
 * LOCAL's, which go back. Reported settings are told to the client whenever they change. */
#include <stdlib.h>

#include "core/txn.h"
#include "db/past_priv.h"
#include "db/session_priv.h"

enum { FLAG_R = 1, FLAG_P = 2, FLAG_F = 4, FLAG_S = 8 };

static const struct definition {
    const char *name;
    char kind;
    const char *default_value;
    unsigned flags;
    const char *allowed, *help;
} definitions[] = {
#define FLAGS_0 0
#define FLAGS_R FLAG_R
#define FLAGS_P FLAG_P
#define FLAGS_F FLAG_F
#define FLAGS_S FLAG_S
#define FLAGS_RP (FLAG_R | FLAG_P)
#define FLAGS_RF (FLAG_R | FLAG_F)
#define X(name, kind, value, flags, allowed, help) {name, #kind[0], value, FLAGS_##flags, allowed, help},
#include "db/settings.def"
#undef X
};
enum { DEFINITION_COUNT = sizeof definitions / sizeof definitions[0], VALUE_BYTES_MAX = 8192 };

struct setting_undo {
    struct setting_undo *older;
    int index;            /* into definitions; -1: custom */
    char *custom_name;
    char *old_value;      /* NULL: default */
    uint32_t level;
    bool local;
};

static char *heap_copy(const char *s)
{
    if (!s) return NULL;
    size_t len = strlen(s);
    char *p = mem_alloc(MEM_SESSION, len + 1);
    memcpy(p, s, len);
    return p;
}

static int find(const char *name)
{
    for (int i = 0; i < DEFINITION_COUNT; i++)
        if (str_eq_nocase(definitions[i].name, name)) return i;
    return -1;
}

void settings_init(struct settings *s, const struct db *db)
{
    *s = (struct settings){.format = format_default,
                           .values = mem_alloc(MEM_SESSION, DEFINITION_COUNT * sizeof(char *)),
                           .commit_mode = db->commit_mode};
    map_init(&s->custom);
}

static void free_undo(struct setting_undo *u)
{
    mem_free(MEM_SESSION, u->custom_name);
    mem_free(MEM_SESSION, u->old_value);
    mem_free(MEM_SESSION, u);
}

void settings_release(struct settings *s)
{
    size_t pos = 0;
    void *v;
    while (s->undo) {
        struct setting_undo *u = s->undo;
        s->undo = u->older;
        free_undo(u);
    }
    for (int i = 0; i < DEFINITION_COUNT; i++) mem_free(MEM_SESSION, (void *)(uintptr_t)s->values[i]);
    mem_free(MEM_SESSION, s->values);
    while (map_next(&s->custom, &pos, NULL, NULL, &v)) mem_free(MEM_SESSION, v);
    map_release(&s->custom);
}

/* --- reading -------------------------------------------------------------------------------- */

static const char *value_of(const struct session *s, int i)
{
    const struct definition *d = &definitions[i];
    if (strcmp(d->name, "transaction_isolation") == 0) return session__isolation_name(s);
    if (strcmp(d->name, "transaction_read_only") == 0) return s->read_only ? "on" : "off";
    if (strcmp(d->name, "transaction_deferrable") == 0) return s->deferrable ? "on" : "off";
    if (strcmp(d->name, "session_authorization") == 0) return s->user;
    if (strcmp(d->name, "is_superuser") == 0) return s->superuser ? "on" : "off";
    if (s->settings.values[i]) return s->settings.values[i];
    return d->default_value[0] == '@' ? config_string(s->db->config, d->name) : d->default_value;
}

const char *settings_get(const struct session *s, const char *name)
{
    int i = find(name);
    return i >= 0 ? value_of(s, i) : map_get(&s->settings.custom, slice_of(name));
}

bool settings_is_default(const struct session *s, const char *name)
{
    int i = find(name);
    return i < 0 || strcmp(value_of(s, i), definitions[i].default_value) == 0;
}

enum status settings_each(const struct session *s,
                          enum status (*fn)(void *ctx, const char *name, const char *value,
                                            const char *help),
                          void *ctx)
{
    for (int i = 0; i < DEFINITION_COUNT; i++)
        TRY(fn(ctx, definitions[i].name, value_of(s, i), definitions[i].help));
    return OK;
}

/* --- checking values ------------------------------------------------------------------------ */

static bool parse_bool(const char *v, bool *ret)
{
    static const char *const words[] = {"on", "true", "yes", "1", "t", "y",
                                        "off", "false", "no", "0", "f", "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!str_eq_nocase(v, words[i])) continue;
        *ret = i < 6;
        return true;
    }
    return false;
}

static enum status bad_value(const struct definition *d, const char *value)
{
    return FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": \"%s\"", d->name, value);
}

int64_t settings_ms(const struct session *s, const char *name)
{
    int64_t ms;
    return settings__parse_ms(settings_get(s, name), &ms) ? ms : -1;
}

/* The word of a comma list that equals the value, or NULL. */
static bool pick_allowed(const char *list, const char *value, struct strbuf *out)
{
    for (const char *p = list; *p;) {
        const char *end = strchr(p, ',');
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if (slice_eq_nocase(slice_make(p, len), slice_of(value))) {
            strbuf_add(out, p, len);
            return true;
        }
        p += len + (end != NULL);
    }
    return false;
}

/* "debug" is another word for debug2, which is not told. */
static enum status bad_choice(const struct definition *d, const char *name, const char *value)
{
    struct strbuf list;
    strbuf_init(&list, NULL);
    for (const char *p = d->allowed; *p;) {
        size_t len = strcspn(p, ",");
        if (!slice_eq(slice_make(p, len), SLICE("debug"))) {
            if (list.len) strbuf_adds(&list, ", ");
            strbuf_add(&list, p, len);
        }
        p += len + (p[len] == ',');
    }
    (void)FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": \"%s\"", name, value);
    enum status result = error_hint("Available values: %s.", list.data);
    strbuf_release(&list);
    return result;
}

static enum status check_date_style(struct session *s, const char *value, struct strbuf *out)
{
    static const char *const styles[] = {"ISO", "SQL", "Postgres", "German"};
    static const char *const orders[] = {"MDY", "DMY", "YMD"};
    int style = s->settings.format.date_style, order = s->settings.format.date_order;
    const char *p = value;
    while (*p) {
        size_t len = strcspn(p, ", ");
        struct slice word = slice_make(p, len);
        bool known = len == 0;
        for (int i = 0; i < 4; i++)
            if (slice_eq_nocase(word, slice_of(styles[i]))) style = i, known = true;
        for (int i = 0; i < 3; i++)
            if (slice_eq_nocase(word, slice_of(orders[i]))) order = i, known = true;
        if (slice_eq_nocase(word, SLICE("us")) || slice_eq_nocase(word, SLICE("noneuro")) ||
            slice_eq_nocase(word, SLICE("noneuropean")))
            order = DATE_ORDER_MDY, known = true;
        if (slice_eq_nocase(word, SLICE("euro")) || slice_eq_nocase(word, SLICE("european")))
            order = DATE_ORDER_DMY, known = true;
        if (slice_eq_nocase(word, SLICE("default"))) style = order = 0, known = true;
        if (!known) return bad_value(&definitions[find("DateStyle")], value),
                           error_detail("Unrecognized key word: \"%.*s\".", (int)len, p);
        p += len;
        while (*p == ',' || *p == ' ') p++;
    }
    strbuf_addf(out, "%s, %s", styles[style], orders[order]);
    return OK;
}

/* Of an integer: "least,greatest", or anything when nothing is said. */
static bool in_range(const struct definition *d, int64_t n, long long *ret_low, long long *ret_high)
{
    const char *comma = strchr(d->allowed, ',');
    if (!comma) return true;
    *ret_low = strtoll(d->allowed, NULL, 10);
    *ret_high = strtoll(comma + 1, NULL, 10);
    return n >= *ret_low && n <= *ret_high;
}

/* Checks and brings to canonical form. `name` is the setting's as the user wrote it. */
static enum status canonical(struct session *s, const struct definition *d, const char *name,
                             const char *value, struct strbuf *out)
{
    bool b;
    int64_t n;
    long long low, high;
    const struct timezone *zone;
    if (strlen(value) > VALUE_BYTES_MAX) return bad_value(d, "…");
    if (strcmp(d->name, "DateStyle") == 0) return check_date_style(s, value, out);
    if (strcmp(d->name, "TimeZone") == 0) {
        if (timezone_find(slice_of(value), &zone) != OK) return bad_value(d, value);
        strbuf_adds(out, timezone_name(zone));
        return OK;
    }
    if (strcmp(d->name, "helios.as_of") == 0) {
        uint64_t ts;
        return past_read_setting(s, value, &ts, out);
    }
    if (strcmp(d->name, "role") == 0) {
        strbuf_adds(out, value);
        return session__check_role(s, value);
    }
    if (strcmp(d->name, "client_encoding") == 0) {
        const char *v = *value == '\'' ? value + 1 : value; /* asyncpg quotes it twice */
        if (strncasecmp(v, "utf8", 4) && strncasecmp(v, "utf-8", 5) && strncasecmp(v, "unicode", 7))
            return UNSUPPORTED("client encoding \"%s\" is not supported", value),
                   error_hint("Use UTF8.");
        strbuf_adds(out, "UTF8");
        return OK;
    }
    switch (d->kind) {
    case 'B':
        if (!parse_bool(value, &b))
            return FAIL(INVALID_PARAMETER_VALUE, "parameter \"%s\" requires a Boolean value", d->name);
        if (!b && strcmp(d->name, "standard_conforming_strings") == 0)
            return UNSUPPORTED("standard_conforming_strings = off is not supported");
        strbuf_adds(out, b ? "on" : "off");
        return OK;
    case 'M':
        if (d->flags & FLAG_S && strcmp(value, "-1") == 0) {
            strbuf_adds(out, value);
            return OK;
        }
        if (!settings__parse_ms(value, &n)) return settings__bad_ms(d->name, value);
        settings__print_ms(n, out);
        return OK;
    case 'Z':
        if (!config_read(d->name, value, &n)) {
            (void)bad_value(d, value);
            return error_hint("docs/settings.md has its unit and bounds; a size is written as 64MB.");
        }
        if ((uint64_t)n > s->db->query_memory_bytes && !s->superuser) {
            FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"%s\"", d->name);
            return error_hint("Only a superuser may exceed the server's value.");
        }
        strbuf_adds(out, value);
        return OK;
    case 'K':
        return settings__canonical_size(value, out) ? OK : bad_value(d, value);
    case 'I':
        if (!str_to_i64(slice_of(value), &n)) return bad_value(d, value);
        if (!in_range(d, n, &low, &high))
            return FAIL(INVALID_PARAMETER_VALUE,
                        "%lld is outside the valid range for parameter \"%s\" (%lld .. %lld)",
                        (long long)n, d->name, low, high);
        strbuf_addf(out, "%lld", (long long)n);
        return OK;
    case 'E':
        if (pick_allowed(d->allowed, value, out)) return OK;
        if (parse_bool(value, &b) && pick_allowed(d->allowed, b ? "on" : "off", out)) return OK;
        return bad_choice(d, name, value);
    default: strbuf_adds(out, value); return OK;
    }
}

/* --- setting -------------------------------------------------------------------------------- */

/* Works the derived values out again after values[i] changed. */
static void derive(struct session *s, int i, const struct result_sink *sink)
{
    const struct definition *d = &definitions[i];
    struct settings *g = &s->settings;
    const char *v = value_of(s, i);
    int64_t ms = 0;
    if (d->kind == 'M') (void)settings__parse_ms(v, &ms);
    if (strcmp(d->name, "statement_timeout") == 0) g->statement_timeout_us = ms * 1000;
    else if (strcmp(d->name, "lock_timeout") == 0) g->lock_timeout_us = ms * 1000;
    else if (strcmp(d->name, "idle_in_transaction_session_timeout") == 0)
        g->idle_in_transaction_us = ms * 1000;
    else if (strcmp(d->name, "idle_session_timeout") == 0) g->idle_session_us = ms * 1000;
    else if (strcmp(d->name, "client_connection_check_interval") == 0)
        g->client_check_us = ms * 1000;
    else if (strcmp(d->name, "application_name") == 0) {
        fmutex_lock(&s->db->sessions_mutex);
        size_t len = strlen(v) < sizeof s->application - 1 ? strlen(v) : sizeof s->application - 1;
        memcpy(s->application, v, len);
        s->application[len] = '\0';
        fmutex_unlock(&s->db->sessions_mutex);
    } else if (strcmp(d->name, "helios.as_of") == 0) {
        struct strbuf same;
        strbuf_init(&same, &s->arena);
        if (past_read_setting(s, v, &g->as_of, &same) != OK) error_clear(); /* checked before */
    } else if (strcmp(d->name, "helios.batch_rows") == 0)
        s->exec.batch_rows = (uint32_t)strtoul(v, NULL, 10);
    else if (strcmp(d->name, "bytea_output") == 0) g->format.bytea_escape = v[0] == 'e';
    else if (strcmp(d->name, "extra_float_digits") == 0)
        g->format.extra_float_digits = (int8_t)strtol(v, NULL, 10);
    else if (strcmp(d->name, "TimeZone") == 0) {
        if (timezone_find(slice_of(v), &g->format.zone) != OK) error_clear(); /* checked before */
    }
    else if (strcmp(d->name, "IntervalStyle") == 0)
        g->format.interval_style = (uint8_t)(v[0] == 'i'   ? INTERVAL_ISO
                                             : v[0] == 's' ? INTERVAL_SQL
                                             : v[8] == '_' ? INTERVAL_VERBOSE
                                                           : INTERVAL_POSTGRES);
    else if (strcmp(d->name, "DateStyle") == 0) {
        g->format.date_style = (uint8_t)(v[0] == 'I'   ? DATE_STYLE_ISO
                                         : v[0] == 'S' ? DATE_STYLE_SQL
                                         : v[0] == 'P' ? DATE_STYLE_POSTGRES
                                                       : DATE_STYLE_GERMAN);
        const char *order = strchr(v, ' ');
        g->format.date_order = (uint8_t)(!order || order[1] == 'M' ? DATE_ORDER_MDY
                                         : order[1] == 'D'         ? DATE_ORDER_DMY
                                                                   : DATE_ORDER_YMD);
    } else if (strcmp(d->name, "default_transaction_isolation") == 0) {
        g->default_isolation = session__isolation_of(v);
        g->default_read_uncommitted = str_eq_nocase(v, "read uncommitted");
        session__default_changed(s);
    } else if (strcmp(d->name, "default_transaction_read_only") == 0) {
        g->default_read_only = v[1] == 'n';
        session__default_changed(s);
    } else if (strcmp(d->name, "default_transaction_deferrable") == 0) {
        g->default_deferrable = v[1] == 'n';
        session__default_changed(s);
    } else if (strcmp(d->name, "role") == 0) {
        session__use_role(s, v);
    } else if (strcmp(d->name, "query.memory_limit") == 0) {
        int64_t bytes = 0;
        if (g->values[i] && !config_read(d->name, v, &bytes)) bytes = 0; /* checked before */
        s->exec.memory_limit_bytes = bytes ? (uint64_t)bytes : s->db->query_memory_bytes;
    } else if (strcmp(d->name, "commit_mode") == 0) {
        g->commit_mode = !g->values[i]  ? s->db->commit_mode
                         : v[0] == 'b' ? COMMIT_BATCH
                         : v[0] == 'a' ? COMMIT_ASYNC
                                       : COMMIT_SYNC;
    } else if (strcmp(d->name, "plan_cache_mode") == 0) {
        g->plan_mode = strcmp(v, "force_generic_plan") == 0  ? PLAN_GENERIC
                       : strcmp(v, "force_custom_plan") == 0 ? PLAN_CUSTOM
                                                             : PLAN_AUTO;
    } else if (strcmp(d->name, "helios.force_format") == 0) {
        s->exec.force_format = (uint8_t)(v[0] == 'a'   ? FORMAT_AUTO
                                         : v[0] == 'r' ? FORMAT_ROW
                                                       : FORMAT_COLUMN);
    } else if (strcmp(d->name, "helios.group_below") == 0) {
        g->group_below = v[0] == 'a'   ? GROUP_BELOW_AUTO
                         : v[0] == 'o' ? GROUP_BELOW_OFF
                                       : GROUP_BELOW_FORCE;
    } else if (strcmp(d->name, "synchronous_commit") == 0) {
        g->commit_mode = strcmp(v, "off") == 0 ? COMMIT_ASYNC : s->db->commit_mode;
    }
    if (d->flags & FLAG_S && slow_log__is_setting(d->name)) slow_log__derive(s);
    if (strstr(d->name, "parallel") || strcmp(d->name, "query.memory_limit") == 0) {
        settings__derive_parallel(s);
        g->generation++;
    }
    if (d->flags & FLAG_P) g->generation++;
    if ((d->flags & FLAG_R) && sink && sink->parameter) (void)sink->parameter(sink->ctx, d->name, v);
}

static void remember(struct session *s, int index, const char *custom, const char *old, bool local)
{
    struct setting_undo *u = mem_alloc(MEM_SESSION, sizeof *u);
    *u = (struct setting_undo){s->settings.undo, index, heap_copy(custom), heap_copy(old),
                               s->savepoints ? s->savepoints->level : 0, local};
    s->settings.undo = u;
}

static void put_custom(struct session *s, const char *name, const char *value)
{
    void *old = map_remove(&s->settings.custom, slice_of(name));
    mem_free(MEM_SESSION, old);
    if (value) map_put(&s->settings.custom, slice_of(name), heap_copy(value));
}

static void put_value(struct session *s, int i, const char *value, const struct result_sink *sink)
{
    char *copy = heap_copy(value);
    mem_free(MEM_SESSION, (void *)(uintptr_t)s->settings.values[i]);
    s->settings.values[i] = copy;
    derive(s, i, sink);
}

void settings_show_branch(struct session *s, const char *name)
{
    put_value(s, find("helios.branch"), name, NULL);
}

static bool valid_custom_name(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && dot != name && dot[1];
}

enum status settings_set(struct session *s, const char *name, const char *value, bool local,
                         const struct result_sink *sink)
{
    int i = find(name);
    bool in_txn = s->txn || s->block != BLOCK_NONE, handled = false;
    if (i < 0) {
        if (!valid_custom_name(name))
            return FAIL(UNDEFINED_OBJECT, "unrecognized configuration parameter \"%s\"", name);
        if (in_txn) remember(s, -1, name, map_get(&s->settings.custom, slice_of(name)), local);
        put_custom(s, name, value ? value : "");
        return OK;
    }
    const struct definition *d = &definitions[i];
    if (d->flags & FLAG_F && strcmp(d->name, "session_authorization") != 0)
        return FAIL(CANT_CHANGE_RUNTIME_PARAM, "parameter \"%s\" cannot be changed", d->name);
    if (d->flags & FLAG_S && !s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"%s\"", d->name);
    if (!value) {
        TRY(session__set_transaction(s, d->name, NULL, &handled));
        if (handled) return OK;
        if (in_txn) remember(s, i, NULL, s->settings.values[i], local);
        put_value(s, i, NULL, sink);
        return OK;
    }
    struct strbuf b;
    strbuf_init(&b, NULL);
    enum status result = canonical(s, d, name, value, &b);
    if (result == OK) result = session__set_transaction(s, d->name, b.data, &handled);
    if (result == OK && !handled) {
        if (in_txn) remember(s, i, NULL, s->settings.values[i], local);
        put_value(s, i, b.data, sink);
    }
    strbuf_release(&b);
    return result;
}

enum status settings_reset_all(struct session *s, const struct result_sink *sink)
{
    for (int i = 0; i < DEFINITION_COUNT; i++)
        if (s->settings.values[i]) TRY(settings_set(s, definitions[i].name, NULL, false, sink));
    size_t pos = 0;
    struct slice name;
    void *v;
    while (map_next(&s->settings.custom, &pos, &name, NULL, &v)) {
        char *copy = arena_strndup(&s->arena, name.data, name.len);
        TRY(settings_set(s, copy, NULL, false, sink));
    }
    return OK;
}

void settings_end(struct session *s, uint32_t level, bool committed, const struct result_sink *sink)
{
    struct settings *g = &s->settings;
    while (g->undo && (level == 0 || g->undo->level >= level)) {
        struct setting_undo *u = g->undo;
        g->undo = u->older;
        if (!committed || u->local) {
            if (u->index < 0) put_custom(s, u->custom_name, u->old_value);
            else put_value(s, u->index, u->old_value, sink);
        }
        free_undo(u);
    }
}

/* --- the statement -------------------------------------------------------------------------- */

/* Arguments as SET prints them: a, b → "a, b", quoted where they must be for a list of names. */
static enum status join_args(struct session *s, const struct ast_set *a, const char **ret)
{
    struct strbuf b;
    bool names = str_eq_nocase(a->name, "search_path");
    strbuf_init(&b, &s->arena);
    for (uint32_t i = 0; i < a->args.count; i++) {
        const struct ast *arg = a->args.items[i];
        if (arg->kind == AST_TYPE_CAST) arg = AST(arg, ast_type_cast)->arg; /* INTERVAL '…' */
        if (arg->kind != AST_CONST)
            return FAIL(SYNTAX_ERROR, "SET %s takes constants only", a->name);
        const struct ast_const *c = (const struct ast_const *)arg;
        if (i) strbuf_adds(&b, ", ");
        if (c->type == CONST_INT) strbuf_addf(&b, "%lld", (long long)c->ival);
        else if (c->type == CONST_BOOL) strbuf_adds(&b, c->ival ? "on" : "off");
        else if (c->type == CONST_NULL) return FAIL(SYNTAX_ERROR, "SET %s takes no NULL", a->name);
        else if (names && (!*c->text || strpbrk(c->text, " ,\"$ABCDEFGHIJKLMNOPQRSTUVWXYZ")))
            strbuf_addf(&b, "\"%s\"", c->text);
        else strbuf_adds(&b, c->text);
    }
    *ret = b.data;
    return OK;
}

static enum status set_snapshot(struct session *s, const struct ast_set *a,
                                const struct result_sink *sink)
{
    const char *id = a->args.count ? AST(a->args.items[0], ast_const)->text : "";
    if (s->block == BLOCK_NONE)
        TRY(session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                            "SET TRANSACTION can only be used in transaction blocks"));
    return session__import_snapshot(s, id ? id : "");
}

static enum status set_multi(struct session *s, const struct ast_set *a,
                             const struct result_sink *sink)
{
    bool session_wide = str_eq_nocase(a->name, "SESSION CHARACTERISTICS");
    if (str_eq_nocase(a->name, "TRANSACTION SNAPSHOT"))
        return set_snapshot(s, a, sink);
    if (!session_wide && s->block == BLOCK_NONE && !s->running_pl)
        return session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                               "SET TRANSACTION can only be used in transaction blocks");
    for (uint32_t i = 0; i < a->args.count; i++) {
        const struct ast_def_elem *d = AST(a->args.items[i], ast_def_elem);
        const struct ast_const *c = (const struct ast_const *)d->arg;
        const char *value = c->type == CONST_STRING ? c->text : c->ival ? "on" : "off";
        const char *name = session_wide ? arena_printf(&s->arena, "default_%s", d->name) : d->name;
        TRY(settings_set(s, name, value, false, sink));
    }
    return OK;
}

enum status settings_set_statement(struct session *s, const struct ast_set *a,
                                   const struct result_sink *sink)
{
    const char *value = NULL;
    switch (a->type) {
    case SET_RESET_ALL: return settings_reset_all(s, sink);
    case SET_MULTI: return set_multi(s, a, sink);
    case SET_CURRENT: return OK;
    case SET_RESET:
    case SET_TO_DEFAULT: break;
    case SET_VALUE: TRY(join_args(s, a, &value)); break;
    }
    if (a->local && s->block == BLOCK_NONE && !s->running_pl)
        return session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                               "SET LOCAL can only be used in transaction blocks");
    return settings_set(s, a->name, value, a->local, sink);
}
