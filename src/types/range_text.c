/* Ranges and multiranges as text, [1,5) and {[1,5),[7,9)}, and in the wire's form. */
#include "types/range.h"

#include "types/value_priv.h"

enum { EMPTY = 1, LOWER_INC = 2, UPPER_INC = 4, LOWER_INF = 8, UPPER_INF = 16, FLAGS = 31 };
enum { LENGTH = 4 };

/* --- out -------------------------------------------------------------------------------------- */

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("\"\\()[],", s.data[i]) || value__is_space(s.data[i])) return true;
    return s.len == 0;
}

static void add_bound(type_id subtype, const struct range_bound *b,
                      const struct format_options *fmt, struct strbuf *out)
{
    struct strbuf text;
    if (b->infinite) return;
    strbuf_init(&text, NULL);
    value_to_text(subtype, &b->v, fmt, &text);
    bool quote = needs_quotes(strbuf_slice(&text));
    if (quote) strbuf_addc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') strbuf_addc(out, text.data[i]);
        strbuf_addc(out, text.data[i]);
    }
    if (quote) strbuf_addc(out, '"');
    strbuf_release(&text);
}

static void add_range(type_id type, const struct range *r, const struct format_options *fmt,
                      struct strbuf *out)
{
    strbuf_addc(out, r->lower.inclusive ? '[' : '(');
    add_bound(range_subtype(type), &r->lower, fmt, out);
    strbuf_addc(out, ',');
    add_bound(range_subtype(type), &r->upper, fmt, out);
    strbuf_addc(out, r->upper.inclusive ? ']' : ')');
}

void ranges_to_text(type_id type, const struct bytes *b, const struct format_options *fmt,
                    struct strbuf *out)
{
    struct ranges r;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status s = ranges_open(b, &a, &r);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    if (type_is_range(type)) {
        if (r.count) add_range(r.type, &r.items[0], fmt, out);
        else strbuf_adds(out, "empty");
    } else {
        strbuf_addc(out, '{');
        for (uint32_t i = 0; i < r.count; i++) {
            if (i) strbuf_addc(out, ',');
            add_range(r.type, &r.items[i], fmt, out);
        }
        strbuf_addc(out, '}');
    }
    arena_release(&a);
}

/* --- in --------------------------------------------------------------------------------------- */

struct reader {
    struct slice text;
    const char *p, *end;
    type_id type; /* of the range */
    bool multi;
    const struct format_options *fmt;
    struct arena *a;
};

static enum status malformed(const struct reader *r, const char *detail)
{
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "malformed %s literal: \"%.*s\"",
               r->multi ? "multirange" : "range", (int)r->text.len, r->text.data);
    return error_detail("%s", detail);
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && value__is_space(*r->p)) r->p++;
}

static bool ends_bound(char c) { return c == ',' || c == ')' || c == ']'; }

static bool starts_empty(const struct reader *r)
{
    return r->end - r->p >= 5 && slice_eq_nocase(slice_make(r->p, 5), SLICE("empty"));
}

/* The bound's text without its quotes and backslashes; *ret->infinite when there is none. */
static enum status bound_text(struct reader *r, struct strbuf *text, struct range_bound *ret)
{
    bool quoted = false;
    ret->infinite = r->p < r->end && ends_bound(*r->p);
    while (!ret->infinite) {
        if (r->p == r->end) return malformed(r, "Unexpected end of input.");
        if (!quoted && ends_bound(*r->p)) return OK;
        char c = *r->p++;
        if (c == '\\') {
            if (r->p == r->end) return malformed(r, "Unexpected end of input.");
            strbuf_addc(text, *r->p++);
        } else if (c != '"') {
            strbuf_addc(text, c);
        } else if (quoted && r->p < r->end && *r->p == '"') {
            strbuf_addc(text, *r->p++);
        } else {
            quoted = !quoted;
        }
    }
    return OK;
}

static enum status read_bound(struct reader *r, const struct strbuf *text, struct range_bound *ret)
{
    if (ret->infinite) return OK;
    struct slice s = text->data ? strbuf_slice(text) : slice_make("", 0);
    return value_from_text(range_subtype(r->type), -1, s, r->fmt, r->a, &ret->v);
}

