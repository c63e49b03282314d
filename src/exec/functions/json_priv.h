/* Shared by the files of functions on json and jsonb, whose table stands in json.c. */
#ifndef HELIOS_EXEC_JSON_PRIV_H
#define HELIOS_EXEC_JSON_PRIV_H

#include "exec/functions/text_priv.h"
#include "types/array.h"
#include "types/jsonb.h"

static inline struct json_value arg_jsonb(const struct datum *args, uint32_t i)
{
    return jsonb_of(&args[i].v.bytes);
}
/* A document of the value; packed containers are referred to. */
static inline enum status ret_jsonb(struct call_ctx *c, const struct json_value *v,
                                    struct datum *ret)
{
    return jsonb_make(c->arena, v, &ret->v.bytes);
}
/* As ->> gives it: strings without quotes, null as NULL. */
enum status json__ret_text(struct call_ctx *c, const struct json_value *v,
                           struct datum *ret) MUST;
/* The same of type json's text. */
enum status json__ret_raw_text(struct call_ctx *c, struct slice raw, struct datum *ret) MUST;
/* A text as an array's number; false: it is none. */
bool json__index(struct slice text, int32_t *ret);

/* --- values to JSON: json_make.c ------------------------------------------------------------------ */

/* What a type's values become. */
enum json_form { FORM_NULL, FORM_BOOL, FORM_NUMBER, FORM_TIME, FORM_JSON, FORM_JSONB, FORM_ARRAY,
                 FORM_RECORD, FORM_TEXT };
enum json_form json__form(type_id type);
/* As type json. `pretty`: line breaks between fields and elements of the first level. */
enum status json__add_text(struct call_ctx *c, type_id type, const struct datum *d, bool pretty,
                           struct strbuf *out) MUST;
/* As the key of an object, in quotes; not NULL. */
enum status json__add_key(struct call_ctx *c, type_id type, const struct datum *d,
                          struct strbuf *out) MUST;
enum status json__to_value(struct call_ctx *c, type_id type, const struct datum *d,
                           struct json_value *ret) MUST;
enum status json__to_key(struct call_ctx *c, type_id type, const struct datum *d,
                         struct slice *ret) MUST;
enum status json__bad_key(void) MUST;

/* --- changing: jsonb_edit.c ----------------------------------------------------------------------- */

enum json_edit {
    EDIT_CREATE = 1, EDIT_DELETE = 2, EDIT_REPLACE = 4, EDIT_BEFORE = 8, EDIT_AFTER = 16,
    EDIT_INSERTS = EDIT_CREATE | EDIT_BEFORE | EDIT_AFTER,
    EDIT_FILL = 32, /* missing parts of the path are made, gaps in arrays filled with null */
};
enum status json__edit(struct arena *a, const struct json_value *root, const struct datum *path,
                       uint32_t path_count, const struct json_value *value, unsigned how,
                       struct json_value *ret) MUST;
/* As many elements as the path has; of one dimension. */
enum status json__path(struct call_ctx *c, const struct datum *arg,
                       struct array_view *ret) MUST;

#define JSON_SCALARS(X)                                                                            \
    X(json__field) X(json__field_text) X(json__element) X(json__element_text)                      \
    X(json__path_get) X(json__path_get_text) X(json__typeof) X(json__array_length)                 \
    X(jsonb__field) X(jsonb__field_text) X(jsonb__element) X(jsonb__element_text)                  \
    X(jsonb__path_get) X(jsonb__path_get_text) X(jsonb__typeof) X(jsonb__array_length)             \
    X(jsonb__contains) X(jsonb__contained) X(jsonb__exists) X(jsonb__exists_any)                   \
    X(jsonb__exists_all) X(jsonb__concat) X(jsonb__delete_key) X(jsonb__delete_keys)               \
    X(jsonb__delete_index) X(jsonb__delete_path) X(jsonb__set) X(jsonb__set_lax) X(jsonb__insert)  \
    X(jsonb__pretty) X(json__strip) X(jsonb__strip)                                                \
    X(json__to_json) X(json__to_jsonb) X(json__array) X(json__array_pretty) X(json__row)           \
    X(json__row_pretty) X(json__build_array) X(json__build_object) X(jsonb__build_array)           \
    X(jsonb__build_object) X(json__object) X(json__object_two) X(jsonb__object)                    \
    X(jsonb__object_two) X(json__record) X(jsonb__record) X(jsonb__assign)
#define X(name) SCALAR(name) MUST;
JSON_SCALARS(X)
#undef X

#endif
