/* EXPLAIN: its options in PostgreSQL's words, the settings that it names, and the plan or its run as
 * rows: one a line of text, or one that holds a document. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum { QUERY_PLAN_COLUMNS = 1 };

/* --- options -------------------------------------------------------------------------------- */

static enum status option_bool(const struct ast_def_elem *d, bool *ret)
{
    const struct ast_const *c = (const struct ast_const *)d->arg;
    *ret = true;
    if (!c) return OK;
    if (c->type != CONST_STRING && c->type != CONST_FLOAT) {
        *ret = c->ival != 0;
        if (c->ival == 0 || c->ival == 1) return OK;
    } else {
        *ret = str_eq_nocase(c->text, "true") || str_eq_nocase(c->text, "on");
        if (*ret || str_eq_nocase(c->text, "false") || str_eq_nocase(c->text, "off")) return OK;
    }
    return FAIL(SYNTAX_ERROR, "%s requires a Boolean value", d->name);
}

bool explain__format(const char *word, enum explain_format *ret)
{
    static const char *const words[] = {"text", "json", "yaml", "xml"};
    for (int i = 0; i < 4; i++) {
        if (!str_eq_nocase(word, words[i])) continue;
        *ret = (enum explain_format)i;
        return true;
    }
    return false;
}

struct given {
    bool timing, summary;
};

static enum status take_option(const struct ast_def_elem *d, struct explain_options *o,
                               struct given *given)
{
    const struct {
        const char *name;
        bool *value, *given;
    } switches[] = {
        {"analyze", &o->analyze, NULL}, {"verbose", &o->verbose, NULL}, {"costs", &o->costs, NULL},
        {"buffers", &o->buffers, NULL}, {"wal", &o->wal, NULL}, {"settings", &o->settings, NULL},
        {"timing", &o->timing, &given->timing}, {"summary", &o->summary, &given->summary},
    };
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (!str_eq_nocase(d->name, switches[i].name)) continue;
        if (switches[i].given) *switches[i].given = true;
        return option_bool(d, switches[i].value);
    }
    if (!str_eq_nocase(d->name, "format"))
        return FAIL(SYNTAX_ERROR, "unrecognized EXPLAIN option \"%s\"", d->name);
    const struct ast_const *c = (const struct ast_const *)d->arg;
    const char *word = c && (c->type == CONST_STRING || c->type == CONST_FLOAT) ? c->text : "";
    if (explain__format(word, &o->format)) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "unrecognized value for EXPLAIN option \"%s\": \"%s\"",
                d->name, word);
}

