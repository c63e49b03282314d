/* Expressions: the dispatch over all kinds, constants, parameters, boolean forms, rows, and what is
 * bound outside any statement (defaults, checks). Literals keep type unknown until something gives
 * them one; whoever shows them to the user resolves them to text. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"

/* --- constants and parameters ----------------------------------------------------------------- */

static enum status number(struct scope *s, const struct ast_const *c, struct expr *e)
{
    int64_t v;
    if (str_to_i64(slice_of(c->text), &v)) {
        if (v == INT32_MIN) { /* too long for the scanner without its minus */
            e->type = TYPE_INT4;
            e->constant.v.i32 = INT32_MIN;
            return OK;
        }
        e->type = TYPE_INT8;
        e->constant.v.i64 = v;
        return OK;
    }
    e->type = TYPE_NUMERIC;
    return bind__at(s, c->node.location,
                    value_from_text(TYPE_NUMERIC, -1, slice_of(c->text), &format_default,
                                    s->env->arena, &e->constant.v));
}

static enum status constant(struct scope *s, const struct ast_const *c, struct expr **ret)
{
    struct expr *e = bind__new(s, EXPR_CONST, TYPE_UNKNOWN, c->node.location, 0);
    *ret = e;
    switch (c->type) {
    case CONST_NULL: e->constant.null = true; return OK;
    case CONST_INT:
        e->type = TYPE_INT4;
        e->constant.v.i32 = (int32_t)c->ival;
        return OK;
    case CONST_BOOL:
        e->type = TYPE_BOOL;
        e->constant.v.b = c->ival != 0;
        return OK;
    case CONST_FLOAT: return number(s, c, e);
    case CONST_STRING:
        e->constant.v.bytes = bytes_from_slice(s->env->arena, slice_of(c->text));
        return OK;
    case CONST_BIT:
        e->type = TYPE_BIT;
        return bind__at(s, c->node.location,
                        value_from_text(TYPE_BIT, -1, slice_of(c->text), &format_default,
                                        s->env->arena, &e->constant.v));
    }
    UNREACHABLE();
}

static enum status param(struct scope *s, const struct ast_param *p, struct expr **ret)
{
    struct bind_env *env = s->env;
    uint32_t n = (uint32_t)p->number;
    if (env->variable && p->number > 0) {
        TRY(env->variable(env->variable_ctx, env, NULL, p->number, p->node.location, ret));
        if (*ret) return OK;
    }
    if (p->number <= 0 || (n > env->param_count && (!env->params_variable || n > env->param_max)))
        return bind__at(s, p->node.location,
                        FAIL(UNDEFINED_PARAMETER, "there is no parameter $%d", p->number));
    while (env->param_count < n) env->param_types[env->param_count++] = TYPE_NONE;
    type_id type = env->param_types[n - 1];
    struct expr *e = bind__new(s, EXPR_PARAM, type ? type : (type_id)TYPE_UNKNOWN,
                               p->node.location, 0);
    e->param = p->number;
    *ret = e;
    return OK;
}

/* --- boolean forms ---------------------------------------------------------------------------- */

static enum status boolean(struct scope *s, const struct ast_bool *b, enum place place,
                           struct expr **ret)
{
    static const char *const names[] = {"AND", "OR", "NOT"};
    struct expr *e = bind__new(s, EXPR_BOOL, TYPE_BOOL, b->node.location, b->args.count);
    e->bool_op = (uint8_t)b->op;
    for (uint32_t i = 0; i < b->args.count; i++) {
        TRY(bind__expression(s, b->args.items[i], place, &e->args[i]));
        TRY(bind__coerce_boolean(s, e->args[i], names[b->op], &e->args[i]));
    }
    *ret = e;
    return OK;
}

