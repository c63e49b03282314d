/* Expressions of several values of one type: CASE, COALESCE, GREATEST and LEAST, ARRAY[…]; and what
 * takes such values apart: subscripts and fields. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"
#include "types/array.h"

/* --- CASE ------------------------------------------------------------------------------------- */

static enum status case_operand(struct scope *s, const struct ast_case *c, enum place place,
                                struct expr **ret)
{
    *ret = NULL;
    if (!c->arg) return OK;
    TRY(bind__expression(s, c->arg, place, ret));
    return bind__resolve_unknown(s, *ret, ret);
}

/* Into args: condition, result, condition, result … else. */
static enum status case_parts(struct scope *s, const struct ast_case *c, enum place place,
                              struct expr **args)
{
    struct expr *operand;
    TRY(case_operand(s, c, place, &operand));
    for (uint32_t i = 0; i < c->when_count; i++) {
        const struct ast_when *w = &c->whens[i];
        struct expr *condition;
        TRY(bind__expression(s, w->condition, place, &condition));
        if (operand) TRY(bind__compare(s, "=", operand, condition, w->location, &condition));
        TRY(bind__coerce_boolean(s, condition, "CASE/WHEN", &args[2 * i]));
        TRY(bind__expression(s, w->result, place, &args[2 * i + 1]));
    }
    struct expr **last = &args[2 * c->when_count];
    if (c->otherwise) return bind__expression(s, c->otherwise, place, last);
    *last = bind__new(s, EXPR_CONST, TYPE_UNKNOWN, -1, 0);
    (*last)->constant.null = true;
    return OK;
}

enum status bind__case(struct scope *s, const struct ast_case *c, enum place place,
                       struct expr **ret)
{
    uint32_t n = 2 * c->when_count + 1;
    struct expr *e = bind__new(s, EXPR_CASE, TYPE_NONE, c->node.location, n);
    struct expr **results = ARENA_ARRAY(s->env->arena, struct expr *, c->when_count + 1);
    TRY(case_parts(s, c, place, e->args));
    results[0] = e->args[n - 1];
    for (uint32_t i = 0; i < c->when_count; i++) results[i + 1] = e->args[2 * i + 1];
    TRY(bind__common_type(s, results, c->when_count + 1, "CASE", &e->type));
    TRY(bind__coerce_common(s, results[0], e->type, "CASE/ELSE", &e->args[n - 1]));
    results[0] = e->args[n - 1];
    for (uint32_t i = 0; i < c->when_count; i++) {
        TRY(bind__coerce_common(s, results[i + 1], e->type, "CASE/WHEN", &e->args[2 * i + 1]));
        results[i + 1] = e->args[2 * i + 1];
    }
    TRY(bind__no_sets(s, e->args, n, "CASE"));
    e->typmod = bind__common_typmod(results, c->when_count + 1);
    e->case_when.has_operand = c->arg != NULL;
    *ret = e;
    return OK;
}

/* --- COALESCE, GREATEST, LEAST ---------------------------------------------------------------- */

static enum status alike(struct scope *s, enum expr_kind kind, const char *construct,
                         const struct ast_list *args, enum place place, int location,
                         struct expr **ret)
{
    struct expr *e = bind__new(s, kind, TYPE_NONE, location, args->count);
    for (uint32_t i = 0; i < args->count; i++)
        TRY(bind__expression(s, args->items[i], place, &e->args[i]));
    TRY(bind__common_type(s, e->args, args->count, construct, &e->type));
    for (uint32_t i = 0; i < args->count; i++)
        TRY(bind__coerce_common(s, e->args[i], e->type, construct, &e->args[i]));
    e->typmod = bind__common_typmod(e->args, args->count);
    *ret = e;
    return OK;
}

enum status bind__coalesce(struct scope *s, const struct ast_coalesce *c, enum place place,
                           struct expr **ret)
{
    TRY(alike(s, EXPR_COALESCE, "COALESCE", &c->args, place, c->node.location, ret));
    return bind__no_sets(s, (*ret)->args, (*ret)->arg_count, "COALESCE");
}

