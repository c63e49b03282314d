/* Values of any type as JSON: as text for json, as a tree for jsonb. Times are told as ISO 8601 has them,
 * whatever DateStyle says; numbers that JSON cannot tell become strings. */
#include "exec/functions/json_priv.h"

#include "types/datetime.h"
#include "types/numeric.h"
#include "types/record.h"

enum json_form json__form(type_id type)
{
    switch (type) {
    case TYPE_BOOL: return FORM_BOOL;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC: return FORM_NUMBER;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return FORM_TIME;
    case TYPE_JSON: return FORM_JSON;
    case TYPE_JSONB: return FORM_JSONB;
    case TYPE_INT2VECTOR:
    case TYPE_OIDVECTOR: return FORM_TEXT;
    default: break;
    }
    if (type_is_array(type)) return FORM_ARRAY;
    return type_is_composite(type) ? FORM_RECORD : FORM_TEXT;
}

/* The text of a scalar, without quotes. */
static struct slice scalar_text(struct call_ctx *c, type_id type, enum json_form form,
                                const struct datum *d)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    if (form == FORM_BOOL) return d->v.b ? SLICE("true") : SLICE("false");
    if (form == FORM_TIME) {
        struct format_options xsd = *c->session->format;
        xsd.date_style = DATE_STYLE_XSD;
        value_to_text(type, &d->v, &xsd, &b);
    } else {
        text__output(c, type, d, &b);
    }
    return b.len ? strbuf_slice(&b) : SLICE("");
}

static bool is_json_number(struct slice s)
{
    size_t i = s.len && s.data[0] == '-';
    return i < s.len && s.data[i] >= '0' && s.data[i] <= '9';
}

enum status json__bad_key(void)
{
    return FAIL(INVALID_PARAMETER_VALUE,
                "key value must be scalar, not array, composite, or json");
}

enum status json__to_key(struct call_ctx *c, type_id type, const struct datum *d,
                         struct slice *ret)
{
    enum json_form form = json__form(type);
    if (form == FORM_ARRAY || form == FORM_RECORD || form == FORM_JSON || form == FORM_JSONB)
        return json__bad_key();
    *ret = scalar_text(c, type, form, d);
    return OK;
}

enum status json__add_key(struct call_ctx *c, type_id type, const struct datum *d,
                          struct strbuf *out)
{
    struct slice key;
    TRY(json__to_key(c, type, d, &key));
    json_quote(key, out);
    return OK;
}

/* --- composite values ------------------------------------------------------------------------- */

/* Its fields and their names. */
static enum status open_record(struct call_ctx *c, const struct datum *d, struct record_view *v,
                               const char *const **ret_names)
{
    const struct reg_names *names = c->session->format->names;
    struct row_columns columns = {0};
    TRY(record_open(&d->v.bytes, c->arena, v));
    if (v->names) {
        *ret_names = v->names;
        return OK;
    }
    if (v->type != TYPE_RECORD && names && names->row_columns)
        TRY(names->row_columns(names->ctx, v->type, c->arena, &columns));
    const char **list = ARENA_ARRAY(c->arena, const char *, v->count + 1);
    for (uint32_t i = 0; i < v->count; i++)
        list[i] = columns.names && i < columns.count ? columns.names[i]
                                                     : arena_printf(c->arena, "f%u", i + 1);
    *ret_names = list;
    return OK;
}

/* --- as text ---------------------------------------------------------------------------------- */

static enum status add_record(struct call_ctx *c, const struct datum *d, bool pretty,
                              struct strbuf *out)
{
    struct record_view v;
    const char *const *names;
    TRY(open_record(c, d, &v, &names));
    strbuf_addc(out, '{');
    for (uint32_t i = 0; i < v.count; i++) {
        if (i) strbuf_adds(out, pretty ? ",\n " : ",");
        json_quote(slice_of(names[i]), out);
        strbuf_addc(out, ':');
        TRY(json__add_text(c, v.types[i], &v.fields[i], false, out));
    }
    strbuf_addc(out, '}');
    return OK;
}

static enum status add_dimension(struct call_ctx *c, const struct array_view *v, int32_t dim,
                                 uint32_t *at, bool pretty, struct strbuf *out)
{
    strbuf_addc(out, '[');
    for (int32_t i = 0; i < v->dims[dim]; i++) {
        if (i) strbuf_adds(out, pretty ? ",\n " : ",");
        if (dim + 1 < v->ndim) TRY(add_dimension(c, v, dim + 1, at, false, out));
        else TRY(json__add_text(c, v->element, &v->elements[(*at)++], false, out));
    }
    strbuf_addc(out, ']');
    return OK;
}

