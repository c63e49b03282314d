/* to_char of numbers. The number is first written plainly with the digits that the pattern has room
 * for ("##.##" when they are too few); then the pattern is walked, each 9 and 0 taking the next
 * character of it. A place counts from the left; `spaces` are the places before the number. */
#include "exec/functions/number_pattern_priv.h"

#include <ctype.h>
#include <math.h>

#include "types/numeric.h"

enum { ROMAN_MAX = 3999, ROMAN_WIDTH = 15, FLOAT4_DIGITS = 6, FLOAT8_DIGITS = 15 };

struct writer {
    struct number_format f;
    const char *number;      /* NUL-terminated, without its sign */
    const char *at;          /* what of it is next */
    const char *last;        /* FM: the last character worth writing; or NULL */
    struct strbuf out;
    int place, place_count, spaces;
    bool minus, sign_written, in_number;
    bool cut;                /* a place was beyond the number's end: the text ends there */
};

static void put(struct writer *w, char c)
{
    if (!w->cut) strbuf_addc(&w->out, c);
}

/* --- one place ------------------------------------------------------------------------------ */

/* The zero before the point of a pattern without 0, as 9.9: a blank. */
static bool is_leading_zero(const struct writer *w)
{
    return !w->f.zero && w->at == w->number && *w->number == '0' && w->f.post != 0;
}

static void put_sign_before(struct writer *w)
{
    bool begun = w->place >= w->spaces || (w->f.zero && w->f.zero_start == w->place);
    bool bare_point = w->last && *w->last == '.';
    if (w->sign_written || !begun || (is_leading_zero(w) && !bare_point)) return;
    if (w->f.sign) {
        if (w->f.sign_place != SIGN_BEFORE) return;
        put(w, w->minus ? '-' : '+');
    } else if (w->f.bracket) {
        put(w, w->minus ? '<' : ' ');
    } else if (w->minus) {
        put(w, '-');
    } else if (!w->f.fill) {
        put(w, ' ');
    }
    w->sign_written = true;
}

static void put_number_character(struct writer *w, enum number_key key)
{
    bool bare_point = w->last && *w->last == '.';
    if (*w->at == '.') {
        if (!bare_point || w->f.fill) put(w, '.');
    } else if (w->last && w->at > w->last && key != NUMBER_ZERO) {
        /* FM: zeros at the end */
    } else if (is_leading_zero(w)) {
        if (!w->f.fill)
            put(w, ' ');
        else if (bare_point)
            put(w, '0');
    } else {
        if (*w->at)
            put(w, *w->at);
        else
            w->cut = true;
        w->in_number = true;
    }
    if (*w->at) w->at++;
}

static void put_sign_after(struct writer *w)
{
    int end = w->place_count + (w->spaces ? 1 : 0) + w->f.decimal;
    if (w->last && w->last == w->at) end = w->place;
    if (w->place + 1 != end) return;
    if (w->sign_written && w->f.bracket)
        put(w, w->minus ? '>' : ' ');
    else if (w->f.sign && w->f.sign_place == SIGN_AFTER)
        put(w, w->minus ? '-' : '+');
}

static void put_place(struct writer *w, enum number_key key)
{
    if (w->f.roman) return;
    w->in_number = false;
    put_sign_before(w);
    if (w->place >= w->spaces) {
        put_number_character(w, key);
    } else if (w->f.zero && w->f.zero_start <= w->place) {
        put(w, '0');
        w->in_number = true;
    } else if (!w->f.fill) {
        put(w, ' ');
    }
    put_sign_after(w);
    w->place++;
}

/* --- other keywords ------------------------------------------------------------------------- */

static void put_roman(struct writer *w, bool lower)
{
    size_t len = strlen(w->number);
    for (size_t i = len; !w->f.fill && i < ROMAN_WIDTH; i++) put(w, ' ');
    for (size_t i = 0; i < len; i++)
        put(w, lower ? (char)tolower((unsigned char)w->number[i]) : w->number[i]);
}

static enum status put_ordinal(struct writer *w, bool lower)
{
    if (w->f.roman || *w->number == '#' || w->minus || w->f.decimal) return OK;
    size_t len = strlen(w->number);
    char ones = len ? w->number[len - 1] : '\0';
    if (ones < '0' || ones > '9')
        return FAIL(INVALID_TEXT_REPRESENTATION, "\"%s\" is not a number", w->number);
    if (len > 1 && w->number[len - 2] == '1') ones = '0';
    const char *suffix = ones == '1' ? "ST" : ones == '2' ? "ND" : ones == '3' ? "RD" : "TH";
    put(w, lower ? (char)(suffix[0] | 0x20) : suffix[0]);
    put(w, lower ? (char)(suffix[1] | 0x20) : suffix[1]);
    return OK;
}

