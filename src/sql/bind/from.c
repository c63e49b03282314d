/* FROM: tables, views, subselects, functions, WITH references.
 *
 * While the list is bound, the names of the items already there are `lateral_only`: only LATERAL
 * items (and functions, which are so by nature) may see them. When it is done they become plain
 * names. A view is a subquery bound in a scope of its own, so it can see nothing of the query that
 * reads it. */
#include "sql/bind/view_target_priv.h"

#include "base/fiber.h"
#include "sql/type_name.h"
#include "types/record.h"

uint32_t bind__add_relation(struct scope *s, struct relation *r, bool columns_visible,
                            bool name_visible)
{
    struct query *q = s->query;
    struct arena *a = s->env->arena;
    /* The array doubles: it is full when the count is a power of two (or none). */
    uint32_t n = q->relation_count;
    if ((n & (n - 1)) == 0) {
        struct relation **grown = ARENA_ARRAY(a, struct relation *, n ? n * 2 : 1);
        if (n) memcpy(grown, q->relations, n * sizeof *grown);
        q->relations = grown;
    }
    q->relations[q->relation_count++] = r;
    if (columns_visible || name_visible)
        ARENA_PUSH(a, &s->names,
                   (struct name_item){.relation = n,
                                      .columns_visible = columns_visible,
                                      .name_visible = name_visible,
                                      .lateral_only = true,
                                      .lateral_ok = true});
    return n;
}

enum status bind__alias_columns(struct relation *r, const struct name_list *names)
{
    if (names->count > r->column_count)
        return FAIL(INVALID_COLUMN_REFERENCE,
                    "%s \"%s\" has %u columns available but %u columns specified",
                    r->kind == REL_JOIN ? "join expression" : "table", r->alias, r->column_count,
                    names->count);
    for (uint32_t i = 0; i < names->count; i++) r->columns[i].name = names->items[i];
    return OK;
}

/* Two tables of one name but from different schemas, both without alias, are told apart. */
static bool same_name(const struct relation *a, const struct relation *b)
{
    if (strcmp(a->alias, b->alias) != 0) return false;
    return !(a->table && b->table && a->schema && b->schema && a->table != b->table);
}

enum status bind__name_conflicts(struct scope *s, size_t a, size_t a_end, size_t b, size_t b_end)
{
    for (size_t i = a; i < a_end; i++) {
        const struct relation *x = s->query->relations[s->names.data[i].relation];
        if (!s->names.data[i].name_visible) continue;
        for (size_t k = b; k < b_end; k++) {
            const struct relation *y = s->query->relations[s->names.data[k].relation];
            if (s->names.data[k].name_visible && same_name(x, y))
                return FAIL(DUPLICATE_ALIAS, "table name \"%s\" specified more than once",
                            y->alias);
        }
    }
    return OK;
}

void bind__note_table(struct bind_env *env, const struct table_def *t)
{
    for (size_t i = 0; i < env->tables.count; i++)
        if (env->tables.data[i] == t) return;
    ARENA_PUSH(env->arena, &env->tables, t);
}

static enum status check_database(struct scope *s, const struct ast_range_var *rv)
{
    const struct database_def *d = catalog_database_by_oid(s->env->catalog, s->env->path->database);
    if (!rv->catalog || (d && strcmp(d->name, rv->catalog) == 0)) return OK;
    return bind__at(s, rv->node.location,
                    FAIL(FEATURE_NOT_SUPPORTED,
                         "cross-database references are not implemented: \"%s.%s.%s\"", rv->catalog,
                         rv->schema ? rv->schema : "", rv->name));
}

