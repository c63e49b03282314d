/* Text and binary forms of composite values: (1,"a b",) and a count of typed, length-prefixed fields.
 * What comes in needs the relation's columns, which the session's names tell. */
#include "types/record.h"

#include "base/fiber.h"
#include "types/value_priv.h"

enum { STACK_MIN = 64 << 10 };

static bool needs_quotes(struct slice s)
{
    if (s.len == 0) return true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || value__is_space(c))
            return true;
    }
    return false;
}

static void add_field(struct slice s, struct strbuf *out)
{
    if (!needs_quotes(s)) {
        strbuf_add(out, s.data, s.len);
        return;
    }
    strbuf_addc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"' || s.data[i] == '\\') strbuf_addc(out, s.data[i]);
        strbuf_addc(out, s.data[i]);
    }
    strbuf_addc(out, '"');
}

void value__record_to_text(const struct bytes *b, const struct format_options *fmt,
                           struct strbuf *out)
{
    struct record_view v;
    struct strbuf text;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    strbuf_init(&text, &a);
    enum status s = record_open(b, &a, &v);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    strbuf_addc(out, '(');
    for (uint32_t i = 0; i < v.count; i++) {
        if (i) strbuf_addc(out, ',');
        if (v.fields[i].null) continue;
        strbuf_clear(&text);
        value_to_text(v.types[i], &v.fields[i].v, fmt, &text);
        add_field(strbuf_slice(&text), out);
    }
    strbuf_addc(out, ')');
    arena_release(&a);
}

/* --- text in ---------------------------------------------------------------------------------- */

static enum status malformed(struct slice all, const char *why)
{
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "malformed record literal: \"%.*s\"", (int)all.len,
               all.data);
    return error_detail("%s", why);
}

