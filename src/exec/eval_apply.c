/* What the eager expressions mean, over the values of their arguments; and the values that need no
 * row: parameters, outer values, CURRENT_TIMESTAMP and its kin. */
#include "exec/eval.h"

#include "exec/eval_priv.h"
#include "types/datetime.h"
#include "types/timetz.h"

enum status eval__call(struct execution *x, const struct expr *site, const struct proc_def *proc,
                       const struct datum *args, uint32_t arg_count, struct arena *a,
                       void **state, struct datum *ret)
{
    if (proc->strict)
        for (uint32_t i = 0; i < arg_count; i++)
            if (args[i].null) {
                *ret = eval__null();
                return OK;
            }
    if (proc_function(proc)) {
        const struct exec_session *s = x->session;
        TRY(exec_check_stack());
        return s->call_function(s->ctx, proc_function(proc), args, a, ret);
    }
    /* Into *ret itself: a copy of what was just written in part would wait for it. */
    *ret = (struct datum){0};
    const struct function_impl *f = function_impl(proc->id);
    if (f && f->scalar) {
        struct call_ctx c = {.session = x->session, .arena = a, .keep = x->arena, .expr = site,
                             .state = *state};
        TRY(f->scalar(&c, args, arg_count, ret));
        *state = c.state;
    } else if (x->session->system_function) {
        TRY(x->session->system_function(x->session->ctx, proc, args, arg_count, a, ret));
    } else {
        return UNSUPPORTED("function %s is not supported", proc->name);
    }
    return OK;
}

enum status exec_call(struct execution *x, const struct expr *site, const struct proc_def *proc,
                      const struct datum *args, uint32_t arg_count, struct arena *a,
                      struct datum *ret)
{
    void *kept = exec_call_state(x, site), *state = kept;
    TRY(eval__call(x, site, proc, args, arg_count, a, &state, ret));
    if (state != kept) exec_set_call_state(x, site, state);
    return OK;
}

static enum status apply_distinct(struct execution *x, const struct expr *e,
                                  const struct datum *args, struct arena *a, struct datum *ret)
{
    if (args[0].null || args[1].null) {
        *ret = eval__bool(args[0].null != args[1].null);
        return OK;
    }
    struct datum equal;
    TRY(exec_call(x, e, e->call.proc, args, 2, a, &equal));
    *ret = eval__bool(!eval__is_true(&equal));
    return OK;
}

static enum status apply_nullif(struct execution *x, const struct expr *e,
                                const struct datum *args, struct arena *a, struct datum *ret)
{
    *ret = args[0];
    if (args[0].null || args[1].null) return OK;
    struct datum equal;
    TRY(exec_call(x, e, e->call.proc, args, 2, a, &equal));
    if (eval__is_true(&equal)) *ret = eval__null();
    return OK;
}

static void apply_min_max(const struct expr *e, const struct datum *args, struct datum *ret)
{
    *ret = eval__null();
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (args[i].null) continue;
        int c = ret->null ? 0 : value_compare(e->type, &args[i].v, &ret->v);
        if (ret->null || (e->least ? c < 0 : c > 0)) *ret = args[i];
    }
}

static bool boolean_test(uint8_t test, const struct datum *d)
{
    switch (test) {
    case IS_TRUE: return eval__is_true(d);
    case IS_NOT_TRUE: return !eval__is_true(d);
    case IS_FALSE: return !d->null && !d->v.b;
    case IS_NOT_FALSE: return d->null || d->v.b;
    case IS_UNKNOWN: return d->null;
    default: return !d->null;
    }
}

