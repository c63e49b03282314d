/* Text of bytea: the hex form (\xDEADBEEF) and the older escape form (\ooo for what does not print,
 * \\ for the backslash). Input takes both. */
#include "types/value.h"

#include "types/value_priv.h"

static const char hex_digits[] = "0123456789abcdef";

static void add_escaped(const char *p, uint32_t n, struct strbuf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if (c == '\\')
            strbuf_adds(out, "\\\\");
        else if (c < 0x20 || c > 0x7e)
            strbuf_addf(out, "\\%03o", c);
        else
            strbuf_addc(out, (char)c);
    }
}

void value__bytea_to_text(const struct bytes *b, bool escape, struct strbuf *out)
{
    const char *p = bytes_data(b);
    if (escape) {
        add_escaped(p, b->len, out);
        return;
    }
    strbuf_reserve(out, 2 + 2 * (size_t)b->len);
    strbuf_adds(out, "\\x");
    char *to = out->data + out->len;
    for (uint32_t i = 0; i < b->len; i++) {
        *to++ = hex_digits[(uint8_t)p[i] >> 4];
        *to++ = hex_digits[p[i] & 15];
    }
    *to = '\0';
    out->len += 2 * (size_t)b->len;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of the UTF-8 character at p, within what is left. */
static int char_bytes(const char *p, const char *end)
{
    uint8_t c = (uint8_t)*p;
    int n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n > end - p ? (int)(end - p) : n;
}

static enum status bad_digit(const char *p, const char *end)
{
    return FAIL(INVALID_PARAMETER_VALUE, "invalid hexadecimal digit: \"%.*s\"", char_bytes(p, end),
                p);
}

/* Blanks may stand between the pairs. */
static enum status from_hex(struct slice s, char *to, uint32_t *ret_len)
{
    const char *p = s.data, *end = s.data + s.len;
    uint32_t n = 0;
    while (p < end) {
        if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
            p++;
            continue;
        }
        if (hex_value(*p) < 0) return bad_digit(p, end);
        if (p + 1 >= end)
            return FAIL(INVALID_PARAMETER_VALUE,
                        "invalid hexadecimal data: odd number of digits");
        if (hex_value(p[1]) < 0) return bad_digit(p + 1, end);
        to[n++] = (char)(hex_value(p[0]) << 4 | hex_value(p[1]));
        p += 2;
    }
    *ret_len = n;
    return OK;
}

static bool is_octal(char c, char max) { return c >= '0' && c <= max; }

static enum status from_escapes(struct slice s, char *to, uint32_t *ret_len)
{
    const char *p = s.data, *end = s.data + s.len;
    uint32_t n = 0;
    while (p < end) {
        if (*p != '\\') {
            to[n++] = *p++;
        } else if (end - p >= 4 && is_octal(p[1], '3') && is_octal(p[2], '7') &&
                   is_octal(p[3], '7')) {
            to[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else if (end - p >= 2 && p[1] == '\\') {
            to[n++] = '\\';
            p += 2;
        } else {
            return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s", "bytea");
        }
    }
    *ret_len = n;
    return OK;
}

enum status value__bytea_from_text(struct slice text, struct arena *a, struct bytes *ret)
{
    char *to = arena_alloc_aligned(a, text.len + 1, 1);
    uint32_t n;
    if (slice_starts(text, SLICE("\\x")))
        TRY(from_hex(slice_make(text.data + 2, text.len - 2), to, &n));
    else
        TRY(from_escapes(text, to, &n));
    *ret = bytes_ref(to, n);
    return OK;
}
