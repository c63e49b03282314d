/* Running one statement: from text or tree to a plan, through locks, to rows and a command tag.
 *
 * Plans are found by key: the normalised text, the types of its parameters, the database, user, path
 * and those settings that change a plan, and the catalog snapshot. A key's plan is immutable. */
#include "core/advisory.h"
#include "db/analyze.h"
#include "db/branch_priv.h"
#include "db/past_priv.h"
#include "db/plan_cache.h"
#include "db/rights.h"
#include "db/session_priv.h"
#include "db/system_priv.h"
#include "db/temporary.h"
#include "exec/usage.h"
#include "sql/ast_routine.h"
#include "sql/plan/planner.h"

enum { STATEMENT_PARAMS_MAX = 65535, PLAN_BYTES_MIN = 64 << 20 };

/* --- interrupts ----------------------------------------------------------------------------- */

enum status session__check_interrupts(struct session *s)
{
    if (__atomic_load_n(&s->terminate, __ATOMIC_ACQUIRE))
        return FAIL(ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    if (__atomic_exchange_n(&s->cancel, 0, __ATOMIC_ACQ_REL))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    if (s->deadline_us && monotonic_us() >= s->deadline_us)
        return FAIL(QUERY_CANCELED, "canceling statement due to statement timeout");
    return OK;
}

/* A wait or a loop was ended through the waiter: say why. */
enum status session__explain_cancel(struct session *s, enum status result)
{
    if (result != QUERY_CANCELED) return result;
    struct error kept = *error_current();
    enum status why = session__check_interrupts(s);
    waiter_clear_cancel(s->waiter);
    if (why != OK) return why;
    *error_current() = kept;
    return result;
}

/* --- binding -------------------------------------------------------------------------------- */

static enum status parse_view(struct arena *a, const char *sql, struct ast **ret)
{
    struct statement *st;
    uint32_t n;
    TRY(sql_parse(a, slice_of(sql), &st, &n));
    if (n != 1) return FAIL(DATA_CORRUPTED, "a stored query holds %u statements", n);
    *ret = st[0].ast;
    return OK;
}

static enum status parse_expression(struct arena *a, const char *sql, struct ast **ret)
{
    return sql_parse_expression(a, slice_of(sql), ret);
}

void session__bind_env(struct session *s, struct bind_env *env, struct arena *a, struct slice text)
{
    *env = (struct bind_env){.arena = a,
                             .catalog = s->catalog,
                             .path = session__path(s),
                             .user = session__user(s),
                             .text = text,
                             .format = &s->settings.format,
                             .parse_view = parse_view,
                             .parse_expression = parse_expression,
                             .io_function = sys_io_function_oid};
    past_bind_env(s, env);
    if (s->transitions) memcpy(env->transitions, s->transitions->tables, sizeof env->transitions);
    s->settings.format.now_us = s->txn_us;
}

enum status session__display_expression(struct session *s, const struct table_def *t,
                                        const char *storage_sql, struct arena *a, const char **ret)
{
    struct bind_env env;
    struct ast *ast;
    struct expr *e;
    struct query *q;
    struct strbuf b;
    session__bind_env(s, &env, a, slice_of(storage_sql));
    env.self_table = t;
    TRY(sql_parse_expression(a, slice_of(storage_sql), &ast));
    TRY(bind_expression(&env, ast, TYPE_NONE, -1, "EXPRESSION", &e, &q));
    struct deparse_options o = {DEPARSE_DISPLAY, false, s->catalog, session__path(s)};
    strbuf_init(&b, a);
    expr_deparse(e, q, &o, &b);
    *ret = b.data;
    return OK;
}

static double table_rows(void *ctx, const struct table_def *t)
{
    struct tree_statistics stats;
    if (t->tree == 0 || session__tree_statistics(ctx, t->tree, &stats) != OK) return -1;
    return (double)stats.rows;
}

static enum status evaluate(void *ctx, const struct expr *e, struct arena *a, struct datum *ret)
{
    struct session *s = ctx;
    const struct exec_params none = {0};
    return exec_constant(e, &s->exec, &none, a, ret);
}

static double table_bytes(void *ctx, const struct table_def *t)
{
    struct tree_statistics stats;
    if (t->tree == 0 || session__tree_statistics(ctx, t->tree, &stats) != OK) return 0;
    return (double)stats.bytes;
}

/* SELECT INTO makes a table: it is DDL. */
static bool has_into(const struct ast_select *q)
{
    while (q->op != SETOP_NONE && q->left) q = q->left;
    return q->into != NULL;
}

bool is_plannable(const struct ast *a)
{
    if (a->kind == AST_SELECT) return !has_into(AST(a, ast_select));
    return a->kind == AST_INSERT || a->kind == AST_UPDATE || a->kind == AST_DELETE ||
           a->kind == AST_MERGE;
}

static enum status make_plan(struct session *s, const struct statement *st, struct slice text,
                             type_id *param_types, uint32_t *param_count, bool variable_params,
                             const struct datum *values, struct cached_plan *p)
{
    struct bind_env env;
    struct query *q;
    session__bind_env(s, &env, &p->arena, text);
    type_id *types = ARENA_ARRAY(&p->arena, type_id, STATEMENT_PARAMS_MAX < st->param_count
                                                         ? STATEMENT_PARAMS_MAX
                                                         : (uint32_t)st->param_count + *param_count);
    if (*param_count) memcpy(types, param_types, *param_count * sizeof *types);
    env.param_types = types;
    env.param_count = *param_count;
    env.param_max = (uint32_t)st->param_count + *param_count;
    env.params_variable = variable_params;
    enum status bound = bind_statement(&env, st->ast, &q);
    past_give_moments(s, &env, p);
    TRY(bound);
    *param_count = env.param_count;
    for (uint32_t i = 0; i < env.param_count; i++)
        if (types[i] == TYPE_NONE || types[i] == TYPE_UNKNOWN) {
            if (types[i] == TYPE_NONE && variable_params)
                return FAIL(INDETERMINATE_DATATYPE,
                            "could not determine data type of parameter $%u", i + 1);
            types[i] = TYPE_TEXT;
        }
    return session__finish_plan(s, p, q, types, env.param_count, values);
}

enum status session__finish_plan(struct session *s, struct cached_plan *p, struct query *q,
                                 const type_id *types, uint32_t count, const struct datum *values)
{
    struct plan *plan;
    uint64_t limit = s->exec.memory_limit_bytes;
    if (limit && limit < PLAN_BYTES_MIN) limit = PLAN_BYTES_MIN;
    struct planner_env pe = {.arena = &p->arena, .catalog = p->catalog, .ctx = s,
                             .table_rows = table_rows, .table_bytes = table_bytes,
                             .evaluate = evaluate, .evaluate_ctx = s,
                             .parallel = s->settings.parallel,
                             .group_below = s->settings.group_below,
                             .columns = s->exec.force_format != FORMAT_ROW, .param_values = values,
                             .waiter = s->exec.waiter, .memory_limit_bytes = limit};
    const struct exec_params *outer = s->moment_params;
    s->moment_params = NULL; /* functions that are called now bind statements of their own */
    enum status st = plan_query(&pe, q, types, count, &plan);
    s->moment_params = outer;
    TRY(st);
    p->plan = plan;
    if (!plan->point) p->rows = custom_plan__rows(s, plan);
    return OK;
}

static struct cached_plan *plan(struct session *s, const struct statement *st, struct slice text,
                                type_id *param_types, uint32_t *param_count, bool variable_params,
                                const struct datum *values, enum status *ret_status)
{
    struct cached_plan *p = cached_plan_new(s->catalog);
    int64_t start = s->db->statement_stats ? monotonic_us() : 0;
    *ret_status =
        make_plan(s, st, text, param_types, param_count, variable_params, values, p);
    *ret_status = session__explain_cancel(s, *ret_status);
    s->moments = NULL; /* those that it was made for */
    if (*ret_status == OK && start) session__count_plan(s, p, st, text, monotonic_us() - start);
    if (*ret_status == OK) return p;
    cached_plan_release(p);
    return NULL;
}

struct cached_plan *session__plan(struct session *s, const struct statement *st, struct slice text,
                                  type_id *param_types, uint32_t *param_count, bool variable_params,
                                  enum status *ret_status)
{
    return plan(s, st, text, param_types, param_count, variable_params, NULL, ret_status);
}

struct cached_plan *session__plan_for(struct session *s, const struct statement *st,
                                      struct slice text, type_id *param_types,
                                      uint32_t *param_count, const struct datum *values,
                                      enum status *ret_status)
{
    return plan(s, st, text, param_types, param_count, true, values, ret_status);
}

const struct plan *cached_plan_plan(const struct cached_plan *p)
{
    return p->plan;
}

void cached_plan_ref(struct cached_plan *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
}

void cached_plan_unref(struct cached_plan *p)
{
    cached_plan_release(p);
}

bool cached_plan_valid(const struct cached_plan *p, struct session *s)
{
    return p->catalog == s->catalog;
}

/* --- running -------------------------------------------------------------------------------- */

static enum status lock_tables(struct session *s, const struct plan *p)
{
    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i]->virtual_id >= 0) continue;
        TRY(txn_lock_relation(s->txn, p->tables[i]->oid, (enum relation_lock)p->table_locks[i],
                              false));
        s->used_temporary |= p->tables[i]->persistence == 't';
    }
    /* Whose commit gave us a lock may not have told its catalog yet; only that shows a stale plan. */
    if (!s->own_catalog) db_line__wait_published(s->line);
    return OK;
}