static enum status read_range(struct reader *r, struct range *ret)
{
    struct range_bound lower = {.lower = true}, upper = {0};
    struct strbuf low, high;
    strbuf_init(&low, r->a);
    strbuf_init(&high, r->a);
    if (starts_empty(r)) {
        r->p += 5;
        skip_blanks(r);
        if (r->p < r->end) return malformed(r, "Junk after \"empty\" key word.");
        *ret = (struct range){.empty = true};
        return OK;
    }
    if (r->p == r->end || (*r->p != '[' && *r->p != '('))
        return malformed(r, "Missing left parenthesis or bracket.");
    lower.inclusive = *r->p++ == '[';
    TRY(bound_text(r, &low, &lower));
    if (*r->p != ',') return malformed(r, "Missing comma after lower bound.");
    r->p++;
    TRY(bound_text(r, &high, &upper));
    if (*r->p == ',') return malformed(r, "Too many commas.");
    upper.inclusive = *r->p++ == ']';
    skip_blanks(r);
    if (r->p < r->end) return malformed(r, "Junk after right parenthesis or bracket.");
    TRY(read_bound(r, &low, &lower));
    TRY(read_bound(r, &high, &upper));
    return range_make(r->type, &lower, &upper, r->a, ret);
}

/* One range of a multirange: up to its bracket, which quotes and backslashes may hide. */
static enum status read_member(struct reader *r, struct range *ret)
{
    struct reader one = *r;
    const char *begin = r->p;
    bool quoted = false;
    for (; r->p < r->end; r->p++) {
        char c = *r->p;
        if (c == '\\') {
            if (++r->p == r->end) break;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ']' || c == ')')) {
            one.multi = false;
            one.p = begin;
            one.end = ++r->p;
            one.text = slice_make(begin, (size_t)(one.end - begin));
            return read_range(&one, ret);
        }
    }
    return malformed(r, "Unexpected end of input.");
}

static void push(struct arena *a, struct ranges *r, uint32_t *room, struct range x)
{
    if (r->count == *room) {
        struct range *old = r->items;
        *room = *room ? *room * 2 : 8;
        r->items = ARENA_ARRAY(a, struct range, *room);
        if (r->count) memcpy(r->items, old, r->count * sizeof *old);
    }
    r->items[r->count++] = x;
}

static enum status read_members(struct reader *r, struct ranges *ret)
{
    uint32_t room = 0, seen = 0;
    struct range x;
    skip_blanks(r);
    if (r->p == r->end || *r->p != '{') return malformed(r, "Missing left brace.");
    for (r->p++;;) {
        skip_blanks(r);
        if (r->p == r->end) return malformed(r, "Unexpected end of input.");
        if (*r->p == '}' && seen == 0) break;
        if (starts_empty(r)) {
            r->p += 5;
        } else if (*r->p == '[' || *r->p == '(') {
            TRY(read_member(r, &x));
            push(r->a, ret, &room, x);
        } else {
            return malformed(r, "Expected range start.");
        }
        seen++;
        skip_blanks(r);
        if (r->p == r->end) return malformed(r, "Unexpected end of input.");
        if (*r->p == '}') break;
        if (*r->p++ != ',') return malformed(r, "Expected comma or end of multirange.");
    }
    r->p++;
    skip_blanks(r);
    if (r->p < r->end) return malformed(r, "Junk after closing right brace.");
    ranges_normalize(ret);
    return OK;
}

enum status ranges_from_text(type_id type, struct slice text, const struct format_options *fmt,
                             struct arena *a, struct bytes *ret)
{
    struct range x;
    struct ranges list = {.type = range_of(type), .count = 1, .items = &x};
    struct reader r = {.text = text, .p = text.data, .end = text.data + text.len, .type = list.type,
                       .multi = type_is_multirange(type), .fmt = fmt, .a = a};
    if (r.multi) {
        list = (struct ranges){.type = list.type};
        TRY(read_members(&r, &list));
    } else {
        skip_blanks(&r);
        TRY(read_range(&r, &x));
        list.count = !x.empty;
    }
    *ret = ranges_close(&list, a);
    return OK;
}

/* --- binary ----------------------------------------------------------------------------------- */

static void put_be32(struct strbuf *out, uint32_t n)
{
    n = __builtin_bswap32(n);
    strbuf_add(out, &n, sizeof n);
}

static void patch_be32(struct strbuf *out, size_t at)
{
    uint32_t n = __builtin_bswap32((uint32_t)(out->len - at - LENGTH));
    memcpy(out->data + at, &n, sizeof n);
}

