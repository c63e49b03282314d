/* VALUES: rows of expressions as a relation of its own, the columns of one type each. INSERT binds
 * its rows itself, each to the type of the table's column, and shares the relation. */
#include "sql/bind/query_priv.h"

void bind__values_relation(struct scope *s, struct expr ***rows, uint32_t row_count,
                           const struct rel_column *columns, uint32_t width)
{
    struct arena *a = s->env->arena;
    struct query *q = s->query;
    struct relation *r = ARENA_NEW(a, struct relation);
    ASSERT(q->relation_count == 0 && q->from_count == 0);
    r->kind = REL_VALUES;
    r->alias = "*VALUES*";
    r->values = rows;
    r->value_count = row_count;
    r->column_count = width;
    r->columns = ARENA_ARRAY(a, struct rel_column, width);
    for (uint32_t i = 0; i < width; i++) {
        r->columns[i] = columns[i];
        if (!r->columns[i].name) r->columns[i].name = arena_printf(a, "column%u", i + 1);
    }
    bind__add_relation(s, r, true, true);
    ARRAY_LAST(&s->names).lateral_only = false;
    q->from = ARENA_ARRAY(a, struct from_item *, 1);
    q->from[0] = ARENA_NEW(a, struct from_item);
    q->from[0]->kind = FROM_RELATION;
    q->from[q->from_count++]->relation = 0;
    q->targets = ARENA_ARRAY(a, struct target, width);
    q->target_count = width;
    for (uint32_t i = 0; i < width; i++) {
        q->targets[i].expr = bind__column(s, 0, i, -1);
        q->targets[i].name = r->columns[i].name;
    }
}

enum status bind__same_length(struct scope *s, const struct ast_select *ast, uint32_t row)
{
    const struct ast_list *own = &ast->values[row];
    if (own->count == ast->values[0].count) return OK;
    return bind__at(s, own->count ? own->items[0]->location : -1,
                    FAIL(SYNTAX_ERROR, "VALUES lists must all be the same length"));
}

/* One column of all rows to its common type. */
static enum status unify(struct scope *s, struct expr ***rows, uint32_t row_count, uint32_t column,
                         struct rel_column *ret)
{
    struct expr **items = ARENA_ARRAY(s->env->arena, struct expr *, row_count);
    type_id type;
    for (uint32_t i = 0; i < row_count; i++) items[i] = rows[i][column];
    int32_t typmod = bind__common_typmod(items, row_count);
    TRY(bind__common_type(s, items, row_count, "VALUES", &type));
    for (uint32_t i = 0; i < row_count; i++)
        TRY(bind__coerce_common(s, rows[i][column], type, "VALUES", &rows[i][column]));
    *ret = (struct rel_column){.type = type, .typmod = typmod};
    return OK;
}

enum status bind__values(struct scope *s, const struct ast_select *ast)
{
    struct arena *a = s->env->arena;
    uint32_t count = ast->value_row_count, width = ast->values[0].count;
    struct expr ***rows = ARENA_ARRAY(a, struct expr **, count);
    struct rel_column *columns = ARENA_ARRAY(a, struct rel_column, width);
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_list *own = &ast->values[i];
        rows[i] = ARENA_ARRAY(a, struct expr *, own->count);
        for (uint32_t k = 0; k < own->count; k++)
            TRY(bind__expression(s, own->items[k], PLACE_VALUES, &rows[i][k]));
        TRY(bind__same_length(s, ast, i));
    }
    for (uint32_t k = 0; k < width; k++) TRY(unify(s, rows, count, k, &columns[k]));
    bind__values_relation(s, rows, count, columns, width);
    return OK;
}
