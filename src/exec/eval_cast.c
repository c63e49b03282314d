/* Casts: one value by types/cast.h, and loops over arrays for those that queries do by the million
 * (integers widened, integers to double precision). */
#include "exec/eval.h"

#include "exec/eval_priv.h"
#include "types/array.h"
#include "types/cast.h"

static enum status cast_through_text(const struct exec_session *s, type_id from, type_id to,
                                     int32_t typmod, const union value *v, struct arena *a,
                                     union value *ret)
{
    if (type_is_textual(from) && type_rep(from) == REP_BYTES)
        return value_from_text(to, typmod, bytes_slice(&v->bytes), s->format, a, ret);
    struct strbuf text;
    strbuf_init(&text, a);
    value_to_text(from, v, s->format, &text);
    return value_from_text(to, typmod, strbuf_slice(&text), s->format, a, ret);
}

static enum status cast_array(const struct exec_session *s, const struct expr *e,
                              const union value *v, struct arena *a, union value *ret)
{
    type_id to = type_get(e->type)->element;
    struct array_view view;
    TRY(array_open(&v->bytes, a, &view));
    type_id from = view.element;
    for (uint32_t i = 0; i < view.count; i++) {
        struct datum *d = &view.elements[i];
        if (d->null) continue;
        union value out = d->v;
        if (from != to) {
            const struct cast_info *c = cast_find(from, to);
            if (to == TYPE_BIT && c && !c->binary) {
                d->v.bytes = cast_int_to_bits(from, &out, e->typmod, a);
                continue;
            }
            if (!c)
                TRY(cast_through_text(s, from, to, -1, &d->v, a, &out));
            else if (!c->binary)
                TRY(cast_value(from, to, &d->v, s->format, a, &out));
        }
        if (e->typmod >= 0)
            TRY(value_apply_typmod(to, e->typmod, e->cast.is_explicit, a, &out));
        d->v = out;
    }
    view.element = to;
    ret->bytes = array_make_view(a, &view);
    return OK;
}

enum status eval__cast(struct execution *x, const struct expr *e, const struct datum *arg,
                       struct arena *a, struct datum *ret)
{
    *ret = *arg;
    if (arg->null) return OK;
    type_id from = e->args[0]->type;
    union value v = arg->v;
    switch (e->cast.method) {
    case CAST_RELABEL: return OK;
    case CAST_TYPMOD: break;
    case CAST_FUNCTION:
        if (cast_is_null(from, e->type, &arg->v)) {
            *ret = (struct datum){.null = true};
            return OK;
        }
        if (e->type == TYPE_BIT && from != TYPE_VARBIT) {
            ret->v.bytes = cast_int_to_bits(from, &arg->v, e->typmod, a);
            return OK;
        }
        TRY(cast_value(from, e->type, &arg->v, x->session->format, a, &v));
        break;
    case CAST_TEXT_IO:
        TRY(cast_through_text(x->session, from, e->type, -1, &arg->v, a, &v));
        break;
    case CAST_ARRAY:
        TRY(cast_array(x->session, e, &arg->v, a, &v));
        ret->v = v;
        return OK;
    default: return eval__unsupported(e);
    }
    if (e->typmod >= 0)
        TRY(value_apply_typmod(e->type, e->typmod, e->cast.is_explicit, a, &v));
    ret->v = v;
    return OK;
}

#define WIDEN(name, from, to)                                                                      \
    static void name(const void *src, void *dst, const uint16_t *sel, uint32_t count)              \
    {                                                                                              \
        const from *s = src;                                                                       \
        to *d = dst;                                                                               \
        if (sel)                                                                                   \
            for (uint32_t i = 0; i < count; i++) d[sel[i]] = (to)s[sel[i]];                        \
        else                                                                                       \
            for (uint32_t i = 0; i < count; i++) d[i] = (to)s[i];                                  \
    }