/* Do the same foreign keys refer to the table? What lies in their tables is looked at as a plan's own. */
static bool same_references(const struct catalog *a, const struct catalog *b, oid_t table)
{
    uint32_t n, m;
    const struct constraint_def *const *x = catalog_references(a, table, &n);
    const struct constraint_def *const *y = catalog_references(b, table, &m);
    bool same = n == m;
    for (uint32_t i = 0; same && i < n; i++) same = x[i]->oid == y[i]->oid;
    return same;
}

static bool same_table(const struct catalog *now, const struct table_def *t)
{
    const struct table_def *n = catalog_table_by_oid(now, t->oid);
    return n == t || (n && catalog_same_definition(n, t));
}

/* Was a table of the plan changed while we waited for its lock? That ANALYZE came by makes it no worse. */
static bool is_stale(struct session *s, const struct cached_plan *p)
{
    if (s->own_catalog || db_line__catalog_is_newest(s->line, p->catalog)) return false;
    if (narrowed__is_newest(s, p->catalog)) return false;
    struct catalog *now = db_line__catalog(s->line);
    bool stale = false;
    for (uint32_t i = 0; i < p->plan->table_count && !stale; i++) {
        const struct table_def *t = p->plan->tables[i];
        stale = t->virtual_id < 0 &&
                (!same_table(now, t) || !same_references(p->catalog, now, t->oid));
    }
    catalog_unref(now);
    return stale;
}

