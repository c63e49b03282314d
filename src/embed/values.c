/* Values in and out. Parameters go in as texts, which every type reads, and bytes as they are; of a
 * row only what is asked for is made into what it is asked as. */
#include <math.h>

#include "embed/embed_priv.h"

/* --- parameters ------------------------------------------------------------------------------- */

static enum helios_status set(struct helios_stmt *s, int index, uint8_t format, const void *data,
                              size_t len)
{
    if (!s || !s->c || s->c->running == s) return HELIOS_MISUSE;
    if (index < 1 || (uint32_t)index > s->parameter_count || len > INT32_MAX) return HELIOS_MISUSE;
    struct parameter *p = &s->parameters[index - 1];
    if (len > p->cap) {
        p->data = mem_realloc(MEM_SESSION, p->data, len);
        p->cap = len;
    }
    if (len) memcpy(p->data, data, len);
    p->len = len;
    p->format = format;
    p->null = false;
    return HELIOS_OK;
}

enum helios_status helios_bind_null(struct helios_stmt *s, int index)
{
    enum helios_status st = set(s, index, 0, NULL, 0);
    if (st == HELIOS_OK) s->parameters[index - 1].null = true;
    return st;
}

static enum helios_status set_value(struct helios_stmt *s, int index, type_id type,
                                    const union value *v)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    value_to_text(type, v, &format_default, &b);
    enum helios_status st = set(s, index, 0, b.data, b.len);
    strbuf_release(&b);
    return st;
}

enum helios_status helios_bind_bool(struct helios_stmt *s, int index, bool value)
{
    return helios_bind_text(s, index, value ? "true" : "false");
}

enum helios_status helios_bind_int64(struct helios_stmt *s, int index, int64_t value)
{
    return set_value(s, index, TYPE_INT8, &(union value){.i64 = value});
}

enum helios_status helios_bind_double(struct helios_stmt *s, int index, double value)
{
    return set_value(s, index, TYPE_FLOAT8, &(union value){.f64 = value});
}

/* 22021 when it is not UTF-8; the parameter is NULL then. */
static enum helios_status set_text(struct helios_stmt *s, int index, struct slice text)
{
    enum helios_status st = set(s, index, 0, NULL, 0);
    if (st != HELIOS_OK) return st;
    if (session_check_text(text) == OK) return set(s, index, 0, text.data, text.len);
    s->parameters[index - 1].null = true;
    return embed__fail(s->c, error_current());
}

enum helios_status helios_bind_text(struct helios_stmt *s, int index, const char *value)
{
    return value ? set_text(s, index, slice_of(value)) : helios_bind_null(s, index);
}

enum helios_status helios_bind_bytes(struct helios_stmt *s, int index, const void *data,
                                     size_t bytes)
{
    enum { BINARY = 1 };
    if (!data && bytes) return HELIOS_MISUSE;
    bool raw = s && index >= 1 && (uint32_t)index <= s->parameter_count &&
               s->parameter_types[index - 1] == TYPE_BYTEA;
    if (raw) return set(s, index, BINARY, data, bytes);
    return set_text(s, index, slice_make(data ? data : "", bytes));
}

/* --- rows ------------------------------------------------------------------------------------- */

void embed__load(const struct helios *c, uint32_t index, struct datum *values, type_id *types,
                 uint32_t count)
{
    const struct batch *b = c->batch;
    uint32_t row = b && b->sel ? b->sel[index] : index;
    for (uint32_t i = 0; i < count; i++) {
        if (i >= c->value_count) {
            values[i].null = true;
        } else if (b) {
            values[i] = vec_get(&b->columns[i], row);
            types[i] = b->columns[i].type;
        } else {
            values[i] = c->row[i];
        }
    }
}

char *embed__text(const struct helios *c, type_id type, const struct datum *d, struct arena *a,
                  size_t *ret_len)
{
    struct strbuf b;
    if (type_is_textual(type)) {
        *ret_len = d->v.bytes.len;
        return arena_strndup(a, bytes_data(&d->v.bytes), d->v.bytes.len);
    }
    strbuf_init(&b, a);
    strbuf_reserve(&b, 32);
    value_to_text(type, &d->v, session_format(c->session), &b);
    *ret_len = b.len;
    return b.data;
}

/* --- columns ---------------------------------------------------------------------------------- */