/* A parameter without a type may still get one elsewhere: IS NULL asks for none. */
static enum status null_test(struct scope *s, const struct ast_null_test *t, enum place place,
                             struct expr **ret)
{
    struct expr *e = bind__new(s, EXPR_NULL_TEST, TYPE_BOOL, t->node.location, 1);
    TRY(bind__expression(s, t->arg, place, &e->args[0]));
    if (e->args[0]->kind != EXPR_PARAM) TRY(bind__resolve_unknown(s, e->args[0], &e->args[0]));
    e->negated = t->is_not;
    *ret = e;
    return OK;
}

static enum status boolean_test(struct scope *s, const struct ast_boolean_test *t, enum place place,
                                struct expr **ret)
{
    static const char *const names[] = {"IS TRUE",      "IS NOT TRUE", "IS FALSE",
                                        "IS NOT FALSE", "IS UNKNOWN",  "IS NOT UNKNOWN"};
    struct expr *e = bind__new(s, EXPR_BOOLEAN_TEST, TYPE_BOOL, t->node.location, 1);
    TRY(bind__expression(s, t->arg, place, &e->args[0]));
    TRY(bind__coerce_boolean(s, e->args[0], names[t->test], &e->args[0]));
    e->boolean_test = (uint8_t)t->test;
    *ret = e;
    return OK;
}

/* --- casts, collations, rows ------------------------------------------------------------------ */

static enum status type_cast(struct scope *s, const struct ast_type_cast *c, enum place place,
                             struct expr **ret)
{
    type_id type;
    int32_t typmod;
    struct expr *e;
    int location = c->node.location >= 0 ? c->node.location : c->type->node.location;
    TRY(bind_type(s->env, c->type, &type, &typmod));
    /* Of numbers to bit(n) the whole array is cast: which bits are kept hangs on the length. */
    bool low_bits = type == TYPE_BIT_ARRAY && typmod >= 0;
    if (c->arg->kind == AST_ARRAY && type_is_array(type) &&
        (!low_bits || AST(c->arg, ast_array)->elements.count == 0))
        TRY(bind__array(s, AST(c->arg, ast_array), place, type, &e));
    else
        TRY(bind__expression(s, c->arg, place, &e));
    return bind__coerce(s, e, type, typmod, CAST_EXPLICIT, location, ret);
}

/* Strings compare bytewise here, whatever the collation is called. */
static enum status collate(struct scope *s, const struct ast_collate *c, enum place place,
                           struct expr **ret)
{
    static const char *const known[] = {"C", "POSIX", "default", "ucs_basic"};
    const char *name = c->name.items[c->name.count - 1];
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        found |= strcmp(name, known[i]) == 0;
    TRY(bind__expression(s, c->arg, place, ret));
    const struct type_info *t = type_get((*ret)->type);
    if ((*ret)->type != TYPE_UNKNOWN && (!t || t->category != 'S'))
        return bind__at(s, c->node.location,
                        FAIL(DATATYPE_MISMATCH, "collations are not supported by type %s",
                             bind__type_words(s, (*ret)->type)));
    if (found) return OK;
    size_t len = strlen(name);
    if (len > 6 && strcmp(name + len - 6, "-x-icu") == 0)
        return bind__at(s, c->node.location, UNSUPPORTED("collation \"%s\" is not supported", name));
    return bind__at(s, c->node.location,
                    FAIL(UNDEFINED_OBJECT,
                         "collation \"%s\" for encoding \"UTF8\" does not exist", name));
}

