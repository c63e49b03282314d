/* Quoting of identifiers and literals, and format(). */
#include "exec/functions/text_priv.h"

#include "types/array.h"

static const struct {
    const char *word;
    char category;
} key_words[] = {
#define X(word, category, bare) {word, category},
#include "exec/functions/keywords.def"
#undef X
};

/* A word that cannot stand for every kind of name. */
static bool is_key_word(struct slice s)
{
    size_t low = 0, high = sizeof key_words / sizeof key_words[0];
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = slice_cmp(s, slice_of(key_words[mid].word));
        if (order == 0) return key_words[mid].category != 'U';
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

static bool is_plain_ident(struct slice s)
{
    if (s.len == 0 || !((s.data[0] >= 'a' && s.data[0] <= 'z') || s.data[0] == '_')) return false;
    for (size_t i = 1; i < s.len; i++) {
        char ch = s.data[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_')) return false;
    }
    return !is_key_word(s);
}

static void add_doubled(struct slice s, char quote, struct strbuf *out)
{
    strbuf_addc(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == quote || (quote == '\'' && s.data[i] == '\\')) strbuf_addc(out, s.data[i]);
        strbuf_addc(out, s.data[i]);
    }
    strbuf_addc(out, quote);
}

void text__quote_ident(struct slice s, struct strbuf *out)
{
    if (is_plain_ident(s))
        strbuf_add(out, s.data, s.len);
    else
        add_doubled(s, '"', out);
}

void text__quote_literal(struct slice s, struct strbuf *out)
{
    if (s.len && memchr(s.data, '\\', s.len)) strbuf_addc(out, 'E');
    add_doubled(s, '\'', out);
}

SCALAR(text__ident)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    text__quote_ident(arg_slice(args, 0), &b);
    return text__ret(&b, ret);
}

static enum status literal(struct call_ctx *c, struct slice s, struct datum *ret)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    text__quote_literal(s, &b);
    return text__ret(&b, ret);
}

SCALAR(text__literal) { return literal(c, arg_slice(args, 0), ret); }

SCALAR(text__literal_any)
{
    return literal(c, text__cast(c, text__arg_type(c, 0), &args[0]), ret);
}

SCALAR(text__nullable)
{
    return args[0].null ? ret_slice(ret, SLICE("NULL")) : text__literal(c, args, n, ret);
}

SCALAR(text__nullable_any)
{
    return args[0].null ? ret_slice(ret, SLICE("NULL")) : text__literal_any(c, args, n, ret);
}

/* --- format: %[position$][-][width | * | *position$](s | I | L) ----------------------------- */

struct formatter {
    struct call_ctx *call;
    const char *p, *end;
    const struct datum *values; /* after the format itself */
    uint32_t count, next;       /* next: the one to take when no position is given */
    type_id element;            /* of VARIADIC ARRAY; else TYPE_NONE */
    struct strbuf out;
};

static enum status unterminated(void)
{
    FAIL(INVALID_PARAMETER_VALUE, "unterminated format() type specifier");
    return error_hint("For a single \"%%\" use \"%%%%\".");
}

/* Digits, if any; *ret_any tells. Something must follow them. */
static enum status read_number(struct formatter *f, int32_t *ret, bool *ret_any)
{
    int64_t x = 0;
    *ret_any = false;
    for (; f->p < f->end && *f->p >= '0' && *f->p <= '9'; f->p++) {
        x = x * 10 + (*f->p - '0');
        if (x > INT32_MAX) return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range");
        *ret_any = true;
    }
    *ret = (int32_t)x;
    return f->p < f->end ? OK : unterminated();
}

static enum status position_zero(void)
{
    return FAIL(INVALID_PARAMETER_VALUE,
                "format specifies argument 0, but arguments are numbered from 1");
}

static enum status take(struct formatter *f, int32_t position, uint32_t *ret)
{
    uint32_t i = position > 0 ? (uint32_t)position - 1 : f->next;
    if (i >= f->count)
        return FAIL(INVALID_PARAMETER_VALUE, "too few arguments for format()");
    f->next = i + 1;
    *ret = i;
    return OK;
}

static type_id type_at(const struct formatter *f, uint32_t i)
{
    return f->element != TYPE_NONE ? f->element : text__arg_type(f->call, i + 1);
}