int helios_column_count(const struct helios_stmt *s)
{
    return s ? (int)s->column_count : 0;
}

static bool is_column(const struct helios_stmt *s, int column)
{
    return s && column >= 0 && (uint32_t)column < s->column_count;
}

const char *helios_column_name(const struct helios_stmt *s, int column)
{
    return is_column(s, column) ? s->columns[column].name : NULL;
}

const char *helios_column_type(const struct helios_stmt *s, int column)
{
    return is_column(s, column) ? s->column_types[column] : NULL;
}

/* The value, or NULL where there is none. */
static const union value *value_of(const struct helios_stmt *s, int column)
{
    if (!is_column(s, column) || !s->has_row || s->values[column].null) return NULL;
    return &s->values[column].v;
}

bool helios_is_null(const struct helios_stmt *s, int column)
{
    return value_of(s, column) == NULL;
}

static const struct cell *cell_of(const struct helios_stmt *s, int column)
{
    struct cell *cell = &s->cells[column];
    /* The handle is constant to the caller; what it keeps for him is not. */
    if (!cell->text)
        cell->text = embed__text(s->c, s->value_types[column], &s->values[column],
                                 &((struct helios_stmt *)(uintptr_t)s)->row_arena, &cell->len);
    return cell;
}

const char *helios_text(const struct helios_stmt *s, int column)
{
    return value_of(s, column) ? cell_of(s, column)->text : NULL;
}

const void *helios_bytes(const struct helios_stmt *s, int column, size_t *ret_bytes)
{
    const union value *v = value_of(s, column);
    if (ret_bytes) *ret_bytes = 0;
    if (!v) return NULL;
    if (s->value_types[column] == TYPE_BYTEA) {
        if (ret_bytes) *ret_bytes = v->bytes.len;
        return bytes_data(&v->bytes);
    }
    const struct cell *cell = cell_of(s, column);
    if (ret_bytes) *ret_bytes = cell->len;
    return cell->text;
}

static double double_of(const struct helios_stmt *s, int column, const union value *v)
{
    switch (s->value_types[column]) {
    case TYPE_BOOL: return v->b;
    case TYPE_INT2: return v->i16;
    case TYPE_INT4: return v->i32;
    case TYPE_INT8: return (double)v->i64;
    case TYPE_OID: return v->u32;
    case TYPE_FLOAT4: return v->f32;
    case TYPE_FLOAT8: return v->f64;
    default: break;
    }
    const struct cell *cell = cell_of(s, column);
    union value parsed;
    struct arena a;
    arena_init(&a, MEM_SESSION);
    bool fits = value_from_text(TYPE_FLOAT8, -1, slice_make(cell->text, cell->len),
                                &format_default, &a, &parsed) == OK;
    arena_release(&a);
    return fits ? parsed.f64 : 0;
}

double helios_double(const struct helios_stmt *s, int column)
{
    const union value *v = value_of(s, column);
    return v ? double_of(s, column, v) : 0;
}

/* Whole part of a number; NaN and what is too large do not fit. */
static int64_t whole_part(double d)
{
    return d >= -0x1p63 && d < 0x1p63 ? (int64_t)d : 0;
}

int64_t helios_int64(const struct helios_stmt *s, int column)
{
    const union value *v = value_of(s, column);
    if (!v) return 0;
    switch (s->value_types[column]) {
    case TYPE_BOOL: return v->b;
    case TYPE_INT2: return v->i16;
    case TYPE_INT4: return v->i32;
    case TYPE_INT8: return v->i64;
    case TYPE_OID: return v->u32;
    case TYPE_FLOAT4: return whole_part((double)v->f32);
    case TYPE_FLOAT8: return whole_part(v->f64);
    default: break;
    }
    const struct cell *cell = cell_of(s, column);
    struct slice text = slice_make(cell->text, cell->len);
    const char *point = memchr(text.data, '.', text.len);
    int64_t n;
    if (point && s->value_types[column] == TYPE_NUMERIC) text.len = (size_t)(point - text.data);
    return str_to_i64(text, &n) ? n : 0;
}

bool helios_bool(const struct helios_stmt *s, int column)
{
    const union value *v = value_of(s, column);
    if (!v) return false;
    if (s->value_types[column] == TYPE_BOOL) return v->b;
    double d = double_of(s, column, v);
    return d != 0 && !isnan(d);
}