/* A sign of its own: blank where there is none, nothing with FM. */
static void put_own_sign(struct writer *w, bool there, char c)
{
    if (there)
        put(w, c);
    else if (!w->f.fill)
        put(w, ' ');
}

static enum status put_node(struct writer *w, const struct number_node *n)
{
    bool roman = w->f.roman; /* has no sign */
    switch (n->key) {
    case NUMBER_LITERAL:
        for (size_t i = 0; i < n->literal.len; i++) put(w, n->literal.data[i]);
        return OK;
    case NUMBER_NINE:
    case NUMBER_ZERO:
    case NUMBER_POINT:
    case NUMBER_D:
        put_place(w, n->key);
        return OK;
    case NUMBER_COMMA:
    case NUMBER_G:
        put_own_sign(w, w->in_number, ',');
        return OK;
    case NUMBER_L:
        put(w, ' '); /* the currency of the C locale */
        return OK;
    case NUMBER_RN:
        put_roman(w, n->lower);
        return OK;
    case NUMBER_TH:
        return put_ordinal(w, n->lower);
    case NUMBER_MI:
        put_own_sign(w, w->minus && !roman, '-');
        return OK;
    case NUMBER_PL:
        put_own_sign(w, !w->minus && !roman, '+');
        return OK;
    case NUMBER_SG:
        if (roman)
            w->cut = true;
        else
            put(w, w->minus ? '-' : '+');
        return OK;
    default:
        return OK;
    }
}

/* --- the whole ------------------------------------------------------------------------------ */

/* FM strips the zeros after the point, but not those that a 0 asks for. */
static const char *last_worth_writing(const struct writer *w)
{
    const char *last = strchr(w->number, '.');
    if (!last) return NULL;
    for (const char *p = last + 1; *p; p++)
        if (*p != '0') last = p;
    if (w->f.zero_end <= w->spaces) return last;
    int end = (int)strlen(w->number) - 1;
    if (end > w->f.zero_end - w->spaces) end = w->f.zero_end - w->spaces;
    return last < w->number + end ? w->number + end : last;
}

static void prepare(struct writer *w)
{
    struct number_format *f = &w->f;
    if (f->zero_start) f->zero_start--;
    if (f->roman) {
        *f = (struct number_format){
            .text = f->text, .fill = f->fill, .roman = true, .zero_start = f->zero_start};
        w->spaces = 0;
        w->minus = false;
    }
    if (f->plus || f->minus) {
        w->sign_written = f->minus;
    } else {
        if (!w->minus && f->fill) f->bracket = false;
        w->sign_written = !w->minus && f->fill && !f->sign;
        if (f->sign_place == SIGN_BEFORE && f->pre == f->sign_pre) f->sign_place = SIGN_AFTER;
    }
    w->place_count = f->post + f->pre - 1;
    if (f->fill && f->decimal) w->last = last_worth_writing(w);
    if (!w->sign_written && w->spaces == 0) w->place_count++;
    w->at = w->number;
}

static enum status finish(struct call_ctx *c, struct slice text, struct datum *ret)
{
    return ret_bytes(ret, bytes_from_slice(c->arena, text));
}

static enum status write_out(struct call_ctx *c, struct writer *w, struct datum *ret)
{
    struct number_scan s = {.rest = w->f.text};
    struct number_node node;
    prepare(w);
    strbuf_init(&w->out, c->arena);
    while (number__next(&s, &node)) TRY(put_node(w, &node));
    return finish(c, strbuf_slice(&w->out), ret);
}

/* `text`: the number with its sign; hashes where the pattern has too few places. */
static enum status write_number(struct call_ctx *c, const struct number_format *f,
                                const char *text, struct datum *ret)
{
    struct writer w = {.f = *f, .minus = *text == '-'};
    w.number = text + w.minus;
    const char *point = strchr(w.number, '.');
    int before = (int)(point ? (size_t)(point - w.number) : strlen(w.number));
    if (f->pre >= before) {
        w.spaces = f->pre - before;
    } else {
        char *hashes = arena_alloc(c->arena, (size_t)f->pre + (size_t)f->post + 2);
        memset(hashes, '#', (size_t)f->pre + (size_t)f->post + 1);
        hashes[f->pre + f->post + 1] = '\0';
        hashes[f->pre] = '.';
        w.number = hashes;
    }
    return write_out(c, &w, ret);
}