enum status bind__find_table(struct scope *s, const struct ast_range_var *rv,
                             const struct table_def **ret)
{
    struct bind_env *env = s->env;
    for (int i = 0; i < 2 && !rv->schema && !rv->catalog; i++) {
        if (!env->transitions[i] || strcmp(env->transitions[i]->name, rv->name) != 0) continue;
        env->once = true; /* another trigger may mean other rows by the name */
        *ret = env->transitions[i];
        return OK;
    }
    TRY(check_database(s, rv));
    const struct table_def *t = catalog_lookup(env->catalog, env->path, rv->schema, rv->name);
    if (t && t->kind == 'c')
        return bind__at(s, rv->node.location,
                        FAIL(WRONG_OBJECT_TYPE, "\"%s\" is a composite type", t->name));
    if (t && t->persistence == 't' && t->kind == 'r' && t->schema != env->path->temporary)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot access temporary tables of other sessions");
    if (t) {
        if (!env->moment) bind__note_table(env, t); /* nobody changes what was */
        if (rv->schema) TRY(bind__need_schema(s, t, rv->node.location));
        if (env->noting && rv->node.location >= 0)
            ARENA_PUSH(env->arena, &env->uses,
                       (struct name_use){.location = rv->node.location, .var = rv, .table = t});
        *ret = t;
        return OK;
    }
    if (catalog_lookup_index(env->catalog, env->path, rv->schema, rv->name))
        return bind__at(s, rv->node.location,
                        FAIL(WRONG_OBJECT_TYPE, "\"%s\" is an index", rv->name));
    enum status code = FAIL(UNDEFINED_TABLE, "relation \"%s%s%s\" does not exist",
                            rv->schema ? rv->schema : "", rv->schema ? "." : "", rv->name);
    if (!rv->schema && bind__is_later_cte(s, rv->name)) {
        (void)error_detail(
            "There is a WITH item named \"%s\", but it cannot be referenced from this "
            "part of the query.",
            rv->name);
        (void)error_hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward "
                         "references.");
    }
    return bind__at(s, rv->node.location, code);
}

/* --- subqueries and views ------------------------------------------------------------------- */

/* Columns as the query's visible targets offer them. */
static void columns_of_query(struct scope *s, struct relation *r, const struct query *q)
{
    r->columns = ARENA_ARRAY(s->env->arena, struct rel_column, q->target_count);
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct target *t = &q->targets[i];
        if (t->junk) continue;
        r->columns[r->column_count++] =
            (struct rel_column){.name = t->name, .type = t->expr->type, .typmod = t->expr->typmod};
    }
}

enum status bind__view_query(struct scope *s, const struct table_def *t, struct query **ret)
{
    struct bind_env *env = s->env;
    struct slice text = env->text;
    struct ast *ast;
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "infinite recursion detected in rules for relation \"%s\"", t->name);
    if (!env->parse_view || !t->view_sql)
        return FAIL(INTERNAL_ERROR, "the query of view \"%s\" cannot be read", t->name);
    TRY(env->parse_view(env->arena, t->view_sql, &ast));
    if (ast->kind != AST_SELECT)
        return FAIL(INTERNAL_ERROR, "view \"%s\" is not a SELECT", t->name);
    env->text = slice_of(t->view_sql);
    bool noting = env->noting;
    const bind_variable variable = env->variable;
    const oid_t reads_as = env->reads_as;
    env->noting = false;
    env->variable = NULL;
    if (!bind__is_invoker_view(t)) env->reads_as = t->owner;
    enum status result = bind__select(env, NULL, AST(ast, ast_select), ret);
    env->reads_as = reads_as;
    env->noting = noting;
    env->variable = variable;
    env->text = text;
    if (result != OK) (void)error_at(0); /* a place in the view's text is none in the statement's */
    return result;
}

static enum status bind_view(struct scope *s, const struct table_def *t, struct relation *r)
{
    struct query *q;
    TRY(bind__view_query(s, t, &q));
    q->parent = s->query;
    r->kind = REL_SUBQUERY;
    r->subquery = q;
    r->table = NULL;
    r->view = t;
    r->column_count = 0;
    columns_of_query(s, r, q);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].dropped) continue;
        if (n == r->column_count)
            return FAIL(INTERNAL_ERROR, "view \"%s\" has lost columns", t->name);
        r->columns[n++].name = t->columns[i].name;
    }
    r->column_count = n;
    return OK;
}

enum status bind__view_target(struct scope *s, const struct table_def *t, struct relation *r)
{
    uint32_t n = 0;
    TRY(bind_view(s, t, r));
    for (uint16_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped) r->columns[n++].attnum = t->columns[i].number;
    return OK;
}

static enum status bind_table(struct scope *s, const struct ast_range_var *rv,
                              struct relation **ret)
{
    struct past_scope saved;
    const struct table_def *t;
    struct relation *r = NULL;
    struct table_versions *versions = NULL;
    TRY(bind__enter_past(s, rv, &saved));
    enum status result = bind__find_table(s, rv, &t);
    if (result == OK) result = bind__versions(s, rv, &t, &versions);
    if (result == OK) {
        bind__need(s->env, t, RIGHT_SELECT);
        r = bind__relation_of_table(s->env, t, rv->alias.name);
        r->versions = versions;
        if (t->kind == 'v' && t->virtual_id < 0) result = bind_view(s, t, r);
    }
    if (result == OK) result = bind__mark_past(s, rv, r);
    bind__leave_past(s, &saved);
    *ret = r;
    return result;
}

