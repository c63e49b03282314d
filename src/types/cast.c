/* Conversions between types: pg_cast's rows (casts.def) and the functions behind them.
 *
 * A conversion is chosen by the kinds of the two sides rather than by function OID: all integers
 * and oids meet in an int64, all floats in a double, so that each range check exists once. What
 * has no rule of its own goes over text, as PostgreSQL's I/O conversion casts do. */
#include "types/cast.h"

#include <math.h>
#include <stdlib.h>

#include "types/array.h"
#include "types/cast_priv.h"
#include "types/datetime.h"
#include "types/jsonb.h"
#include "types/numeric.h"

enum { NAME_BYTES_MAX = 63, TIMESTAMP_END_DAYS = 106751983 /* 294277-01-01, since 2000 */ };

static const struct cast_info casts[] = {
#define C(from, to, context, is_binary, function) \
    {TYPE_##from, TYPE_##to, CAST_##context, is_binary, function},
#include "types/casts.def"
#undef C
};

const struct cast_info *cast_list(int *ret_count)
{
    *ret_count = (int)(sizeof casts / sizeof casts[0]);
    return casts;
}

const struct cast_info *cast_find(type_id from, type_id to)
{
    int low = 0, high = (int)(sizeof casts / sizeof casts[0]) - 1;
    while (low <= high) {
        int mid = (low + high) / 2;
        const struct cast_info *c = &casts[mid];
        if (c->from == from && c->to == to) return c;
        if (c->from < from || (c->from == from && c->to < to))
            low = mid + 1;
        else
            high = mid - 1;
    }
    return NULL;
}

static bool is_oid_like(type_id t) { return type_rep(t) == REP_U32; }
static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8 || is_oid_like(t);
}
static bool is_float(type_id t) { return t == TYPE_FLOAT4 || t == TYPE_FLOAT8; }

static int64_t read_integer(type_id t, const union value *v)
{
    if (t == TYPE_INT2) return v->i16;
    if (t == TYPE_INT4) return v->i32;
    return t == TYPE_INT8 ? v->i64 : (int64_t)v->u32;
}

static enum status out_of_range(type_id to)
{
    const char *name = "integer";
    if (to == TYPE_INT2) name = "smallint";
    if (to == TYPE_INT8) name = "bigint";
    if (is_oid_like(to)) name = "OID";
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "%s out of range", name);
}

static enum status write_integer(type_id to, int64_t n, union value *ret)
{
    if (to == TYPE_INT8) {
        ret->i64 = n;
    } else if (to == TYPE_INT2) {
        if (n != (int16_t)n) return out_of_range(to);
        ret->i16 = (int16_t)n;
    } else if (to == TYPE_INT4) {
        if (n != (int32_t)n) return out_of_range(to);
        ret->i32 = (int32_t)n;
    } else {
        if (n != (int64_t)(uint32_t)n) return out_of_range(to);
        ret->u32 = (uint32_t)n;
    }
    return OK;
}

/* int4 and the oid types share their bits; int2 is widened by its sign first. */
static enum status integer_to_integer(type_id from, type_id to, const union value *v,
                                      union value *ret)
{
    if (is_oid_like(to) && (from == TYPE_INT4 || from == TYPE_INT2)) {
        ret->u32 = (uint32_t)read_integer(from, v);
        return OK;
    }
    if (is_oid_like(from) && to == TYPE_INT4) {
        ret->i32 = (int32_t)v->u32;
        return OK;
    }
    return write_integer(to, read_integer(from, v), ret);
}

/* Rounds half to even, as rint does. */
static enum status float_to_integer(double d, type_id to, union value *ret)
{
    d = rint(d);
    if (isnan(d) || d < -0x1p63 || d >= 0x1p63) return out_of_range(to);
    return write_integer(to, (int64_t)d, ret);
}

static enum status numeric_to_integer(const struct numeric *n, type_id to, union value *ret)
{
    const char *name = type_get(to)->sql_name;
    if (n->kind == NUMERIC_NAN)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert NaN to %s", name);
    if (n->kind == NUMERIC_PINF || n->kind == NUMERIC_NINF)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert infinity to %s", name);
    int64_t i;
    if (numeric_to_i64(n, &i) != OK) return out_of_range(to);
    return write_integer(to, i, ret);
}