static enum status write_roman(struct call_ctx *c, const struct number_format *f, int64_t value,
                               struct datum *ret)
{
    static const struct {
        int value;
        const char *text;
    } steps[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"},
                 {50, "L"},   {40, "XL"},  {10, "X"},  {9, "IX"},   {5, "V"},   {4, "IV"},
                 {1, "I"}};
    struct writer w = {.f = *f};
    struct strbuf text;
    strbuf_init(&text, c->arena);
    if (value < 1 || value > ROMAN_MAX) {
        strbuf_adds(&text, "###############");
    } else {
        for (size_t i = 0; value; i++)
            for (; value >= steps[i].value; value -= steps[i].value)
                strbuf_adds(&text, steps[i].text);
    }
    w.number = text.data;
    return write_out(c, &w, ret);
}

static enum status write_roman_checked(struct call_ctx *c, const struct number_format *f,
                                       int64_t value, struct datum *ret)
{
    if (value < INT32_MIN || value > INT32_MAX)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    return write_roman(c, f, value, ret);
}

/* Of what has no exponent: NaN and the infinities. */
static enum status write_exponent_hashes(struct call_ctx *c, const struct number_format *f,
                                         struct datum *ret)
{
    struct strbuf text;
    strbuf_init(&text, c->arena);
    strbuf_addc(&text, ' ');
    for (int i = 1; i < f->pre + f->post + 6; i++) strbuf_addc(&text, i == f->pre + 1 ? '.' : '#');
    return finish(c, strbuf_slice(&text), ret);
}

/* The significand is rounded when the exponent is fixed already, so 9.99 may become 10.0. */
static enum status write_exponent(struct call_ctx *c, const struct number_format *f,
                                  const struct numeric *x, struct datum *ret)
{
    struct strbuf plain, digits;
    struct numeric significand = numeric_abs(c->arena, x);
    strbuf_init(&plain, c->arena);
    strbuf_init(&digits, c->arena);
    numeric_to_text(&significand, &plain);
    const char *point = strchr(plain.data, '.');
    int exponent = (int)(point ? (size_t)(point - plain.data) : plain.len) - 1;
    for (const char *p = plain.data; *p; p++) {
        if (*p == '.') continue;
        if (digits.len == 0 && *p == '0') {
            exponent--;
            continue;
        }
        strbuf_addc(&digits, *p);
        if (digits.len == 1) strbuf_addc(&digits, '.');
    }
    if (digits.len == 0) {
        exponent = 0;
        strbuf_adds(&digits, "0.");
    }
    strbuf_addc(&digits, '0');
    /* One digit more than a numeric may have after its point is no loss. */
    if (digits.len > (size_t)f->post + 64) digits.len = (size_t)f->post + 64;
    TRY(numeric_from_text(strbuf_slice(&digits), -1, c->arena, &significand));
    TRY(numeric_round(c->arena, &significand, f->post, &significand));
    strbuf_clear(&plain);
    strbuf_addc(&plain, numeric_sign(x) < 0 ? '-' : ' ');
    numeric_to_text(&significand, &plain);
    strbuf_addf(&plain, "e%+03d", exponent);
    return finish(c, strbuf_slice(&plain), ret);
}

static enum status power_of_ten(struct arena *a, int exponent, struct numeric *ret)
{
    struct numeric ten = numeric_small(10, 0), n = numeric_small(exponent, 0);
    return numeric_power(a, &ten, &n, ret);
}

static enum status write_numeric(struct call_ctx *c, struct number_format *f, struct numeric x,
                                 struct datum *ret)
{
    struct strbuf text;
    strbuf_init(&text, c->arena);
    if (f->roman) {
        int64_t value;
        if (x.kind == NUMERIC_NAN || x.kind == NUMERIC_PINF || x.kind == NUMERIC_NINF)
            return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert %s to integer",
                        x.kind == NUMERIC_NAN ? "NaN" : "infinity");
        struct numeric limit = numeric_small(INT32_MAX, 0);
        struct numeric size = numeric_abs(c->arena, &x);
        value = numeric_compare(&size, &limit) > 0 ? INT64_MAX : 0;
        if (!value) TRY(numeric_to_i64(&x, &value));
        return write_roman_checked(c, f, value, ret);
    }
    if (f->exponent) {
        if (x.kind == NUMERIC_NAN || x.kind == NUMERIC_PINF || x.kind == NUMERIC_NINF)
            return write_exponent_hashes(c, f, ret);
        return write_exponent(c, f, &x, ret);
    }
    if (f->multiply) {
        struct numeric by;
        TRY(power_of_ten(c->arena, f->multi, &by));
        TRY(numeric_mul(c->arena, &x, &by, &x));
        f->pre += f->multi;
    }
    TRY(numeric_round(c->arena, &x, f->post, &x));
    numeric_to_text(&x, &text);
    return write_number(c, f, text.data, ret);
}