static enum status take_options(const struct ast_explain *a, struct explain_options *o)
{
    struct given given = {false, false};
    *o = (struct explain_options){.costs = true, .planning_us = -1};
    for (uint32_t i = 0; i < a->options.count; i++)
        TRY(take_option(AST(a->options.items[i], ast_def_elem), o, &given));
    if (o->wal && !o->analyze)
        return FAIL(INVALID_PARAMETER_VALUE, "EXPLAIN option WAL requires ANALYZE");
    if (!given.timing) o->timing = o->analyze;
    if (o->timing && !o->analyze)
        return FAIL(INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE");
    if (!given.summary) o->summary = o->analyze;
    return OK;
}

/* --- settings ------------------------------------------------------------------------------- */

/* Those that PostgreSQL counts as bearing on plans. */
static bool bears_on_plans(const char *name)
{
    static const char *const names[] = {
        "effective_cache_size", "helios.force_format", "helios.group_below", "jit",
        "max_parallel_workers_per_gather", "plan_cache_mode",
        "random_page_cost", "search_path", "seq_page_cost", "temp_buffers", "work_mem"};
    if (strncmp(name, "enable_", 7) == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

struct changed {
    struct session *s;
    ARRAY(struct explain_setting) found;
};

static enum status add_changed(void *ctx, const char *name, const char *value, const char *help)
{
    struct changed *c = ctx;
    (void)help;
    if (!bears_on_plans(name) || settings_is_default(c->s, name)) return OK;
    struct explain_setting found = {name, arena_strdup(&c->s->arena, value)};
    ARENA_PUSH(&c->s->arena, &c->found, found);
    return OK;
}

enum status explain__take_settings(struct session *s, struct explain_options *o)
{
    struct changed c = {.s = s};
    TRY(settings_each(s, add_changed, &c));
    o->changed = c.found.data;
    o->changed_count = (uint32_t)c.found.count;
    return OK;
}

/* --- the statement -------------------------------------------------------------------------- */

/* What has a plan of a statement that makes a table of its rows, or reads them bit by bit. */
static const struct ast *planned_part(struct session *s, const struct ast *a)
{
    if (a->kind == AST_CREATE_TABLE_AS) return AST(a, ast_create_table_as)->query;
    if (a->kind == AST_DECLARE_CURSOR) return AST(a, ast_declare_cursor)->query;
    if (a->kind != AST_SELECT || !AST(a, ast_select)->into) return a;
    struct ast_select *select = arena_memdup(&s->arena, a, sizeof *select);
    select->into = NULL;
    return &select->node;
}

static struct cached_plan *make_plan(struct session *s, struct statement *inner, struct slice text,
                                     struct exec_params *params, const struct explain_options *o,
                                     enum status *ret)
{
    uint32_t param_count = 0;
    struct cached_plan *p = NULL;
    const struct ast *a = planned_part(s, inner->ast);
    if (a != inner->ast && inner->ast->kind != AST_DECLARE_CURSOR && o->analyze) {
        *ret = UNSUPPORTED("EXPLAIN ANALYZE of a statement that creates a table is not supported");
        (void)error_hint("Create the table, and use EXPLAIN ANALYZE INSERT ... SELECT.");
        return NULL;
    }
    if (a->kind == AST_EXECUTE) {
        *ret = prepared__plan_execute(s, AST(a, ast_execute), params, &p);
        return p;
    }
    inner->ast = (struct ast *)(uintptr_t)a;
    if (is_plannable(a))
        return session__plan(s, inner, text, NULL, &param_count, params->count > 0, ret);
    *ret = UNSUPPORTED("EXPLAIN of this statement is not supported yet");
    return NULL;
}

static struct cached_plan *plan(struct session *s, struct statement *inner, struct slice text,
                                struct exec_params *params, struct explain_options *o,
                                enum status *ret)
{
    struct work_counts before = *work_counts();
    int64_t start = monotonic_us();
    struct cached_plan *p = make_plan(s, inner, text, params, o, ret);
    o->planning_us = monotonic_us() - start;
    o->planning.blocks_hit = work_counts()->blocks_hit - before.blocks_hit;
    o->planning.blocks_read = work_counts()->blocks_read - before.blocks_read;
    return p;
}

static enum status send(struct session *s, char *out, enum explain_format format,
                        const struct result_sink *sink)
{
    static const char *const names[QUERY_PLAN_COLUMNS] = {"QUERY PLAN"};
    ARRAY(const char *const *) rows = {0};
    for (char *line = out; line && *line;) {
        char *end = format == EXPLAIN_FORMAT_TEXT ? strchr(line, '\n') : NULL;
        const char **row = ARENA_ARRAY(&s->arena, const char *, QUERY_PLAN_COLUMNS);
        row[0] = line;
        if (end) *end = '\0';
        ARENA_PUSH(&s->arena, &rows, row);
        line = end ? end + 1 : NULL;
    }
    return session__send_text_rows(s, sink, names, QUERY_PLAN_COLUMNS, rows.data,
                                   (uint32_t)rows.count);
}

enum status session__explain(struct session *s, const struct statement *st, struct slice text,
                             const struct exec_params *params, const struct result_sink *sink)
{
    const struct ast_explain *a = AST(st->ast, ast_explain);
    struct explain_options o;
    struct statement inner = *st;
    enum status result;
    TRY(take_options(a, &o));
    if (o.settings) TRY(explain__take_settings(s, &o));
    inner.ast = a->query;
    struct exec_params values = *params;
    s->moment_params = params;
    struct cached_plan *p = plan(s, &inner, text, &values, &o, &result);
    s->moment_params = NULL;
    if (!p) return result;
    if (!values.moments) values.moments = p->made;
    struct strbuf out;
    strbuf_init(&out, &s->arena);
    if (o.analyze) result = session__check_writes(s, p->plan);
    if (result == OK) result = session__begin_plan(s, p);
    if (result == OK) {
        result = exec_explain(p->plan, &o, s->txn, &s->exec, &values, &s->arena, &out);
        txn_statement_end(s->txn);
    }
    cached_plan_unref(p);
    TRY(result);
    return send(s, out.data, o.format, sink);
}