static enum status stale(void)
{
    FAIL(PLAN_STALE, "could not run the statement: a table was changed while it waited");
    return error_hint("The statement can be tried again.");
}

/* What a snapshot of before would see of a table that was rewritten is nothing. */
static enum status check_rewritten(struct session *s, const struct plan *p)
{
    uint64_t snapshot = txn_snapshot_ts(s->txn);
    for (uint32_t i = 0; i < p->table_count; i++) {
        const struct table_def *t = p->tables[i];
        if (t->virtual_id >= 0 || !db_line__rewritten(s->line, t->oid, snapshot)) continue;
        FAIL(SERIALIZATION_FAILURE,
             "could not serialize access due to concurrent rewrite of table \"%s\"", t->name);
        return error_hint("The transaction might succeed if retried.");
    }
    return OK;
}

enum status session__lock_plan(struct session *s, const struct cached_plan *p)
{
    TRY(rights_check_plan(s, p->plan));
    TRY(lock_tables(s, p->plan));
    return is_stale(s, p) ? stale() : OK;
}

enum status session__begin_plan(struct session *s, const struct cached_plan *p)
{
    TRY(session__lock_plan(s, p));
    TRY(session__begin_snapshot(s));
    /* DDL that lets readers go on may have committed just before the snapshot. */
    if (!s->own_catalog) db_line__wait_published(s->line);
    enum status st = is_stale(s, p) ? stale() : check_rewritten(s, p->plan);
    if (st != OK) txn_statement_end(s->txn);
    return st;
}

