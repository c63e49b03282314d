/* Values of variables: conversion, copies that live as long as they are wanted, records.
 *
 * What a variable's value points to lies in one of two arenas, used in turns, so that a new value may be
 * made of the old one. */
#include "db/pl_priv.h"

#include "base/hash.h"
#include "types/array.h"
#include "types/record.h"

enum { LONG_BYTES = 4096, ROOM_BYTES = 64 << 10 };

/* --- conversion ----------------------------------------------------------------------------- */

static struct expr *param_of(struct arena *a, type_id type, int32_t typmod)
{
    struct expr *e = ARENA_NEW(a, struct expr);
    e->kind = EXPR_PARAM;
    e->type = type;
    e->typmod = typmod;
    e->location = -1;
    e->param = 1;
    return e;
}

static struct expr *text_io(struct arena *a, struct expr *arg, type_id to, int32_t typmod)
{
    struct expr *e = ARENA_NEW(a, struct expr);
    e->kind = EXPR_CAST;
    e->type = to;
    e->typmod = typmod;
    e->location = -1;
    e->arg_count = 1;
    e->args = ARENA_ARRAY(a, struct expr *, 1);
    e->args[0] = arg;
    e->cast.method = CAST_TEXT_IO;
    return e;
}

static const struct expr *find_cast(struct session *s, type_id from, type_id to, int32_t typmod)
{
    struct pl_state *p = pl__state(s);
    for (size_t i = 0; i < p->casts.count; i++) {
        const struct pl_cast *c = &p->casts.data[i];
        if (c->from == from && c->to == to && c->typmod == typmod) return c->expr;
    }
    struct bind_env env;
    struct error kept = *error_current();
    struct expr *e = param_of(&p->arena, from, -1), *made;
    session__bind_env(s, &env, &p->arena, slice_make("", 0));
    if (bind_coerce_assignment(&env, e, to, typmod, "", &made) != OK) {
        *error_current() = kept;
        made = text_io(&p->arena, e, to, typmod);
    }
    ARRAY_PUSH(&p->casts, ((struct pl_cast){from, to, typmod, made}));
    return made;
}

enum status pl__cast(struct session *s, struct datum *d, type_id from, int32_t from_typmod,
                     type_id to, int32_t to_typmod, struct arena *a)
{
    if (from == to && (to_typmod < 0 || to_typmod == from_typmod)) return OK;
    if (d->null || to == TYPE_VOID) return OK;
    if (from == TYPE_UNKNOWN) from = TYPE_TEXT;
    const struct expr *e = find_cast(s, from, to, to_typmod);
    struct datum in = *d;
    const struct exec_params one = {&in, 1};
    return exec_constant(e, &s->exec, &one, a, d);
}

const char *pl__text(struct pl_run *r, const struct datum *d, type_id type)
{
    struct strbuf b;
    if (d->null) return NULL;
    strbuf_init(&b, &r->temp);
    strbuf_adds(&b, "");
    value_to_text(type, &d->v, r->s->exec.format, &b);
    return b.data ? b.data : "";
}

/* --- storage -------------------------------------------------------------------------------- */

static bool is_inline(type_id type, const struct datum *d)
{
    if (d->null) return true;
    switch (type_rep(type)) {
    case REP_BYTES: return d->v.bytes.len <= BYTES_INLINE_MAX;
    case REP_NUMERIC: return d->v.numeric.kind != NUMERIC_BIG;
    default: return true;
    }
}

/* A long string that lies in the statement's arena, which holds little else. */
static bool is_own(const struct pl_run *r, type_id type, const struct datum *d)
{
    return type_rep(type) == REP_BYTES && d->v.bytes.len >= LONG_BYTES &&
           arena_bytes(&r->temp) < 4 * (size_t)d->v.bytes.len + ROOM_BYTES &&
           arena_contains(&r->temp, d->v.bytes.ptr);
}

/* An int is read as what was written, and written as what will be read: a wider load would have to wait. */
void pl__store(struct pl_run *r, uint32_t var, const struct datum *d)
{
    type_id type = r->code->types[var].type;
    if (type == TYPE_INT4) {
        r->vars[var].v.i64 = (int64_t)(uint32_t)d->v.i32;
        r->vars[var].null = d->null;
        return;
    }
    if (is_inline(type, d)) {
        r->vars[var] = *d;
        return;
    }
    struct arena *stores = &r->stores[2 * var], kept;
    if (is_own(r, type, d)) { /* without a copy: what the statement made becomes the variable's */
        kept = stores[0];
        stores[0] = r->temp;
        r->temp = kept;
        r->vars[var] = *d;
        return;
    }
    kept = stores[0];
    stores[0] = stores[1];
    stores[1] = kept;
    arena_clear(&stores[0]);
    r->vars[var] = datum_copy(&stores[0], type, *d);
}

static enum status null_refused(const struct pl_run *r, uint32_t var)
{
    return FAIL(NULL_VALUE_NOT_ALLOWED,
                "null value cannot be assigned to variable \"%s\" declared NOT NULL",
                r->code->tree->vars[var].name);
}