static enum status width_value(struct formatter *f, int32_t position, int32_t *ret)
{
    uint32_t i;
    TRY(take(f, position, &i));
    *ret = 0;
    if (f->values[i].null) return OK;
    struct strbuf text;
    strbuf_init(&text, f->call->arena);
    text__output(f->call, type_at(f, i), &f->values[i], &text);
    union value v;
    TRY(value_from_text(TYPE_INT4, -1, strbuf_slice(&text), f->call->session->format,
                        f->call->arena, &v));
    *ret = v.i32;
    return OK;
}

static void add_padded(struct strbuf *out, struct slice s, int64_t width, bool left)
{
    int64_t blanks = width - (int64_t)utf8_count(s);
    if (blanks < 0) blanks = 0;
    strbuf_reserve(out, s.len + (size_t)blanks);
    for (int64_t i = 0; !left && i < blanks; i++) strbuf_addc(out, ' ');
    strbuf_add(out, s.data, s.len);
    for (int64_t i = 0; left && i < blanks; i++) strbuf_addc(out, ' ');
}

static enum status add_value(struct formatter *f, char kind, int32_t position, int64_t width,
                             bool left)
{
    uint32_t i;
    TRY(take(f, position, &i));
    struct strbuf text, quoted;
    strbuf_init(&text, f->call->arena);
    strbuf_init(&quoted, f->call->arena);
    if (f->values[i].null) {
        if (kind == 'I')
            return FAIL(NULL_VALUE_NOT_ALLOWED,
                        "null values cannot be formatted as an SQL identifier");
        if (kind == 'L') strbuf_adds(&text, "NULL");
        kind = 's';
    } else {
        text__output(f->call, type_at(f, i), &f->values[i], &text);
    }
    if (kind == 'I') text__quote_ident(strbuf_slice(&text), &quoted);
    if (kind == 'L') text__quote_literal(strbuf_slice(&text), &quoted);
    if (width > TEXT_BYTES_MAX) return text__too_long();
    add_padded(&f->out, strbuf_slice(kind == 's' ? &text : &quoted), width, left);
    return f->out.len > TEXT_BYTES_MAX ? text__too_long() : OK;
}

/* f->p stands after the %. */
static enum status specifier(struct formatter *f)
{
    int32_t number, position = 0, width = 0;
    bool any, left = false;
    TRY(read_number(f, &number, &any));
    if (any && *f->p == '$') {
        if (number == 0) return position_zero();
        position = number;
        if (++f->p >= f->end) return unterminated();
        any = false;
    }
    if (any) {
        width = number;
    } else {
        for (; *f->p == '-';) {
            left = true;
            if (++f->p >= f->end) return unterminated();
        }
        if (*f->p == '*') {
            if (++f->p >= f->end) return unterminated();
            TRY(read_number(f, &number, &any));
            if (any && *f->p != '$')
                return FAIL(INVALID_PARAMETER_VALUE,
                            "width argument position must be ended by \"$\"");
            if (any && number == 0) return position_zero();
            if (any && ++f->p >= f->end) return unterminated();
            TRY(width_value(f, any ? number : 0, &width));
        } else {
            TRY(read_number(f, &width, &any));
        }
    }
    char kind = *f->p;
    if (kind != 's' && kind != 'I' && kind != 'L') {
        int len = (int)utf8_len(f->p, f->end);
        FAIL(INVALID_PARAMETER_VALUE, "unrecognized format() type specifier \"%.*s\"", len, f->p);
        return error_hint("For a single \"%%\" use \"%%%%\".");
    }
    f->p++;
    return add_value(f, kind, position, width < 0 ? -(int64_t)width : width, left || width < 0);
}

SCALAR(text__format)
{
    if (args[0].null) return ret_null(ret);
    struct slice s = arg_slice(args, 0);
    struct formatter f = {
        .call = c, .p = s.data, .end = s.data + s.len, .values = args + 1, .count = n - 1};
    if (n > 1 && c->expr && c->expr->call.variadic_array) {
        struct array_view v = {0};
        if (!args[n - 1].null) TRY(array_open(&args[n - 1].v.bytes, c->arena, &v));
        f.values = v.elements;
        f.count = v.count;
        f.element = v.element;
    }
    strbuf_init(&f.out, c->arena);
    while (f.p < f.end) {
        char ch = *f.p++;
        if (ch != '%') {
            strbuf_addc(&f.out, ch);
            continue;
        }
        if (f.p >= f.end) return unterminated();
        if (*f.p == '%') {
            strbuf_addc(&f.out, *f.p++);
            continue;
        }
        TRY(specifier(&f));
    }
    return text__ret(&f.out, ret);
}

SCALAR(text__format_plain) { return text__format(c, args, n, ret); }
