/* Text of arrays: {1,NULL,"a b"}, nested braces for dimensions, [2:3]={…} for other lower bounds;
 * and of int2vector and oidvector, which are arrays printed as "1 2 3".
 *
 * Input goes twice over it, as PostgreSQL's does, so that a broken literal is told before a broken
 * element: first the structure, gathering the elements' texts, then their conversion. */
#include "types/value.h"

#include <limits.h>
#include <stdlib.h>

#include "types/array.h"
#include "types/value_priv.h"

enum { ELEMENTS_MAX = 134217727 };

static bool needs_quotes(struct slice s)
{
    if (s.len == 0 || slice_eq_nocase(s, SLICE("null"))) return true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || value__is_space(c))
            return true;
    }
    return false;
}

static void add_element(struct slice s, struct strbuf *out)
{
    if (!needs_quotes(s)) {
        strbuf_add(out, s.data, s.len);
        return;
    }
    strbuf_addc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"' || s.data[i] == '\\') strbuf_addc(out, '\\');
        strbuf_addc(out, s.data[i]);
    }
    strbuf_addc(out, '"');
}

static void add_bounds(const struct array_view *v, struct strbuf *out)
{
    bool plain = true;
    for (int i = 0; i < v->ndim; i++) plain = plain && v->lower[i] == 1;
    if (plain) return;
    for (int i = 0; i < v->ndim; i++)
        strbuf_addf(out, "[%d:%d]", v->lower[i],
                    (int)((int64_t)v->lower[i] + v->dims[i] - 1));
    strbuf_addc(out, '=');
}

/* Row-major: before element i open, and after it close, as many braces as dimensions turn there. */
static void add_elements(const struct array_view *v, const struct format_options *fmt,
                         struct arena *a, struct strbuf *out)
{
    struct strbuf text;
    strbuf_init(&text, a);
    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t span = 1, opens = 0, closes = 0;
        for (int d = v->ndim - 1; d >= 0; d--) {
            span *= (uint32_t)v->dims[d];
            opens += i % span == 0;
            closes += (i + 1) % span == 0;
        }
        if (i) strbuf_addc(out, ',');
        while (opens--) strbuf_addc(out, '{');
        if (v->elements[i].null) {
            strbuf_adds(out, "NULL");
        } else {
            strbuf_clear(&text);
            value_to_text(v->element, &v->elements[i].v, fmt, &text);
            add_element(strbuf_slice(&text), out);
        }
        while (closes--) strbuf_addc(out, '}');
    }
}

static bool is_vector(type_id type) { return type == TYPE_INT2VECTOR || type == TYPE_OIDVECTOR; }

void value__array_to_text(type_id type, const struct bytes *b, const struct format_options *fmt,
                          struct strbuf *out)
{
    struct array_view v;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status s = array_open(b, &a, &v);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    if (is_vector(type)) {
        for (uint32_t i = 0; i < v.count; i++) {
            if (i) strbuf_addc(out, ' ');
            value_to_text(v.element, &v.elements[i].v, fmt, out);
        }
    } else if (v.count == 0) {
        strbuf_adds(out, "{}");
    } else {
        add_bounds(&v, out);
        add_elements(&v, fmt, &a, out);
    }
    arena_release(&a);
}

/* What was last seen in the braces. */
enum place {
    NOTHING,         /* before the first brace */
    LEVEL_STARTED,   /* { */
    ELEMENT,         /* in an unquoted element */
    QUOTED,          /* in the quotes */
    QUOTED_ENDED,
    ELEMENT_COMMA,   /* the comma after an element */
    LEVEL_ENDED,     /* } */
    LEVEL_COMMA,     /* the comma after a } */
};

struct item {
    size_t start, end; /* in `texts` */
    bool null;
};

struct parser {
    struct slice all;    /* for messages */
    const char *p, *end;
    struct arena *a;
    enum place place;
    int depth, ndim;
    int32_t counts[ARRAY_DIMS_MAX], dims[ARRAY_DIMS_MAX]; /* of the open level; of a closed one */
    struct strbuf texts; /* the elements, unescaped, one after another */
    size_t solid;        /* end of what trailing blanks may not be cut from */
    bool escaped;
    struct item *items;
    uint32_t count, room;
};

static enum status malformed(const struct parser *s, const char *why)
{
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"%.*s\"", (int)s->all.len,
               s->all.data);
    return error_detail("%s", why);
}

static enum status unexpected(const struct parser *s, char c)
{
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"%.*s\"", (int)s->all.len,
               s->all.data);
    return error_detail("Unexpected \"%c\" character.", c);
}

