/* Coercions. A way from one type to another is a row of pg_cast, the element types' way for
 * arrays, or the text form where one side is a string; which of them may be taken depends on how
 * explicitly it was asked for. Literals of type unknown have no type until they meet one: they
 * are read then, here, by the type's input function. So do parameters whose type the client left
 * open.
 *
 * A typmod (varchar(10)) is a second step, CAST_TYPMOD over the cast, since it errs by other
 * rules; of an array it is part of CAST_ARRAY, whose typmod is the element's. */
#include "sql/bind/resolve_priv.h"
#include "sql/type_name.h"
#include "types/range.h"
#include "types/record.h"

const char *bind__type_words(const struct scope *s, type_id type)
{
    struct strbuf b;
    strbuf_init(&b, s->env->arena);
    type_name_print(s->env->catalog, s->env->path, type, -1, &b);
    return b.data ? b.data : "";
}

struct expr *bind__new(const struct scope *s, enum expr_kind kind, type_id type, int location,
                       uint32_t arg_count)
{
    struct expr *e = ARENA_NEW(s->env->arena, struct expr);
    e->kind = (uint8_t)kind;
    e->type = type;
    e->typmod = -1;
    e->location = location;
    e->arg_count = arg_count;
    e->args = arg_count ? ARENA_ARRAY(s->env->arena, struct expr *, arg_count) : NULL;
    return e;
}

enum status bind__at(const struct scope *s, int location, enum status code)
{
    struct slice text = s->env->text;
    if (code == OK || location < 0 || !text.data || (size_t)location > text.len) return code;
    int position = 1;
    for (int i = 0; i < location; i++) position += (text.data[i] & 0xC0) != 0x80;
    error_at(position);
    return code;
}

/* --- the ways --------------------------------------------------------------------------------- */

static bool is_string_category(type_id type)
{
    const struct type_info *t = type_get(type);
    return t && t->category == 'S';
}

static type_id element_of(type_id type)
{
    return type_is_array(type) ? type_get(type)->element : TYPE_NONE;
}

static bool find_way(type_id from, type_id to, enum cast_context context, enum cast_method *ret)
{
    const struct cast_info *c = cast_find(from, to);
    if (c) {
        if (c->context < context) return false;
        *ret = c->binary ? CAST_RELABEL : c->function_oid ? CAST_FUNCTION : CAST_TEXT_IO;
        return true;
    }
    *ret = CAST_RELABEL;
    if (type_is_row(from) && to == TYPE_RECORD) return true;
    if (from == TYPE_RECORD && type_is_row(to)) return true; /* as far as it is a ROW(…) */
    if (to == TYPE_RECORD_ARRAY && type_is_row(element_of(from))) return true;
    if (type_is_composite(from) && type_is_composite(to)) return false;
    type_id from_element = element_of(from), to_element = element_of(to);
    if (from_element && to_element && to != TYPE_OIDVECTOR && to != TYPE_INT2VECTOR) {
        enum cast_method inner;
        *ret = CAST_ARRAY;
        return from_element == to_element || find_way(from_element, to_element, context, &inner);
    }
    *ret = CAST_TEXT_IO;
    if (context <= CAST_ASSIGNMENT && is_string_category(to)) return true;
    return context == CAST_EXPLICIT && is_string_category(from);
}

bool bind__can_coerce(type_id from, type_id to, enum cast_context context)
{
    if (from == to || to == TYPE_ANY) return true;
    switch (to) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYCOMPATIBLE: return true;
    case TYPE_ANYNONARRAY: return !type_is_array(from);
    case TYPE_ANYRANGE: return from == TYPE_UNKNOWN || type_is_range(from);
    case TYPE_ANYMULTIRANGE: return from == TYPE_UNKNOWN || type_is_multirange(from);
    case TYPE_ANYARRAY:
    case TYPE_ANYCOMPATIBLEARRAY: return from == TYPE_UNKNOWN || type_is_array(from);
    default: break;
    }
    if (from == TYPE_UNKNOWN) return true;
    enum cast_method method;
    return find_way(from, to, context, &method);
}

/* --- literals and parameters ------------------------------------------------------------------ */

static bool contains_word(struct slice text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++)
        if (slice_eq_nocase(slice_make(text.data + i, n), slice_make(word, n))) return true;
    return false;
}

static bool is_iso_date(struct slice text)
{
    static const char shape[] = "dddd-dd-dd";
    if (text.len < sizeof shape - 1) return false;
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        char c = text.data[i];
        if (shape[i] == 'd' ? c < '0' || c > '9' : c != '-') return false;
    }
    return true;
}