static void make_tag(const struct plan *p, uint64_t rows, char tag[64])
{
    static const char *const words[] = {"SELECT", "INSERT 0", "UPDATE", "DELETE", "MERGE"};
    char digits[20], *d = digits + sizeof digits;
    size_t word = strlen(words[p->command]);
    do *--d = (char)('0' + rows % 10);
    while (rows /= 10);
    size_t n = (size_t)(digits + sizeof digits - d);
    memcpy(tag, words[p->command], word);
    tag[word] = ' ';
    memcpy(tag + word + 1, d, n);
    tag[word + 1 + n] = '\0';
}

static enum status send_columns(struct session *s, const struct plan *p,
                                const struct result_sink *sink)
{
    struct result_column *c = ARENA_ARRAY(&s->arena, struct result_column, p->output_count);
    for (uint32_t i = 0; i < p->output_count; i++)
        c[i] = (struct result_column){p->output[i].name, p->output[i].type, p->output[i].typmod,
                                      p->origin_tables ? p->origin_tables[i] : 0,
                                      p->origin_columns ? p->origin_columns[i] : 0};
    return sink->columns(sink->ctx, c, p->output_count);
}

static enum status run_point(struct session *s, const struct plan *p, const struct run_options *o,
                             const struct result_sink *sink, struct exec_result *result)
{
    struct datum *row = arena_alloc(&s->arena, (p->output_count + 1) * sizeof *row);
    bool found = false;
    TRY(exec_point(p, s->txn, &s->exec, o->params, &s->arena, row, &found, result));
    if (!found || !p->returns_rows) return OK;
    return sink->row(sink->ctx, row, p->output_count);
}

/* Rows of a statement that writes: it runs to its end even when nobody wants them any more. */
struct writer_sink {
    const struct result_sink *sink;
    bool done;
};

static enum status writer_rows(void *ctx, const struct batch *b)
{
    struct writer_sink *w = ctx;
    if (w->done) return OK;
    enum status st = w->sink->rows(w->sink->ctx, b);
    if (st == END_OF_DATA) w->done = true;
    return w->done ? OK : st;
}

static const char *command_words(const struct plan *p)
{
    static const char *const locks[] = {"SELECT FOR KEY SHARE", "SELECT FOR SHARE",
                                        "SELECT FOR NO KEY UPDATE", "SELECT FOR UPDATE"};
    switch (p->command) {
    case CMD_INSERT: return "INSERT";
    case CMD_UPDATE: return "UPDATE";
    case CMD_DELETE: return "DELETE";
    case CMD_MERGE: return "MERGE";
    default: return p->lock_strength ? locks[p->lock_strength - 1] : "SELECT";
    }
}

enum status session__check_writes(const struct session *s, const struct plan *p)
{
    if (!session__is_read_only(s) || !p->writes) return OK;
    return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot execute %s in a read-only transaction",
                command_words(p));
}