enum status bind__min_max(struct scope *s, const struct ast_min_max *m, enum place place,
                          struct expr **ret)
{
    const char *construct = m->least ? "LEAST" : "GREATEST";
    TRY(alike(s, EXPR_MIN_MAX, construct, &m->args, place, m->node.location, ret));
    (*ret)->least = m->least;
    if (bind__btree_operator("<", (*ret)->type)) return OK;
    return bind__at(s, m->node.location,
                    FAIL(UNDEFINED_FUNCTION, "could not identify a comparison function for type %s",
                         bind__type_words(s, (*ret)->type)));
}

/* --- ARRAY[…] --------------------------------------------------------------------------------- */

/* Elements bound; *nested when one is an array itself. */
static enum status elements(struct scope *s, const struct ast_array *a, enum place place,
                            type_id wanted, struct expr **ret, bool *nested)
{
    *nested = false;
    for (uint32_t i = 0; i < a->elements.count; i++) {
        const struct ast *item = a->elements.items[i];
        if (item->kind == AST_ARRAY) {
            TRY(bind__array(s, AST(item, ast_array), place, wanted, &ret[i]));
            *nested = true;
            continue;
        }
        TRY(bind__expression(s, item, place, &ret[i]));
        type_id type = ret[i]->type;
        bool vector = type == TYPE_INT2VECTOR || type == TYPE_OIDVECTOR;
        if (type_is_array(type) && !vector) *nested = true;
    }
    return OK;
}

static enum status array_type(struct scope *s, type_id common, bool nested, int location,
                              type_id *ret)
{
    const struct type_info *t = type_get(common);
    *ret = nested && type_is_array(common) ? common : t ? t->array : (type_id)TYPE_NONE;
    if (*ret != TYPE_NONE) return OK;
    return bind__at(s, location,
                    FAIL(UNDEFINED_OBJECT, "could not find array type for data type %s",
                         bind__type_words(s, common)));
}

enum status bind__array(struct scope *s, const struct ast_array *a, enum place place,
                        type_id wanted, struct expr **ret)
{
    uint32_t n = a->elements.count;
    int location = a->node.location;
    bool nested;
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    struct expr *e = bind__new(s, EXPR_ARRAY, wanted, location, n);
    TRY(elements(s, a, place, wanted, e->args, &nested));
    *ret = e;
    if (wanted) {
        type_id each = nested ? wanted : type_get(wanted)->element;
        for (uint32_t i = 0; i < n; i++)
            TRY(bind__coerce(s, e->args[i], each, -1, CAST_EXPLICIT, -1, &e->args[i]));
        return OK;
    }
    if (n == 0) {
        FAIL(INDETERMINATE_DATATYPE, "cannot determine type of empty array");
        error_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].");
        return bind__at(s, location, INDETERMINATE_DATATYPE);
    }
    type_id common;
    TRY(bind__common_type(s, e->args, n, "ARRAY", &common));
    TRY(array_type(s, common, nested, location, &e->type));
    for (uint32_t i = 0; i < n; i++)
        TRY(bind__coerce_common(s, e->args[i], common, "ARRAY", &e->args[i]));
    return OK;
}

/* --- subscripts and fields -------------------------------------------------------------------- */

static enum status bind_index(struct scope *s, const struct ast *ast, enum place place,
                              struct expr **ret)
{
    struct expr *e;
    *ret = NULL;
    if (!ast) return OK;
    TRY(bind__expression(s, ast, place, &e));
    enum status code = bind__coerce(s, e, TYPE_INT4, -1, CAST_ASSIGNMENT, -1, ret);
    if (code != CANNOT_COERCE) return code;
    return bind__at(s, e->location,
                    FAIL(DATATYPE_MISMATCH, "array subscript must have type integer"));
}

