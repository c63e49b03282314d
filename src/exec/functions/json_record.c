/* json_populate_record, json_to_record and their kin: an object becomes a row, member by member, each through the
 * input function of its column's type.
 *
 * What a row consists of comes from the first argument's type or value. Where that is no row type at all, a
 * column definition list tells it, which the binder hands over as one argument more: a row of NULLs. */
#include "exec/functions/json_record_priv.h"

#include "types/numeric.h"
#include "types/record.h"

/* --- JSON of both types ----------------------------------------------------------------------- */

/* A part of json, by its text, or of jsonb. */
struct part {
    enum json_kind kind;
    bool raw;
    struct slice text;   /* raw */
    struct json_value v; /* not raw */
};

static struct part raw_part(struct slice text)
{
    return (struct part){.kind = json_kind_of(text), .raw = true, .text = json_trim(text)};
}

static struct part value_part(const struct json_value *v)
{
    return (struct part){.kind = (enum json_kind)v->kind, .v = *v};
}

/* The member of that name, the last of them; *ret_found false: there is none. */
static enum status member(struct call_ctx *c, const struct part *object, struct slice name,
                          struct part *ret, bool *ret_found)
{
    struct json_value v;
    struct json_walk w;
    struct slice key, value, plain;
    *ret_found = false;
    if (!object->raw) {
        *ret_found = jsonb_find(&object->v, name, &v);
        if (*ret_found) *ret = value_part(&v);
        return OK;
    }
    json_walk_begin(&w, object->text);
    while (json_walk_next(&w, &key, &value)) {
        TRY(json_unquote(key, c->arena, &plain));
        if (!slice_eq(plain, name)) continue;
        *ret = raw_part(value);
        *ret_found = true;
    }
    return OK;
}

/* Its elements, one by one. */
struct elements {
    const struct part *array;
    struct json_walk walk;
    uint32_t next;
};

static void elements_begin(struct elements *e, const struct part *array)
{
    *e = (struct elements){.array = array};
    if (array->raw) json_walk_begin(&e->walk, array->text);
}

static bool elements_next(struct elements *e, struct part *ret)
{
    struct slice key, value;
    if (e->array->raw) {
        if (!json_walk_next(&e->walk, &key, &value)) return false;
        *ret = raw_part(value);
        return true;
    }
    if (e->next >= e->array->v.count) return false;
    struct json_value v = jsonb_item(&e->array->v, e->next++);
    *ret = value_part(&v);
    return true;
}

/* As the input function of the type wants it. */
static enum status input_text(struct call_ctx *c, const struct part *p, type_id type,
                              struct slice *ret)
{
    struct strbuf b;
    bool as_json = type == TYPE_JSON || type == TYPE_JSONB;
    if (p->raw) {
        *ret = p->text;
        return p->kind == JSON_STRING && !as_json ? json_unquote(p->text, c->arena, ret) : OK;
    }
    if (p->kind == JSON_STRING && !as_json) {
        *ret = p->v.bytes;
        return OK;
    }
    strbuf_init(&b, c->arena);
    jsonb_value_to_text(&p->v, &b);
    *ret = strbuf_slice(&b);
    return OK;
}

/* --- fields ----------------------------------------------------------------------------------- */

static enum status populate_row(struct call_ctx *c, const struct json_shape *s,
                                const struct datum *base, const struct part *p, union value *ret);

/* An array that grows: its dimensions are known when the first that is no array is met. */
struct filling {
    struct call_ctx *c;
    const char *name; /* of the member; NULL: it is an element itself */
    int32_t typmod;
    struct array_view v;
    int32_t sizes[ARRAY_DIMS_MAX]; /* so far, of each dimension */
    uint32_t room;
};

static enum status populate_field(struct call_ctx *c, type_id type, int32_t typmod,
                                  const char *name, const struct datum *base,
                                  const struct part *p, struct datum *ret);

static enum status no_array(const struct filling *f, int32_t dim)
{
    struct strbuf at;
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "expected JSON array");
    if (dim <= 0) return f->name ? error_hint("See the value of key \"%s\".", f->name)
                                 : INVALID_TEXT_REPRESENTATION;
    strbuf_init(&at, f->c->arena);
    for (int32_t i = 0; i < dim; i++) strbuf_addf(&at, "[%d]", f->sizes[i]);
    return f->name ? error_hint("See the array element %s of key \"%s\".", at.data, f->name)
                   : error_hint("See the array element %s.", at.data);
}

static enum status end_dimension(struct filling *f, int32_t dim)
{
    if (f->v.dims[dim] == -1) f->v.dims[dim] = f->sizes[dim];
    if (f->v.dims[dim] != f->sizes[dim]) {
        (void)FAIL(INVALID_TEXT_REPRESENTATION, "malformed JSON array");
        return error_detail(
            "Multidimensional arrays must have sub-arrays with matching dimensions.");
    }
    f->sizes[dim] = 0;
    if (dim > 0) f->sizes[dim - 1]++;
    return OK;
}

