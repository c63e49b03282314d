/* inet and cidr: their bytes, printing, the wire's form. */
#include "types/net.h"

#include "types/net_priv.h"

/* PostgreSQL's numbers of the families on the wire. */
enum { WIRE_IPV4 = 2, WIRE_IPV6 = 3, WIRE_HEADER = 4, WORDS = 8, RUN_LEAST = 2 };

struct net net_open(const struct bytes *b)
{
    const uint8_t *p = (const uint8_t *)bytes_data(b);
    struct net n = {.size = p[0] == 4 ? 4 : NET_BYTES_MAX};
    n.bits = p[1 + n.size];
    memcpy(n.address, p + 2 + n.size, n.size);
    return n;
}

struct net net_masked(const struct net *n, bool set)
{
    struct net m = *n;
    for (uint32_t i = n->bits; i < net_bits_max(n); i++) {
        uint8_t bit = (uint8_t)(0x80 >> i % 8);
        m.address[i / 8] = (uint8_t)(set ? m.address[i / 8] | bit : m.address[i / 8] & ~bit);
    }
    return m;
}

struct bytes net_close(const struct net *n, struct arena *a)
{
    char p[2 + 2 * NET_BYTES_MAX];
    struct net masked = net_masked(n, false);
    p[0] = n->size == 4 ? 4 : 6;
    memcpy(p + 1, masked.address, n->size);
    p[1 + n->size] = (char)n->bits;
    memcpy(p + 2 + n->size, n->address, n->size);
    return bytes_copy(a, p, 2u + 2 * n->size);
}

/* --- text ------------------------------------------------------------------------------------- */

static uint32_t word(const struct net *n, uint32_t i)
{
    return (uint32_t)n->address[2 * i] << 8 | n->address[2 * i + 1];
}

struct run {
    uint32_t from, len;
};

/* The first of the longest runs of zeros among the words. */
static struct run longest_zeros(const struct net *n, uint32_t words)
{
    struct run best = {0}, now = {0};
    for (uint32_t i = 0; i < words; i++) {
        if (word(n, i)) {
            now = (struct run){0};
            continue;
        }
        if (!now.len) now.from = i;
        now.len++;
        if (now.len > best.len) best = now;
    }
    return best;
}

