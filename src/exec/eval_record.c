/* Composite values: made of their fields, taken apart, asked whether they are NULL. */
#include "exec/eval.h"

#include "exec/eval_priv.h"
#include "types/record.h"

enum status eval__record(const struct expr *e, const struct datum *args, struct arena *a,
                         struct datum *ret)
{
    type_id on_stack[16], *types = on_stack;
    bool all_null = e->row_may_lack;
    for (uint32_t i = 0; i < e->arg_count && all_null; i++) all_null = args[i].null;
    *ret = (struct datum){.null = all_null};
    if (all_null) return OK;
    if (e->arg_count > 16) types = ARENA_ARRAY(a, type_id, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) types[i] = e->args[i]->type;
    if (e->row_names && e->type == TYPE_RECORD)
        return record_make_named(a, types, args, e->row_names, e->arg_count, &ret->v.bytes);
    return record_make(a, e->type, types, args, e->arg_count, &ret->v.bytes);
}

/* A field that the value does not have, or has as another type, is of a time when its relation was not
 * what it is. */
enum status eval__field(const struct expr *e, const struct datum *arg, struct arena *a,
                        struct datum *ret)
{
    type_id type;
    *ret = eval__null();
    if (arg->null) return OK;
    TRY(record_field(&arg->v.bytes, e->field.number, a, &type, ret));
    if (ret->null || type == e->type) return OK;
    FAIL(DATATYPE_MISMATCH, "attribute %u of type record has wrong type", e->field.number + 1);
    const struct type_info *has = type_get(type), *wants = type_get(e->type);
    return error_detail("Table has type %s, but query expects %s.", has ? has->sql_name : "???",
                        wants->sql_name);
}

enum status eval__null_test(const struct expr *e, const struct datum *arg, struct arena *a,
                            struct datum *ret)
{
    bool holds = arg->null != e->negated;
    struct record_view v;
    if (!arg->null && !e->as_whole && type_is_composite(e->args[0]->type)) {
        TRY(record_open(&arg->v.bytes, a, &v));
        holds = true;
        for (uint32_t i = 0; i < v.count; i++) holds &= v.fields[i].null != e->negated;
    }
    *ret = eval__bool(holds);
    return OK;
}
