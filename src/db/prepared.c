/* Prepared statements: the extended protocol's Parse, and PREPARE, EXECUTE, DEALLOCATE, in one name
 * space. A plannable statement keeps its text and its plan; the tree is made again from the text when
 * the plan has to be. Utility statements keep their tree. */
#include "base/hash.h"
#include "core/txn.h"
#include "db/branch_priv.h"
#include "db/past_priv.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"
#include "sql/ast_routine.h"
#include "sql/parse/parse.h"

enum { PREPARED_MAX = 100000 };

/* --- plans of texts ------------------------------------------------------------------------- */

enum status session__plan_text(struct session *s, struct slice text, struct arena *a,
                               type_id *param_types, uint32_t *param_count, bool variable,
                               struct cached_plan **ret_plan,
                               struct statement **ret_statement, uint32_t *ret_count)
{
    struct strbuf key;
    *ret_plan = NULL;
    *ret_statement = NULL;
    *ret_count = 1;
    strbuf_init(&key, a);
    session__plan_key_prefix(s, &key);
    strbuf_add(&key, param_types, *param_count * sizeof *param_types);
    strbuf_addc(&key, variable ? 'V' : 'X');
    strbuf_add(&key, text.data, text.len);
    uint64_t hash = hash_bytes(key.data, key.len);
    struct cached_plan *p =
        s->own_catalog ? NULL : plan_cache_get(s->db->plans, strbuf_slice(&key), hash);
    if (p && !custom_plan__is_outgrown(s, p) && past_fits(s, p)) {
        *ret_plan = p;
        return OK;
    }
    if (p) cached_plan_release(p);
    TRY(sql_parse(a, text, ret_statement, ret_count));
    if (*ret_count != 1 || !is_plannable((*ret_statement)[0].ast)) return OK;
    struct arena trees; /* the plan keeps a tree of its own: it may outlive the statement */
    struct statement *st;
    uint32_t count;
    arena_init(&trees, MEM_PLAN);
    enum status result = sql_parse(&trees, text, &st, &count);
    if (result == OK)
        p = session__plan(s, &st[0], text, param_types, param_count, variable, &result);
    if (p) cached_plan_take_trees(p, &trees);
    arena_release(&trees);
    if (!p) return result;
    if (!s->own_catalog && !p->once) {
        cached_plan_set_key(p, strbuf_slice(&key), hash);
        plan_cache_put(s->db->plans, p);
    }
    *ret_plan = p;
    return OK;
}

static void take_columns(struct arena *a, const struct plan *p, struct result_column **ret,
                         uint32_t *ret_count)
{
    *ret_count = p->returns_rows ? p->output_count : 0;
    *ret = ARENA_ARRAY(a, struct result_column, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++)
        (*ret)[i] = (struct result_column){arena_strdup(a, p->output[i].name), p->output[i].type,
                                           p->output[i].typmod,
                                           p->origin_tables ? p->origin_tables[i] : 0,
                                           p->origin_columns ? p->origin_columns[i] : 0};
}

static bool same_columns(const struct prepared *p, const struct result_column *c, uint32_t n)
{
    if (p->column_count != n) return false;
    for (uint32_t i = 0; i < n; i++)
        if (c[i].type != p->columns[i].type || c[i].typmod != p->columns[i].typmod ||
            strcmp(c[i].name, p->columns[i].name) != 0)
            return false;
    return true;
}

/* From a place in the inner statement to one in the PREPARE that the client sent. */
static enum status shift_position(enum status result, int shift)
{
    struct error *e = error_current();
    if (e->position > 0) e->position += shift;
    return result;
}

static bool is_valid(struct session *s, const struct prepared *p)
{
    return p->plan && p->plan->catalog == s->catalog && p->generation == s->settings.generation &&
           !p->plan->once && !custom_plan__is_outgrown(s, p->plan) && past_fits(s, p->plan);
}