static enum status run_locked(struct session *s, const struct plan *p, const struct run_options *o,
                              const struct result_sink *sink, struct exec_result *result)
{
    TRY(session__check_writes(s, p));
    if (p->returns_rows && o->describe) TRY(send_columns(s, p, sink));
    const struct slow_log *slow = &s->settings.slow;
    bool count = slow->plan_us >= 0 && slow->analyze;
    if (p->point && !count) return run_point(s, p, o, sink, result);
    struct writer_sink writer = {sink, false};
    struct exec_sink to = {sink->rows, sink->ctx};
    if (p->writes) to = (struct exec_sink){writer_rows, &writer};
    if (count) return exec_run_counted(p, s->txn, &s->exec, o->params, &s->arena, &to, result);
    return exec_run(p, s->txn, &s->exec, o->params, &s->arena, &to, result);
}

static enum status run_plan(struct session *s, struct cached_plan *p, const struct run_options *o,
                            const struct result_sink *sink, struct exec_result *result)
{
    TRY(session__begin_plan(s, p));
    enum status st = run_locked(s, p->plan, o, sink, result);
    txn_statement_end(s->txn);
    return st;
}

/* Does it count towards max_active_statements? Point statements are over before it would matter;
 * those that look at the server are how one finds out what is wrong; and in a transaction that may
 * hold locks it could be the one that all others wait for. */
static bool is_limited(const struct session *s, const struct plan *p)
{
    if (p->point || s->block == BLOCK_OPEN || s->txn_began_statement) return false;
    for (uint32_t i = 0; i < p->table_count; i++)
        if (p->tables[i]->virtual_id < 0) return true;
    return false;
}

void session__count_changes(struct session *s, const struct plan *p, uint64_t rows)
{
    const struct table_def *t = NULL;
    if (p->point) usage_count_scan(s->db->usage, p->point->table->oid, 1, 1);
    if (p->command == CMD_SELECT) return;
    if (p->point) t = p->point->table;
    else if (p->root->kind == PLAN_INSERT || p->root->kind == PLAN_UPDATE ||
             p->root->kind == PLAN_DELETE || p->root->kind == PLAN_MERGE)
        t = p->root->dml.table;
    if (t && rows && !s->line->branch && t->persistence != 't') autoanalyze_count(s, t->oid, rows);
}

enum status session__run_plan(struct session *s, struct cached_plan *p,
                              const struct run_options *o, const struct result_sink *sink,
                              char tag[64])
{
    struct exec_result result = {0};
    const struct result_sink *outer = s->sink;
    struct exec_params params = *o->params;
    const struct run_options run = {&params, o->describe};
    if (!params.moments) params.moments = p->made;
    /* Before any lock: who waits for a place holds up nobody. */
    bool limited = is_limited(s, p->plan);
    if (limited) {
        enum status admitted = admission_enter(s->db->admission);
        if (admitted != OK) return session__explain_cancel(s, admitted);
    }
    struct statement_run r;
    session__run_begin(s, &r);
    if (!outer) s->sink = sink;
    enum status st = run_plan(s, p, &run, sink, &result);
    s->sink = outer;
    if (st == OK) session__run_end(s, &r, p, &params, &result);
    if (limited) admission_leave(s->db->admission);
    if (st == PLAN_STALE) return st;
    if (st != OK) return session__explain_cancel(s, st);
    session__count(s, (enum statement_kind)p->plan->command);
    session__count_changes(s, p->plan, result.rows_processed);
    make_tag(p->plan, result.rows_processed, tag);
    return OK;
}

static enum status run_inner(struct session *s, const struct plan *p,
                             const struct exec_params *params, struct arena *a,
                             const struct exec_sink *to,
                             enum status (*row)(void *ctx, const struct datum *values),
                             void *row_ctx, struct exec_result *result)
{
    if (session__is_read_only(s) && p->writes)
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot execute %s in a read-only transaction",
                    command_words(p));
    if (!p->point) return exec_run(p, s->txn, &s->exec, params, a, to, result);
    struct datum *values = arena_alloc(a, (p->output_count + 1) * sizeof *values);
    bool found = false;
    TRY(exec_point(p, s->txn, &s->exec, params, a, values, &found, result));
    if (!found || !p->returns_rows || !row) return OK;
    enum status st = row(row_ctx, values);
    return st == END_OF_DATA ? OK : st;
}

