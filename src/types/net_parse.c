/* Reading addresses, with the forms that the resolver libraries of old took and PostgreSQL still takes:
 * fewer octets where a mask says how many count, classes of networks, IPv4 at the end of IPv6. */
#include "types/net_priv.h"

enum { V4_BITS = 32, V6_BITS = 128, V6_BYTES = 16, GROUP_DIGITS = 4 };

/* What is left of the text; '\0' stands behind its end. */
struct cursor {
    const char *p, *end;
};

static char peek(const struct cursor *c) { return c->p < c->end ? *c->p : '\0'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits up to `max`. */
static bool number(struct cursor *c, uint32_t max, uint32_t *ret)
{
    uint32_t n = 0;
    if (!is_digit(peek(c))) return false;
    while (is_digit(peek(c))) {
        n = n * 10 + (uint32_t)(*c->p++ - '0');
        if (n > max) return false;
    }
    *ret = n;
    return true;
}

/* "/24" and the end, or just the end (*ret stays -1). */
static bool mask(struct cursor *c, uint32_t max, int32_t *ret)
{
    uint32_t bits;
    *ret = -1;
    if (c->p == c->end) return true;
    if (*c->p++ != '/' || !number(c, max, &bits)) return false;
    *ret = (int32_t)bits;
    return c->p == c->end;
}

bool net__read_v4(struct slice text, struct net *ret)
{
    struct cursor c = {text.data, text.data + text.len};
    uint32_t octets = 0, n;
    int32_t bits;
    ret->size = 4;
    while (is_digit(peek(&c))) {
        if (!number(&c, UINT8_MAX, &n) || octets == 4) return false;
        ret->address[octets++] = (uint8_t)n;
        if (peek(&c) != '.') break;
        c.p++;
    }
    if (!octets || !mask(&c, V4_BITS, &bits)) return false;
    if (bits < 0 && octets < 4) return false;
    if (bits < 0) bits = V4_BITS;
    ret->bits = (uint8_t)bits;
    return (uint32_t)bits / 8 <= octets;
}

static bool hex_octets(struct cursor *c, struct net *ret, uint32_t *octets)
{
    for (uint32_t digit = 0; hex_value(peek(c)) >= 0; digit++) {
        uint32_t at = digit / 2;
        if (at >= 4) return false;
        ret->address[at] |= (uint8_t)(hex_value(*c->p++) << (digit % 2 ? 0 : 4));
        *octets = at + 1;
    }
    return *octets > 0;
}

static bool dotted_octets(struct cursor *c, struct net *ret, uint32_t *octets)
{
    uint32_t n;
    for (;;) {
        if (!number(c, UINT8_MAX, &n) || *octets == 4) return false;
        ret->address[(*octets)++] = (uint8_t)n;
        if (peek(c) != '.') return true;
        c->p++;
    }
}

static uint32_t bits_of_class(const struct net *n, uint32_t octets)
{
    uint8_t first = n->address[0];
    uint32_t bits = first >= 240   ? 32
                    : first >= 224 ? 8
                    : first >= 192 ? 24
                    : first >= 128 ? 16
                                   : 8;
    if (bits < octets * 8) bits = octets * 8;
    return bits == 8 && first == 224 ? 4 : bits;
}

bool net__read_v4_cidr(struct slice text, struct net *ret)
{
    struct cursor c = {text.data, text.data + text.len};
    uint32_t octets = 0;
    int32_t bits;
    ret->size = 4;
    if (text.len > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x' &&
        hex_value(text.data[2]) >= 0) {
        c.p += 2;
        if (!hex_octets(&c, ret, &octets)) return false;
    } else if (!dotted_octets(&c, ret, &octets)) {
        return false;
    }
    if (!mask(&c, V4_BITS, &bits)) return false;
    ret->bits = (uint8_t)(bits < 0 ? (int32_t)bits_of_class(ret, octets) : bits);
    return true;
}

/* A number without needless zeros, as IPv6 has its masks and octets. */
static bool strict_number(struct cursor *c, uint32_t max, uint32_t *ret)
{
    const char *first = c->p;
    return number(c, max, ret) && !(*first == '0' && c->p - first > 1);
}

static bool strict_mask(struct cursor *c, int32_t *ret)
{
    uint32_t n;
    if (peek(c) != '/') return c->p == c->end;
    c->p++;
    if (!strict_number(c, V6_BITS, &n) || c->p != c->end) return false;
    *ret = (int32_t)n;
    return true;
}

/* Fewer than four octets are taken as the first ones. */
static bool embedded_v4(struct cursor *c, uint8_t *to, int32_t *bits)
{
    uint32_t n = 0, octets = 0, digits = 0;
    for (;; c->p++) {
        char ch = peek(c);
        if (is_digit(ch)) {
            if (digits++ && n == 0) return false;
            n = n * 10 + (uint32_t)(ch - '0');
            if (n > UINT8_MAX) return false;
            continue;
        }
        if (ch != '.' && ch != '/' && (c->p < c->end || !digits)) return false;
        if (octets == 4) return false;
        to[octets++] = (uint8_t)n;
        n = digits = 0;
        if (ch != '.') return strict_mask(c, bits);
    }
}

/* Groups from the front; *gap is where :: stood, -1 for nowhere. */
static bool groups(struct cursor *c, struct net *ret, uint32_t *at, int32_t *gap, int32_t *bits)
{
    if (peek(c) == ':' && (++c->p, peek(c) != ':')) return false;
    for (;;) {
        const char *first = c->p;
        uint32_t value = 0;
        while (hex_value(peek(c)) >= 0 && c->p - first <= GROUP_DIGITS)
            value = value << 4 | (uint32_t)hex_value(*c->p++);
        if (c->p - first > GROUP_DIGITS) return false;
        if (peek(c) == '.' && *at + 4 <= V6_BYTES) {
            c->p = first;
            *at += 4;
            return embedded_v4(c, ret->address + *at - 4, bits);
        }
        if (c->p > first) {
            if (*at + 2 > V6_BYTES) return false;
            ret->address[(*at)++] = (uint8_t)(value >> 8);
            ret->address[(*at)++] = (uint8_t)value;
        } else if (peek(c) == ':') {
            if (*gap >= 0) return false;
            *gap = (int32_t)*at;
        }
        if (peek(c) != ':') return strict_mask(c, bits);
        c->p++;
        if (c->p == c->end && c->p - first > 1) return false; /* a colon at the end */
    }
}

bool net__read_v6(struct slice text, struct net *ret)
{
    struct cursor c = {text.data, text.data + text.len};
    uint32_t at = 0;
    int32_t gap = -1, bits = -1;
    ret->size = V6_BYTES;
    if (!groups(&c, ret, &at, &gap, &bits)) return false;
    ret->bits = (uint8_t)(bits < 0 ? V6_BITS : bits);
    if (gap < 0) return at == V6_BYTES;
    if (at == V6_BYTES) return false;
    uint32_t after = at - (uint32_t)gap;
    memmove(ret->address + V6_BYTES - after, ret->address + gap, after);
    memset(ret->address + gap, 0, V6_BYTES - at);
    return true;
}
