/* What syntax makes of operators: rows, IN, BETWEEN, IS DISTINCT FROM, NULLIF, ANY and ALL.
 *
 * Rows compare column by column: (a, b) = (c, d) is a = c AND b = d, and (a, b) < (c, d) is
 * a < c OR (a = c AND b < d), which is NULL in just the cases where the standard wants it. Bound
 * operands that are used twice are shared between the uses: bound trees do not change. */
#include "sql/bind/resolve_priv.h"
#include "types/record.h"

struct expr *bind__bool(struct scope *s, enum bool_op op, struct expr **args, uint32_t count,
                        int location)
{
    if (count == 1 && op != BOOL_NOT) return args[0];
    struct expr *e = bind__new(s, EXPR_BOOL, TYPE_BOOL, location, count);
    e->bool_op = (uint8_t)op;
    memcpy(e->args, args, count * sizeof *args);
    return e;
}

static struct expr *negate(struct scope *s, struct expr *e, int location)
{
    return bind__bool(s, BOOL_NOT, &e, 1, location);
}

/* --- rows ------------------------------------------------------------------------------------- */

static enum status boolean_operator(struct scope *s, const char *name, struct expr *left,
                                    struct expr *right, int location, struct expr **ret)
{
    TRY(bind__apply_operator(s, name, left, right, location, ret));
    if ((*ret)->type == TYPE_BOOL) return OK;
    return bind__at(s, location,
                    FAIL(DATATYPE_MISMATCH,
                         "row comparison operator must yield type boolean, not type %s",
                         bind__type_words(s, (*ret)->type)));
}

/* name is one of < <= > >=. From the last column backwards. */
static enum status row_order(struct scope *s, const char *name, struct expr *left,
                             struct expr *right, int location, struct expr **ret)
{
    const char strict[2] = {name[0], '\0'};
    uint32_t n = left->arg_count;
    if (n > CALL_ARGS_MAX)
        return bind__at(s, location,
                        FAIL(TOO_MANY_COLUMNS, "rows of more than %d columns cannot be ordered",
                             CALL_ARGS_MAX));
    TRY(boolean_operator(s, name, left->args[n - 1], right->args[n - 1], location, ret));
    for (uint32_t i = n - 1; i-- > 0;) {
        struct expr *less, *tie[2], *either[2];
        TRY(boolean_operator(s, strict, left->args[i], right->args[i], location, &less));
        TRY(boolean_operator(s, "=", left->args[i], right->args[i], location, &tie[0]));
        tie[1] = *ret;
        either[0] = less;
        either[1] = bind__bool(s, BOOL_AND, tie, 2, location);
        *ret = bind__bool(s, BOOL_OR, either, 2, location);
    }
    return OK;
}