static enum status add_element(struct filling *f, const struct part *p, int32_t dim)
{
    struct datum d;
    TRY(populate_field(f->c, f->v.element, f->typmod, NULL, NULL, p, &d));
    if (f->v.count == f->room) {
        struct datum *old = f->v.elements;
        f->room = f->room ? f->room * 2 : 8;
        f->v.elements = ARENA_ARRAY(f->c->arena, struct datum, f->room);
        if (old) memcpy(f->v.elements, old, f->v.count * sizeof *old);
    }
    f->v.elements[f->v.count++] = d;
    f->sizes[dim]++;
    return OK;
}

static enum status fill(struct filling *f, const struct part *p, int32_t dim)
{
    struct elements e;
    struct part in;
    if (p->kind != JSON_ARRAY) return no_array(f, dim);
    elements_begin(&e, p);
    bool any = elements_next(&e, &in);
    if (f->v.ndim == 0 && (!any || in.kind != JSON_ARRAY)) {
        f->v.ndim = dim + 1;
        for (int32_t i = 0; i <= dim; i++) f->v.dims[i] = -1;
    }
    for (; any; any = elements_next(&e, &in)) {
        if (f->v.ndim && dim + 1 >= f->v.ndim) {
            TRY(add_element(f, &in, dim));
            continue;
        }
        if (dim + 1 >= ARRAY_DIMS_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED,
                        "number of array dimensions (%d) exceeds the maximum allowed (%d)", dim + 2,
                        ARRAY_DIMS_MAX);
        TRY(fill(f, &in, dim + 1));
    }
    return end_dimension(f, dim);
}

static enum status populate_array(struct call_ctx *c, type_id type, int32_t typmod,
                                  const char *name, const struct part *p, union value *ret)
{
    struct filling f = {.c = c, .name = name, .typmod = typmod};
    f.v.element = type_get(type)->element;
    TRY(fill(&f, p, 0));
    for (int32_t i = 0; i < f.v.ndim; i++) f.v.lower[i] = 1;
    if (f.v.count == 0) f.v.ndim = 0;
    ret->bytes = array_make_view(c->arena, &f.v);
    return OK;
}

