/* Columns of a subquery that are rows, and the one function that makes such: composite values do not
 * exist at run time, so they are taken apart while binding. What a query asks of such a column are its
 * fields, as in (keys).x: each becomes a column of the subquery, which no name means. */
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

/* Elements as x, their positions from 1 as n: what drivers read the columns of a key with. */
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

static bool can_spread(const struct query *q)
{
    if (q->command != CMD_SELECT || q->set_op != SETOP_NONE || q->distinct || q->has_group) return false;
    for (uint32_t i = 0; i < q->target_count; i++)
        if (q->targets[i].junk) return false;
    return true;
}

/* Adds the fields of the row to the subquery and to what the relation shows of it; the row as the
 * outer query sees it. */
static struct expr *spread(struct scope *level, uint32_t relation, const struct expr *row,
                           int location)
{
    struct arena *a = level->env->arena;
    struct relation *r = level->query->relations[relation];
    struct query *q = r->subquery;
    uint32_t had = r->column_count, n = row->arg_count;
    struct target *targets = ARENA_ARRAY(a, struct target, had + n);
    struct rel_column *columns = ARENA_ARRAY(a, struct rel_column, had + n);
    memcpy(targets, q->targets, had * sizeof *targets);
    memcpy(columns, r->columns, had * sizeof *columns);
    struct expr *out = bind__new(level, EXPR_ROW, TYPE_RECORD, location, n);
    const char **names = ARENA_ARRAY(a, const char *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct expr *e = row->args[i];
        names[i] = row->row_names ? row->row_names[i] : arena_printf(a, "f%u", i + 1);
        targets[had + i] = (struct target){.expr = row->args[i], .name = ""};
        columns[had + i] = (struct rel_column){.name = "", .type = e->type, .typmod = e->typmod};
    }
    q->targets = targets;
    q->target_count = had + n;
    r->columns = columns;
    r->column_count = had + n;
    for (uint32_t i = 0; i < n; i++) out->args[i] = bind__column(level, relation, had + i, location);
    out->row_names = names;
    return out;
}

struct expr *bind__record_column(struct scope *level, uint32_t relation, uint32_t column,
                                 int location)
{
    struct relation *r = level->query->relations[relation];
    if (r->kind != REL_SUBQUERY || !r->subquery || !can_spread(r->subquery)) return NULL;
    if (r->subquery->target_count != r->column_count) return NULL;
    struct target *t = &r->subquery->targets[column];
    if (t->expr->kind == EXPR_ROW) {
        r->records = r->records ? r->records : ARENA_ARRAY(level->env->arena, struct expr *,
                                                           TABLE_COLUMNS_MAX + 1);
        r->records[column] = spread(level, relation, t->expr, location);
        t = &r->subquery->targets[column];
        t->expr = bind__new(level, EXPR_CONST, TYPE_TEXT, -1, 0); /* nobody reads it any more */
        t->expr->constant.null = true;
    }
    return r->records ? r->records[column] : NULL;
}