static enum status numeric_to_float(const struct numeric *n, type_id to, union value *ret)
{
    if (n->kind == NUMERIC_SMALL && to == TYPE_FLOAT8) {
        double d = numeric_to_f64(n);
        if (d != 0 || n->coefficient == 0) {
            ret->f64 = d;
            return OK;
        }
    }
    struct strbuf b;
    strbuf_init(&b, NULL);
    numeric_to_text(n, &b);
    double d = to == TYPE_FLOAT4 ? (double)strtof(b.data, NULL) : strtod(b.data, NULL);
    bool finite = n->kind == NUMERIC_SMALL || n->kind == NUMERIC_BIG;
    enum status s = OK;
    if (finite && (isinf(d) || (d == 0 && numeric_sign(n) != 0)))
        s = FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "\"%s\" is out of range for type %s", b.data,
                 type_get(to)->sql_name);
    else if (to == TYPE_FLOAT4)
        ret->f32 = (float)d;
    else
        ret->f64 = d;
    strbuf_release(&b);
    return s;
}

static enum status double_to_float(double d, union value *ret)
{
    float f = (float)d;
    if (isinf(f) && !isinf(d))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
    if (f == 0 && d != 0)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow");
    ret->f32 = f;
    return OK;
}

/* Integers, floats and numeric among each other. */
static enum status cast_number(type_id from, type_id to, const union value *v, struct arena *a,
                               union value *ret)
{
    if (from == TYPE_NUMERIC)
        return is_float(to) ? numeric_to_float(&v->numeric, to, ret)
                            : numeric_to_integer(&v->numeric, to, ret);
    if (is_float(from)) {
        double d = from == TYPE_FLOAT4 ? (double)v->f32 : v->f64;
        if (to == TYPE_NUMERIC)
            return numeric_from_f64(a, d, from == TYPE_FLOAT4 ? 6 : 15, &ret->numeric);
        if (to == TYPE_FLOAT4) return double_to_float(d, ret);
        if (to != TYPE_FLOAT8) return float_to_integer(d, to, ret);
        ret->f64 = d;
        return OK;
    }
    if (is_integer(to)) return integer_to_integer(from, to, v, ret);
    int64_t n = read_integer(from, v);
    if (to == TYPE_NUMERIC) ret->numeric = numeric_from_i64(a, n);
    if (to == TYPE_FLOAT4) ret->f32 = (float)n;
    if (to == TYPE_FLOAT8) ret->f64 = (double)n;
    return OK;
}

static bool is_number(type_id t) { return is_integer(t) || is_float(t) || t == TYPE_NUMERIC; }

static bool is_temporal(type_id t)
{
    return t == TYPE_DATE || t == TYPE_TIME || t == TYPE_TIMESTAMP || t == TYPE_TIMESTAMPTZ ||
           t == TYPE_INTERVAL;
}

static int64_t modulo_day(int64_t us)
{
    int64_t r = us % US_PER_DAY;
    return r < 0 ? r + US_PER_DAY : r;
}

static enum status session_zone(const struct format_options *fmt, const struct timezone **ret)
{
    *ret = fmt->zone;
    return *ret ? OK : timezone_find(SLICE("UTC"), ret);
}

static enum status date_to_timestamp(int32_t days, int64_t *ret)
{
    if (days == DATE_NOBEGIN || days == DATE_NOEND) {
        *ret = days == DATE_NOBEGIN ? TS_NOBEGIN : TS_NOEND;
        return OK;
    }
    if (days >= TIMESTAMP_END_DAYS)
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
    *ret = days * US_PER_DAY;
    return OK;
}

/* Of a timestamp in local time. An infinite one has no time of day; PostgreSQL gives NULL there,
 * which a value cannot say: callers ask cast_is_null before. */
static enum status timestamp_part(int64_t ts, type_id to, union value *ret)
{
    bool infinite = ts == TS_NOBEGIN || ts == TS_NOEND;
    if (to == TYPE_TIME) {
        if (infinite) return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
        ret->i64 = modulo_day(ts);
    } else if (infinite) {
        ret->i32 = ts == TS_NOBEGIN ? DATE_NOBEGIN : DATE_NOEND;
    } else {
        ret->i32 = (int32_t)((ts - modulo_day(ts)) / US_PER_DAY);
    }
    return OK;
}