static enum status bind_range_var(struct scope *s, const struct ast_range_var *rv,
                                  struct from_item *item)
{
    struct relation *r = NULL;
    struct cte *c = NULL;
    uint32_t levels = 0;
    if (!rv->schema && !rv->catalog)
        TRY(bind__find_cte(s, rv->name, rv->node.location, &c, &levels));
    if (c) {
        if (rv->moments)
            return bind__at(s, rv->moments->at.location,
                            FAIL(FEATURE_NOT_SUPPORTED, "AS OF cannot be applied to a WITH query"));
        if (c->query && c->query->command != CMD_SELECT && !c->query->returning_count)
            return bind__at(s, rv->node.location,
                            FAIL(FEATURE_NOT_SUPPORTED,
                                 "WITH query \"%s\" does not have a RETURNING clause", c->name));
        r = ARENA_NEW(s->env->arena, struct relation);
        r->kind = REL_CTE;
        r->alias = rv->alias.name ? rv->alias.name : rv->name;
        r->cte = c;
        r->cte_levels_up = levels;
        r->hidden = bind__hidden_columns((const struct cte_item *)(void *)c);
        r->column_count = c->column_count;
        r->columns = arena_memdup(s->env->arena, c->columns, c->column_count * sizeof *c->columns);
        c->references++;
    } else {
        TRY(bind_table(s, rv, &r));
    }
    TRY(bind__alias_columns(r, &rv->alias.columns));
    if (rv->sample) TRY(bind__sample(s, rv, r));
    item->relation = bind__add_relation(s, r, true, true);
    return r->kind == REL_TABLE ? bind__index_rules(s, item->relation) : OK;
}

static enum status bind_subselect(struct scope *s, const struct ast_range_subselect *sub,
                                  struct from_item *item)
{
    const struct ast_select *select = AST(sub->select, ast_select);
    struct relation *r = ARENA_NEW(s->env->arena, struct relation);
    if (sub->select->kind != AST_SELECT)
        return FAIL(SYNTAX_ERROR, "a subquery in FROM must be a SELECT");
    if (!sub->alias.name) {
        bool values = select->value_row_count > 0;
        enum status code = values ? FAIL(SYNTAX_ERROR, "VALUES in FROM must have an alias")
                                  : FAIL(SYNTAX_ERROR, "subquery in FROM must have an alias");
        (void)error_hint(values ? "For example, FROM (VALUES ...) [AS] foo."
                                : "For example, FROM (SELECT ...) [AS] foo.");
        return bind__at(s, sub->node.location, code);
    }
    bool saved = s->lateral_active;
    enum place place = s->place;
    s->lateral_active = sub->lateral;
    s->place = PLACE_SUBSELECT;
    enum status result = bind__select(s->env, s, select, &r->subquery);
    s->lateral_active = saved;
    s->place = place;
    TRY(result);
    r->kind = REL_SUBQUERY;
    r->alias = sub->alias.name;
    r->lateral = sub->lateral;
    columns_of_query(s, r, r->subquery);
    TRY(bind__alias_columns(r, &sub->alias.columns));
    item->relation = bind__add_relation(s, r, true, true);
    return OK;
}

/* --- functions ------------------------------------------------------------------------------ */

typedef ARRAY(const struct ast *) function_list;

/* unnest(a, b, …) in FROM stands for ROWS FROM (unnest(a), unnest(b), …). */
static void list_functions(struct scope *s, const struct ast_range_function *f, function_list *out)
{
    for (uint32_t i = 0; i < f->functions.count; i++) {
        const struct ast *item = f->functions.items[i];
        const struct ast_function *call = AST(item, ast_function);
        bool unnest = item->kind == AST_FUNCTION && call->args.count > 1 && call->name.count == 1 &&
                      strcmp(call->name.items[0], "unnest") == 0 && !call->variadic &&
                      !call->arg_names;
        for (uint32_t k = 0; unnest && k < call->args.count; k++) {
            struct ast_function *one = arena_memdup(s->env->arena, call, sizeof *call);
            one->args = (struct ast_list){&call->args.items[k], 1};
            ARENA_PUSH(s->env->arena, out, &one->node);
        }
        if (!unnest) ARENA_PUSH(s->env->arena, out, item);
    }
}

