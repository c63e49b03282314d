/* TABLESAMPLE: its method and arguments. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

/* Has it one value for the whole statement? */
static bool is_fixed(void *ctx, const struct expr *e)
{
    if (!e) return true;
    if (e->kind == EXPR_COLUMN || e->kind == EXPR_SUBQUERY) return false;
    return expr_walk(e, is_fixed, ctx);
}

static enum status bind_argument(struct scope *s, const struct ast *ast, type_id type,
                                 const char *construct, struct expr **ret)
{
    struct expr *e, *made;
    TRY(bind__expression(s, ast, PLACE_FROM, &e));
    enum status result = bind__coerce(s, e, type, -1, CAST_ASSIGNMENT, -1, &made);
    if (result == CANNOT_COERCE)
        return bind__at(s, bind__begin(e),
                        FAIL(DATATYPE_MISMATCH, "argument of %s must be type %s, not type %s",
                             construct, bind__type_words(s, type), bind__type_words(s, e->type)));
    TRY(result);
    *ret = made;
    if (is_fixed(NULL, made)) return OK;
    return bind__at(s, bind__begin(made),
                    UNSUPPORTED("columns and subqueries in an argument of %s are not supported", construct));
}

enum status bind__sample(struct scope *s, const struct ast_range_var *rv, struct relation *r)
{
    const struct ast_sample *a = rv->sample;
    const char *method = a->method.items[a->method.count - 1];
    bool by_block = strcmp(method, "system") == 0;
    if (r->kind != REL_TABLE || r->table->kind != 'r')
        return bind__at(s, rv->node.location,
                        FAIL(FEATURE_NOT_SUPPORTED, "TABLESAMPLE clause can only be applied to "
                                                    "tables and materialized views"));
    if (!by_block && strcmp(method, "bernoulli") != 0)
        return bind__at(s, a->location, FAIL(UNDEFINED_OBJECT,
                                             "tablesample method %s does not exist", method));
    if (a->args.count != 1)
        return bind__at(s, a->location,
                        FAIL(INVALID_TABLESAMPLE_ARGUMENT,
                             "tablesample method %s requires 1 argument, not %u", method,
                             a->args.count));
    if (!r->table->tree || r->table->virtual_id >= 0 || r->versions)
        return bind__at(s, rv->node.location,
                        UNSUPPORTED("TABLESAMPLE of \"%s\" is not supported",
                             r->table->name));
    r->sample = ARENA_NEW(s->env->arena, struct table_sample);
    r->sample->by_block = by_block;
    TRY(bind_argument(s, a->args.items[0], TYPE_FLOAT4, "TABLESAMPLE", &r->sample->percent));
    if (!a->repeatable) return OK;
    return bind_argument(s, a->repeatable, TYPE_FLOAT8, "REPEATABLE", &r->sample->seed);
}