bool cast_is_null(type_id from, type_id to, const union value *v)
{
    bool timestamp = from == TYPE_TIMESTAMP || from == TYPE_TIMESTAMPTZ;
    return timestamp && (to == TYPE_TIME || to == TYPE_TIMETZ) && (v->i64 == TS_NOBEGIN || v->i64 == TS_NOEND);
}

static enum status cast_none(type_id from, type_id to)
{
    struct strbuf f, t;
    strbuf_init(&f, NULL);
    strbuf_init(&t, NULL);
    type_format(from, -1, &f);
    type_format(to, -1, &t);
    enum status s = FAIL(CANNOT_COERCE, "cannot cast type %s to %s", f.data, t.data);
    strbuf_release(&f);
    strbuf_release(&t);
    return s;
}

static enum status cast_temporal(type_id from, type_id to, const union value *v,
                                 const struct format_options *fmt, union value *ret)
{
    const struct timezone *zone;
    int64_t local;
    TRY(session_zone(fmt, &zone));
    if (from == TYPE_TIME && to == TYPE_INTERVAL) {
        ret->interval = (struct interval){.us = v->i64};
        return OK;
    }
    if (from == TYPE_INTERVAL && to == TYPE_TIME) {
        ret->i64 = modulo_day(v->interval.us);
        return OK;
    }
    if (from == TYPE_DATE && (to == TYPE_TIMESTAMP || to == TYPE_TIMESTAMPTZ)) {
        TRY(date_to_timestamp(v->i32, &local));
        if (to == TYPE_TIMESTAMPTZ) return timestamp_to_timestamptz(local, zone, &ret->i64);
        ret->i64 = local;
        return OK;
    }
    if (from == TYPE_TIMESTAMP && to == TYPE_TIMESTAMPTZ)
        return timestamp_to_timestamptz(v->i64, zone, &ret->i64);
    if ((from == TYPE_TIMESTAMP || from == TYPE_TIMESTAMPTZ) && to != TYPE_INTERVAL) {
        local = v->i64;
        if (from == TYPE_TIMESTAMPTZ) TRY(timestamptz_to_timestamp(v->i64, zone, &local));
        if (to != TYPE_TIMESTAMP) return timestamp_part(local, to, ret);
        ret->i64 = local;
        return OK;
    }
    return cast_none(from, to);
}

/* Cuts to the length of a name, at a character's border. */
static uint32_t name_len(struct slice s)
{
    size_t n = s.len;
    if (n > NAME_BYTES_MAX) {
        n = NAME_BYTES_MAX;
        while (n > 0 && ((uint8_t)s.data[n] & 0xc0) == 0x80) n--;
    }
    return (uint32_t)n;
}

static struct slice without_blanks(struct slice s)
{
    while (s.len > 0 && s.data[s.len - 1] == ' ') s.len--;
    return s;
}

/* From one string type to another; "char" counts as a string of one byte here. */
static void cast_string(type_id from, type_id to, const union value *v, struct arena *a,
                        union value *ret)
{
    struct slice s = bytes_slice(&v->bytes);
    if (from == TYPE_BPCHAR && to != TYPE_BPCHAR) s = without_blanks(s);
    if (to == TYPE_NAME) s.len = name_len(s);
    if (to == TYPE_CHAR1) s.len = s.len > 0;
    ret->bytes = bytes_from_slice(a, s);
}

static bool is_string(type_id t) { return type_is_textual(t) || t == TYPE_CHAR1; }

static enum status to_text(type_id from, type_id to, const union value *v,
                           const struct format_options *fmt, struct arena *a, union value *ret)
{
    if (from == TYPE_BOOL) { /* the cast says more than the output function's "t" */
        ret->bytes = v->b ? bytes_ref("true", 4) : bytes_ref("false", 5);
        return OK;
    }
    struct strbuf b;
    strbuf_init(&b, a);
    value_to_text(from, v, fmt, &b);
    struct slice s = strbuf_slice(&b);
    if (to == TYPE_NAME) s.len = name_len(s);
    if (to == TYPE_CHAR1) s.len = s.len > 0;
    ret->bytes = bytes_ref(s.data, (uint32_t)s.len);
    return OK;
}

static enum status from_text(type_id from, type_id to, const union value *v,
                             const struct format_options *fmt, struct arena *a, union value *ret)
{
    struct slice s = bytes_slice(&v->bytes);
    if (from == TYPE_BPCHAR) s = without_blanks(s);
    return value_from_text(to, -1, s, fmt, a, ret);
}

