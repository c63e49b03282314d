/* hashint4, hashint8 and hashtext, as applications call them to make keys of advisory locks: the
 * values are those of PostgreSQL, so that programs that compute them elsewhere agree.
 *
 * The hash is lookup3 (Bob Jenkins, public domain, burtleburtle.net/bob/c/lookup3.c), on
 * little-endian words, with PostgreSQL's start value. */
#include "exec/functions/inspect_priv.h"

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (32 - (bits)))

struct lookup3 {
    uint32_t a, b, c;
};

static struct lookup3 start(size_t len)
{
    uint32_t x = 0x9e3779b9u + (uint32_t)len + 3923095u;
    return (struct lookup3){x, x, x};
}

static void mix(struct lookup3 *h)
{
    static const uint8_t bits[6] = {4, 6, 8, 16, 19, 4};
    uint32_t *w[3] = {&h->a, &h->b, &h->c};
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t *x = w[i % 3], *y = w[(i + 1) % 3], *z = w[(i + 2) % 3];
        *x -= *z;
        *x ^= ROTATE(*z, bits[i]);
        *z += *y;
    }
}

static uint32_t finish(struct lookup3 *h)
{
    static const uint8_t bits[7] = {14, 11, 25, 16, 4, 14, 24};
    uint32_t *w[3] = {&h->c, &h->a, &h->b};
    for (uint32_t i = 0; i < 7; i++) {
        uint32_t *x = w[i % 3], y = *w[(i + 2) % 3];
        *x ^= y;
        *x -= ROTATE(y, bits[i]);
    }
    return h->c;
}

static uint32_t load(const uint8_t *p, size_t len)
{
    uint32_t x = 0;
    for (size_t i = 0; i < len && i < 4; i++) x |= (uint32_t)p[i] << (8 * i);
    return x;
}

static uint32_t hash_string(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    size_t len = s.len;
    struct lookup3 h = start(len);
    for (; len >= 12; len -= 12, p += 12) {
        h.a += load(p, 4);
        h.b += load(p + 4, 4);
        h.c += load(p + 8, 4);
        mix(&h);
    }
    h.a += load(p, len);
    if (len > 4) h.b += load(p + 4, len - 4);
    if (len > 8) h.c += load(p + 8, len - 8) << 8; /* its low byte is the length's */
    return finish(&h);
}

static uint32_t hash_word(uint32_t x)
{
    struct lookup3 h = start(sizeof x);
    h.a += x;
    return finish(&h);
}

SCALAR(inspect__hash_int4) { return ret_i32(ret, (int32_t)hash_word((uint32_t)args[0].v.i32)); }

/* A number hashes as it does in four bytes, where it fits. */
SCALAR(inspect__hash_int8)
{
    int64_t x = args[0].v.i64;
    uint32_t low = (uint32_t)x, high = (uint32_t)((uint64_t)x >> 32);
    return ret_i32(ret, (int32_t)hash_word(low ^ (x >= 0 ? high : ~high)));
}

SCALAR(inspect__hash_text) { return ret_i32(ret, (int32_t)hash_string(arg_slice(args, 0))); }
