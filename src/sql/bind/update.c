/* UPDATE, and SET lists wherever they stand (DO UPDATE too). A row of columns set from a subquery
 * is taken apart: each column reads its column of the subquery as one in FROM, so that any subquery
 * will do, whatever its clauses. */
#include "sql/bind/view_target_priv.h"

/* Column `i` of SET (a, b, …) = (SELECT …): (SELECT c_i FROM (SELECT …) AS s(c_1 … c_i)). */
static struct ast *column_of_subquery(struct scope *s, const struct ast_sublink *source, uint32_t i)
{
    struct arena *a = s->env->arena;
    struct ast_select *select = ARENA_NEW(a, struct ast_select);
    struct ast_range_subselect *from = ARENA_NEW(a, struct ast_range_subselect);
    struct ast_target *target = ARENA_NEW(a, struct ast_target);
    struct ast_column_ref *ref = ARENA_NEW(a, struct ast_column_ref);
    struct ast_sublink *link = arena_memdup(a, source, sizeof *source);
    struct ast **lists = ARENA_ARRAY(a, struct ast *, 2);
    from->node = (struct ast){AST_RANGE_SUBSELECT, source->node.location};
    from->select = source->select;
    from->alias.name = "source";
    from->alias.columns.items = ARENA_ARRAY(a, const char *, i + 1);
    from->alias.columns.count = i + 1;
    for (uint32_t k = 0; k <= i; k++)
        from->alias.columns.items[k] = arena_printf(a, "column%u", k + 1);
    ref->node = (struct ast){AST_COLUMN_REF, source->node.location};
    ref->names = (struct name_list){&from->alias.columns.items[i], 1};
    target->node = (struct ast){AST_TARGET, source->node.location};
    target->value = &ref->node;
    lists[0] = &target->node;
    lists[1] = &from->node;
    select->node = (struct ast){AST_SELECT, source->node.location};
    select->targets = (struct ast_list){&lists[0], 1};
    select->from = (struct ast_list){&lists[1], 1};
    link->select = &select->node;
    return &link->node;
}

static enum status wrong_count(struct scope *s, int location)
{
    return bind__at(s, location,
                    FAIL(SYNTAX_ERROR, "number of columns does not match number of values"));
}

static enum status from_subquery(struct scope *s, const struct ast_target *t, struct expr **ret)
{
    const struct ast_sublink *source = AST(t->value, ast_sublink);
    uint32_t i = (uint32_t)t->multi_index - 1, width = 0;
    TRY(bind__expression(s, column_of_subquery(s, source, i), PLACE_UPDATE, ret));
    ASSERT((*ret)->kind == EXPR_SUBQUERY);
    width = (*ret)->subquery.query->relations[0]->column_count;
    if (width != (uint32_t)t->multi_count) return wrong_count(s, source->node.location);
    return OK;
}

static enum status bind_value(struct scope *s, const struct ast_target *t,
                              const struct ast **ret_ast, struct expr **ret)
{
    const struct ast *value = t->value;
    *ret = NULL;
    if (t->multi_count) {
        const struct ast_row *row = AST(value, ast_row);
        const struct ast_sublink *link = AST(value, ast_sublink);
        if (value->kind == AST_SUBLINK && link->type == SUBLINK_SCALAR) {
            *ret_ast = value;
            return from_subquery(s, t, ret);
        }
        if (value->kind != AST_ROW)
            return bind__at(s, value->location,
                            FAIL(FEATURE_NOT_SUPPORTED,
                                 "source for a multiple-column UPDATE item must "
                                 "be a sub-SELECT or ROW() expression"));
        if (row->args.count != (uint32_t)t->multi_count) return wrong_count(s, value->location);
        value = row->args.items[t->multi_index - 1];
    }
    *ret_ast = value;
    if (value->kind == AST_SET_TO_DEFAULT) return OK;
    return bind__expression(s, value, PLACE_UPDATE, ret);
}

/* *ret_before: what was assigned to parts of the column before; NULL: nothing. */
static enum status check_column(struct scope *s, const struct ast_target *t, const bool *by_parts,
                                uint32_t *ret, struct assignment **ret_before)
{
    *ret_before = NULL;
    struct query *q = s->query;
    uint32_t c;
    TRY(bind__target_column(s, t->name, t->node.location, &c));
    for (uint32_t i = 0; i < q->assignment_count; i++) {
        if (q->assignments[i].column != c) continue;
        if (!t->step_count || !by_parts[i])
            return FAIL(SYNTAX_ERROR, "multiple assignments to same column \"%s\"",
                        q->table->columns[c].name);
        *ret_before = &q->assignments[i];
    }
    *ret = c;
    return OK;
}