static enum status check_widths(struct scope *s, const struct expr *left, const struct expr *right,
                                int location)
{
    if (left->arg_count != right->arg_count)
        return bind__at(s, location,
                        FAIL(SYNTAX_ERROR, "unequal number of entries in row expressions"));
    if (left->arg_count == 0)
        return bind__at(s, location,
                        FAIL(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length"));
    return OK;
}

static enum status row_compare(struct scope *s, const char *name, struct expr *left,
                               struct expr *right, int location, struct expr **ret)
{
    uint32_t n = left->arg_count;
    TRY(check_widths(s, left, right, location));
    bool equal = strcmp(name, "=") == 0;
    if (equal || strcmp(name, "<>") == 0 || n == 1) {
        struct expr **parts = ARENA_ARRAY(s->env->arena, struct expr *, n);
        for (uint32_t i = 0; i < n; i++)
            TRY(boolean_operator(s, name, left->args[i], right->args[i], location, &parts[i]));
        *ret = bind__bool(s, equal ? BOOL_AND : BOOL_OR, parts, n, location);
        return OK;
    }
    if (strcmp(name, "<") == 0 || strcmp(name, "<=") == 0 || strcmp(name, ">") == 0 ||
        strcmp(name, ">=") == 0)
        return row_order(s, name, left, right, location, ret);
    TRY(boolean_operator(s, name, left->args[0], right->args[0], location, ret));
    FAIL(FEATURE_NOT_SUPPORTED, "could not determine interpretation of row comparison operator %s",
         name);
    error_hint("Row comparison operators must be associated with btree operator families.");
    return bind__at(s, location, FEATURE_NOT_SUPPORTED);
}

enum status bind__compare(struct scope *s, const char *name, struct expr *left, struct expr *right,
                          int location, struct expr **ret)
{
    if (left && bind__is_row_syntax(left) && bind__is_row_syntax(right))
        return row_compare(s, name, left, right, location, ret);
    return bind__apply_operator(s, name, left, right, location, ret);
}

/* --- IS DISTINCT FROM, NULLIF ----------------------------------------------------------------- */

static bool is_null_constant(const struct ast *a)
{
    return a->kind == AST_CONST && AST(a, ast_const)->type == CONST_NULL;
}

static enum status equality_as(struct scope *s, enum expr_kind kind, const char *words,
                               struct expr *left, struct expr *right, int location,
                               struct expr **ret)
{
    TRY(bind__apply_operator(s, "=", left, right, location, ret));
    if ((*ret)->type != TYPE_BOOL)
        return bind__at(s, location,
                        FAIL(DATATYPE_MISMATCH, "%s requires = operator to yield boolean", words));
    (*ret)->kind = (uint8_t)kind;
    if (kind == EXPR_NULLIF) {
        (*ret)->type = (*ret)->args[0]->type;
        (*ret)->typmod = (*ret)->args[0]->typmod;
    }
    return OK;
}

static enum status is_distinct(struct scope *s, struct expr *left, struct expr *right, int location,
                               struct expr **ret)
{
    if (!bind__is_row_syntax(left) || !bind__is_row_syntax(right))
        return equality_as(s, EXPR_DISTINCT, "IS DISTINCT FROM", left, right, location, ret);
    uint32_t n = left->arg_count;
    TRY(check_widths(s, left, right, location));
    struct expr **parts = ARENA_ARRAY(s->env->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++)
        TRY(equality_as(s, EXPR_DISTINCT, "IS DISTINCT FROM", left->args[i], right->args[i],
                        location, &parts[i]));
    *ret = bind__bool(s, BOOL_OR, parts, n, location);
    return OK;
}

static enum status bind_distinct(struct scope *s, const struct ast_operator *o, struct expr *left,
                                 struct expr *right, struct expr **ret)
{
    int location = o->node.location;
    bool negated = o->form == OPER_NOT_DISTINCT;
    if (is_null_constant(o->left) || is_null_constant(o->right)) {
        struct expr *e = bind__new(s, EXPR_NULL_TEST, TYPE_BOOL, location, 1);
        TRY(bind__resolve_unknown(s, is_null_constant(o->right) ? left : right, &e->args[0]));
        e->negated = !negated;
        e->as_whole = true;
        *ret = e;
        return OK;
    }
    TRY(is_distinct(s, left, right, location, ret));
    if (negated) *ret = negate(s, *ret, location);
    return OK;
}

/* --- IN --------------------------------------------------------------------------------------- */

static bool no_column(void *ctx, const struct expr *e)
{
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) return false;
    return expr_walk(e, no_column, ctx);
}

/* Items without columns of this level, when they have a type in common, are one list; NOT IN is one
 * whose operator is <>. */
static enum status in_list(struct scope *s, struct expr *left, struct expr **items, uint32_t n,
                           bool negated, int location, struct expr **ret)
{
    struct expr **all = ARENA_ARRAY(s->env->arena, struct expr *, n + 1);
    const struct operator_def *op;
    type_id type;
    *ret = NULL;
    all[0] = left;
    memcpy(all + 1, items, n * sizeof *items);
    for (uint32_t i = 0; i <= n; i++)
        if (type_is_composite(all[i]->type)) return OK;
    if (bind__common_type(s, all, n + 1, "IN", &type) != OK) {
        error_clear();
        return OK;
    }
    for (uint32_t i = 0; i <= n; i++)
        if (!bind__can_coerce(all[i]->type, type, CAST_IMPLICIT)) return OK;
    TRY(bind__find_operator(s, negated ? "<>" : "=", left->type, type, location, &op));
    type_id given[2] = {left->type, type}, declared[2] = {op->left, op->right}, result = op->result;
    TRY(bind__at(s, location, bind__resolve_polymorphic(s, given, declared, 2, &result)));
    struct expr *e = bind__new(s, EXPR_IN_LIST, TYPE_BOOL, location, n + 1);
    e->call.op = op;
    e->call.proc = proc_by_oid(op->proc);
    TRY(bind__coerce(s, left, declared[0], -1, CAST_IMPLICIT, -1, &e->args[0]));
    for (uint32_t i = 0; i < n; i++) {
        struct expr *item;
        TRY(bind__coerce_common(s, items[i], type, "IN", &item));
        TRY(bind__coerce(s, item, declared[1], -1, CAST_IMPLICIT, -1, &e->args[i + 1]));
    }
    *ret = e;
    return OK;
}

static enum status bind_in(struct scope *s, const struct ast_operator *o, enum place place,
                           struct expr **ret)
{
    const struct ast_list *list = &AST(o->right, ast_list_node)->items;
    bool negated = strcmp(o->name.items[o->name.count - 1], "<>") == 0;
    int location = o->node.location;
    struct expr *left, **plain = ARENA_ARRAY(s->env->arena, struct expr *, list->count + 1);
    struct expr **single = ARENA_ARRAY(s->env->arena, struct expr *, list->count + 1);
    uint32_t plain_count = 0, single_count = 0, parts_count = 0;
    TRY(bind__expression(s, o->left, place, &left));
    for (uint32_t i = 0; i < list->count; i++) {
        struct expr *item;
        TRY(bind__expression(s, list->items[i], place, &item));
        if (no_column(NULL, item)) plain[plain_count++] = item;
        else single[single_count++] = item;
    }
    struct expr **parts = ARENA_ARRAY(s->env->arena, struct expr *, list->count + 1), *whole = NULL;
    if (plain_count > 1)
        TRY(in_list(s, left, plain, plain_count, negated, location, &whole));
    if (whole) parts[parts_count++] = whole;
    for (uint32_t i = 0; !whole && i < plain_count; i++)
        TRY(bind__compare(s, negated ? "<>" : "=", left, plain[i], location,
                          &parts[parts_count++]));
    for (uint32_t i = 0; i < single_count; i++)
        TRY(bind__compare(s, negated ? "<>" : "=", left, single[i], location,
                          &parts[parts_count++]));
    for (uint32_t i = 0; i < parts_count; i++)
        TRY(bind__coerce_boolean(s, parts[i], "IN", &parts[i]));
    *ret = bind__bool(s, negated ? BOOL_AND : BOOL_OR, parts, parts_count, location);
    return OK;
}

/* --- BETWEEN ---------------------------------------------------------------------------------- */

static enum status range(struct scope *s, struct expr *x, struct expr *low, struct expr *high,
                         bool negated, int location, struct expr **ret)
{
    struct expr *parts[2];
    TRY(bind__compare(s, negated ? "<" : ">=", x, low, location, &parts[0]));
    TRY(bind__compare(s, negated ? ">" : "<=", x, high, location, &parts[1]));
    for (int i = 0; i < 2; i++)
        TRY(bind__coerce_boolean(s, parts[i], negated ? "OR" : "AND", &parts[i]));
    *ret = bind__bool(s, negated ? BOOL_OR : BOOL_AND, parts, 2, location);
    return OK;
}

static enum status bind_between(struct scope *s, const struct ast_operator *o, enum place place,
                                struct expr **ret)
{
    const struct ast_list *list = &AST(o->right, ast_list_node)->items;
    bool negated = o->form == OPER_NOT_BETWEEN || o->form == OPER_NOT_BETWEEN_SYM;
    struct expr *x, *a, *b, *parts[2];
    int location = o->node.location;
    TRY(bind__expression(s, o->left, place, &x));
    TRY(bind__expression(s, list->items[0], place, &a));
    TRY(bind__expression(s, list->items[1], place, &b));
    if (o->form == OPER_BETWEEN || o->form == OPER_NOT_BETWEEN)
        return range(s, x, a, b, negated, location, ret);
    TRY(range(s, x, a, b, negated, location, &parts[0]));
    TRY(range(s, x, b, a, negated, location, &parts[1]));
    *ret = bind__bool(s, negated ? BOOL_AND : BOOL_OR, parts, 2, location);
    return OK;
}

/* --- all forms -------------------------------------------------------------------------------- */

static enum status bind_plain(struct scope *s, const struct ast_operator *o, struct expr *left,
                              struct expr *right, struct expr **ret)
{
    if (left && bind__is_row_syntax(left) && bind__is_row_syntax(right))
        return row_compare(s, o->name.items[o->name.count - 1], left, right, o->node.location, ret);
    return bind__operator(s, &o->name, left, right, o->node.location, ret);
}

enum status bind__ast_operator(struct scope *s, const struct ast_operator *o, enum place place,
                               struct expr **ret)
{
    const char *name = o->name.items[o->name.count - 1];
    struct expr *left = NULL, *right;
    switch (o->form) {
    case OPER_IN: return bind_in(s, o, place, ret);
    case OPER_BETWEEN:
    case OPER_NOT_BETWEEN:
    case OPER_BETWEEN_SYM:
    case OPER_NOT_BETWEEN_SYM: return bind_between(s, o, place, ret);
    default: break;
    }
    if (o->left) TRY(bind__expression(s, o->left, place, &left));
    if (left && bind__is_row_syntax(left) && o->form == OPER_PLAIN &&
        o->right->kind == AST_SUBLINK && AST(o->right, ast_sublink)->type == SUBLINK_SCALAR)
        return bind__row_sublink(s, name, left, AST(o->right, ast_sublink), place,
                                 o->node.location, ret);
    TRY(bind__expression(s, o->right, place, &right));
    switch (o->form) {
    case OPER_ANY:
    case OPER_ALL:
        return bind__array_operator(s, name, o->form == OPER_ALL, left, right, o->node.location,
                                    ret);
    case OPER_DISTINCT:
    case OPER_NOT_DISTINCT: return bind_distinct(s, o, left, right, ret);
    case OPER_NULLIF:
        return equality_as(s, EXPR_NULLIF, "NULLIF", left, right, o->node.location, ret);
    default: return bind_plain(s, o, left, right, ret);
    }
}
