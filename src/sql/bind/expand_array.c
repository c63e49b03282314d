/* information_schema._pg_expandarray, the one function that gives rows and is no function of the
 * catalog: drivers read the columns of a key with it. */
#include "sql/bind/query_priv.h"

static struct expr *call_of(struct scope *s, const char *name, struct ast *arg, struct ast *more,
                            enum place place, int location, enum status *ret)
{
    const char **names = ARENA_ARRAY(s->env->arena, const char *, 2);
    struct ast **args = ARENA_ARRAY(s->env->arena, struct ast *, 2);
    struct expr *e = NULL;
    names[0] = "pg_catalog";
    names[1] = name;
    args[0] = arg;
    args[1] = more;
    struct ast_function call = {.node = {AST_FUNCTION, location}, .name = {names, 2},
                                .args = {args, more ? 2 : 1}};
    if (*ret == OK) *ret = bind__call(s, &call, place, &e);
    return e;
}

bool bind__is_expand_array(const struct ast_function *f)
{
    return f->name.count == 2 && f->args.count == 1 && !f->over && !f->star &&
           strcmp(f->name.items[0], "information_schema") == 0 &&
           strcmp(f->name.items[1], "_pg_expandarray") == 0;
}

/* Elements as x, their positions from 1 as n. */
enum status bind__expand_array(struct scope *s, const struct ast_function *f, enum place place,
                               struct expr **ret)
{
    static const char *const names[] = {"x", "n"};
    struct ast *arg = f->args.items[0];
    struct ast_const first = {.node = {AST_CONST, -1}, .type = CONST_INT, .ival = 1};
    int location = f->node.location;
    enum status st = OK;
    struct expr *x = call_of(s, "unnest", arg, NULL, place, location, &st);
    struct expr *n = call_of(s, "generate_subscripts", arg, &first.node, place, location, &st);
    struct expr *lower = call_of(s, "array_lower", arg, &first.node, place, location, &st);
    TRY(st);
    struct expr *one = bind__new(s, EXPR_CONST, TYPE_INT4, -1, 0);
    one->constant.v.i32 = 1;
    TRY(bind__apply_operator(s, "-", n, lower, location, &n));
    TRY(bind__apply_operator(s, "+", n, one, location, &n));
    struct expr *row = bind__new(s, EXPR_ROW, TYPE_RECORD, location, 2);
    row->args[0] = x;
    row->args[1] = n;
    row->row_names = names;
    *ret = row;
    return OK;
}
