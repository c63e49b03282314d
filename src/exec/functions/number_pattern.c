/* Reads number patterns. A keyword is written in upper or in lower case, never mixed; what is no
 * keyword stands for itself, and so does what is in double quotes. */
#include "exec/functions/number_pattern_priv.h"

static const struct keyword {
    const char *upper, *lower;
    enum number_key key;
} keywords[] = {
    {",", ",", NUMBER_COMMA},      {".", ".", NUMBER_POINT}, {"0", "0", NUMBER_ZERO},
    {"9", "9", NUMBER_NINE},       {"B", "b", NUMBER_B},     {"C", "c", NUMBER_C},
    {"D", "d", NUMBER_D},          {"EEEE", "eeee", NUMBER_EEEE}, {"FM", "fm", NUMBER_FM},
    {"G", "g", NUMBER_G},          {"L", "l", NUMBER_L},     {"MI", "mi", NUMBER_MI},
    {"PL", "pl", NUMBER_PL},       {"PR", "pr", NUMBER_PR},  {"RN", "rn", NUMBER_RN},
    {"SG", "sg", NUMBER_SG},       {"SP", "sp", NUMBER_SP},  {"S", "s", NUMBER_S},
    {"TH", "th", NUMBER_TH},       {"V", "v", NUMBER_V},
};

static size_t character_bytes(struct slice s)
{
    size_t len = 1;
    while (len < s.len && ((unsigned char)s.data[len] & 0xc0) == 0x80) len++;
    return len;
}

static void advance(struct slice *s, size_t bytes)
{
    s->data += bytes;
    s->len -= bytes;
}

static bool match_keyword(struct slice *s, struct number_node *ret)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        bool upper = slice_starts(*s, slice_of(keywords[i].upper));
        if (!upper && !slice_starts(*s, slice_of(keywords[i].lower))) continue;
        *ret = (struct number_node){.key = keywords[i].key, .lower = !upper};
        advance(s, strlen(keywords[i].upper));
        return true;
    }
    return false;
}

bool number__next(struct number_scan *s, struct number_node *ret)
{
    while (s->rest.len && !s->in_quotes) {
        if (match_keyword(&s->rest, ret)) return true;
        if (s->rest.data[0] != '"') break;
        advance(&s->rest, 1);
        s->in_quotes = true;
        if (s->rest.len && s->rest.data[0] == '"') {
            advance(&s->rest, 1);
            s->in_quotes = false;
        }
    }
    if (s->rest.len == 0) return false;
    /* A backslash: before anything in quotes, outside before a quote only. */
    bool more = s->rest.len > 1;
    if (s->rest.data[0] == '\\' && more && (s->in_quotes || s->rest.data[1] == '"'))
        advance(&s->rest, 1);
    size_t len = character_bytes(s->rest);
    *ret = (struct number_node){.key = NUMBER_LITERAL, .literal = {s->rest.data, len}};
    advance(&s->rest, len);
    if (s->in_quotes && s->rest.len && s->rest.data[0] == '"') {
        advance(&s->rest, 1);
        s->in_quotes = false;
    }
    return true;
}

static enum status refuse(const char *why) { return FAIL(SYNTAX_ERROR, "%s", why); }

static enum status add_digit(struct number_format *f, enum number_key key)
{
    bool zero = key == NUMBER_ZERO;
    if (f->bracket)
        return refuse(zero ? "\"0\" must be ahead of \"PR\"" : "\"9\" must be ahead of \"PR\"");
    if (!zero && f->multiply) {
        f->multi++;
        return OK;
    }
    if (zero && !f->zero && !f->decimal) {
        f->zero = true;
        f->zero_start = f->pre + 1;
    }
    if (f->decimal)
        f->post++;
    else
        f->pre++;
    if (zero) f->zero_end = f->pre + f->post;
    return OK;
}

static enum status add_locale_sign(struct number_format *f)
{
    if (f->sign) return refuse("cannot use \"S\" twice");
    if (f->plus || f->minus || f->bracket)
        return refuse("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
    if (!f->decimal) {
        f->sign_place = SIGN_BEFORE;
        f->sign_pre = f->pre;
    } else {
        f->sign_place = SIGN_AFTER;
    }
    f->sign = true;
    return OK;
}

static enum status add_sign(struct number_format *f, enum number_key key)
{
    switch (key) {
    case NUMBER_MI:
        if (f->sign) return refuse("cannot use \"S\" and \"MI\" together");
        f->minus = true;
        return OK;
    case NUMBER_PL:
        if (f->sign) return refuse("cannot use \"S\" and \"PL\" together");
        f->plus = true;
        return OK;
    case NUMBER_SG:
        if (f->sign) return refuse("cannot use \"S\" and \"SG\" together");
        f->minus = f->plus = true;
        return OK;
    case NUMBER_PR:
        if (f->sign || f->plus || f->minus)
            return refuse("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
        f->bracket = true;
        return OK;
    default:
        return add_locale_sign(f);
    }
}

static enum status add_exponent(struct number_format *f)
{
    if (f->blank || f->fill || f->sign || f->bracket || f->minus || f->plus || f->roman ||
        f->multiply) {
        (void)FAIL(SYNTAX_ERROR, "\"EEEE\" is incompatible with other formats");
        return error_detail("\"EEEE\" may only be used together with digit and decimal point "
                            "patterns.");
    }
    f->exponent = true;
    return OK;
}

static enum status add_point(struct number_format *f)
{
    if (f->decimal) return refuse("multiple decimal points");
    if (f->multiply) return refuse("cannot use \"V\" and decimal point together");
    f->decimal = true;
    return OK;
}

static enum status add_key(struct number_format *f, enum number_key key)
{
    if (f->exponent)
        return refuse(key == NUMBER_EEEE ? "cannot use \"EEEE\" twice"
                                         : "\"EEEE\" must be the last pattern used");
    switch (key) {
    case NUMBER_ZERO:
    case NUMBER_NINE:
        return add_digit(f, key);
    case NUMBER_B:
        if (!f->pre && !f->post && !f->zero) f->blank = true;
        return OK;
    case NUMBER_D:
    case NUMBER_POINT:
        return add_point(f);
    case NUMBER_FM:
        f->fill = true;
        return OK;
    case NUMBER_S:
    case NUMBER_MI:
    case NUMBER_PL:
    case NUMBER_SG:
    case NUMBER_PR:
        return add_sign(f, key);
    case NUMBER_RN:
        f->roman = true;
        return OK;
    case NUMBER_V:
        if (f->decimal) return refuse("cannot use \"V\" and decimal point together");
        f->multiply = true;
        return OK;
    case NUMBER_EEEE:
        return add_exponent(f);
    default:
        return OK;
    }
}

enum status number__describe(struct slice pattern, struct number_format *ret)
{
    struct number_format f = {.text = pattern};
    struct number_scan s = {.rest = pattern};
    struct number_node node;
    if (pattern.len > NUMBER_PATTERN_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "number format is too long");
    while (number__next(&s, &node))
        if (node.key != NUMBER_LITERAL) TRY(add_key(&f, node.key));
    *ret = f;
    return OK;
}