/* --- records -------------------------------------------------------------------------------- */

static uint64_t shape_of(type_id type, uint32_t count, const char *const *names,
                         const type_id *types, const int32_t *typmods)
{
    uint64_t h = hash_u64(count + 1 + ((uint64_t)type << 32));
    for (uint32_t i = 0; i < count; i++) {
        h = hash_u64(h ^ hash_bytes(names[i], strlen(names[i])));
        h = hash_u64(h ^ ((uint64_t)types[i] << 32 | (uint32_t)typmods[i]));
    }
    return h ? h : 1;
}

void pl__record_shape(struct pl_record *rec, type_id type, uint32_t count,
                      const char *const *names, const type_id *types, const int32_t *typmods)
{
    uint64_t shape = shape_of(type, count, names, types, typmods);
    if (rec->shape == shape) return;
    arena_clear(&rec->shapes);
    arena_clear(&rec->bytes[0]);
    arena_clear(&rec->bytes[1]);
    struct arena *a = &rec->shapes;
    const char **copy = ARENA_ARRAY(a, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++) copy[i] = arena_strdup(a, names[i]);
    rec->names = copy;
    rec->types = arena_memdup(a, types, count * sizeof *types + 1);
    rec->typmods = arena_memdup(a, typmods, count * sizeof *typmods + 1);
    rec->values = ARENA_ARRAY(a, struct datum, count + 1);
    for (uint32_t i = 0; i < count; i++) rec->values[i].null = true;
    rec->count = count;
    rec->type = type;
    rec->shape = shape;
    rec->is_null = true;
}

void pl__record_of_table(struct pl_record *rec, const struct table_def *t)
{
    const char *names[TABLE_COLUMNS_MAX];
    type_id types[TABLE_COLUMNS_MAX];
    int32_t typmods[TABLE_COLUMNS_MAX];
    uint32_t n = 0;
    for (uint16_t i = 0; i < t->column_count && n < TABLE_COLUMNS_MAX; i++) {
        if (t->columns[i].dropped) continue;
        names[n] = t->columns[i].name;
        types[n] = t->columns[i].type;
        typmods[n++] = t->columns[i].typmod;
    }
    pl__record_shape(rec, type_row(t->oid), n, names, types, typmods);
}

void pl__record_store(struct pl_record *rec, const struct datum *values)
{
    struct arena *a = &rec->bytes[rec->turn ^= 1];
    struct datum *to = rec->values;
    for (uint32_t i = 0; i < rec->count; i++) to[i] = datum_copy(a, rec->types[i], values[i]);
    arena_clear(&rec->bytes[rec->turn ^ 1]);
    rec->is_null = false;
}

void pl__record_null(struct pl_record *rec)
{
    for (uint32_t i = 0; i < rec->count; i++) rec->values[i] = (struct datum){.null = true};
    rec->is_null = true;
}

void pl__record_copy(struct pl_record *to, const struct pl_record *from)
{
    if (to == from) return;
    if (!from->shape) {
        pl__record_null(to);
        return;
    }
    pl__record_shape(to, from->type, from->count, from->names, from->types, from->typmods);
    if (from->is_null) pl__record_null(to);
    else pl__record_store(to, from->values);
}

void pl__record_release(struct pl_record *rec)
{
    arena_release(&rec->shapes);
    arena_release(&rec->bytes[0]);
    arena_release(&rec->bytes[1]);
}

/* --- assignment ----------------------------------------------------------------------------- */

enum status pl__find_field(const struct pl_run *r, const struct pl_target *t, uint32_t *ret)
{
    const struct pl_record *rec = &r->records[t->var];
    const char *name = r->code->tree->vars[t->var].name;
    if (!rec->shape) {
        FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "record \"%s\" is not assigned yet", name);
        return error_detail("The tuple structure of a not-yet-assigned record is indeterminate.");
    }
    for (*ret = 0; *ret < rec->count; (*ret)++)
        if (strcmp(rec->names[*ret], t->field) == 0) return OK;
    return FAIL(UNDEFINED_COLUMN, "record \"%s\" has no field \"%s\"", name, t->field);
}

static enum status assign_field(struct pl_run *r, const struct pl_target *t, const struct datum *d,
                                type_id type, int32_t typmod)
{
    struct pl_record *rec = &r->records[t->var];
    uint32_t at;
    struct datum v = *d;
    TRY(pl__find_field(r, t, &at));
    TRY(pl__cast(r->s, &v, type, typmod, rec->types[at], rec->typmods[at], &r->temp));
    if (is_inline(rec->types[at], &v)) {
        rec->values[at] = v;
        rec->is_null = false;
        return OK;
    }
    struct datum *all = ARENA_ARRAY(&r->temp, struct datum, rec->count + 1);
    memcpy(all, rec->values, rec->count * sizeof *all);
    all[at] = v;
    pl__record_store(rec, all);
    return OK;
}