static void add_dotted(const uint8_t *p, struct strbuf *out)
{
    strbuf_addf(out, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static void add_words(const struct net *n, struct strbuf *out)
{
    struct run zeros = longest_zeros(n, WORDS);
    if (zeros.len < RUN_LEAST) zeros.len = 0;
    bool v4 = zeros.from == 0 && (zeros.len == 6 || (zeros.len == 7 && word(n, 7) != 1) ||
                                  (zeros.len == 5 && word(n, 5) == 0xffff));
    for (uint32_t i = 0; i < WORDS; i++) {
        if (zeros.len && i >= zeros.from && i < zeros.from + zeros.len) {
            if (i == zeros.from) strbuf_addc(out, ':');
            continue;
        }
        if (i) strbuf_addc(out, ':');
        if (i == 6 && v4) {
            add_dotted(n->address + 12, out);
            return;
        }
        strbuf_addf(out, "%x", word(n, i));
    }
    if (zeros.len && zeros.from + zeros.len == WORDS) strbuf_addc(out, ':');
}

void net_address_text(const struct net *n, struct strbuf *out)
{
    if (n->size == 4) add_dotted(n->address, out);
    else add_words(n, out);
}

static void abbreviate_octets(const struct net *m, struct strbuf *out)
{
    uint32_t octets = (m->bits + 7u) / 8;
    if (!octets) strbuf_addc(out, '0');
    for (uint32_t i = 0; i < octets; i++) strbuf_addf(out, i ? ".%u" : "%u", m->address[i]);
}

/* Only the words that the mask reaches into, two at least. */
static void abbreviate_words(const struct net *m, struct strbuf *out)
{
    uint32_t words = (m->bits + 15u) / 16;
    if (words == 0) {
        strbuf_adds(out, "::");
        return;
    }
    if (words == 1) words = 2;
    struct run zeros = longest_zeros(m, words);
    const uint8_t *p = m->address;
    bool v4 = zeros.len != words && zeros.from == 0 &&
              (zeros.len == 6 || (zeros.len == 5 && p[10] == 0xff && p[11] == 0xff) ||
               (zeros.len == 7 && p[14] != 0 && p[15] != 1));
    for (uint32_t i = 0; i < words; i++) {
        if (zeros.len && i >= zeros.from && i < zeros.from + zeros.len) {
            if (i == zeros.from) strbuf_addc(out, ':');
            if (i == words - 1) strbuf_addc(out, ':');
        } else if (v4 && i > 5) {
            strbuf_addf(out, "%c%u", i == 6 ? ':' : '.', p[2 * i]);
            if (i != 7 || m->bits > 120) strbuf_addf(out, ".%u", p[2 * i + 1]);
        } else {
            strbuf_addf(out, i ? ":%x" : "%x", word(m, i));
        }
    }
}

void net_abbreviated_text(const struct net *n, struct strbuf *out)
{
    struct net m = net_masked(n, false);
    if (m.size == 4) abbreviate_octets(&m, out);
    else abbreviate_words(&m, out);
    strbuf_addf(out, "/%u", n->bits);
}

void net_to_text(type_id type, const struct bytes *b, struct strbuf *out)
{
    struct net n = net_open(b);
    net_address_text(&n, out);
    if (type == TYPE_CIDR || n.bits != net_bits_max(&n)) strbuf_addf(out, "/%u", n.bits);
}

static bool host_bits(const struct net *n)
{
    struct net m = net_masked(n, false);
    return memcmp(m.address, n->address, n->size) != 0;
}

enum status net_from_text(type_id type, struct slice text, struct arena *a, struct bytes *ret)
{
    struct net n = {0};
    bool cidr = type == TYPE_CIDR;
    bool read = memchr(text.data, ':', text.len) ? net__read_v6(text, &n)
                : cidr                           ? net__read_v4_cidr(text, &n)
                                                 : net__read_v4(text, &n);
    if (!read)
        return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s: \"%.*s\"",
                    cidr ? "cidr" : "inet", (int)text.len, text.data);
    if (cidr && host_bits(&n)) {
        (void)FAIL(INVALID_TEXT_REPRESENTATION, "invalid cidr value: \"%.*s\"", (int)text.len,
                   text.data);
        return error_detail("Value has bits set to right of mask.");
    }
    *ret = net_close(&n, a);
    return OK;
}

/* --- binary ----------------------------------------------------------------------------------- */

/* Family, bits, whether it is a cidr, length of the address, the address. */
void net_to_binary(type_id type, const struct bytes *b, struct strbuf *out)
{
    struct net n = net_open(b);
    strbuf_addc(out, n.size == 4 ? WIRE_IPV4 : WIRE_IPV6);
    strbuf_addc(out, (char)n.bits);
    strbuf_addc(out, type == TYPE_CIDR);
    strbuf_addc(out, (char)n.size);
    strbuf_add(out, n.address, n.size);
}

static enum status bad_wire(const char *what, bool cidr)
{
    return FAIL(INVALID_BINARY_REPRESENTATION, "invalid %s in external \"%s\" value", what,
                cidr ? "cidr" : "inet");
}

enum status net_from_binary(type_id type, struct slice s, struct arena *a, struct bytes *ret)
{
    const uint8_t *p = (const uint8_t *)s.data;
    bool cidr = type == TYPE_CIDR;
    if (s.len < WIRE_HEADER)
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (p[0] != WIRE_IPV4 && p[0] != WIRE_IPV6) return bad_wire("address family", cidr);
    struct net n = {.size = p[0] == WIRE_IPV4 ? 4 : NET_BYTES_MAX, .bits = p[1]};
    if (n.bits > net_bits_max(&n)) return bad_wire("bits", cidr);
    if (p[3] != n.size) return bad_wire("length", cidr);
    if (s.len < (size_t)WIRE_HEADER + n.size)
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (s.len > (size_t)WIRE_HEADER + n.size)
        return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    memcpy(n.address, p + WIRE_HEADER, n.size);
    if (cidr && host_bits(&n)) {
        (void)FAIL(INVALID_BINARY_REPRESENTATION, "invalid external \"cidr\" value");
        return error_detail("Value has bits set to right of mask.");
    }
    *ret = net_close(&n, a);
    return OK;
}