/* Of the column, of the row that is changed. */
static struct expr *present_value(struct scope *s, const struct ast_target *t,
                                  const struct column_def *column)
{
    const struct relation *r = s->query->relations[0];
    uint32_t i = 0;
    while (i + 1 < r->column_count && r->columns[i].attnum != column->number) i++;
    return bind__column(s, 0, i, t->node.location);
}

static enum status assign_subscript(struct scope *s, const struct ast_target *t,
                                    const struct column_def *column, struct expr *document,
                                    struct expr *e, struct expr **ret)
{
    if (!e)
        return bind__at(s, t->node.location,
                        FAIL(FEATURE_NOT_SUPPORTED, "cannot set an array element to DEFAULT"));
    enum status code = bind__coerce(s, e, column->type, -1, CAST_ASSIGNMENT, -1, &e);
    if (code == OK) return bind__json_assignment(s, document, t->steps, t->step_count, e, ret);
    if (code != CANNOT_COERCE) return code;
    FAIL(DATATYPE_MISMATCH,
         "subscripted assignment to \"%s\" requires type %s but expression is of type %s", t->name,
         bind__type_words(s, column->type), bind__type_words(s, e->type));
    error_hint("You will need to rewrite or cast the expression.");
    return bind__at(s, t->node.location, DATATYPE_MISMATCH);
}

/* A part of a column is set: the column becomes `document`, what it is or what the parts set before made of it, with
 * that part. */
static enum status assign_part(struct scope *s, const struct ast_target *t,
                               const struct column_def *column, struct expr *document,
                               struct expr *e, struct expr **ret)
{
    if (column->type == TYPE_JSONB) return assign_subscript(s, t, column, document, e, ret);
    return bind__assign_field(s, t, document, e, ret);
}

static enum status only_default(const struct column_def *c)
{
    (void)FAIL(GENERATED_ALWAYS, "column \"%s\" can only be updated to DEFAULT", c->name);
    if (c->generated) return error_detail("Column \"%s\" is a generated column.", c->name);
    return error_detail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.",
                        c->name);
}

static bool says_default(const struct ast_target *t)
{
    const struct ast *value = t->value;
    if (t->multi_count && value->kind == AST_ROW)
        value = AST(value, ast_row)->args.items[t->multi_index - 1];
    return value->kind == AST_SET_TO_DEFAULT;
}

enum status bind__assignments(struct scope *s, const struct ast_list *targets)
{
    struct query *q = s->query;
    bool *by_parts = ARENA_ARRAY(s->env->arena, bool, targets->count + 1);
    q->assignments = ARENA_ARRAY(s->env->arena, struct assignment, targets->count);
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct ast_target *t = AST(targets->items[i], ast_target);
        const struct ast *value;
        struct assignment *before;
        struct expr *e;
        uint32_t c;
        TRY(bind_value(s, t, &value, &e));
        TRY(check_column(s, t, by_parts, &c, &before));
        const struct column_def *column = &q->table->columns[c];
        if (t->step_count) {
            struct expr *document = before ? before->expr : present_value(s, t, column);
            TRY(assign_part(s, t, column, document, e, &e));
            if (before) before->expr = e;
            if (before) continue;
            by_parts[q->assignment_count] = true;
        } else if (e) {
            TRY(bind_coerce_assignment(s->env, e, column->type, column->typmod, column->name, &e));
        } else if (column->generated) {
            continue; /* SET x = DEFAULT: it is computed anyway */
        } else {
            TRY(bind__default(s, q->table, c, &e));
        }
        q->assignments[q->assignment_count++] = (struct assignment){c, e};
    }
    return OK;
}

enum status bind__check_assignments(const struct scope *s, const struct ast_list *targets)
{
    const struct table_def *table = s->query->table;
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct ast_target *t = AST(targets->items[i], ast_target);
        uint32_t at;
        TRY(bind__target_column(s, t->name, t->node.location, &at));
        const struct column_def *c = &table->columns[at];
        if ((c->generated || c->identity == 'a') && !says_default(t)) return only_default(c);
    }
    return OK;
}

enum status bind__update(struct bind_env *env, const struct ast_update *ast, struct scope *parent,
                         struct query **ret)
{
    struct scope s;
    uint32_t relation;
    bind__scope_init(&s, env, parent);
    struct query *q = bind__query_new(&s, CMD_UPDATE);
    TRY(bind__with(&s, &ast->with));
    TRY(bind__target_table(&s, ast->table, true, &relation));
    TRY(bind__from(&s, &ast->from));
    if (ast->where) TRY(bind__condition(&s, ast->where, PLACE_WHERE, "WHERE", &q->where));
    q->where = bind__with_view(&s, q->where);
    TRY(bind__returning(&s, &ast->returning));
    TRY(bind__assignments(&s, &ast->targets));
    TRY(bind__check_assignments(&s, &ast->targets));
    TRY(bind__table_rules(&s, q->table, false));
    *ret = q;
    return bind__foreign_keys(&s);
}