static enum status row(struct scope *s, const struct ast_row *r, enum place place,
                       struct expr **ret)
{
    ARRAY(struct expr *) items = {0};
    for (uint32_t i = 0; i < r->args.count; i++) {
        const struct ast *item = r->args.items[i];
        bool star = item->kind == AST_COLUMN_REF && AST(item, ast_column_ref)->star;
        if (star || bind__is_row_star(item)) {
            struct target *targets;
            uint32_t n;
            if (star) TRY(bind__expand_star(s, AST(item, ast_column_ref), &targets, &n));
            else TRY(bind__row_star(s, AST(item, ast_indirection), place, &targets, &n));
            for (uint32_t k = 0; k < n; k++) ARENA_PUSH(s->env->arena, &items, targets[k].expr);
            continue;
        }
        struct expr *e;
        TRY(bind__expression(s, item, place, &e));
        ARENA_PUSH(s->env->arena, &items, e);
    }
    if (items.count > TABLE_COLUMNS_MAX)
        return bind__at(s, r->node.location,
                        FAIL(TOO_MANY_COLUMNS, "ROW expressions can have at most %d entries",
                             TABLE_COLUMNS_MAX));
    struct expr *e = bind__new(s, EXPR_ROW, TYPE_RECORD, r->node.location, 0);
    e->args = items.data;
    e->arg_count = (uint32_t)items.count;
    *ret = e;
    return OK;
}

static struct expr *sql_value(struct scope *s, const struct ast_sql_value *v)
{
    static const type_id types[] = {
        [SQL_CURRENT_DATE] = TYPE_DATE,
        [SQL_CURRENT_TIME] = TYPE_TIMETZ,
        [SQL_CURRENT_TIMESTAMP] = TYPE_TIMESTAMPTZ,
        [SQL_LOCALTIME] = TYPE_TIME,
        [SQL_LOCALTIMESTAMP] = TYPE_TIMESTAMP,
        [SQL_CURRENT_ROLE] = TYPE_NAME,
        [SQL_CURRENT_USER] = TYPE_NAME,
        [SQL_USER] = TYPE_NAME,
        [SQL_SESSION_USER] = TYPE_NAME,
        [SQL_CURRENT_CATALOG] = TYPE_NAME,
        [SQL_CURRENT_SCHEMA] = TYPE_NAME,
    };
    struct expr *e = bind__new(s, EXPR_SQL_VALUE, types[v->value], v->node.location, 0);
    e->typmod = v->typmod;
    e->sql_value = (uint8_t)v->value;
    return e;
}

static enum status grouping(struct scope *s, const struct ast_grouping_func *g, enum place place,
                            struct expr **ret)
{
    struct expr *e = bind__new(s, EXPR_GROUPING, TYPE_INT4, g->node.location, g->args.count);
    if (g->args.count > 31)
        return bind__at(s, g->node.location,
                        FAIL(TOO_MANY_ARGUMENTS, "GROUPING must have fewer than 32 arguments"));
    for (uint32_t i = 0; i < g->args.count; i++)
        TRY(bind__expression(s, g->args.items[i], place, &e->args[i]));
    return bind__place_aggregate(s, e, place, "grouping operations", ret);
}

/* --- the dispatch ----------------------------------------------------------------------------- */

static enum status bind_any(struct scope *s, const struct ast *a, enum place place,
                            struct expr **ret)
{
    switch (a->kind) {
    case AST_COLUMN_REF: return bind__column_ref(s, AST(a, ast_column_ref), place, ret);
    case AST_OPERATOR: return bind__ast_operator(s, AST(a, ast_operator), place, ret);
    case AST_BOOL: return boolean(s, AST(a, ast_bool), place, ret);
    case AST_NULL_TEST: return null_test(s, AST(a, ast_null_test), place, ret);
    case AST_BOOLEAN_TEST: return boolean_test(s, AST(a, ast_boolean_test), place, ret);
    case AST_CASE: return bind__case(s, AST(a, ast_case), place, ret);
    case AST_COALESCE: return bind__coalesce(s, AST(a, ast_coalesce), place, ret);
    case AST_MIN_MAX: return bind__min_max(s, AST(a, ast_min_max), place, ret);
    case AST_FUNCTION: return bind__call(s, AST(a, ast_function), place, ret);
    case AST_TYPE_CAST: return type_cast(s, AST(a, ast_type_cast), place, ret);
    case AST_COLLATE: return collate(s, AST(a, ast_collate), place, ret);
    case AST_SUBLINK: return bind__sublink(s, AST(a, ast_sublink), place, ret);
    case AST_ARRAY: return bind__array(s, AST(a, ast_array), place, TYPE_NONE, ret);
    case AST_ROW: return row(s, AST(a, ast_row), place, ret);
    case AST_INDIRECTION: return bind__indirection(s, AST(a, ast_indirection), place, ret);
    case AST_GROUPING_FUNC: return grouping(s, AST(a, ast_grouping_func), place, ret);
    case AST_SET_TO_DEFAULT:
        return bind__at(s, a->location,
                        FAIL(SYNTAX_ERROR, "DEFAULT is not allowed in this context"));
    default:
        return bind__at(s, a->location,
                        UNSUPPORTED("this expression is not supported"));
    }
}