enum status session__run_inner(struct session *s, struct cached_plan *p,
                               const struct exec_params *params, struct arena *a,
                               const struct exec_sink *to,
                               enum status (*row)(void *ctx, const struct datum *values),
                               void *row_ctx, bool new_command, uint64_t *ret_rows)
{
    struct exec_result result = {0};
    struct exec_params own = *params;
    if (!own.moments) own.moments = p->made;
    TRY(session__lock_plan(s, p));
    if (new_command) txn_statement_begin_fresh(s->txn);
    s->txn_began_statement = true;
    enum status checked = check_rewritten(s, p->plan);
    if (checked != OK && new_command) txn_statement_end(s->txn);
    TRY(checked);
    enum status st = run_inner(s, p->plan, &own, a, to, row, row_ctx, &result);
    if (new_command) txn_statement_end(s->txn);
    if (st != OK) return session__explain_cancel(s, st);
    session__count_changes(s, p->plan, result.rows_processed);
    *ret_rows = result.rows_processed;
    return OK;
}

enum status session__begin_stream(struct session *s, struct cached_plan *p, bool *ret_admitted,
                                  struct txn **ret_reader)
{
    bool limited = is_limited(s, p->plan);
    if (limited) {
        enum status admitted = admission_enter(s->db->admission);
        if (admitted != OK) return session__explain_cancel(s, admitted);
    }
    enum status st = session__begin_plan(s, p);
    if (st != OK) {
        if (limited) admission_leave(s->db->admission);
        return st == PLAN_STALE ? st : session__explain_cancel(s, st);
    }
    *ret_reader = txn_begin_reader(s->txn);
    txn_statement_end(s->txn);
    session__count(s, STATEMENT_SELECT);
    *ret_admitted = limited;
    return OK;
}

/* --- utility statements --------------------------------------------------------------------- */

enum status session__notice(const struct result_sink *sink, const char *severity, enum status code,
                            const char *hint, const char *fmt, ...)
{
    struct error e = {.code = code};
    struct strbuf b;
    va_list ap;
    if (!sink || !sink->notice) return OK;
    strbuf_init(&b, NULL);
    va_start(ap, fmt);
    strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    size_t len = b.len < sizeof e.message ? b.len : sizeof e.message - 1;
    memcpy(e.message, b.data, len);
    strbuf_release(&b);
    if (hint) memcpy(e.hint, hint, strlen(hint) < sizeof e.hint ? strlen(hint) + 1 : 0);
    return sink->notice(sink->ctx, severity, &e);
}

enum status session__send_text_rows(struct session *s, const struct result_sink *sink,
                                    const char *const *names, uint32_t columns,
                                    const char *const *const *rows, uint32_t row_count)
{
    struct result_column *c = ARENA_ARRAY(&s->arena, struct result_column, columns);
    struct datum *values = ARENA_ARRAY(&s->arena, struct datum, columns);
    for (uint32_t i = 0; i < columns; i++)
        c[i] = (struct result_column){.name = names[i], .type = TYPE_TEXT, .typmod = -1};
    TRY(sink->columns(sink->ctx, c, columns));
    for (uint32_t r = 0; r < row_count; r++) {
        for (uint32_t i = 0; i < columns; i++) {
            const char *text = rows[r][i];
            values[i].null = text == NULL;
            if (text) values[i].v.bytes = bytes_ref(text, (uint32_t)strlen(text));
        }
        TRY(sink->row(sink->ctx, values, columns));
    }
    return OK;
}

struct show_rows {
    struct session *s;
    ARRAY(const char *const *) rows;
};

