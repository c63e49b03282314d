/* json and jsonb: comparing, and the table of all functions on both. */
#include "exec/functions/json_priv.h"

#include "types/cast.h"

#define COMPARE(name, OP)                                                                          \
    static SCALAR(name)                                                                            \
    {                                                                                              \
        return ret_bool(ret, jsonb_compare(arg_slice(args, 0), arg_slice(args, 1)) OP 0);          \
    }
COMPARE(jsonb_eq, ==)
COMPARE(jsonb_ne, !=)
COMPARE(jsonb_lt, <)
COMPARE(jsonb_le, <=)
COMPARE(jsonb_gt, >)
COMPARE(jsonb_ge, >=)

static SCALAR(jsonb_cmp)
{
    return ret_i32(ret, jsonb_compare(arg_slice(args, 0), arg_slice(args, 1)));
}

static enum status cast_to(struct call_ctx *c, const struct datum *args, type_id to,
                           struct datum *ret)
{
    return cast_value(TYPE_JSONB, to, &args[0].v, c->session->format, c->arena, &ret->v);
}
#define CAST(name, type)                                                                           \
    static SCALAR(name) { return cast_to(c, args, type, ret); }
CAST(jsonb_bool, TYPE_BOOL)
CAST(jsonb_int2, TYPE_INT2)
CAST(jsonb_int4, TYPE_INT4)
CAST(jsonb_int8, TYPE_INT8)
CAST(jsonb_float4, TYPE_FLOAT4)
CAST(jsonb_float8, TYPE_FLOAT8)
CAST(jsonb_numeric, TYPE_NUMERIC)

/* --- the table -------------------------------------------------------------------------------- */

#define F(symbol, fn) {symbol, fn, NULL}

const struct proc_binding exec__json_functions[] = {
    F("jsonb_eq", jsonb_eq), F("jsonb_ne", jsonb_ne), F("jsonb_lt", jsonb_lt),
    F("jsonb_le", jsonb_le), F("jsonb_gt", jsonb_gt), F("jsonb_ge", jsonb_ge),
    F("jsonb_cmp", jsonb_cmp),
    F("jsonb_bool", jsonb_bool), F("jsonb_int2", jsonb_int2), F("jsonb_int4", jsonb_int4),
    F("jsonb_int8", jsonb_int8), F("jsonb_float4", jsonb_float4),
    F("jsonb_float8", jsonb_float8), F("jsonb_numeric", jsonb_numeric),
    F("json_object_field", json__field), F("json_object_field_text", json__field_text),
    F("json_array_element", json__element), F("json_array_element_text", json__element_text),
    F("json_extract_path", json__path_get), F("json_extract_path_text", json__path_get_text),
    F("json_typeof", json__typeof), F("json_array_length", json__array_length),
    F("jsonb_object_field", jsonb__field), F("jsonb_object_field_text", jsonb__field_text),
    F("jsonb_array_element", jsonb__element),
    F("jsonb_array_element_text", jsonb__element_text),
    F("jsonb_extract_path", jsonb__path_get), F("jsonb_extract_path_text", jsonb__path_get_text),
    F("jsonb_typeof", jsonb__typeof), F("jsonb_array_length", jsonb__array_length),
    F("jsonb_contains", jsonb__contains), F("jsonb_contained", jsonb__contained),
    F("jsonb_exists", jsonb__exists), F("jsonb_exists_any", jsonb__exists_any),
    F("jsonb_exists_all", jsonb__exists_all), F("jsonb_concat", jsonb__concat),
    F("jsonb_delete", jsonb__delete_key), F("jsonb_delete_array", jsonb__delete_keys),
    F("jsonb_delete_idx", jsonb__delete_index), F("jsonb_delete_path", jsonb__delete_path),
    F("jsonb_set", jsonb__set), F("jsonb_set_lax", jsonb__set_lax),
    F("helios_jsonb_assign", jsonb__assign),
    F("jsonb_insert", jsonb__insert), F("jsonb_pretty", jsonb__pretty),
    F("json_strip_nulls", json__strip), F("jsonb_strip_nulls", jsonb__strip),
    F("to_json", json__to_json), F("to_jsonb", json__to_jsonb),
    F("array_to_json", json__array), F("array_to_json_pretty", json__array_pretty),
    F("row_to_json", json__row), F("row_to_json_pretty", json__row_pretty),
    F("json_build_array", json__build_array), F("json_build_array_noargs", json__build_array),
    F("json_build_object", json__build_object),
    F("json_build_object_noargs", json__build_object),
    F("jsonb_build_array", jsonb__build_array), F("jsonb_build_array_noargs", jsonb__build_array),
    F("jsonb_build_object", jsonb__build_object),
    F("jsonb_build_object_noargs", jsonb__build_object),
    F("json_populate_record", json__record), F("jsonb_populate_record", jsonb__record),
    F("json_to_record", json__record), F("jsonb_to_record", jsonb__record),
    F("json_object", json__object), F("json_object_two_arg", json__object_two),
    F("jsonb_object", jsonb__object), F("jsonb_object_two_arg", jsonb__object_two),
};
BINDING_COUNT(json)
