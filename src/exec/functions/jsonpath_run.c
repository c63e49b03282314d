/* Running a jsonpath: steps into objects and arrays, filters, literals. What lax and strict mean stands here: in lax
 * mode arrays are taken apart and values made arrays of one as a step wants it, and what is not there is no error. */
#include "exec/functions/jsonpath_priv.h"

#include "exec/execution.h"
#include "types/numeric.h"

enum { LIST_FIRST = 8 };

void path__add(struct path_run *r, struct path_list *l, struct json_value v)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : LIST_FIRST;
        struct json_value *items = arena_alloc(r->a, l->room * sizeof *items);
        if (l->count) memcpy(items, l->items, l->count * sizeof *items);
        l->items = items;
    }
    l->items[l->count++] = v;
}

enum status path__fail(struct path_run *r, enum status s, enum path_outcome *ret)
{
    *ret = PATH_ERROR;
    if (r->throws) return s;
    error_clear();
    return OK;
}

/* A structural error: none in lax mode, where there is just nothing. */
#define STRUCTURE(r, code, ...)                                                                    \
    ((r)->ignore ? (*ret = PATH_NOTHING, OK) : path__fail((r), FAIL(code, __VA_ARGS__), ret))

enum status path__next(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, struct path_list *found, enum path_outcome *ret)
{
    if (i && i->next) return path__item(r, i->next, v, r->lax, found, ret);
    if (found) path__add(r, found, *v);
    *ret = PATH_FOUND;
    return OK;
}

/* --- going through containers ----------------------------------------------------------------- */

/* Levels of what is below a value, for ** and its like. */
struct descent {
    const struct jsonpath_item *item; /* for each value; NULL: the values themselves */
    uint32_t first, last;
    bool ignore, unwrap;
};

static bool is_done(enum path_outcome o, const struct path_list *found)
{
    return o == PATH_ERROR || (o == PATH_FOUND && !found);
}

static enum status descend_to(struct path_run *r, const struct descent *d,
                              const struct json_value *v, struct path_list *found,
                              enum path_outcome *ret)
{
    bool ignored = r->ignore;
    if (!d->item) {
        if (found) path__add(r, found, *v);
        *ret = PATH_FOUND;
        return OK;
    }
    if (d->ignore) r->ignore = true;
    enum status s = path__item(r, d->item, v, d->unwrap, found, ret);
    r->ignore = ignored;
    return s;
}

static enum status descend(struct path_run *r, const struct descent *d, const struct json_value *v,
                           uint32_t level, struct path_list *found, enum path_outcome *ret)
{
    *ret = PATH_NOTHING;
    TRY(exec_check_stack());
    if (level > d->last) return OK;
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_value in = v->kind == JSON_ARRAY ? jsonb_item(v, i) : jsonb_pair(v, i).value;
        bool leaf = d->first == UINT32_MAX && d->last == UINT32_MAX && !json_is_container(&in);
        if (level >= d->first || leaf) {
            TRY(descend_to(r, d, &in, found, ret));
            if (is_done(*ret, found)) return OK;
        }
        if (level < d->last && json_is_container(&in)) {
            TRY(descend(r, d, &in, level + 1, found, ret));
            if (is_done(*ret, found)) return OK;
        }
    }
    return OK;
}

enum status path__unwrapped(struct path_run *r, const struct jsonpath_item *i,
                            const struct json_value *array, struct path_list *found,
                            enum path_outcome *ret)
{
    const struct descent d = {.item = i, .first = 1, .last = 1};
    return descend(r, &d, array, 1, found, ret);
}

/* Members or elements, for the next step. */
static enum status all_of(struct path_run *r, const struct jsonpath_item *i,
                          const struct json_value *v, struct path_list *found,
                          enum path_outcome *ret)
{
    const struct descent d = {.item = i->next, .first = 1, .last = 1, .unwrap = r->lax};
    return descend(r, &d, v, 1, found, ret);
}

