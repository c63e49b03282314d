/* Subscripts of jsonb: doc['a'][0] reads what jsonb_extract_path does, and SET doc['a'][0] = … makes of the column
 * what helios_jsonb_assign gives. A subscript is an integer or a text. */
#include "sql/bind/query_priv.h"

enum { PROC_EXTRACT_PATH = 3217, PROC_ASSIGN = 9340 };

static enum status no_subscript(struct scope *s, const struct expr *e, const char *hint)
{
    FAIL(DATATYPE_MISMATCH, "subscript type %s is not supported", bind__type_words(s, e->type));
    error_hint("%s", hint);
    return bind__at(s, e->location, DATATYPE_MISMATCH);
}

/* As text; *ret_integer: it was a number. */
static enum status one_step(struct scope *s, const struct ast_subscript *step, enum place place,
                            struct expr **ret, bool *ret_integer)
{
    struct expr *e;
    const struct ast *ast = step->upper ? step->upper : step->lower;
    if (step->slice)
        return bind__at(s, ast ? ast->location : -1,
                        FAIL(FEATURE_NOT_SUPPORTED, "jsonb subscript does not support slices"));
    TRY(bind__expression(s, ast, place, &e));
    bool unknown = e->type == TYPE_UNKNOWN;
    bool integer = !unknown && bind__can_coerce(e->type, TYPE_INT4, CAST_IMPLICIT);
    bool text = unknown || bind__can_coerce(e->type, TYPE_TEXT, CAST_IMPLICIT);
    if (integer && text)
        return no_subscript(s, e, "jsonb subscript must be coercible to only one type, integer or "
                                  "text.");
    if (!integer && !text)
        return no_subscript(s, e, "jsonb subscript must be coercible to either integer or text.");
    *ret_integer = integer;
    if (integer) TRY(bind__coerce(s, e, TYPE_INT4, -1, CAST_IMPLICIT, -1, &e));
    return bind__coerce(s, e, TYPE_TEXT, -1, CAST_EXPLICIT, -1, ret);
}

static enum status path_of(struct scope *s, const struct ast_subscript *steps, uint32_t n,
                           enum place place, struct expr **ret, bool *ret_integer)
{
    struct expr *path = bind__new(s, EXPR_ARRAY, TYPE_TEXT_ARRAY, -1, n);
    bool integer;
    for (uint32_t i = 0; i < n; i++)
        TRY(one_step(s, &steps[i], place, &path->args[i], i ? &integer : ret_integer));
    *ret = path;
    return OK;
}

static struct expr *call_of(struct scope *s, oid_t proc, const struct expr *base, uint32_t args)
{
    struct expr *e = bind__new(s, EXPR_CALL, TYPE_JSONB, base->location, args);
    e->call.proc = proc_by_oid(proc);
    ASSERT(e->call.proc);
    return e;
}

enum status bind__json_subscript(struct scope *s, struct expr *document,
                                 const struct ast_subscript *steps, uint32_t n, enum place place,
                                 struct expr **ret)
{
    struct expr *e = call_of(s, PROC_EXTRACT_PATH, document, 2);
    bool integer;
    e->args[0] = document;
    TRY(path_of(s, steps, n, place, &e->args[1], &integer));
    *ret = e;
    return OK;
}

enum status bind__json_assignment(struct scope *s, struct expr *document,
                                  const struct ast_subscript *steps, uint32_t n,
                                  struct expr *value, struct expr **ret)
{
    struct expr *e = call_of(s, PROC_ASSIGN, document, 4);
    bool integer;
    for (uint32_t i = 0; i < n; i++)
        if (steps[i].field)
            return UNSUPPORTED("assignment to array elements and fields is not supported");
    e->args[0] = document;
    TRY(path_of(s, steps, n, PLACE_UPDATE, &e->args[1], &integer));
    e->args[2] = value;
    e->args[3] = bind__new(s, EXPR_CONST, TYPE_BOOL, -1, 0);
    e->args[3]->constant.v.b = integer;
    *ret = e;
    return OK;
}