/* Would another zone, DateStyle or moment read it otherwise? */
static bool reads_session(type_id type, struct slice text)
{
    static const char *const words[] = {"now", "today", "tomorrow", "yesterday", "allballs"};
    type_id element = element_of(type);
    switch (element ? element : type) {
    case TYPE_TIMESTAMPTZ:
    case TYPE_TSTZRANGE:
    case TYPE_TSTZMULTIRANGE:
    case TYPE_DATERANGE:
    case TYPE_DATEMULTIRANGE:
    case TYPE_TSRANGE:
    case TYPE_TSMULTIRANGE:
    case TYPE_TIMETZ: return true;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        if (element || !is_iso_date(text)) return true;
        break;
    case TYPE_TIME: break;
    default: return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (contains_word(text, words[i])) return true;
    return false;
}

static enum status read_literal(struct scope *s, const struct expr *e, type_id to, int32_t typmod,
                                struct expr **ret)
{
    struct bind_env *env = s->env;
    struct expr *made = bind__new(s, EXPR_CONST, to, e->location, 0);
    *ret = made;
    made->constant.null = e->constant.null;
    if (e->constant.null) return OK;
    struct slice text = bytes_slice(&e->constant.v.bytes);
    if (type_is_reg(to)) {
        oid_t oid;
        TRY(bind__at(s, e->location, bind__read_reg(s, to, text, &oid)));
        made->constant.v.u32 = oid;
        return OK;
    }
    if (reads_session(to, text)) env->depends_on_time_zone = true;
    if (is_string_category(to) && to != TYPE_NAME && to != TYPE_BPCHAR) {
        made->constant.v = e->constant.v;
        return OK;
    }
    /* INTERVAL '1' DAY: the fields decide how the text is read, so they cannot wait. */
    int32_t reading = to == TYPE_INTERVAL ? typmod : -1;
    made->typmod = reading;
    return bind__at(s, e->location,
                    value_from_text(to, reading, text, env->format ? env->format : &format_default,
                                    env->arena, &made->constant.v));
}

static enum status infer_param(struct scope *s, struct expr *e, type_id to, struct expr **ret)
{
    struct bind_env *env = s->env;
    uint32_t i = (uint32_t)e->param - 1;
    *ret = e;
    if (i >= env->param_count || env->param_types[i] == to) {
        e->type = to;
        return OK;
    }
    if (env->param_types[i] == TYPE_NONE || env->param_types[i] == TYPE_UNKNOWN) {
        env->param_types[i] = to;
        e->type = to;
        return OK;
    }
    FAIL(AMBIGUOUS_PARAMETER, "inconsistent types deduced for parameter $%d", e->param);
    error_detail("%s versus %s", bind__type_words(s, env->param_types[i]), bind__type_words(s, to));
    return bind__at(s, e->location, AMBIGUOUS_PARAMETER);
}

/* --- coercing --------------------------------------------------------------------------------- */

static struct expr *cast_node(struct scope *s, struct expr *e, type_id to, int32_t typmod,
                              enum cast_method method, bool is_explicit, int location)
{
    struct expr *c = bind__new(s, EXPR_CAST, to, location >= 0 ? location : e->location, 1);
    c->args[0] = e;
    c->typmod = typmod;
    c->cast.method = (uint8_t)method;
    c->cast.is_explicit = is_explicit;
    return c;
}

static bool has_typmod(type_id type)
{
    switch (type) {
    case TYPE_BPCHAR:
    case TYPE_VARCHAR:
    case TYPE_NUMERIC:
    case TYPE_BIT:
    case TYPE_VARBIT:
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL: return true;
    default: return false;
    }
}

/* Constants are fitted here when they fit; what errs does so when the value is needed, not
 * before. */
static struct expr *fit_typmod(struct scope *s, struct expr *e, int32_t typmod, bool is_explicit,
                               int location)
{
    type_id element = element_of(e->type);
    if (typmod < 0 || typmod == e->typmod || !has_typmod(element ? element : e->type)) return e;
    if (element) return cast_node(s, e, e->type, typmod, CAST_ARRAY, is_explicit, location);
    if (e->kind == EXPR_CONST && !is_explicit) {
        union value v = e->constant.v;
        if (e->constant.null ||
            value_apply_typmod(e->type, typmod, false, s->env->arena, &v) == OK) {
            struct expr *fitted = arena_memdup(s->env->arena, e, sizeof *e);
            fitted->constant.v = v;
            fitted->typmod = typmod;
            return fitted;
        }
        error_clear();
    }
    return cast_node(s, e, e->type, typmod, CAST_TYPMOD, is_explicit, location);
}

static enum status no_way(struct scope *s, type_id from, type_id to, enum cast_context context,
                          int location)
{
    if (context != CAST_EXPLICIT) return CANNOT_COERCE;
    return bind__at(s, location,
                    FAIL(CANNOT_COERCE, "cannot cast type %s to %s", bind__type_words(s, from),
                         bind__type_words(s, to)));
}

enum status bind__coerce(struct scope *s, struct expr *e, type_id to, int32_t typmod,
                         enum cast_context context, int location, struct expr **ret)
{
    bool is_explicit = context == CAST_EXPLICIT;
    if (to == TYPE_ANY || bind__is_polymorphic(to)) {
        *ret = e;
        return OK;
    }
    if (e->type == to) {
        if (is_explicit && typmod < 0 && e->typmod >= 0 && has_typmod(to))
            e = cast_node(s, e, to, -1, CAST_RELABEL, true, location);
        *ret = fit_typmod(s, e, typmod, is_explicit, location);
        return OK;
    }
    if (e->type == TYPE_UNKNOWN && (e->kind == EXPR_CONST || e->kind == EXPR_PARAM)) {
        if (e->kind == EXPR_CONST)
            TRY(read_literal(s, e, to, typmod, &e));
        else
            TRY(infer_param(s, e, to, &e));
        *ret = fit_typmod(s, e, typmod, is_explicit, location);
        return OK;
    }
    enum cast_method method = CAST_TEXT_IO;
    if (e->type != TYPE_UNKNOWN && !find_way(e->type, to, context, &method))
        return no_way(s, e->type, to, context, location >= 0 ? location : e->location);
    if (e->type == TYPE_RECORD && type_is_row(to))
        return bind__coerce_row(s, e, to, context, location, ret);
    if (method == CAST_ARRAY) {
        *ret = cast_node(s, e, to, typmod, method, is_explicit, location);
        return OK;
    }
    if (to == TYPE_BIT && method == CAST_FUNCTION) { /* of an integer: its lowest bits */
        *ret = cast_node(s, e, to, typmod, method, is_explicit, location);
        return OK;
    }
    bool shown = is_explicit && !(typmod >= 0 && has_typmod(to));
    e = cast_node(s, e, to, -1, method, shown, location);
    *ret = fit_typmod(s, e, typmod, is_explicit, location);
    return OK;
}

enum status bind_coerce_assignment(struct bind_env *env, struct expr *e, type_id type,
                                   int32_t typmod, const char *column, struct expr **ret)
{
    struct scope s = {.env = env};
    enum status code = bind__coerce(&s, e, type, typmod, CAST_ASSIGNMENT, -1, ret);
    if (code != CANNOT_COERCE || (e->type == TYPE_RECORD && type_is_row(type))) return code;
    FAIL(DATATYPE_MISMATCH, "column \"%s\" is of type %s but expression is of type %s", column,
         bind__type_words(&s, type), bind__type_words(&s, e->type));
    error_hint("You will need to rewrite or cast the expression.");
    return bind__at(&s, e->location, DATATYPE_MISMATCH);
}

enum status bind__coerce_boolean(struct scope *s, struct expr *e, const char *construct,
                                 struct expr **ret)
{
    enum status code = bind__coerce(s, e, TYPE_BOOL, -1, CAST_ASSIGNMENT, -1, ret);
    if (code != CANNOT_COERCE) return code;
    return bind__at(s, e->location,
                    FAIL(DATATYPE_MISMATCH, "argument of %s must be type boolean, not type %s",
                         construct, bind__type_words(s, e->type)));
}

enum status bind__resolve_unknown(struct scope *s, struct expr *e, struct expr **ret)
{
    *ret = e;
    if (e->type != TYPE_UNKNOWN) return OK;
    return bind__coerce(s, e, TYPE_TEXT, -1, CAST_IMPLICIT, -1, ret);
}

/* --- common types (chapter 10.5) -------------------------------------------------------------- */

enum status bind__common_type(struct scope *s, struct expr *const *items, uint32_t count,
                              const char *construct, type_id *ret)
{
    type_id found = TYPE_UNKNOWN;
    for (uint32_t i = 0; i < count; i++) {
        type_id type = items[i]->type;
        if (type == TYPE_UNKNOWN || type == found) continue;
        if (found == TYPE_UNKNOWN) {
            found = type;
            continue;
        }
        const struct type_info *a = type_get(found), *b = type_get(type);
        if (!a || !b || a->category != b->category)
            return bind__at(s, items[i]->location,
                            FAIL(DATATYPE_MISMATCH, "%s types %s and %s cannot be matched",
                                 construct, bind__type_words(s, found), bind__type_words(s, type)));
        if (!a->preferred && bind__can_coerce(found, type, CAST_IMPLICIT) &&
            !bind__can_coerce(type, found, CAST_IMPLICIT))
            found = type;
    }
    *ret = found == TYPE_UNKNOWN ? (type_id)TYPE_TEXT : found;
    return OK;
}

enum status bind__coerce_common(struct scope *s, struct expr *e, type_id to, const char *construct,
                                struct expr **ret)
{
    enum status code = bind__coerce(s, e, to, -1, CAST_IMPLICIT, -1, ret);
    if (code != CANNOT_COERCE || (e->type == TYPE_RECORD && type_is_row(to))) return code;
    return bind__at(s, e->location,
                    FAIL(CANNOT_COERCE, "%s could not convert type %s to %s", construct,
                         bind__type_words(s, e->type), bind__type_words(s, to)));
}

int32_t bind__common_typmod(struct expr *const *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (items[i]->typmod != items[0]->typmod || items[i]->type != items[0]->type) return -1;
    return count ? items[0]->typmod : -1;
}