static enum status add_array(struct call_ctx *c, const struct datum *d, bool pretty,
                             struct strbuf *out)
{
    struct array_view v;
    uint32_t at = 0;
    TRY(array_open(&d->v.bytes, c->arena, &v));
    if (v.ndim) return add_dimension(c, &v, 0, &at, pretty, out);
    strbuf_adds(out, "[]");
    return OK;
}

static void add_scalar(struct call_ctx *c, type_id type, enum json_form form, const struct datum *d,
                       struct strbuf *out)
{
    struct slice s = scalar_text(c, type, form, d);
    if (form == FORM_BOOL || (form == FORM_NUMBER && is_json_number(s)))
        strbuf_add(out, s.data, s.len);
    else
        json_quote(s, out);
}

enum status json__add_text(struct call_ctx *c, type_id type, const struct datum *d, bool pretty,
                           struct strbuf *out)
{
    enum json_form form = d->null ? FORM_NULL : json__form(type);
    switch (form) {
    case FORM_NULL: strbuf_adds(out, "null"); break;
    case FORM_JSON: strbuf_add(out, bytes_data(&d->v.bytes), d->v.bytes.len); break;
    case FORM_JSONB: jsonb_to_text(bytes_slice(&d->v.bytes), out); break;
    case FORM_ARRAY: TRY(add_array(c, d, pretty, out)); break;
    case FORM_RECORD: TRY(add_record(c, d, pretty, out)); break;
    default: add_scalar(c, type, form, d, out); break;
    }
    return out->len > TEXT_BYTES_MAX ? text__too_long() : OK;
}

/* --- as a tree -------------------------------------------------------------------------------- */

static enum status record_value(struct call_ctx *c, const struct datum *d, struct json_value *ret)
{
    struct record_view v;
    const char *const *names;
    TRY(open_record(c, d, &v, &names));
    *ret = (struct json_value){.kind = JSON_OBJECT};
    for (uint32_t i = 0; i < v.count; i++) {
        struct json_value in;
        TRY(json__to_value(c, v.types[i], &v.fields[i], &in));
        json_put(c->arena, ret, slice_of(names[i]), in);
    }
    return OK;
}

static enum status dimension_value(struct call_ctx *c, const struct array_view *v, int32_t dim,
                                   uint32_t *at, struct json_value *ret)
{
    *ret = (struct json_value){.kind = JSON_ARRAY};
    for (int32_t i = 0; i < v->dims[dim]; i++) {
        struct json_value in;
        if (dim + 1 < v->ndim) TRY(dimension_value(c, v, dim + 1, at, &in));
        else TRY(json__to_value(c, v->element, &v->elements[(*at)++], &in));
        json_push(c->arena, ret, in);
    }
    return OK;
}

static enum status array_value(struct call_ctx *c, const struct datum *d, struct json_value *ret)
{
    struct array_view v;
    uint32_t at = 0;
    TRY(array_open(&d->v.bytes, c->arena, &v));
    *ret = (struct json_value){.kind = JSON_ARRAY};
    return v.ndim ? dimension_value(c, &v, 0, &at, ret) : OK;
}

static enum status number_value(struct call_ctx *c, type_id type, const struct datum *d,
                                struct json_value *ret)
{
    struct slice s = scalar_text(c, type, FORM_NUMBER, d);
    struct numeric n;
    *ret = json_string(s);
    if (!is_json_number(s)) return OK;
    TRY(numeric_from_text(s, -1, c->arena, &n));
    *ret = json_number(c->arena, &n);
    return OK;
}

enum status json__to_value(struct call_ctx *c, type_id type, const struct datum *d,
                           struct json_value *ret)
{
    enum json_form form = d->null ? FORM_NULL : json__form(type);
    switch (form) {
    case FORM_NULL: *ret = (struct json_value){.kind = JSON_NULL}; return OK;
    case FORM_BOOL: *ret = json_bool(d->v.b); return OK;
    case FORM_NUMBER: return number_value(c, type, d, ret);
    case FORM_JSON: return json_value_from_text(bytes_slice(&d->v.bytes), c->arena, ret);
    case FORM_JSONB: *ret = jsonb_of(&d->v.bytes); return OK;
    case FORM_ARRAY: return array_value(c, d, ret);
    case FORM_RECORD: return record_value(c, d, ret);
    default: *ret = json_string(scalar_text(c, type, form, d)); return OK;
    }
}
