/* SET a.b = …: the column gets its row as it is, with one field another. Several assignments to fields of
 * one column build upon each other. */
#include "sql/bind/query_priv.h"
#include "sql/type_name.h"
#include "types/record.h"

static enum status no_row(struct scope *s, const struct ast_target *t, const char *field,
                          const char *of, type_id type)
{
    FAIL(DATATYPE_MISMATCH,
         "cannot assign to field \"%s\" of column \"%s\" because its type %s is not a composite type",
         field, of, bind__type_words(s, type));
    return bind__at(s, t->node.location, DATATYPE_MISMATCH);
}

static enum status no_field(struct scope *s, const struct ast_target *t, const char *field,
                            const char *of, type_id type)
{
    FAIL(UNDEFINED_COLUMN,
         "cannot assign to field \"%s\" of column \"%s\" because there is no such column in data type %s",
         field, of, bind__type_words(s, type));
    return bind__at(s, t->node.location, UNDEFINED_COLUMN);
}

static enum status coerce(struct scope *s, const struct ast_target *t, const char *field,
                          struct expr *value, type_id type, int32_t typmod, struct expr **ret)
{
    enum status st = bind__coerce(s, value, type, typmod, CAST_ASSIGNMENT, -1, ret);
    if (st != CANNOT_COERCE) return st;
    FAIL(DATATYPE_MISMATCH, "subfield \"%s\" is of type %s but expression is of type %s", field,
         bind__type_words(s, type), bind__type_words(s, value->type));
    error_hint("You will need to rewrite or cast the expression.");
    return bind__at(s, t->node.location, DATATYPE_MISMATCH);
}

/* `of`: the name of what `row` is. */
static enum status put_field(struct scope *s, const struct ast_target *t, uint32_t step,
                             const char *of, struct expr *row, struct expr *value,
                             struct expr **ret)
{
    const char *field = t->steps[step].field;
    struct row_columns c;
    struct target *fields;
    uint32_t n, k = 0;
    if (!field)
        return bind__at(s, t->node.location,
                        UNSUPPORTED("assignment to array elements is not supported"));
    if (!type_is_row(row->type)) return no_row(s, t, field, of, row->type);
    (void)type_row_columns(s->env->catalog, row->type, s->env->arena, &c);
    TRY(bind__fields(s, row, &fields, &n));
    while (k < n && strcmp(fields[k].name, field) != 0) k++;
    if (k == n) return no_field(s, t, field, of, row->type);
    struct expr *made = bind__new(s, EXPR_ROW, row->type, t->node.location, n);
    for (uint32_t i = 0; i < n; i++) made->args[i] = fields[i].expr;
    *ret = made;
    return step + 1 < t->step_count
               ? put_field(s, t, step + 1, field, fields[k].expr, value, &made->args[k])
               : coerce(s, t, field, value, c.types[k], c.typmods[k], &made->args[k]);
}

enum status bind__assign_field(struct scope *s, const struct ast_target *t, struct expr *row,
                               struct expr *value, struct expr **ret)
{
    if (!value)
        return bind__at(s, t->node.location,
                        FAIL(FEATURE_NOT_SUPPORTED, "cannot set a subfield to DEFAULT"));
    return put_field(s, t, 0, t->name, row, value, ret);
}
