/* Escapes and normal forms of Unicode text. */
#include "exec/functions/text_priv.h"

#include "types/unicode.h"

/* --- unistr ----------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* True when `digits` hexadecimal ones stand at `at`. */
static bool read_hex(struct slice s, size_t at, uint32_t digits, uint32_t *ret)
{
    uint32_t code = 0;
    if (at + digits > s.len) return false;
    for (size_t i = at; i < at + digits; i++) {
        int value = hex_value(s.data[i]);
        if (value < 0) return false;
        code = code * 16 + (uint32_t)value;
    }
    *ret = code;
    return true;
}

/* \XXXX \+XXXXXX \uXXXX \UXXXXXXXX at a backslash. */
static bool read_escape(struct slice s, uint32_t *ret_code, size_t *ret_len)
{
    char kind = s.len > 1 ? s.data[1] : '\0';
    uint32_t digits = kind == '+' ? 6 : kind == 'U' ? 8 : 4;
    size_t begin = kind == '+' || kind == 'U' || kind == 'u' ? 2 : 1;
    *ret_len = begin + digits;
    return read_hex(s, begin, digits, ret_code);
}

static enum status bad_pair(void) { return FAIL(SYNTAX_ERROR, "invalid Unicode surrogate pair"); }

static enum status add_code(struct strbuf *out, uint32_t code, uint32_t *high)
{
    bool low = code >= 0xdc00 && code < 0xe000;
    if (low != (*high != 0)) return bad_pair();
    if (code >= 0xd800 && code < 0xdc00) {
        *high = code;
        return OK;
    }
    if (low) code = 0x10000 + ((*high - 0xd800) << 10) + (code - 0xdc00);
    *high = 0;
    if (code == 0 || code > 0x10ffff)
        return FAIL(INVALID_PARAMETER_VALUE, "invalid Unicode code point: %04X", code);
    utf8__add(out, code);
    return OK;
}

SCALAR(unicode__unistr)
{
    struct slice s = arg_slice(args, 0);
    struct strbuf b;
    uint32_t high = 0; /* of a pair, when its low half must follow */
    strbuf_init(&b, c->arena);
    while (s.len) {
        uint32_t code;
        size_t len = 1;
        bool escaped_backslash = s.data[0] == '\\' && s.len > 1 && s.data[1] == '\\';
        if (s.data[0] != '\\' || escaped_backslash) {
            if (high) return bad_pair();
            strbuf_addc(&b, s.data[0]);
            len += escaped_backslash;
        } else if (read_escape(s, &code, &len)) {
            TRY(add_code(&b, code, &high));
        } else {
            (void)FAIL(SYNTAX_ERROR, "invalid Unicode escape");
            return error_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or "
                              "\\UXXXXXXXX.");
        }
        s = slice_from(s, len);
    }
    return high ? bad_pair() : text__ret(&b, ret);
}

/* --- normal forms ----------------------------------------------------------------------------- */

/* An empty name is the default, NFC. */
static enum status form_named(struct slice name, enum unicode_form *ret)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD"};
    static const enum unicode_form forms[] = {UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD};
    *ret = UNICODE_NFC;
    if (!name.len) return OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_eq_nocase(name, slice_of(names[i]))) continue;
        *ret = forms[i];
        return OK;
    }
    return FAIL(INVALID_PARAMETER_VALUE, "invalid normalization form: %.*s", (int)name.len,
                name.data);
}

SCALAR(unicode__normalize)
{
    enum unicode_form form;
    struct strbuf b;
    strbuf_init(&b, c->arena);
    TRY(form_named(arg_slice(args, 1), &form));
    unicode_normalize(arg_slice(args, 0), form, &b);
    return text__ret(&b, ret);
}

SCALAR(unicode__is_normalized)
{
    enum unicode_form form;
    struct strbuf b;
    strbuf_init(&b, c->arena);
    TRY(form_named(arg_slice(args, 1), &form));
    unicode_normalize(arg_slice(args, 0), form, &b);
    return ret_bool(ret, slice_eq(strbuf_slice(&b), arg_slice(args, 0)));
}