static void add_columns(struct scope *s, struct relation *r, const struct function_column *c,
                        uint32_t n)
{
    struct arena *a = s->env->arena;
    struct rel_column *all =
        ARENA_ARRAY(a, struct rel_column, r->column_count + n + r->function_count + 6);
    memcpy(all, r->columns, r->column_count * sizeof *all);
    r->columns = all;
    for (uint32_t i = 0; i < n; i++) {
        const char *name = *c[i].name ? c[i].name : arena_printf(a, "column%u", i + 1);
        r->columns[r->column_count++] =
            (struct rel_column){.name = name, .type = c[i].type, .typmod = c[i].typmod};
    }
}

/* The columns of the functions whose rows are not of one value. */
static bool built_in_columns(struct scope *s, struct relation *r, const struct expr *call)
{
    uint32_t n = 0;
    if (call->kind != EXPR_CALL || !call->call.proc) return false;
    const struct function_column *c = proc_columns(call->call.proc, &n);
    if (!c) return false;
    add_columns(s, r, c, n);
    return true;
}

static const struct function_def *function_of(const struct expr *call)
{
    return call->kind == EXPR_CALL && call->call.proc ? proc_function(call->call.proc) : NULL;
}

/* The columns that a function says its rows have. */
static bool function_row(struct scope *s, const struct ast_range_function *f, struct relation *r,
                         const struct expr *call)
{
    const struct function_def *def = function_of(call);
    struct function_column *c;
    if (!def || f->column_defs.count) return false;
    c = ARENA_ARRAY(s->env->arena, struct function_column, TABLE_COLUMNS_MAX);
    uint32_t n = catalog_function_columns(s->env->catalog, def, c, TABLE_COLUMNS_MAX);
    if (n == 0) return false;
    add_columns(s, r, c, n);
    return true;
}

/* A value of a row type stands for its fields. */
static enum status row_columns(struct scope *s, struct relation *r, const struct expr *call)
{
    struct row_columns c;
    uint32_t n = type_row_columns(s->env->catalog, call->type, s->env->arena, &c);
    if (!type_is_row(call->type)) return OK;
    struct rel_column *all = ARENA_ARRAY(s->env->arena, struct rel_column,
                                         r->column_count + n + r->function_count + 6);
    memcpy(all, r->columns, r->column_count * sizeof *all);
    r->columns = all;
    for (uint32_t i = 0; i < n; i++)
        r->columns[r->column_count++] =
            (struct rel_column){.name = c.names[i], .type = c.types[i], .typmod = c.typmods[i]};
    return OK;
}

/* The name of a function's only OUT argument names its column; NULL: it has none, or no such one. */
static const char *out_name(const struct expr *call)
{
    const struct function_def *def = function_of(call);
    const char *found = NULL;
    if (!def && call->kind == EXPR_CALL && call->call.proc) return proc_out_name(call->call.proc);
    for (uint16_t i = 0; def && i < def->all_count; i++) {
        if (def->all_modes[i] == 'i' || def->all_modes[i] == 'v') continue;
        if (found || !*def->all_names[i]) return NULL;
        found = def->all_names[i];
    }
    return found;
}

/* AS (a int, b text): the columns of a function that returns record. */
static enum status record_columns(struct scope *s, const struct ast_range_function *f,
                                  struct relation *r, struct expr *call)
{
    if (function_row(s, f, r, call)) return OK;
    if (call->type != TYPE_RECORD) {
        if (f->column_defs.count == 0) return row_columns(s, r, call);
        return bind__at(s, f->column_defs.items[0]->location,
                        FAIL(SYNTAX_ERROR, "a column definition list is only allowed for functions "
                                           "returning \"record\""));
    }
    if (f->column_defs.count == 0 && built_in_columns(s, r, call)) return OK;
    if (f->column_defs.count == 0)
        return bind__at(s, call->location,
                        FAIL(SYNTAX_ERROR, "a column definition list is required for functions "
                                           "returning \"record\""));
    if (r->function_count > 1 || f->column_defs.count > TABLE_COLUMNS_MAX)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "a function returning \"record\" must stand alone in FROM");
    for (uint32_t i = 0; i < f->column_defs.count; i++) {
        const struct ast_column_def *d = AST(f->column_defs.items[i], ast_column_def);
        struct rel_column *c = &r->columns[i];
        c->name = d->name;
        TRY(bind_type(s->env, d->type, &c->type, &c->typmod));
    }
    r->column_count = f->column_defs.count;
    bind__add_row_shape(s, r, call);
    return OK;
}