static enum status any_level(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, struct path_list *found,
                             enum path_outcome *ret)
{
    const struct descent d = {.item = i->next, .first = (uint32_t)i->first, .ignore = true,
                              .last = (uint32_t)i->last, .unwrap = r->lax};
    *ret = PATH_NOTHING;
    if (i->first == 0) {
        bool ignored = r->ignore;
        r->ignore = true;
        enum status s = path__next(r, i, v, found, ret);
        r->ignore = ignored;
        TRY(s);
        if (*ret == PATH_FOUND && !found) return OK;
    }
    return json_is_container(v) ? descend(r, &d, v, 1, found, ret) : OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

static enum status key(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, bool unwrap, struct path_list *found,
                       enum path_outcome *ret)
{
    struct json_value in;
    if (v->kind == JSON_ARRAY && unwrap) return path__unwrapped(r, i, v, found, ret);
    if (v->kind != JSON_OBJECT)
        return STRUCTURE(r, JSON_MEMBER_NOT_FOUND,
                         "jsonpath member accessor can only be applied to an object");
    for (uint32_t k = 0; !v->packed && k < v->count; k++)
        if (slice_eq(v->pairs[k].key, i->text)) return path__next(r, i, &v->pairs[k].value, found, ret);
    if (v->packed && jsonb_find(v, i->text, &in)) return path__next(r, i, &in, found, ret);
    return STRUCTURE(r, JSON_MEMBER_NOT_FOUND, "JSON object does not contain key \"%.*s\"",
                     (int)i->text.len, i->text.data);
}

static enum status any_key(struct path_run *r, const struct jsonpath_item *i,
                           const struct json_value *v, bool unwrap, struct path_list *found,
                           enum path_outcome *ret)
{
    if (v->kind == JSON_ARRAY && unwrap) return path__unwrapped(r, i, v, found, ret);
    if (v->kind == JSON_OBJECT) return all_of(r, i, v, found, ret);
    return STRUCTURE(r, JSON_OBJECT_NOT_FOUND,
                     "jsonpath wildcard member accessor can only be applied to an object");
}

static enum status any_element(struct path_run *r, const struct jsonpath_item *i,
                               const struct json_value *v, struct path_list *found,
                               enum path_outcome *ret)
{
    if (v->kind == JSON_ARRAY) return all_of(r, i, v, found, ret);
    if (r->lax) return path__next(r, i, v, found, ret);
    return STRUCTURE(r, JSON_ARRAY_NOT_FOUND,
                     "jsonpath wildcard array accessor can only be applied to an array");
}

/* The number of an element. */
static enum status subscript(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, int32_t *ret_index,
                             enum path_outcome *ret)
{
    struct path_list list = {0};
    struct numeric n;
    int64_t whole;
    TRY(path__item(r, i, v, r->lax, &list, ret));
    if (*ret == PATH_ERROR) return OK;
    if (list.count != 1 || list.items[0].kind != JSON_NUMBER)
        return path__fail(r, FAIL(INVALID_JSON_SUBSCRIPT,
                                  "jsonpath array subscript is not a single numeric value"), ret);
    n = jsonb_number(&list.items[0], r->a);
    TRY(numeric_trunc(r->a, &n, 0, &n));
    if (numeric_to_i64(&n, &whole) != OK || whole != (int32_t)whole) {
        error_clear();
        return path__fail(r, FAIL(INVALID_JSON_SUBSCRIPT,
                                  "jsonpath array subscript is out of integer range"), ret);
    }
    *ret_index = (int32_t)whole;
    *ret = PATH_FOUND;
    return OK;
}

static enum status elements(struct path_run *r, const struct jsonpath_item *i,
                            const struct jsonpath_subscript *s, const struct json_value *v,
                            struct path_list *found, enum path_outcome *ret)
{
    int32_t from, to;
    int64_t size = r->array_size;
    TRY(subscript(r, s->from, v, &from, ret));
    if (*ret == PATH_ERROR) return OK;
    to = from;
    if (s->to) TRY(subscript(r, s->to, v, &to, ret));
    if (*ret == PATH_ERROR) return OK;
    if (!r->ignore && (from < 0 || from > to || to >= size))
        return path__fail(
            r, FAIL(INVALID_JSON_SUBSCRIPT, "jsonpath array subscript is out of bounds"), ret);
    *ret = PATH_NOTHING;
    for (int64_t k = from < 0 ? 0 : from; k <= to && k < size; k++) {
        struct json_value in = v->kind == JSON_ARRAY ? jsonb_item(v, (uint32_t)k) : *v;
        TRY(path__next(r, i, &in, found, ret));
        if (is_done(*ret, found)) return OK;
    }
    return OK;
}

static enum status index_of(struct path_run *r, const struct jsonpath_item *i,
                            const struct json_value *v, struct path_list *found,
                            enum path_outcome *ret)
{
    int64_t outer = r->array_size;
    enum status s = OK;
    *ret = PATH_NOTHING;
    if (v->kind != JSON_ARRAY && !r->lax)
        return STRUCTURE(r, JSON_ARRAY_NOT_FOUND,
                         "jsonpath array accessor can only be applied to an array");
    for (uint32_t k = 0; s == OK && k < i->subscript_count; k++) {
        r->array_size = v->kind == JSON_ARRAY ? v->count : 1;
        s = elements(r, i, &i->subscripts[k], v, found, ret);
        if (is_done(*ret, found)) break;
    }
    r->array_size = outer;
    return s;
}

static enum status filter(struct path_run *r, const struct jsonpath_item *i,
                          const struct json_value *v, bool unwrap, struct path_list *found,
                          enum path_outcome *ret)
{
    struct json_value outer = r->current;
    enum path_truth truth;
    if (v->kind == JSON_ARRAY && unwrap) return path__unwrapped(r, i, v, found, ret);
    r->current = *v;
    enum status s = path__test(r, i->left, v, &truth);
    r->current = outer;
    *ret = PATH_NOTHING;
    TRY(s);
    return truth == PATH_TRUE ? path__next(r, i, v, found, ret) : OK;
}

/* --- values ----------------------------------------------------------------------------------- */

static enum status variable(struct path_run *r, struct slice name, struct json_value *ret)
{
    *ret = (struct json_value){.kind = JSON_NULL};
    if (r->vars.kind != JSON_OBJECT || jsonb_find(&r->vars, name, ret)) return OK;
    return FAIL(UNDEFINED_OBJECT, "could not find jsonpath variable \"%.*s\"", (int)name.len,
                name.data);
}

static struct json_value whole_number(struct path_run *r, int64_t n)
{
    struct numeric x = numeric_from_i64(r->a, n);
    return json_number(r->a, &x);
}

static enum status literal(struct path_run *r, const struct jsonpath_item *i,
                           struct path_list *found, enum path_outcome *ret)
{
    struct json_value v = {.kind = JSON_NULL};
    *ret = PATH_FOUND;
    if (!i->next && !found) return OK;
    switch (i->kind) {
    case PATH_BOOL: v = json_bool(i->truth); break;
    case PATH_STRING: v = json_string(i->text); break;
    case PATH_NUMBER: v = json_number(r->a, &i->number); break;
    case PATH_LAST: v = whole_number(r, r->array_size - 1); break;
    case PATH_VARIABLE: TRY(variable(r, i->text, &v)); break;
    default: break;
    }
    return path__next(r, i, &v, found, ret);
}

static enum status truth_value(struct path_run *r, const struct jsonpath_item *i,
                               const struct json_value *v, struct path_list *found,
                               enum path_outcome *ret)
{
    enum path_truth truth;
    TRY(path__test(r, i, v, &truth));
    struct json_value b = {.kind = truth == PATH_UNKNOWN ? JSON_NULL
                                   : truth == PATH_TRUE  ? JSON_TRUE
                                                         : JSON_FALSE};
    return path__next(r, i, &b, found, ret);
}

static enum status from_root(struct path_run *r, const struct jsonpath_item *i,
                             struct path_list *found, enum path_outcome *ret)
{
    const char *base = r->base;
    int64_t id = r->base_id;
    r->base = r->root.packed ? r->root.bytes.data : NULL;
    r->base_id = 0;
    enum status s = path__next(r, i, &r->root, found, ret);
    r->base = base;
    r->base_id = id;
    return s;
}

enum status path__item(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, bool unwrap, struct path_list *found,
                       enum path_outcome *ret)
{
    TRY(exec_check_stack());
    *ret = PATH_NOTHING;
    switch (i->kind) {
    case PATH_ROOT: return from_root(r, i, found, ret);
    case PATH_CURRENT: return path__next(r, i, &r->current, found, ret);
    case PATH_KEY: return key(r, i, v, unwrap, found, ret);
    case PATH_ANY_KEY: return any_key(r, i, v, unwrap, found, ret);
    case PATH_ANY_ARRAY: return any_element(r, i, v, found, ret);
    case PATH_INDEX: return index_of(r, i, v, found, ret);
    case PATH_ANY: return any_level(r, i, v, found, ret);
    case PATH_FILTER: return filter(r, i, v, unwrap, found, ret);
    default: break;
    }
    if (i->kind <= PATH_VARIABLE || i->kind == PATH_LAST) return literal(r, i, found, ret);
    if (i->kind >= PATH_AND && i->kind <= PATH_GE) return truth_value(r, i, v, found, ret);
    if (i->kind >= PATH_ADD && i->kind <= PATH_MINUS) return path__arithmetic(r, i, v, found, ret);
    return path__method(r, i, v, unwrap, found, ret);
}

enum status path__result(struct path_run *r, const struct jsonpath_item *i,
                         const struct json_value *v, bool unwrap, struct path_list *found,
                         enum path_outcome *ret)
{
    struct path_list all = {0};
    enum path_outcome ignored;
    if (!unwrap || !r->lax) return path__item(r, i, v, r->lax, found, ret);
    TRY(path__item(r, i, v, true, &all, ret));
    if (*ret == PATH_ERROR) return OK;
    for (uint32_t k = 0; k < all.count; k++) {
        if (all.items[k].kind == JSON_ARRAY)
            TRY(path__unwrapped(r, NULL, &all.items[k], found, &ignored));
        else if (found)
            path__add(r, found, all.items[k]);
    }
    *ret = PATH_FOUND;
    return OK;
}