static enum status shape_of_type(struct call_ctx *c, type_id type, struct json_shape *ret)
{
    const struct reg_names *names = c->session->format->names;
    struct row_columns columns;
    if (!names || !names->row_columns || type == TYPE_RECORD)
        return FAIL(FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented");
    TRY(names->row_columns(names->ctx, type, c->arena, &columns));
    *ret = (struct json_shape){.type = type, .columns = columns};
    return OK;
}

static enum status populate_field(struct call_ctx *c, type_id type, int32_t typmod,
                                  const char *name, const struct datum *base,
                                  const struct part *p, struct datum *ret)
{
    struct json_shape shape;
    struct slice text;
    *ret = (struct datum){.null = p->kind == JSON_NULL};
    if (ret->null) return OK;
    if (p->kind != JSON_STRING && type_is_array(type))
        return populate_array(c, type, typmod, name, p, &ret->v);
    if (p->kind != JSON_STRING && type_is_composite(type)) {
        TRY(exec_check_stack());
        TRY(shape_of_type(c, type, &shape));
        return populate_row(c, &shape, base && !base->null ? base : NULL, p, &ret->v);
    }
    TRY(input_text(c, p, type, &text));
    return value_from_text(type, typmod, text, c->session->format, c->arena, &ret->v);
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_empty(const struct part *object)
{
    return object->raw ? json_walk_count(object->text) == 0 : object->v.count == 0;
}

/* base NULL: what the object does not have is NULL. */
static enum status populate_row(struct call_ctx *c, const struct json_shape *s,
                                const struct datum *base, const struct part *p, union value *ret)
{
    struct record_view v = {0};
    struct part in;
    bool found;
    if (p->kind != JSON_OBJECT)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on %s", "populate_composite",
                    p->kind == JSON_ARRAY ? "an array" : "a scalar");
    if (base && is_empty(p)) {
        *ret = base->v;
        return OK;
    }
    if (base) TRY(record_open(&base->v.bytes, c->arena, &v));
    struct datum *fields = ARENA_ARRAY(c->arena, struct datum, s->columns.count + 1);
    for (uint32_t i = 0; i < s->columns.count; i++) {
        const char *name = s->columns.names[i];
        struct datum old = i < v.count ? v.fields[i] : (struct datum){.null = true};
        fields[i] = old;
        TRY(member(c, p, slice_of(name), &in, &found));
        if (found)
            TRY(populate_field(c, s->columns.types[i], s->columns.typmods[i], name, &old, &in,
                               &fields[i]));
    }
    return record_make(c->arena, s->type, s->columns.types, fields, s->columns.count, &ret->bytes);
}

/* --- what the row is -------------------------------------------------------------------------- */

/* The names and types of a row that is written in the query. */
static void shape_of_row(struct call_ctx *c, const struct expr *row, struct json_shape *ret)
{
    type_id *types = ARENA_ARRAY(c->arena, type_id, row->arg_count + 1);
    int32_t *typmods = ARENA_ARRAY(c->arena, int32_t, row->arg_count + 1);
    for (uint32_t i = 0; i < row->arg_count; i++) {
        types[i] = row->args[i]->type;
        typmods[i] = row->args[i]->typmod;
    }
    *ret = (struct json_shape){.type = TYPE_RECORD,
                               .columns = {types, typmods, row->row_names, row->arg_count}};
}

static enum status shape_of_value(struct call_ctx *c, const struct datum *d,
                                  struct json_shape *ret)
{
    struct record_view v;
    TRY(record_open(&d->v.bytes, c->arena, &v));
    int32_t *typmods = ARENA_ARRAY(c->arena, int32_t, v.count + 1);
    const char **names = ARENA_ARRAY(c->arena, const char *, v.count + 1);
    for (uint32_t i = 0; i < v.count; i++) {
        typmods[i] = -1;
        names[i] = v.names ? v.names[i] : arena_printf(c->arena, "f%u", i + 1);
    }
    *ret = (struct json_shape){.type = TYPE_RECORD, .columns = {v.types, typmods, names, v.count}};
    return OK;
}

static bool takes_base(const struct call_ctx *c)
{
    return c->expr->call.proc->args[0] == TYPE_ANYELEMENT;
}

static enum status find_shape(struct call_ctx *c, const struct datum *args, struct json_shape *ret)
{
    const struct proc_def *p = c->expr->call.proc;
    const struct expr *last = c->expr->args[c->expr->arg_count - 1];
    type_id type = takes_base(c) ? c->expr->args[0]->type : (type_id)TYPE_RECORD;
    if (!type_is_composite(type))
        return FAIL(DATATYPE_MISMATCH, "first argument of %s must be a row type", p->name);
    if (type != TYPE_RECORD) return shape_of_type(c, type, ret);
    if (takes_base(c) && !args[0].null) return shape_of_value(c, &args[0], ret);
    if (c->expr->arg_count > p->arg_count) {
        shape_of_row(c, last, ret);
        return OK;
    }
    (void)FAIL(FEATURE_NOT_SUPPORTED, "could not determine row type for result of %s", p->name);
    return error_hint("Provide a non-null record argument, or call the function in the FROM clause "
                      "using a column definition list.");
}

static enum status open_part(struct call_ctx *c, const struct datum *d, bool raw, struct part *ret)
{
    if (!raw) {
        struct json_value v = jsonb_of(&d->v.bytes);
        *ret = value_part(&v);
        return OK;
    }
    *ret = raw_part(bytes_slice(&d->v.bytes));
    return json_check_escapes(bytes_slice(&d->v.bytes), c->arena);
}

/* --- functions -------------------------------------------------------------------------------- */

static enum status one_row(struct call_ctx *c, const struct datum *args, bool raw,
                           struct datum *ret)
{
    struct json_shape shape;
    struct part p;
    bool based = takes_base(c);
    TRY(find_shape(c, args, &shape));
    const struct datum *base = based && !args[0].null ? &args[0] : NULL;
    if (args[based].null) {
        if (!base) return ret_null(ret);
        *ret = *base;
        return OK;
    }
    TRY(open_part(c, &args[based], raw, &p));
    return populate_row(c, &shape, base, &p, &ret->v);
}

SCALAR(json__record) { return one_row(c, args, true, ret); }
SCALAR(jsonb__record) { return one_row(c, args, false, ret); }

struct record_set {
    struct json_shape shape;
    struct datum document, base; /* copies: short ones lie in them */
    struct part array;
    struct elements elements;
};

static enum status begin_set(struct call_ctx *c, const struct datum *args, bool raw,
                             struct record_set **ret)
{
    const char *name = c->expr->call.proc->name;
    struct record_set *s = ARENA_NEW(c->arena, struct record_set);
    bool based = takes_base(c);
    TRY(find_shape(c, args, &s->shape));
    s->base = based ? args[0] : (struct datum){.null = true};
    s->document = args[based];
    if (s->document.null) {
        s->document = (struct datum){0};
        s->document.v.bytes = bytes_ref("[]", 2);
        raw = true;
    }
    TRY(open_part(c, &s->document, raw, &s->array));
    if (s->array.kind != JSON_ARRAY)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on %s", name,
                    !raw                           ? "a non-array"
                    : s->array.kind == JSON_OBJECT ? "an object"
                                                   : "a scalar");
    elements_begin(&s->elements, &s->array);
    *ret = c->state = s;
    return OK;
}

static enum status next_row(struct call_ctx *c, const struct datum *args, bool raw,
                            struct datum *ret, bool *ret_done)
{
    struct record_set *s = c->state;
    struct part p;
    if (!s) TRY(begin_set(c, args, raw, &s));
    *ret_done = !elements_next(&s->elements, &p);
    if (*ret_done) return OK;
    if (p.kind != JSON_OBJECT)
        return FAIL(INVALID_PARAMETER_VALUE, "argument of %s must be an array of objects",
                    c->expr->call.proc->name);
    ret->null = false;
    return populate_row(c, &s->shape, s->base.null ? NULL : &s->base, &p, &ret->v);
}

SET(json_set__records) { return next_row(c, args, true, ret, ret_done); }
SET(jsonb_set__records) { return next_row(c, args, false, ret, ret_done); }
