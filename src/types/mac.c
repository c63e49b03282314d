/* Addresses of network cards: macaddr (6 bytes) and macaddr8 (8 bytes), in the ways they are written. */
#include "types/net.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static enum status bad_syntax(const char *name, struct slice s)
{
    return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s: \"%.*s\"", name,
                (int)s.len, s.data);
}

/* What a number in the text said, as a C library reads hexadecimal ones. */
struct group {
    uint64_t value;
    uint32_t digits;
};

static const char *skip(const char *p, const char *end)
{
    while (p < end && is_space(*p)) p++;
    return p;
}

/* One number, of at most `width` characters when that is not 0: a sign and 0x may stand before it. */
static const char *read_group(const char *p, const char *end, uint32_t width, struct group *ret)
{
    p = skip(p, end);
    const char *stop = width && (size_t)(end - p) > width ? p + width : end;
    bool minus = p < stop && *p == '-';
    if (p < stop && (*p == '-' || *p == '+')) p++;
    *ret = (struct group){0};
    if (stop - p >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        p += 2;
        ret->digits = 1;
    }
    for (; p < stop && hex_value(*p) >= 0; p++, ret->digits++)
        ret->value = ret->value << 4 | (uint64_t)hex_value(*p);
    if (minus) ret->value = -ret->value;
    return p;
}

/* `count` numbers with a character between each `per` of them, of `width` digits at most; nothing after
 * them but blanks. */
static bool read_groups(struct slice s, uint32_t width, char separator, uint32_t per,
                        uint32_t *ret)
{
    const char *p = s.data, *end = s.data + s.len;
    for (uint32_t i = 0; i < MAC_BYTES; i++) {
        struct group g;
        if (i && i % per == 0) {
            if (p == end || *p++ != separator) return false;
        }
        p = read_group(p, end, width, &g);
        if (!g.digits) return false;
        ret[i] = (uint32_t)g.value;
    }
    return skip(p, end) == end;
}

static enum status read_mac(struct slice text, uint8_t *ret)
{
    static const struct {
        uint8_t width, per;
        char separator;
    } forms[] = {{0, 1, ':'}, {0, 1, '-'}, {2, 3, ':'}, {2, 3, '-'},
                 {2, 2, '.'}, {2, 2, '-'}, {2, MAC_BYTES, '\0'}};
    uint32_t numbers[MAC_BYTES];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!read_groups(text, forms[i].width, forms[i].separator, forms[i].per, numbers)) continue;
        for (uint32_t k = 0; k < MAC_BYTES; k++) {
            if (numbers[k] > UINT8_MAX)
                return FAIL(NUMERIC_VALUE_OUT_OF_RANGE,
                            "invalid octet value in \"macaddr\" value: \"%.*s\"", (int)text.len,
                            text.data);
            ret[k] = (uint8_t)numbers[k];
        }
        return OK;
    }
    return bad_syntax("macaddr", text);
}

/* Pairs of digits; one character may stand between all or some of them, always the same. What is left of
 * one character is not looked at. */
static enum status read_mac8(struct slice text, uint8_t *ret)
{
    const char *p = text.data, *end = text.data + text.len;
    uint32_t n = 0;
    char separator = '\0';
    p = skip(p, end);
    while (end - p >= 2) {
        if (n == MAC8_BYTES || hex_value(p[0]) < 0 || hex_value(p[1]) < 0)
            return bad_syntax("macaddr8", text);
        ret[n++] = (uint8_t)(hex_value(p[0]) << 4 | hex_value(p[1]));
        p += 2;
        if (p < end && (*p == ':' || *p == '-' || *p == '.')) {
            if (!separator) separator = *p;
            else if (separator != *p) return bad_syntax("macaddr8", text);
            p++;
        }
        if (n != MAC_BYTES && n != MAC8_BYTES) continue;
        if (p < end && is_space(*p)) {
            if (skip(p, end) != end) return bad_syntax("macaddr8", text);
            p = end;
        }
    }
    if (n == MAC_BYTES) {
        memmove(ret + 5, ret + 3, 3);
        ret[3] = 0xff;
        ret[4] = 0xfe;
        n = MAC8_BYTES;
    }
    return n == MAC8_BYTES ? OK : bad_syntax("macaddr8", text);
}

enum status mac_from_text(type_id type, struct slice text, struct arena *a, struct bytes *ret)
{
    uint8_t mac[MAC8_BYTES];
    (void)a;
    if (type == TYPE_MACADDR) TRY(read_mac(text, mac));
    else TRY(read_mac8(text, mac));
    *ret = bytes_ref((const char *)mac, type == TYPE_MACADDR ? MAC_BYTES : MAC8_BYTES);
    return OK;
}

void mac_to_text(const struct bytes *b, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)bytes_data(b);
    for (uint32_t i = 0; i < b->len; i++) strbuf_addf(out, i ? ":%02x" : "%02x", p[i]);
}

/* macaddr8 takes the short form, too. */
enum status mac_from_binary(type_id type, struct slice s, struct bytes *ret)
{
    bool narrow = s.len == MAC_BYTES && type == TYPE_MACADDR8;
    uint32_t want = type == TYPE_MACADDR || narrow ? MAC_BYTES : MAC8_BYTES;
    if (s.len < want) return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (s.len > want) return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    *ret = bytes_ref(s.data, want);
    if (narrow) *ret = mac_widened(ret);
    return OK;
}

struct bytes mac_widened(const struct bytes *b)
{
    const char *p = bytes_data(b);
    const char wide[MAC8_BYTES] = {p[0], p[1], p[2], '\xff', '\xfe', p[3], p[4], p[5]};
    return bytes_ref(wide, MAC8_BYTES);
}

enum status mac_narrowed(const struct bytes *b, struct bytes *ret)
{
    const uint8_t *p = (const uint8_t *)bytes_data(b);
    if (p[3] != 0xff || p[4] != 0xfe) {
        (void)FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "macaddr8 data out of range to convert to macaddr");
        return error_hint("Only addresses that have FF and FE as values in the 4th and 5th bytes "
                          "from the left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be "
                          "converted from macaddr8 to macaddr.");
    }
    const char narrow[MAC_BYTES] = {(char)p[0], (char)p[1], (char)p[2],
                                    (char)p[5], (char)p[6], (char)p[7]};
    *ret = bytes_ref(narrow, MAC_BYTES);
    return OK;
}