static enum status collect_setting(void *ctx, const char *name, const char *value, const char *help)
{
    struct show_rows *r = ctx;
    const char **row = ARENA_ARRAY(&r->s->arena, const char *, 3);
    row[0] = name;
    row[1] = value;
    row[2] = help;
    ARENA_PUSH(&r->s->arena, &r->rows, row);
    return OK;
}

static enum status show(struct session *s, const char *name, const struct result_sink *sink)
{
    if (str_eq_nocase(name, "all")) {
        static const char *const names[] = {"name", "setting", "description"};
        struct show_rows r = {.s = s};
        TRY(settings_each(s, collect_setting, &r));
        return session__send_text_rows(s, sink, names, 3, r.rows.data, (uint32_t)r.rows.count);
    }
    if (str_eq_nocase(name, "branches")) return branch__show(s, sink);
    const char *value = settings_get(s, name);
    if (!value)
        return FAIL(UNDEFINED_OBJECT, "unrecognized configuration parameter \"%s\"", name);
    const char *const row[] = {value};
    const char *const *const rows[] = {row};
    static const char *const spelled[] = {"DateStyle", "TimeZone", "IntervalStyle"};
    for (size_t i = 0; i < 3; i++)
        if (str_eq_nocase(name, spelled[i])) name = spelled[i];
    return session__send_text_rows(s, sink, &name, 1, rows, 1);
}

static const char *const discard_words[] = {"DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES",
                                            "DISCARD TEMP"};

static enum status discard(struct session *s, const struct ast_discard *a,
                           const struct result_sink *sink)
{
    if (a->target == 0) {
        TRY(session__forbid_block(s, "DISCARD ALL"));
        session__close_portals(s, true);
        TRY(session__deallocate(s, NULL));
        TRY(settings_reset_all(s, sink));
        session__unlisten_all(s);
        advisory_unlock_all(s->lock_owner);
    }
    if (a->target == 0 || a->target == 3) TRY(temporary_discard(s));
    if (a->target == 0 || a->target == 2) session__forget_sequences(s);
    return OK;
}

static enum status lock_statement(struct session *s, const struct ast_lock *a)
{
    if (s->block == BLOCK_NONE || s->block == BLOCK_IMPLICIT)
        return FAIL(NO_ACTIVE_SQL_TRANSACTION, "LOCK TABLE can only be used in transaction blocks");
    for (uint32_t i = 0; i < a->tables.count; i++) {
        const struct ast_range_var *v = AST(a->tables.items[i], ast_range_var);
        const struct table_def *t = catalog_lookup(s->catalog, session__path(s), v->schema, v->name);
        if (!t) return FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", v->name);
        TRY(txn_lock_relation(s->txn, t->oid, (enum relation_lock)a->mode, a->nowait));
    }
    return OK;
}

static void set_tag(char tag[64], const char *text)
{
    size_t len = strlen(text);
    memcpy(tag, text, len < 63 ? len + 1 : 63);
}

/* A table may have been changed while COPY FROM waited for its lock: nothing has been read by then. */
static enum status run_copy(struct session *s, const struct statement *st, struct slice text,
                            const struct result_sink *sink, char tag[64])
{
    const struct ast_copy *a = AST(st->ast, ast_copy);
    enum status result = copy_execute(s, a, st, text, sink, tag);
    for (int i = 1; i < REPLANS_MAX && a->from && result == PLAN_STALE; i++) {
        TRY(session__ensure_txn(s));
        result = copy_execute(s, a, st, text, sink, tag);
    }
    return result;
}