/* The plan, made anew if it is not valid any more. */
static enum status revalidate(struct session *s, struct prepared *p)
{
    if (is_valid(s, p)) return OK;
    struct statement *st;
    uint32_t count, n = p->param_count;
    struct cached_plan *fresh;
    type_id *types = ARENA_ARRAY(&s->arena, type_id, n + 1);
    if (n) memcpy(types, p->param_types, n * sizeof *types);
    error_clear();
    enum status planned =
        session__plan_text(s, p->text, &s->arena, types, &n, true, &fresh, &st, &count);
    if (planned != OK) return shift_position(planned, p->shift);
    if (!fresh) return FAIL(INTERNAL_ERROR, "prepared statement changed its nature");
    struct result_column *columns;
    uint32_t column_count;
    take_columns(&s->arena, fresh->plan, &columns, &column_count);
    if (p->plan && !same_columns(p, columns, column_count)) {
        cached_plan_release(fresh);
        return FAIL(FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    }
    if (p->plan) cached_plan_release(p->plan);
    p->plan = fresh;
    p->generation = s->settings.generation;
    return OK;
}

enum status prepared__run(struct session *s, struct prepared *p, struct cached_plan **plan,
                          const struct run_options *o, const struct result_sink *sink, char tag[64])
{
    struct exec_params params = *o->params;
    const struct run_options again = {&params, o->describe};
    enum status result = session__run_plan(s, *plan, o, sink, tag);
    for (int i = 0; i < REPLANS_MAX && result == PLAN_STALE; i++) {
        TRY(prepared__replan(s, p, &s->arena, &params, plan));
        result = session__run_plan(s, *plan, &again, sink, tag);
    }
    return result;
}

enum status prepared__replan(struct session *s, struct prepared *p, struct arena *a,
                             struct exec_params *params, struct cached_plan **plan)
{
    struct cached_plan *fresh = NULL;
    error_clear();
    TRY(session__ensure_txn(s));
    s->moment_params = params;
    enum status st = revalidate(s, p);
    if (st == OK) st = custom_plan__choose(s, p, params->values, &fresh);
    s->moment_params = NULL;
    TRY(st);
    params->moments = past_take_moments(s, fresh, a);
    if (*plan) cached_plan_release(*plan);
    *plan = fresh;
    return OK;
}

/* --- the table of statements ---------------------------------------------------------------- */

enum status prepared__find(struct session *s, const char *name, struct prepared **ret)
{
    *ret = map_get(&s->prepared, slice_of(name));
    if (*ret) return OK;
    if (!*name) return FAIL(INVALID_SQL_STATEMENT_NAME, "unnamed prepared statement does not exist");
    return FAIL(INVALID_SQL_STATEMENT_NAME, "prepared statement \"%s\" does not exist", name);
}

void prepared__unref(struct prepared *p)
{
    if (--p->refs) return;
    if (p->plan) cached_plan_release(p->plan);
    struct arena a = p->arena; /* p lies in it */
    arena_release(&a);
}

void prepared__free_all(struct session *s)
{
    size_t pos = 0;
    void *v;
    while (map_next(&s->prepared, &pos, NULL, NULL, &v)) prepared__unref(v);
    map_clear(&s->prepared);
}

static void put(struct session *s, struct prepared *p)
{
    struct prepared *old = map_remove(&s->prepared, slice_of(p->name));
    if (old) prepared__unref(old);
    map_put(&s->prepared, slice_of(p->name), p);
}

static struct prepared *new_prepared(const char *name, struct slice text)
{
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct prepared *p = ARENA_NEW(&a, struct prepared);
    p->name = arena_strdup(&a, name);
    p->shown = p->text = slice_dup(&a, text);
    p->refs = 1;
    p->arena = a;
    return p;
}

static enum status describe_branches(struct prepared *p)
{
    p->columns = ARENA_ARRAY(&p->arena, struct result_column, BRANCH_COLUMNS);
    for (int i = 0; i < BRANCH_COLUMNS; i++)
        p->columns[i] = (struct result_column){branch__columns[i], TYPE_TEXT, -1, 0, 0};
    p->column_count = BRANCH_COLUMNS;
    return OK;
}

/* Columns that utility statements return. */
static enum status utility_columns(struct session *s, struct prepared *p)
{
    const struct ast *a = p->statement->ast;
    const char *name = NULL;
    if (a->kind == AST_SHOW) {
        name = AST(a, ast_show)->name;
        if (str_eq_nocase(name, "all")) {
            static const char *const names[] = {"name", "setting", "description"};
            p->columns = ARENA_ARRAY(&p->arena, struct result_column, 3);
            for (int i = 0; i < 3; i++)
                p->columns[i] = (struct result_column){names[i], TYPE_TEXT, -1, 0, 0};
            p->column_count = 3;
            return OK;
        }
        if (str_eq_nocase(name, "branches")) return describe_branches(p);
    } else if (a->kind == AST_BRANCH && AST(a, ast_branch)->action == BRANCH_SHOW) {
        return describe_branches(p);
    } else if (a->kind == AST_EXPLAIN) {
        name = "QUERY PLAN";
    } else if (a->kind == AST_FETCH && !AST(a, ast_fetch)->move) {
        struct portal *portal = map_get(&s->portals, slice_of(AST(a, ast_fetch)->name));
        if (!portal) return OK;
        p->columns = arena_memdup(&p->arena, portal->columns,
                                  portal->column_count * sizeof *portal->columns);
        for (uint32_t i = 0; i < portal->column_count; i++)
            p->columns[i].name = arena_strdup(&p->arena, portal->columns[i].name);
        p->column_count = portal->column_count;
        return OK;
    } else if (a->kind == AST_EXECUTE) {
        struct prepared *other;
        TRY(prepared__find(s, AST(a, ast_execute)->name, &other));
        p->columns = other->columns;
        p->column_count = other->column_count;
        if (other->column_count)
            p->columns = arena_memdup(&p->arena, other->columns,
                                      other->column_count * sizeof *other->columns);
        for (uint32_t i = 0; i < p->column_count; i++)
            p->columns[i].name = arena_strdup(&p->arena, other->columns[i].name);
        return OK;
    }
    if (!name) return OK;
    p->columns = ARENA_ARRAY(&p->arena, struct result_column, 1);
    p->columns[0] = (struct result_column){arena_strdup(&p->arena, name), TYPE_TEXT, -1, 0, 0};
    p->column_count = 1;
    return OK;
}

/* Plans or keeps the tree; fills types and columns. */
static enum status analyse(struct session *s, struct prepared *p, const type_id *types, uint32_t n)
{
    struct statement *st;
    uint32_t count;
    struct cached_plan *plan;
    type_id *inferred = ARENA_ARRAY(&s->arena, type_id, n + 1);
    if (n) memcpy(inferred, types, n * sizeof *types);
    if (s->block == BLOCK_FAILED) {
        TRY(sql_parse(&p->arena, p->text, &st, &count));
        TRY(session__check_failed_block(s, count ? st[0].ast : NULL));
    } else {
        /* The text's plan needs a snapshot; a text that turns out to be BEGIN leaves an empty
         * transaction behind, which BEGIN replaces. */
        TRY(session__ensure_txn(s));
        TRY(session__plan_text(s, p->text, &p->arena, inferred, &n, true, &plan, &st, &count));
        if (plan) {
            p->plan = plan;
            p->plannable = true;
            p->generation = s->settings.generation;
            p->param_count = plan->plan->param_count;
            p->param_types = arena_memdup(&p->arena, plan->plan->param_types,
                                          p->param_count * sizeof *p->param_types);
            take_columns(&p->arena, plan->plan, &p->columns, &p->column_count);
            return OK;
        }
    }
    if (count > 1)
        return FAIL(SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement");
    p->empty = count == 0;
    p->statement = count ? &st[0] : NULL;
    p->param_count = n;
    p->param_types = arena_memdup(&p->arena, inferred, n * sizeof *inferred);
    if (!count || st[0].ast->kind != AST_CALL || s->block == BLOCK_FAILED)
        return count ? utility_columns(s, p) : OK;
    return session__describe_call(s, AST(st[0].ast, ast_call), p->text, (uint32_t)st[0].param_count,
                                  &p->arena, &p->param_types, &p->param_count, &p->columns,
                                  &p->column_count);
}

static enum status make(struct session *s, const char *name, struct slice text,
                        const type_id *types, uint32_t n, bool is_sql)
{
    if (*name && map_get(&s->prepared, slice_of(name)))
        return FAIL(DUPLICATE_PREPARED_STATEMENT, "prepared statement \"%s\" already exists", name);
    if (s->prepared.count >= PREPARED_MAX)
        return FAIL(CONFIGURATION_LIMIT_EXCEEDED, "too many prepared statements"),
               error_hint("DEALLOCATE those that are not needed.");
    struct prepared *p = new_prepared(name, text);
    p->is_sql = is_sql;
    p->made_us = s->statement_us;
    enum status result = analyse(s, p, types, n);
    if (result == OK) put(s, p);
    else prepared__unref(p);
    return result;
}

/* --- PREPARE, EXECUTE, DEALLOCATE ----------------------------------------------------------- */

enum status session__prepare_statement(struct session *s, const struct ast_prepare *a,
                                       struct slice text)
{
    struct bind_env env;
    type_id *types = ARENA_ARRAY(&s->arena, type_id, a->types.count);
    int32_t typmod;
    session__bind_env(s, &env, &s->arena, text);
    for (uint32_t i = 0; i < a->types.count; i++)
        TRY(bind_type(&env, AST(a->types.items[i], ast_type_name), &types[i], &typmod));
    struct slice inner = slice_make(text.data + a->query_start, (size_t)a->query_len);
    char *copy = arena_strndup(&s->arena, inner.data, inner.len);
    error_clear();
    enum status result =
        make(s, a->name, slice_make(copy, inner.len), types, a->types.count, true);
    int shift = sql_position(text, a->query_start) - 1;
    if (result != OK) return shift_position(result, shift);
    struct prepared *p = map_get(&s->prepared, slice_of(a->name));
    p->shown = slice_dup(&p->arena, text);
    p->shift = shift;
    return OK;
}

static enum status execute_params(struct session *s, const struct ast_execute *a,
                                  const struct prepared *p, struct slice text, struct datum **ret)
{
    static const struct exec_params none = {0};
    if (p->param_count && a->params.count != p->param_count) { /* else they are not looked at */
        FAIL(SYNTAX_ERROR, "wrong number of parameters for prepared statement \"%s\"", p->name);
        return error_detail("Expected %u parameters but got %u.", p->param_count, a->params.count);
    }
    *ret = ARENA_ARRAY(&s->arena, struct datum, p->param_count + 1);
    for (uint32_t i = 0; i < p->param_count; i++) {
        struct bind_env env;
        struct expr *e;
        struct query *q;
        session__bind_env(s, &env, &s->arena, text);
        const char *what = arena_printf(&s->arena, "parameter $%u", i + 1);
        TRY(bind_expression(&env, a->params.items[i], p->param_types[i], -1, what, &e, &q));
        TRY(exec_constant(e, &s->exec, &none, &s->arena, &(*ret)[i]));
    }
    return OK;
}

enum status prepared__plan_execute(struct session *s, const struct ast_execute *a,
                                   struct exec_params *ret_params, struct cached_plan **ret)
{
    struct prepared *p;
    struct datum *values;
    *ret = NULL;
    TRY(prepared__find(s, a->name, &p));
    TRY(execute_params(s, a, p, p->text, &values));
    if (!p->plannable)
        return UNSUPPORTED("EXPLAIN of this statement is not supported yet");
    *ret_params = (struct exec_params){values, p->param_count, NULL};
    p->refs++;
    enum status result = prepared__replan(s, p, &s->arena, ret_params, ret);
    prepared__unref(p);
    return result;
}

enum status session__execute_statement(struct session *s, const struct ast_execute *a,
                                       const struct result_sink *sink, bool describe, char tag[64])
{
    struct prepared *p;
    struct datum *values;
    TRY(prepared__find(s, a->name, &p));
    TRY(execute_params(s, a, p, p->text, &values));
    struct exec_params params = {values, p->param_count, NULL};
    p->refs++;
    enum status result;
    if (p->empty) {
        result = OK;
    } else if (!p->plannable) {
        result = session__run_utility(s, p->statement, p->text, &params, sink, tag);
    } else {
        struct run_options o = {.params = &params, .describe = describe};
        struct cached_plan *plan = NULL;
        result = prepared__replan(s, p, &s->arena, &params, &plan);
        if (result == OK) result = prepared__run(s, p, &plan, &o, sink, tag);
        if (plan) cached_plan_release(plan);
    }
    prepared__unref(p);
    return result;
}

enum status session__deallocate(struct session *s, const char *name)
{
    if (!name) {
        prepared__free_all(s);
        return OK;
    }
    struct prepared *p;
    TRY(prepared__find(s, name, &p));
    (void)map_remove(&s->prepared, slice_of(name));
    prepared__unref(p);
    return OK;
}

/* --- the extended protocol ------------------------------------------------------------------ */

static enum status failed(struct session *s, enum status result)
{
    if (result != OK) session__statement_failed(s, NULL);
    return result;
}

enum status session_parse(struct session *s, const char *name, struct slice text,
                          const type_id *param_types, uint32_t param_count)
{
    session__begin_statement(s, text);
    if (!*name) {
        struct prepared *old = map_remove(&s->prepared, slice_of(name));
        if (old) prepared__unref(old);
    }
    enum status result = make(s, name, text, param_types, param_count, false);
    result = failed(s, result);
    session__end_statement(s);
    return result;
}

enum status session_describe_statement(struct session *s, const char *name,
                                       const type_id **ret_params, uint32_t *ret_param_count,
                                       const struct result_column **ret_columns,
                                       uint32_t *ret_count)
{
    struct prepared *p;
    enum status result = prepared__find(s, name, &p);
    if (result == OK && s->block == BLOCK_FAILED && p->column_count)
        result = session__check_failed_block(s, NULL);
    if (result != OK) return failed(s, result);
    *ret_params = p->param_types;
    *ret_param_count = p->param_count;
    *ret_columns = p->columns;
    *ret_count = p->column_count;
    return OK;
}

enum status session_close_statement(struct session *s, const char *name)
{
    struct prepared *p = map_remove(&s->prepared, slice_of(name));
    if (p) prepared__unref(p);
    return OK;
}

enum status session_sync(struct session *s, const struct result_sink *sink)
{
    enum status result = OK;
    if (s->block == BLOCK_NONE && s->txn) {
        session__begin_statement(s, slice_make(NULL, 0));
        result = session__commit(s, sink);
        session__end_statement(s);
    }
    return result;
}