static void put_bound(type_id subtype, const struct range_bound *b, struct strbuf *out)
{
    size_t at = out->len;
    if (b->infinite) return;
    put_be32(out, 0);
    value_to_binary(subtype, &b->v, out);
    patch_be32(out, at);
}

static void put_range(type_id type, const struct range *r, struct strbuf *out)
{
    strbuf_addc(out, (char)((r->lower.inclusive ? LOWER_INC : 0) |
                            (r->upper.inclusive ? UPPER_INC : 0) |
                            (r->lower.infinite ? LOWER_INF : 0) |
                            (r->upper.infinite ? UPPER_INF : 0)));
    put_bound(range_subtype(type), &r->lower, out);
    put_bound(range_subtype(type), &r->upper, out);
}

void ranges_to_binary(type_id type, const struct bytes *b, struct strbuf *out)
{
    struct ranges r;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status s = ranges_open(b, &a, &r);
    ASSERT(s == OK);
    if (type_is_multirange(type)) put_be32(out, r.count);
    else if (!r.count) strbuf_addc(out, EMPTY);
    for (uint32_t i = 0; i < r.count; i++) {
        size_t at = out->len;
        if (type_is_multirange(type)) put_be32(out, 0);
        put_range(r.type, &r.items[i], out);
        if (type_is_multirange(type)) patch_be32(out, at);
    }
    arena_release(&a);
}

static enum status too_short(void)
{
    return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
}

/* A length and as many bytes. */
static enum status get_part(struct slice *s, struct slice *ret)
{
    uint32_t len;
    if (s->len < LENGTH) return too_short();
    memcpy(&len, s->data, sizeof len);
    len = __builtin_bswap32(len);
    if (len > s->len - LENGTH) return too_short();
    *ret = slice_make(s->data + LENGTH, len);
    *s = slice_make(s->data + LENGTH + len, s->len - LENGTH - len);
    return OK;
}

static enum status get_range(type_id type, struct slice s, const struct reg_names *names,
                             struct arena *a, struct range *ret)
{
    struct range_bound bounds[2] = {{.lower = true}, {.lower = false}};
    struct slice part;
    if (s.len < 1) return too_short();
    uint8_t flags = (uint8_t)s.data[0] & FLAGS;
    s = slice_make(s.data + 1, s.len - 1);
    bounds[0].infinite = flags & (LOWER_INF | EMPTY);
    bounds[1].infinite = flags & (UPPER_INF | EMPTY);
    bounds[0].inclusive = flags & LOWER_INC;
    bounds[1].inclusive = flags & UPPER_INC;
    for (int i = 0; i < 2; i++) {
        if (bounds[i].infinite) continue;
        TRY(get_part(&s, &part));
        TRY(value_from_binary(range_subtype(type), -1, part, names, a, &bounds[i].v));
    }
    if (s.len) return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    *ret = (struct range){.empty = true};
    return flags & EMPTY ? OK : range_make(type, &bounds[0], &bounds[1], a, ret);
}

static enum status get_members(struct slice s, const struct reg_names *names, struct arena *a,
                               struct ranges *ret)
{
    uint32_t count;
    struct slice part;
    if (s.len < LENGTH) return too_short();
    memcpy(&count, s.data, sizeof count);
    count = __builtin_bswap32(count);
    s = slice_make(s.data + LENGTH, s.len - LENGTH);
    if (count > s.len / LENGTH) return too_short(); /* each has a length at least */
    ret->items = ARENA_ARRAY(a, struct range, count + 1);
    for (ret->count = 0; ret->count < count; ret->count++) {
        TRY(get_part(&s, &part));
        TRY(get_range(ret->type, part, names, a, &ret->items[ret->count]));
    }
    if (s.len) return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    ranges_normalize(ret);
    return OK;
}

enum status ranges_from_binary(type_id type, struct slice s, const struct reg_names *names,
                               struct arena *a, struct bytes *ret)
{
    struct range x;
    struct ranges list = {.type = range_of(type), .items = &x};
    if (type_is_multirange(type)) {
        TRY(get_members(s, names, a, &list));
    } else {
        TRY(get_range(type, s, names, a, &x));
        list.count = !x.empty;
    }
    *ret = ranges_close(&list, a);
    return OK;
}