static void begin_item(struct parser *s)
{
    if (s->count == s->room) {
        struct item *old = s->items;
        s->room = s->room ? s->room * 2 : 16;
        s->items = ARENA_ARRAY(s->a, struct item, s->room);
        if (s->count) memcpy(s->items, old, s->count * sizeof(*old));
    }
    s->items[s->count] = (struct item){.start = s->texts.len};
    s->solid = s->texts.len;
    s->escaped = false;
}

static enum status end_item(struct parser *s)
{
    struct item *item = &s->items[s->count];
    item->end = s->place == QUOTED_ENDED ? s->texts.len : s->solid;
    struct slice text = slice_make(s->texts.data + item->start, item->end - item->start);
    item->null = s->place == ELEMENT && !s->escaped && slice_eq_nocase(text, SLICE("null"));
    if (++s->count > ELEMENTS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (%d)",
                    ELEMENTS_MAX);
    return OK;
}

static enum status open_brace(struct parser *s)
{
    if (s->place != NOTHING && s->place != LEVEL_STARTED && s->place != LEVEL_COMMA)
        return unexpected(s, '{');
    if (s->depth >= ARRAY_DIMS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                    s->depth + 1, ARRAY_DIMS_MAX);
    s->counts[s->depth++] = 0;
    if (s->ndim < s->depth) s->ndim = s->depth;
    s->place = LEVEL_STARTED;
    return OK;
}

static bool at_item_end(const struct parser *s)
{
    return s->place == ELEMENT || s->place == QUOTED_ENDED;
}

static enum status close_brace(struct parser *s)
{
    if (!at_item_end(s) && s->place != LEVEL_ENDED && !(s->depth == 1 && s->place == LEVEL_STARTED))
        return unexpected(s, '}');
    if (at_item_end(s)) TRY(end_item(s));
    if (s->place != LEVEL_STARTED) s->counts[s->depth - 1]++;
    s->depth--;
    if (s->dims[s->depth] && s->counts[s->depth] != s->dims[s->depth])
        return malformed(s, "Multidimensional arrays must have sub-arrays with matching "
                            "dimensions.");
    s->dims[s->depth] = s->counts[s->depth];
    s->place = LEVEL_ENDED;
    return OK;
}

static enum status comma(struct parser *s)
{
    if (!at_item_end(s) && s->place != LEVEL_ENDED) return unexpected(s, ',');
    if (at_item_end(s)) TRY(end_item(s));
    s->counts[s->depth - 1]++;
    s->place = s->place == LEVEL_ENDED ? LEVEL_COMMA : ELEMENT_COMMA;
    return OK;
}

static enum status quote(struct parser *s)
{
    if (s->place != LEVEL_STARTED && s->place != ELEMENT_COMMA && s->place != QUOTED)
        return malformed(s, "Unexpected array element.");
    if (s->place == QUOTED) {
        s->place = QUOTED_ENDED;
    } else {
        begin_item(s);
        s->place = QUOTED;
    }
    return OK;
}

/* One character of an element; `escaped` follows a backslash. */
static enum status plain_char(struct parser *s, char c, bool escaped)
{
    if (s->place != QUOTED) {
        bool blank = !escaped && value__is_space(c);
        if (s->place == LEVEL_STARTED || s->place == ELEMENT_COMMA) {
            if (blank) return OK;
            begin_item(s);
            s->place = ELEMENT;
        } else if (s->place != ELEMENT) {
            if (blank) return OK;
            return escaped ? unexpected(s, '\\') : malformed(s, "Unexpected array element.");
        }
        if (!blank) s->solid = s->texts.len + 1;
        s->escaped = s->escaped || escaped;
    }
    strbuf_addc(&s->texts, c);
    return OK;
}

static enum status next_char(struct parser *s)
{
    char c = *s->p++;
    if (c == '\\') {
        if (s->p >= s->end) return malformed(s, "Unexpected end of input.");
        return plain_char(s, *s->p++, true);
    }
    if (c == '"') return quote(s);
    if (s->place == QUOTED) return plain_char(s, c, false);
    if (c == '{') return open_brace(s);
    if (c == '}') return close_brace(s);
    if (c == ',') return comma(s);
    return plain_char(s, c, false);
}

static void skip_blanks(struct parser *s)
{
    while (s->p < s->end && value__is_space(*s->p)) s->p++;
}

/* At the first brace. */
static enum status read_braces(struct parser *s)
{
    do {
        if (s->p >= s->end) return malformed(s, "Unexpected end of input.");
        TRY(next_char(s));
    } while (s->depth > 0);
    skip_blanks(s);
    return s->p < s->end ? malformed(s, "Junk after closing right brace.") : OK;
}