/* Once one subscript is a slice, [n] means [1:n]. */
static enum status subscript(struct scope *s, struct expr *array, const struct ast_subscript *steps,
                             uint32_t n, enum place place, struct expr **ret)
{
    bool slice = false;
    if (array->type == TYPE_JSONB) return bind__json_subscript(s, array, steps, n, place, ret);
    for (uint32_t i = 0; i < n; i++) slice |= steps[i].slice;
    if (!type_is_array(array->type))
        return bind__at(s, array->location,
                        FAIL(DATATYPE_MISMATCH, "cannot subscript type %s because it does not "
                                                "support subscripting",
                             bind__type_words(s, array->type)));
    if (n > ARRAY_DIMS_MAX)
        return bind__at(s, array->location,
                        FAIL(PROGRAM_LIMIT_EXCEEDED,
                             "number of array dimensions (%u) exceeds the maximum allowed (%d)", n,
                             ARRAY_DIMS_MAX));
    type_id type = slice ? array->type : type_get(array->type)->element;
    struct expr *e = bind__new(s, EXPR_SUBSCRIPT, type, array->location, 1 + n * (slice ? 2 : 1));
    e->typmod = array->typmod;
    e->subscript.slice = slice;
    e->subscript.dims = n;
    e->args[0] = array;
    for (uint32_t i = 0; i < n; i++) {
        struct expr **at = &e->args[1 + i * (slice ? 2 : 1)];
        if (slice) {
            TRY(bind_index(s, steps[i].lower, place, at++));
            if (!steps[i].slice) {
                at[-1] = bind__new(s, EXPR_CONST, TYPE_INT4, -1, 0);
                at[-1]->constant.v.i32 = 1;
            }
        }
        TRY(bind_index(s, steps[i].upper, place, at));
    }
    *ret = e;
    return OK;
}

/* name[n], n a constant, is the byte n from 0 on. */
static enum status name_byte(struct scope *s, const struct ast_indirection *x, enum place place,
                             struct expr **ret)
{
    static const char *substr[] = {"pg_catalog", "substr"}, *text[] = {"pg_catalog", "text"},
                      *byte[] = {"pg_catalog", "char"};
    const struct ast *n = x->steps[0].upper;
    if (n->kind != AST_CONST || AST(n, ast_const)->type != CONST_INT)
        return bind__at(s, n->location,
                        UNSUPPORTED("this subscript of type name is not supported"));
    struct ast_const from = *AST(n, ast_const), one = *AST(n, ast_const);
    struct ast_type_name text_type = {.node = {AST_TYPE_NAME, -1}, .names = {text, 2}};
    struct ast_type_name byte_type = {.node = {AST_TYPE_NAME, -1}, .names = {byte, 2}};
    struct ast_type_cast as_text = {{AST_TYPE_CAST, x->node.location}, x->arg, &text_type};
    struct ast *args[] = {&as_text.node, &from.node, &one.node};
    struct ast_function call = {.node = {AST_FUNCTION, x->node.location}, .name = {substr, 2},
                                .args = {args, 3}};
    struct ast_type_cast as_byte = {{AST_TYPE_CAST, x->node.location}, &call.node, &byte_type};
    from.ival++;
    one.ival = 1;
    return bind__expression(s, &as_byte.node, place, ret);
}

enum status bind__indirection(struct scope *s, const struct ast_indirection *x, enum place place,
                              struct expr **ret)
{
    struct expr *e;
    TRY(bind__expression(s, x->arg, place, &e));
    if (e->type == TYPE_NAME && x->step_count == 1 && !x->steps[0].field && !x->steps[0].slice)
        return name_byte(s, x, place, ret);
    for (uint32_t i = 0; i < x->step_count;) {
        if (x->steps[i].field) {
            if (strcmp(x->steps[i].field, "*") == 0)
                return bind__at(s, e->location,
                                FAIL(FEATURE_NOT_SUPPORTED, "row expansion via \"*\" is not supported here"));
            TRY(bind__field(s, e, x->steps[i].field, &e));
            i++;
            continue;
        }
        uint32_t n = 0;
        while (i + n < x->step_count && !x->steps[i + n].field) n++;
        TRY(subscript(s, e, &x->steps[i], n, place, &e));
        i += n;
    }
    *ret = e;
    return OK;
}

bool bind__is_row_star(const struct ast *a)
{
    const struct ast_indirection *x = AST(a, ast_indirection);
    const char *last = a->kind == AST_INDIRECTION ? x->steps[x->step_count - 1].field : NULL;
    return last && strcmp(last, "*") == 0;
}

enum status bind__row_star(struct scope *s, const struct ast_indirection *x, enum place place,
                           struct target **ret, uint32_t *ret_count)
{
    struct ast_indirection row = *x;
    struct expr *e;
    row.step_count--;
    if (row.step_count) TRY(bind__indirection(s, &row, place, &e));
    else TRY(bind__expression(s, x->arg, place, &e));
    if (s->env->noting) /* what a view is kept as would change with the row */
        return bind__at(s, e->location,
                        FAIL(FEATURE_NOT_SUPPORTED,
                             "row expansion via \"*\" is not supported in a view"));
    return bind__fields(s, e, ret, ret_count);
}