static enum status run_utility(struct session *s, const struct statement *st, struct slice text,
                               const struct exec_params *params, const struct result_sink *sink,
                               char tag[64])
{
    const struct ast *a = st->ast;
    switch (a->kind) {
    case AST_TRANSACTION:
        return session__transaction_statement(s, AST(a, ast_transaction), sink, tag);
    case AST_SET:
        set_tag(tag, AST(a, ast_set)->type >= SET_RESET ? "RESET" : "SET");
        return settings_set_statement(s, AST(a, ast_set), sink);
    case AST_SET_CONSTRAINTS:
        set_tag(tag, "SET CONSTRAINTS");
        return session__set_constraints(s, AST(a, ast_set_constraints), sink);
    case AST_SHOW: set_tag(tag, "SHOW"); return show(s, AST(a, ast_show)->name, sink);
    case AST_DISCARD:
        set_tag(tag, discard_words[AST(a, ast_discard)->target & 3]);
        return discard(s, AST(a, ast_discard), sink);
    case AST_EXPLAIN: set_tag(tag, "EXPLAIN"); return session__explain(s, st, text, params, sink);
    case AST_PREPARE:
        set_tag(tag, "PREPARE");
        return session__prepare_statement(s, AST(a, ast_prepare), text);
    case AST_EXECUTE: return session__execute_statement(s, AST(a, ast_execute), sink, true, tag);
    case AST_DEALLOCATE:
        set_tag(tag, AST(a, ast_deallocate)->name ? "DEALLOCATE" : "DEALLOCATE ALL");
        return session__deallocate(s, AST(a, ast_deallocate)->name);
    case AST_DECLARE_CURSOR:
        set_tag(tag, "DECLARE CURSOR");
        return session__declare_cursor(s, AST(a, ast_declare_cursor), st, text);
    case AST_FETCH: return session__fetch(s, AST(a, ast_fetch), sink, tag);
    case AST_CLOSE_CURSOR:
        set_tag(tag, AST(a, ast_close_cursor)->name ? "CLOSE CURSOR" : "CLOSE CURSOR ALL");
        return session__close_cursor(s, AST(a, ast_close_cursor)->name);
    case AST_DO: set_tag(tag, "DO"); return session__do(s, AST(a, ast_do), text);
    case AST_CALL:
        set_tag(tag, "CALL");
        return session__call(s, AST(a, ast_call), text, params, sink);
    case AST_COPY: return run_copy(s, st, text, sink, tag);
    case AST_VACUUM:
        set_tag(tag, AST(a, ast_vacuum)->is_vacuum ? "VACUUM" : "ANALYZE");
        return maintenance_execute(s, AST(a, ast_vacuum), sink);
    case AST_LOCK: set_tag(tag, "LOCK TABLE"); return lock_statement(s, AST(a, ast_lock));
    case AST_BRANCH: return branch_execute(s, AST(a, ast_branch), text, params, sink, tag);
    case AST_CHECKPOINT: set_tag(tag, "CHECKPOINT"); return store_checkpoint(s->db->store);
    case AST_CHANNEL: return session__channel_statement(s, AST(a, ast_channel), sink, tag);
    case AST_UNSUPPORTED:
        return UNSUPPORTED("%s is not supported yet", AST(a, ast_unsupported)->what);
    default: break;
    }
    if (!ddl_handles(a->kind))
        return UNSUPPORTED("this statement is not supported yet");
    txn_statement_begin_fresh(s->txn);
    enum status result = ddl_execute(s, st, text, sink, tag);
    if (s->txn) txn_statement_end(s->txn); /* it may have come to an end within */
    return result;
}

enum status session__run_utility(struct session *s, const struct statement *st, struct slice text,
                                 const struct exec_params *params, const struct result_sink *sink,
                                 char tag[64])
{
    struct statement_run r;
    const struct result_sink *outer = s->sink;
    bool in_ddl = s->in_ddl;
    session__run_begin(s, &r);
    if (!outer) s->sink = sink;
    enum status result = run_utility(s, st, text, params, sink, tag);
    s->sink = outer;
    if (s->in_ddl != in_ddl) session__change_catalog(s, in_ddl);
    TRY(session__explain_cancel(s, result));
    if (st->ast->kind == AST_EXECUTE) return OK; /* what it ran was counted */
    session__utility_end(s, &r, st, text);
    session__count(s, st->ast->kind == AST_COPY ? STATEMENT_COPY : STATEMENT_OTHER);
    return OK;
}