/* A bound's digits; false when there are none. Clamped to 32 bits. */
static bool read_bound(struct parser *s, int32_t *ret)
{
    const char *begin = s->p;
    int64_t v = 0;
    bool negative = s->p < s->end && *s->p == '-';
    if (s->p < s->end && (*s->p == '-' || *s->p == '+')) s->p++;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
        if (v <= INT32_MAX) v = v * 10 + (*s->p - '0');
    if (negative) v = -v;
    *ret = (int32_t)(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v);
    return s->p > begin;
}

/* [1:2][3]= in front; leaves the parser at the brace. */
static enum status read_bounds(struct parser *s, struct array_view *v)
{
    for (skip_blanks(s); s->p < s->end && *s->p == '['; skip_blanks(s)) {
        int32_t lower = 1, upper;
        s->p++;
        if (v->ndim >= ARRAY_DIMS_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED,
                        "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                        v->ndim + 1, ARRAY_DIMS_MAX);
        if (!read_bound(s, &upper))
            return malformed(s, "\"[\" must introduce explicitly-specified array dimensions.");
        if (s->p < s->end && *s->p == ':') {
            lower = upper;
            s->p++;
            if (!read_bound(s, &upper)) return malformed(s, "Missing array dimension value.");
        }
        if (s->p >= s->end || *s->p != ']')
            return malformed(s, "Missing \"]\" after array dimensions.");
        s->p++;
        if (upper < lower)
            return FAIL(ARRAY_SUBSCRIPT_ERROR,
                        "upper bound cannot be less than lower bound");
        if ((int64_t)upper - lower >= ELEMENTS_MAX)
            return malformed(s, "Specified array dimensions do not match array contents.");
        v->lower[v->ndim] = lower;
        v->dims[v->ndim++] = upper - lower + 1;
    }
    if (v->ndim) {
        if (s->p >= s->end || *s->p != '=')
            return malformed(s, "Missing \"=\" after array dimensions.");
        s->p++;
        skip_blanks(s);
    }
    if (s->p < s->end && *s->p == '{') return OK;
    return malformed(s, v->ndim ? "Array contents must start with \"{\"."
                                : "Array value must start with \"{\" or dimension information.");
}

/* The dimensions read must agree with those announced, and with the number of elements. */
static enum status settle_dims(const struct parser *s, struct array_view *v)
{
    bool announced = v->ndim > 0;
    uint64_t product = 1;
    if (announced && (v->ndim != s->ndim || memcmp(v->dims, s->dims, sizeof(v->dims)) != 0))
        return malformed(s, "Specified array dimensions do not match array contents.");
    v->count = s->count;
    if (s->count == 0) {
        v->ndim = 0;
        return OK;
    }
    v->ndim = s->ndim;
    for (int i = 0; i < v->ndim; i++) {
        v->dims[i] = s->dims[i];
        if (!announced) v->lower[i] = 1;
        product *= (uint64_t)v->dims[i];
        if (product > s->count) break;
    }
    if (product != s->count)
        return malformed(s, "Multidimensional arrays must have sub-arrays with matching "
                            "dimensions.");
    return OK;
}

/* "1 2 3", lower bound 0. */
static enum status vector_from_text(type_id type, struct slice text,
                                    const struct format_options *fmt, struct arena *a,
                                    struct bytes *ret)
{
    struct array_view v = {.element = type_get(type)->element};
    const char *p = text.data, *end = text.data + text.len;
    v.elements = ARENA_ARRAY(a, struct datum, text.len / 2 + 1);
    for (;;) {
        while (p < end && value__is_space(*p)) p++;
        if (p >= end) break;
        const char *begin = p;
        while (p < end && !value__is_space(*p)) p++;
        TRY(value_from_text(v.element, -1, slice_make(begin, (size_t)(p - begin)), fmt, a,
                            &v.elements[v.count++].v));
    }
    v.ndim = v.count > 0;
    v.dims[0] = (int32_t)v.count;
    *ret = array_make_view(a, &v);
    return OK;
}

enum status value__array_from_text(type_id type, int32_t typmod, struct slice text,
                                   const struct format_options *fmt, struct arena *a,
                                   struct bytes *ret)
{
    if (is_vector(type)) return vector_from_text(type, text, fmt, a, ret);
    struct array_view v = {.element = type_get(type)->element};
    struct parser s = {.all = text, .p = text.data, .end = text.data + text.len, .a = a};
    strbuf_init(&s.texts, a);
    TRY(read_bounds(&s, &v));
    TRY(read_braces(&s));
    TRY(settle_dims(&s, &v));
    v.elements = ARENA_ARRAY(a, struct datum, v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        const struct item *item = &s.items[i];
        struct slice part = slice_make(s.texts.data + item->start, item->end - item->start);
        v.elements[i].null = item->null;
        if (!item->null)
            TRY(value_from_text(v.element, typmod, part, fmt, a, &v.elements[i].v));
    }
    *ret = array_make_view(a, &v);
    return OK;
}