static enum status function_columns(struct scope *s, const struct ast_range_function *f,
                                    const function_list *list, struct relation *r)
{
    uint32_t most = r->function_count + f->column_defs.count + 6;
    r->columns = ARENA_ARRAY(s->env->arena, struct rel_column, most);
    for (uint32_t i = 0; i < r->function_count; i++) {
        struct expr *e = r->functions[i];
        TRY(record_columns(s, f, r, e));
        if (e->type == TYPE_RECORD && !f->column_defs.count) continue;
        if (e->type == TYPE_RECORD) break;
        if (type_is_row(e->type)) continue;
        const char *name = bind__target_name(list->data[i]);
        /* The alias of a lone function that returns scalars names its column too. */
        if (f->alias.name && r->function_count == 1) name = f->alias.name;
        if (out_name(e)) name = out_name(e);
        r->columns[r->column_count++] =
            (struct rel_column){.name = name, .type = e->type, .typmod = e->typmod};
    }
    if (r->ordinality)
        r->columns[r->column_count++] =
            (struct rel_column){.name = "ordinality", .type = TYPE_INT8, .typmod = -1};
    return OK;
}

static enum status bind_functions(struct scope *s, const struct ast_range_function *f,
                                  struct from_item *item)
{
    struct arena *a = s->env->arena;
    struct relation *r = ARENA_NEW(a, struct relation);
    function_list list = {0};
    list_functions(s, f, &list);
    r->kind = REL_FUNCTION;
    r->lateral = true;
    r->ordinality = f->ordinality;
    r->function_count = (uint32_t)list.count;
    r->functions = ARENA_ARRAY(a, struct expr *, list.count);
    bool saved = s->lateral_active;
    s->lateral_active = true;
    for (size_t i = 0; i < list.count; i++) {
        struct expr *e = NULL;
        enum status result = bind__expression(s, list.data[i], PLACE_FROM, &e);
        if (result == OK) result = bind__resolve_unknown(s, e, &r->functions[i]);
        if (result != OK) {
            s->lateral_active = saved;
            return result;
        }
    }
    s->lateral_active = saved;
    r->alias = f->alias.name ? f->alias.name : bind__target_name(list.data[0]);
    TRY(function_columns(s, f, &list, r));
    TRY(bind__alias_columns(r, &f->alias.columns));
    item->relation = bind__add_relation(s, r, true, true);
    return OK;
}

/* --- the list ------------------------------------------------------------------------------- */

enum status bind__from_item(struct scope *s, const struct ast *ast, struct from_item **ret)
{
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (ast->kind == AST_JOIN) return bind__join(s, AST(ast, ast_join), ret);
    struct from_item *item = ARENA_NEW(s->env->arena, struct from_item);
    item->kind = FROM_RELATION;
    switch (ast->kind) {
    case AST_RANGE_VAR: TRY(bind_range_var(s, AST(ast, ast_range_var), item)); break;
    case AST_RANGE_SUBSELECT: TRY(bind_subselect(s, AST(ast, ast_range_subselect), item)); break;
    case AST_RANGE_FUNCTION: TRY(bind_functions(s, AST(ast, ast_range_function), item)); break;
    default:
        return bind__at(s, ast->location,
                        UNSUPPORTED("this kind of FROM item is not supported"));
    }
    *ret = item;
    return OK;
}

enum status bind__from(struct scope *s, const struct ast_list *from)
{
    struct query *q = s->query;
    struct from_item **items =
        ARENA_ARRAY(s->env->arena, struct from_item *, q->from_count + from->count);
    if (q->from_count) memcpy(items, q->from, q->from_count * sizeof *items);
    q->from = items;
    for (uint32_t i = 0; i < from->count; i++) {
        size_t before = s->names.count;
        TRY(bind__from_item(s, from->items[i], &q->from[q->from_count]));
        q->from_count++;
        TRY(bind__name_conflicts(s, 0, before, before, s->names.count));
    }
    for (size_t i = 0; i < s->names.count; i++) {
        s->names.data[i].lateral_only = false;
        s->names.data[i].lateral_ok = true;
    }
    return OK;
}