static enum status write_integer(struct call_ctx *c, const struct number_format *f, int64_t value,
                                 struct datum *ret)
{
    struct strbuf text;
    strbuf_init(&text, c->arena);
    strbuf_addf(&text, "%lld", (long long)value);
    if (f->post) strbuf_addc(&text, '.');
    for (int i = 0; i < f->post; i++) strbuf_addc(&text, '0');
    return write_number(c, f, text.data, ret);
}

static const char *float_word(double x)
{
    return isnan(x) ? "NaN" : x < 0 ? "-Infinity" : "Infinity";
}

/* Digits beyond what the type holds are not shown. */
static enum status write_float(struct call_ctx *c, struct number_format *f, double x, int digits,
                               struct datum *ret)
{
    struct strbuf text;
    strbuf_init(&text, c->arena);
    if (f->roman) {
        double whole = rint(x);
        bool small = whole >= 1 && whole <= ROMAN_MAX;
        return write_roman(c, f, small ? (int64_t)whole : 0, ret);
    }
    if (f->exponent) {
        if (!isfinite(x)) return write_exponent_hashes(c, f, ret);
        strbuf_addf(&text, "%+.*e", f->post, x);
        if (text.data[0] == '+') text.data[0] = ' ';
        return finish(c, strbuf_slice(&text), ret);
    }
    if (f->multiply) {
        x *= pow(10, f->multi);
        if (digits == FLOAT4_DIGITS) x = (float)x;
        f->pre += f->multi;
    }
    if (isfinite(x))
        strbuf_addf(&text, "%.0f", fabs(x));
    else
        strbuf_adds(&text, float_word(fabs(x)));
    int before = (int)text.len;
    if (before >= digits)
        f->post = 0;
    else if (before + f->post > digits)
        f->post = digits - before;
    strbuf_clear(&text);
    if (isfinite(x))
        strbuf_addf(&text, "%.*f", f->post, x);
    else
        strbuf_adds(&text, float_word(x));
    return write_number(c, f, text.data, ret);
}

/* --- the functions -------------------------------------------------------------------------- */

NUMBER_FN(numeric_to_char)
{
    (void)n;
    struct number_format f;
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &f));
    if (f.text.len == 0) return finish(c, f.text, ret);
    return write_numeric(c, &f, args[0].v.numeric, ret);
}

NUMBER_FN(int4_to_char)
{
    (void)n;
    struct number_format f;
    int32_t value = args[0].v.i32;
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &f));
    if (f.text.len == 0) return finish(c, f.text, ret);
    if (f.roman) return write_roman(c, &f, value, ret);
    if (f.exponent) return write_float(c, &f, value, FLOAT8_DIGITS, ret);
    if (f.multiply) {
        double by = pow(10, f.multi);
        if (by > INT32_MAX || __builtin_mul_overflow(value, (int32_t)by, &value))
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
        f.pre += f.multi;
    }
    return write_integer(c, &f, value, ret);
}

NUMBER_FN(int8_to_char)
{
    (void)n;
    struct number_format f;
    int64_t value = args[0].v.i64;
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &f));
    if (f.text.len == 0) return finish(c, f.text, ret);
    if (f.roman) return write_roman_checked(c, &f, value, ret);
    if (f.exponent) {
        struct numeric x = numeric_from_i64(c->arena, value);
        return write_exponent(c, &f, &x, ret);
    }
    if (f.multiply) {
        double by = pow(10, f.multi);
        if (by >= 0x1p63 || __builtin_mul_overflow(value, (int64_t)by, &value))
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
        f.pre += f.multi;
    }
    return write_integer(c, &f, value, ret);
}

NUMBER_FN(float4_to_char)
{
    (void)n;
    struct number_format f;
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &f));
    if (f.text.len == 0) return finish(c, f.text, ret);
    return write_float(c, &f, args[0].v.f32, FLOAT4_DIGITS, ret);
}

NUMBER_FN(float8_to_char)
{
    (void)n;
    struct number_format f;
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &f));
    if (f.text.len == 0) return finish(c, f.text, ret);
    return write_float(c, &f, args[0].v.f64, FLOAT8_DIGITS, ret);
}