/* The bytes name their element type themselves: text[] may hold what was stored as varchar[]. */
static enum status cast_array(type_id to, const union value *v, const struct format_options *fmt,
                              struct arena *a, union value *ret)
{
    struct array_view view;
    TRY(array_open(&v->bytes, a, &view));
    type_id element = type_get(to)->element;
    for (uint32_t i = 0; i < view.count; i++) {
        union value in = view.elements[i].v;
        if (!view.elements[i].null)
            TRY(cast_value(view.element, element, &in, fmt, a, &view.elements[i].v));
    }
    view.element = element;
    ret->bytes = array_make_view(a, &view);
    return OK;
}

/* boolean and "char" with integer */
static enum status cast_odd(type_id from, type_id to, const union value *v, union value *ret)
{
    if (from == TYPE_BOOL && to == TYPE_INT4) {
        ret->i32 = v->b;
    } else if (from == TYPE_INT4 && to == TYPE_BOOL) {
        ret->b = v->i32 != 0;
    } else if (from == TYPE_CHAR1 && to == TYPE_INT4) {
        ret->i32 = v->bytes.len ? (int8_t)v->bytes.inline_data[0] : 0;
    } else if (from == TYPE_INT4 && to == TYPE_CHAR1) {
        if (v->i32 < INT8_MIN || v->i32 > INT8_MAX)
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range");
        char c = (char)v->i32;
        ret->bytes = bytes_ref(&c, c != 0);
    } else {
        return cast_none(from, to);
    }
    return OK;
}

static enum status no_scalar(const struct json_value *v, type_id to)
{
    const char *name = v->kind == JSON_NUMBER ? "numeric" : json_kind_name((enum json_kind)v->kind);
    return FAIL(INVALID_PARAMETER_VALUE, "cannot cast jsonb %s to type %s", name,
                type_get(to)->sql_name);
}

/* A document that is a number or a truth value; or its text, for json. */
static enum status cast_jsonb(type_id to, const union value *v, const struct format_options *fmt,
                              struct arena *a, union value *ret)
{
    struct json_value root = jsonb_of(&v->bytes);
    union value number;
    if (to == TYPE_JSON) return to_text(TYPE_JSONB, to, v, fmt, a, ret);
    if (to == TYPE_BOOL) {
        if (!jsonb_is_true_false(&root)) return no_scalar(&root, to);
        ret->b = root.kind == JSON_TRUE;
        return OK;
    }
    if (root.kind != JSON_NUMBER) return no_scalar(&root, to);
    number.numeric = jsonb_number(&root, a);
    return cast_value(TYPE_NUMERIC, to, &number, fmt, a, ret);
}

enum status cast_value(type_id from, type_id to, const union value *v,
                       const struct format_options *fmt, struct arena *a, union value *ret)
{
    union value in = *v, out = {0}; /* ret may be v; unused bytes are zero */
    enum status s;
    if (!fmt) fmt = &format_default;
    if (from == to) {
        *ret = in;
        return OK;
    }
    if (type_is_array(from) && type_is_array(to))
        s = cast_array(to, &in, fmt, a, &out);
    else if (is_number(from) && is_number(to))
        s = cast_number(from, to, &in, a, &out);
    else if (is_temporal(from) && is_temporal(to))
        s = cast_temporal(from, to, &in, fmt, &out);
    else if (is_string(from) && is_string(to)) {
        cast_string(from, to, &in, a, &out);
        s = OK;
    } else if ((from == TYPE_CHAR1 || to == TYPE_CHAR1) && (from == TYPE_INT4 || to == TYPE_INT4))
        s = cast_odd(from, to, &in, &out);
    else if (cast__special(from, to, &in, fmt, a, &out, &s))
        ;
    else if (from == TYPE_JSONB && (to == TYPE_JSON || to == TYPE_BOOL || is_number(to)))
        s = cast_jsonb(to, &in, fmt, a, &out);
    else if (from == TYPE_JSON && to == TYPE_JSONB)
        s = jsonb_from_text(bytes_slice(&in.bytes), a, &out.bytes);
    else if (is_string(to) || from == TYPE_PG_NODE_TREE)
        s = to_text(from, to, &in, fmt, a, &out);
    else if (is_string(from))
        s = from_text(from, to, &in, fmt, a, &out);
    else
        s = cast_odd(from, to, &in, &out);
    if (s == OK) *ret = out;
    return s;
}