enum status eval__apply(struct execution *x, const struct expr *e, const struct datum *args,
                        struct arena *a, struct datum *ret)
{
    switch (e->kind) {
    case EXPR_CALL: return exec_call(x, e, e->call.proc, args, e->arg_count, a, ret);
    case EXPR_NULL_TEST: return eval__null_test(e, &args[0], a, ret);
    case EXPR_ROW: return eval__record(e, args, a, ret);
    case EXPR_FIELD: return eval__field(e, &args[0], a, ret);
    case EXPR_BOOLEAN_TEST:
        *ret = eval__bool(boolean_test(e->boolean_test, &args[0]));
        return OK;
    case EXPR_MIN_MAX: apply_min_max(e, args, ret); return OK;
    case EXPR_DISTINCT: return apply_distinct(x, e, args, a, ret);
    case EXPR_NULLIF: return apply_nullif(x, e, args, a, ret);
    case EXPR_CAST: return eval__cast(x, e, &args[0], a, ret);
    case EXPR_ANY: return eval__any(x, e, args, a, ret);
    case EXPR_IN_LIST: return eval__in_list(x, e, args, a, ret);
    case EXPR_ARRAY: return eval__array(e, args, a, ret);
    case EXPR_SUBSCRIPT: return eval__subscript(e, args, a, ret);
    default: return eval__unsupported(e);
    }
}

enum status eval__param(struct execution *x, const struct expr *e, struct datum *ret)
{
    if (e->kind == EXPR_OUTER) {
        ASSERT(x->outer);
        *ret = x->outer[e->param];
        return OK;
    }
    if (!x->params || e->param < 1 || (uint32_t)e->param > x->params->count)
        return FAIL(UNDEFINED_PARAMETER, "there is no parameter $%d", e->param);
    *ret = x->params->values[e->param - 1];
    return OK;
}

static enum status local_now(const struct exec_session *s, int64_t *ret)
{
    *ret = s->transaction_us;
    if (!s->format || !s->format->zone) return OK;
    return timestamptz_to_timestamp(s->transaction_us, s->format->zone, ret);
}

static void name_value(struct arena *a, const char *name, struct datum *ret)
{
    *ret = eval__null();
    if (name) *ret = (struct datum){.v.bytes = bytes_from_slice(a, slice_of(name))};
}

static const char *current_schema(const struct exec_session *s)
{
    for (uint32_t i = 0; s->path && i < s->path->count; i++) {
        const struct schema_def *d = catalog_schema_by_oid(s->catalog, s->path->schemas[i]);
        if (d) return d->name;
    }
    return NULL;
}

static enum status current_time(const struct exec_session *s, union value *ret)
{
    struct timetz t;
    TRY(timetz_of_timestamptz(s->transaction_us, s->format->zone, &t));
    ret->bytes = timetz_close(&t);
    return OK;
}

enum status eval__sql_value(struct execution *x, const struct expr *e, struct arena *a,
                            struct datum *ret)
{
    const struct exec_session *s = x->session;
    int64_t local;
    TRY(local_now(s, &local));
    int64_t day = local / US_PER_DAY - (local % US_PER_DAY < 0);
    struct datum d = {0};
    switch (e->sql_value) {
    case SQL_CURRENT_DATE: d.v.i32 = (int32_t)day; break;
    case SQL_CURRENT_TIME: TRY(current_time(s, &d.v)); break;
    case SQL_LOCALTIME: d.v.i64 = local - day * US_PER_DAY; break;
    case SQL_CURRENT_TIMESTAMP: d.v.i64 = s->transaction_us; break;
    case SQL_LOCALTIMESTAMP: d.v.i64 = local; break;
    case SQL_CURRENT_ROLE:
    case SQL_CURRENT_USER:
    case SQL_USER: name_value(a, s->user, ret); return OK;
    case SQL_SESSION_USER: name_value(a, s->session_user, ret); return OK;
    case SQL_CURRENT_CATALOG: name_value(a, s->database, ret); return OK;
    case SQL_CURRENT_SCHEMA: name_value(a, current_schema(s), ret); return OK;
    default: return eval__unsupported(e);
    }
    if (e->typmod >= 0) TRY(value_apply_typmod(e->type, e->typmod, true, a, &d.v));
    *ret = d;
    return OK;
}

enum status eval__unsupported(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_COLUMN:
    case EXPR_AGGREGATE:
    case EXPR_WINDOW:
    case EXPR_GROUPING:
        return FAIL(INTERNAL_ERROR, "expression of kind %d was left by the planner", e->kind);
    default: return UNSUPPORTED("expression of kind %d is not supported", e->kind);
    }
}