/* a[i] := x: the array with the element replaced, or one longer at either end. */
static enum status assign_element(struct pl_run *r, const struct pl_target *t, const struct datum *d,
                                  type_id type, int32_t typmod)
{
    const struct pl_type *v = &r->code->types[t->var];
    type_id element = type_is_array(v->type) ? type_get(v->type)->element : (type_id)TYPE_NONE;
    struct array_view view = {0};
    struct datum at, value = *d;
    if (!element)
        return FAIL(DATATYPE_MISMATCH, "cannot subscript type %s because it does not support "
                                       "subscripting",
                    type_get(v->type) ? type_get(v->type)->sql_name : "record");
    if (t->subscript_count != 1)
        return UNSUPPORTED("assignment to elements of arrays of more dimensions is not supported yet");
    TRY(pl__eval_as(r, t->subscripts[0], TYPE_INT4, &at));
    if (at.null)
        return FAIL(NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null");
    TRY(pl__cast(r->s, &value, type, typmod, element, v->typmod, &r->temp));
    if (!r->vars[t->var].null) TRY(array_open(&r->vars[t->var].v.bytes, &r->temp, &view));
    if (view.ndim > 1)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    int64_t lower = view.count ? view.lower[0] : at.v.i32, i = at.v.i32 - lower;
    int64_t before = i < 0 ? -i : 0;
    int64_t count = view.count + before > i + 1 ? view.count + before : i + 1;
    if (count > 10000000) return FAIL(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed");
    struct datum *all = ARENA_ARRAY(&r->temp, struct datum, count + 1);
    for (int64_t k = 0; k < count; k++) all[k].null = true;
    for (uint32_t k = 0; k < view.count; k++) all[before + k] = view.elements[k];
    all[i < 0 ? 0 : i] = value;
    struct array_view made = {.element = element, .ndim = 1, .count = (uint32_t)count, .elements = all};
    made.dims[0] = (int32_t)count;
    made.lower[0] = (int32_t)(lower - before);
    struct datum whole = {.v.bytes = array_make_view(&r->temp, &made)};
    pl__store(r, t->var, &whole);
    return OK;
}

enum status pl__assign(struct pl_run *r, const struct pl_target *t, const struct datum *d,
                       type_id type, int32_t typmod)
{
    const struct pl_type *to = &r->code->types[t->var];
    if (t->field) return assign_field(r, t, d, type, typmod);
    if (t->subscript_count) return assign_element(r, t, d, type, typmod);
    if (to->is_record) return pl__assign_composite(r, t->var, d, type);
    struct datum v = *d;
    if (type != to->type || to->typmod >= 0)
        TRY(pl__cast(r->s, &v, type, typmod, to->type, to->typmod, &r->temp));
    if (v.null && r->code->tree && r->code->tree->vars[t->var].not_null)
        return null_refused(r, t->var);
    pl__store(r, t->var, &v);
    return OK;
}

/* --- rows ----------------------------------------------------------------------------------- */

void pl__columns(struct arena *a, const struct plan *p, struct pl_columns *ret)
{
    const char **names = ARENA_ARRAY(a, const char *, p->output_count + 1);
    type_id *types = ARENA_ARRAY(a, type_id, p->output_count + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, p->output_count + 1);
    for (uint32_t i = 0; i < p->output_count; i++) {
        names[i] = p->output[i].name ? p->output[i].name : "?column?";
        types[i] = p->output[i].type;
        typmods[i] = p->output[i].typmod;
    }
    *ret = (struct pl_columns){p->output_count, names, types, typmods};
}

/* Into a record of a table's rows: by position, converted; missing ones are NULL. */
static enum status fit_record(struct pl_run *r, struct pl_record *rec, const struct pl_columns *c,
                              const struct datum *values)
{
    struct datum *all = ARENA_ARRAY(&r->temp, struct datum, rec->count + 1);
    for (uint32_t i = 0; i < rec->count; i++) {
        all[i] = i < c->count ? values[i] : (struct datum){.null = true};
        if (i < c->count)
            TRY(pl__cast(r->s, &all[i], c->types[i], c->typmods[i], rec->types[i], rec->typmods[i],
                         &r->temp));
    }
    pl__record_store(rec, all);
    return OK;
}

enum status pl__assign_row(struct pl_run *r, const struct pl_targets *to,
                           const struct pl_columns *c, const struct datum *values)
{
    const struct pl_type *type = &r->code->types[to->items[0].var];
    if (to->count == 1 && type->is_record && !to->items[0].field) {
        struct pl_record *rec = &r->records[to->items[0].var];
        if (!type->table)
            pl__record_shape(rec, TYPE_RECORD, c->count, c->names, c->types, c->typmods);
        if (!values) {
            pl__record_null(rec);
            return OK;
        }
        if (type->table) return fit_record(r, rec, c, values);
        pl__record_store(rec, values);
        return OK;
    }
    for (uint32_t i = 0; i < to->count; i++) {
        const struct datum none = {.null = true};
        bool there = values && i < c->count;
        TRY(pl__assign(r, &to->items[i], there ? &values[i] : &none,
                       there ? c->types[i] : (type_id)TYPE_UNKNOWN, there ? c->typmods[i] : -1));
    }
    return OK;
}