WIDEN(widen_i16_i32, int16_t, int32_t)
WIDEN(widen_i16_i64, int16_t, int64_t)
WIDEN(widen_i32_i64, int32_t, int64_t)
WIDEN(widen_i16_f32, int16_t, float)
WIDEN(widen_i16_f64, int16_t, double)
WIDEN(widen_i32_f64, int32_t, double)
WIDEN(widen_i64_f64, int64_t, double)
WIDEN(widen_f32_f64, float, double)

/* To numeric: the integer is the coefficient. int8 may be too large for a small numeric. */
#define TO_NUMERIC(name, from)                                                                     \
    static void name(const void *src, void *dst, const uint16_t *sel, uint32_t count)              \
    {                                                                                              \
        const from *s = src;                                                                       \
        struct numeric *d = dst;                                                                   \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t r = eval__row(sel, i);                                                        \
            d[r] = numeric_of(s[r]);                                                               \
        }                                                                                          \
    }
static inline struct numeric numeric_of(int64_t v)
{
    return (struct numeric){.coefficient = v, .kind = NUMERIC_SMALL};
}
TO_NUMERIC(widen_i16_numeric, int16_t)
TO_NUMERIC(widen_i32_numeric, int32_t)

typedef void (*widen_fn)(const void *src, void *dst, const uint16_t *sel, uint32_t count);

static widen_fn widen_find(type_id from, type_id to)
{
    static const struct {
        type_id from, to;
        widen_fn fn;
    } table[] = {
        {TYPE_INT2, TYPE_INT4, widen_i16_i32},      {TYPE_INT2, TYPE_INT8, widen_i16_i64},
        {TYPE_INT4, TYPE_INT8, widen_i32_i64},      {TYPE_INT2, TYPE_FLOAT4, widen_i16_f32},
        {TYPE_INT2, TYPE_FLOAT8, widen_i16_f64},    {TYPE_INT4, TYPE_FLOAT8, widen_i32_f64},
        {TYPE_INT8, TYPE_FLOAT8, widen_i64_f64},    {TYPE_FLOAT4, TYPE_FLOAT8, widen_f32_f64},
        {TYPE_INT2, TYPE_NUMERIC, widen_i16_numeric},
        {TYPE_INT4, TYPE_NUMERIC, widen_i32_numeric},
    };
    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].from == from && table[i].to == to) return table[i].fn;
    return NULL;
}

/* From char(n) to text: by reference. */
static void cut_blanks(const struct expr *e, const struct vec *arg, const struct batch *in,
                       struct arena *a, struct vec *ret)
{
    const struct bytes *from = arg->data;
    vec_init_flat_rows(ret, e->type, in->rows, a);
    struct bytes *to = ret->data;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        if (nulls_get(arg->nulls, r)) continue;
        const char *p = bytes_data(&from[r]);
        uint32_t len = from[r].len;
        while (len && p[len - 1] == ' ') len--;
        to[r] = bytes_ref(p, len);
    }
    ret->nulls = arg->nulls;
}

enum status eval__cast_vector(const struct expr *e, const struct vec *arg, const struct batch *in,
                              struct arena *a, struct vec *ret, bool *ret_done)
{
    *ret_done = true;
    if (e->cast.method == CAST_RELABEL ||
        (e->cast.method == CAST_TYPMOD && e->typmod < 0)) {
        *ret = *arg;
        ret->type = e->type;
        return OK;
    }
    if (e->args[0]->type == TYPE_BPCHAR && (e->type == TYPE_TEXT || e->type == TYPE_VARCHAR) &&
        e->cast.method == CAST_FUNCTION && e->typmod < 0 && arg->form == VEC_FLAT) {
        cut_blanks(e, arg, in, a, ret);
        return OK;
    }
    widen_fn fn = NULL;
    if (e->cast.method == CAST_FUNCTION && e->typmod < 0)
        fn = widen_find(e->args[0]->type, e->type);
    if (!fn || arg->form != VEC_FLAT) {
        *ret_done = false;
        return OK;
    }
    vec_init_flat_rows(ret, e->type, in->rows, a);
    fn(arg->data, ret->data, in->sel, in->count);
    /* Read-only from here on, so the bitmap can be shared. */
    ret->nulls = arg->nulls;
    return OK;
}