enum status value__row_columns(type_id type, const struct reg_names *names, struct arena *a,
                               struct row_columns *ret)
{
    if (type == TYPE_RECORD)
        return FAIL(FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented");
    if (!names || !names->row_columns)
        return FAIL(FEATURE_NOT_SUPPORTED, "values of composite types cannot be read here");
    return names->row_columns(names->ctx, type, a, ret);
}

/* One field's text, up to the comma or bracket that ends it, where *p then stands; NULL: nothing at
 * all stands there. */
static enum status field_text(struct slice all, const char **p, struct strbuf *out, bool *ret_null)
{
    const char *end = all.data + all.len;
    bool quoted = false;
    strbuf_clear(out);
    *ret_null = *p < end && (**p == ',' || **p == ')');
    if (*ret_null) return OK;
    while (quoted || (*p < end && **p != ',' && **p != ')')) {
        if (*p >= end) return malformed(all, "Unexpected end of input.");
        char c = *(*p)++;
        if (c == '\\') {
            if (*p >= end) return malformed(all, "Unexpected end of input.");
            strbuf_addc(out, *(*p)++);
        } else if (c == '"') {
            if (quoted && *p < end && **p == '"') strbuf_addc(out, *(*p)++);
            else quoted = !quoted;
        } else {
            strbuf_addc(out, c);
        }
    }
    return *p >= end ? malformed(all, "Unexpected end of input.") : OK;
}

enum status value__record_from_text(type_id type, struct slice text,
                                    const struct format_options *fmt, struct arena *a,
                                    struct bytes *ret)
{
    struct row_columns columns;
    const char *p = text.data, *end = text.data + text.len;
    struct strbuf part;
    TRY(value__row_columns(type, fmt->names, a, &columns));
    struct datum *fields = ARENA_ARRAY(a, struct datum, columns.count + 1);
    strbuf_init(&part, a);
    while (p < end && value__is_space(*p)) p++;
    if (p >= end || *p != '(') return malformed(text, "Missing left parenthesis.");
    p++;
    for (uint32_t i = 0; i < columns.count; i++) {
        if (i) {
            if (*p != ',') return malformed(text, "Too few columns.");
            p++;
        }
        TRY(field_text(text, &p, &part, &fields[i].null));
        if (!fields[i].null)
            TRY(value_from_text(columns.types[i], columns.typmods[i], strbuf_slice(&part), fmt, a,
                                &fields[i].v));
    }
    if (p >= end || *p != ')') return malformed(text, "Too many columns.");
    for (p++; p < end && value__is_space(*p); p++) {}
    if (p < end) return malformed(text, "Junk after right parenthesis.");
    return record_make(a, type, columns.types, fields, columns.count, ret);
}

/* --- binary ----------------------------------------------------------------------------------- */

static void put_be32(struct strbuf *out, uint32_t v)
{
    v = __builtin_bswap32(v);
    strbuf_add(out, &v, sizeof v);
}

static uint32_t take_be32(struct slice *s)
{
    uint32_t v;
    memcpy(&v, s->data, sizeof v);
    s->data += sizeof v;
    s->len -= sizeof v;
    return __builtin_bswap32(v);
}

void value__record_to_binary(const struct bytes *b, struct strbuf *out)
{
    struct record_view v;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status s = record_open(b, &a, &v);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    put_be32(out, v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        put_be32(out, v.types[i]);
        size_t at = out->len;
        put_be32(out, UINT32_MAX);
        if (v.fields[i].null) continue;
        value_to_binary(v.types[i], &v.fields[i].v, out);
        uint32_t len = __builtin_bswap32((uint32_t)(out->len - at - 4));
        memcpy(out->data + at, &len, sizeof len);
    }
    arena_release(&a);
}

static enum status too_short(void)
{
    return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
}

static enum status field_from_binary(struct slice *s, const struct row_columns *columns, uint32_t i,
                                     const struct reg_names *names, struct arena *a,
                                     struct datum *ret)
{
    if (s->len < 8) return too_short();
    type_id type = take_be32(s), wanted = columns->types[i];
    uint32_t len = take_be32(s);
    if (type != wanted) {
        const struct type_info *given = type_get(type);
        return FAIL(DATATYPE_MISMATCH,
                    "binary data has type %u (%s) instead of expected %u (%s) in record column %u",
                    type, given ? given->sql_name : "???", wanted, type_get(wanted)->sql_name, i + 1);
    }
    ret->null = len == UINT32_MAX;
    if (ret->null) return OK;
    if (len > s->len) return too_short();
    TRY(value_from_binary(type, columns->typmods[i], slice_make(s->data, len), names, a, &ret->v));
    s->data += len;
    s->len -= len;
    return OK;
}

/* What the server wrote itself, the catalog's, is believed. */
static enum status own_columns(struct slice s, uint32_t count, struct arena *a,
                               struct row_columns *ret)
{
    if (fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (count > s.len / 8) return too_short();
    type_id *types = ARENA_ARRAY(a, type_id, count + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        if (s.len < 8) return too_short();
        types[i] = take_be32(&s);
        typmods[i] = -1;
        uint32_t len = take_be32(&s);
        if (!type_get(types[i]) || (len != UINT32_MAX && len > s.len)) return too_short();
        if (len == UINT32_MAX) continue;
        s.data += len;
        s.len -= len;
    }
    *ret = (struct row_columns){.types = types, .typmods = typmods, .count = count};
    return OK;
}

enum status value__record_from_binary(type_id type, struct slice s, const struct reg_names *names,
                                      struct arena *a, struct bytes *ret)
{
    struct row_columns columns;
    if (s.len < 4) return too_short();
    uint32_t count = take_be32(&s);
    if (names) TRY(value__row_columns(type, names, a, &columns));
    else TRY(own_columns(s, count, a, &columns));
    if (count != columns.count)
        return FAIL(DATATYPE_MISMATCH, "wrong number of columns: %d, expected %u", (int)count,
                    columns.count);
    struct datum *fields = ARENA_ARRAY(a, struct datum, count + 1);
    for (uint32_t i = 0; i < count; i++)
        TRY(field_from_binary(&s, &columns, i, names, a, &fields[i]));
    if (s.len) return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    return record_make(a, type, columns.types, fields, count, ret);
}