enum status bind__expression(struct scope *s, const struct ast *ast, enum place place,
                             struct expr **ret)
{
    switch (ast->kind) {
    case AST_CONST: return constant(s, AST(ast, ast_const), ret);
    case AST_PARAM: return param(s, AST(ast, ast_param), ret);
    case AST_SQL_VALUE: *ret = sql_value(s, AST(ast, ast_sql_value)); return OK;
    default: break;
    }
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    return bind_any(s, ast, place, ret);
}

enum status bind__condition(struct scope *s, const struct ast *ast, enum place place,
                            const char *construct, struct expr **ret)
{
    struct expr *e;
    TRY(bind__expression(s, ast, place, &e));
    return bind__coerce_boolean(s, e, construct, ret);
}

/* --- stored expressions ----------------------------------------------------------------------- */

static const char *words_for(const char *what)
{
    static const char *const words[][2] = {
        {"DEFAULT", "DEFAULT expressions"},
        {"CHECK", "check constraints"},
        {"GENERATED", "column generation expressions"},
        {"INDEX", "index expressions"},
        {"INDEX PREDICATE", "index predicates"},
        {"USING", "transform expressions"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(what, words[i][0]) == 0) return words[i][1];
    return strncmp(what, "parameter ", 10) == 0 ? "EXECUTE parameters" : what;
}

static enum status fit_stored(struct scope *s, struct expr *e, type_id type, int32_t typmod,
                              const char *what, struct expr **ret)
{
    if (strcmp(what, "CHECK") == 0) return bind__coerce_boolean(s, e, what, ret);
    if (strcmp(what, "index predicates") == 0) return bind__coerce_boolean(s, e, "WHERE", ret);
    if (type == TYPE_NONE) return bind__resolve_unknown(s, e, ret);
    enum status code = bind__coerce(s, e, type, typmod, CAST_ASSIGNMENT, -1, ret);
    if (code != CANNOT_COERCE) return code;
    /* EXECUTE's words hold the parameter's number. */
    FAIL(DATATYPE_MISMATCH, "%s of type %s cannot be coerced to the expected type %s",
         strncmp(what, "parameter ", 10) == 0 ? what : "expression",
         bind__type_words(s, e->type), bind__type_words(s, type));
    error_hint("You will need to rewrite or cast the expression.");
    return bind__at(s, e->location, DATATYPE_MISMATCH);
}

enum status bind_expression(struct bind_env *env, const struct ast *ast, type_id type,
                            int32_t typmod, const char *what, struct expr **ret,
                            struct query **ret_query)
{
    struct scope s;
    struct expr *e;
    bind__scope_init(&s, env, NULL);
    struct query *q = bind__query_new(&s, CMD_SELECT);
    s.place = PLACE_STORED;
    s.what = words_for(what);
    if (env->self_table) {
        struct relation *r = bind__relation_of_table(env, env->self_table, NULL);
        (void)bind__add_relation(&s, r, true, true);
        s.names.data[0].lateral_only = false;
    }
    TRY(bind__expression(&s, ast, PLACE_STORED, &e));
    TRY(fit_stored(&s, e, type, typmod, what, ret));
    *ret_query = q;
    return OK;
}
