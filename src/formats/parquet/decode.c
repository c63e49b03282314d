/* Runs of small numbers: the hybrid of run lengths and bit packing in which levels and dictionary
 * codes are written, and the delta encoding of integers. Both are read a batch at a time, so that a
 * few bytes which say "a billion times seven" cost nothing. */
#include "formats/parquet/parquet_priv.h"

/* `width` bits from bit `at` on, least significant first; the bytes are there. */
static inline uint64_t bits_at(const uint8_t *p, const uint8_t *end, uint64_t at, unsigned width)
{
    const uint8_t *from = p + at / 8;
    unsigned shift = at % 8;
    uint64_t v = 0;
    if (width == 0) return 0;
    if (end - from >= 8) {
        memcpy(&v, from, 8);
        v >>= shift;
        if (shift + width > 64) v |= (uint64_t)from[8] << (64 - shift);
    } else {
        for (unsigned i = 0; i < (shift + width + 7) / 8; i++)
            v |= (uint64_t)from[i] << (8 * i);
        v >>= shift;
    }
    return width == 64 ? v : v & ((1ull << width) - 1);
}

static bool varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        *ret |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return true;
    }
    return false;
}

/* --- hybrid --------------------------------------------------------------------------------- */

void parquet__hybrid_init(struct hybrid *h, struct slice s, unsigned width)
{
    const uint8_t *p = (const uint8_t *)s.data;
    *h = (struct hybrid){.p = p, .end = p + s.len, .width = width};
}

/* The head of the next run. The last packed run of some writers ends before its last group does. */
static bool next_run(struct hybrid *h)
{
    uint64_t head;
    if (h->packed == 0 && h->bit > 0) h->p += (h->bit + 7) / 8;
    h->bit = 0;
    if (!varint(&h->p, h->end, &head)) return false;
    if (head & 1) {
        uint64_t left = (uint64_t)(h->end - h->p), groups = head >> 1;
        uint64_t values = h->width == 0 ? UINT32_MAX : left * 8 / h->width;
        if (groups <= UINT32_MAX / 8 && groups * 8 < values) values = groups * 8;
        h->packed = values > UINT32_MAX ? UINT32_MAX : (uint32_t)values;
        return h->packed > 0;
    }
    unsigned bytes = (h->width + 7) / 8;
    if ((uint64_t)(h->end - h->p) < bytes || head >> 1 == 0) return false;
    h->run = head >> 1 > UINT32_MAX ? UINT32_MAX : (uint32_t)(head >> 1);
    h->value = 0;
    for (unsigned i = 0; i < bytes; i++) h->value |= (uint32_t)h->p[i] << (8 * i);
    h->p += bytes;
    return true;
}

bool parquet__hybrid_next(struct hybrid *h, uint32_t *out, uint32_t count)
{
    while (count > 0) {
        if (h->run == 0 && h->packed == 0 && !next_run(h)) return false;
        uint32_t n = h->run ? h->run : h->packed;
        if (n > count) n = count;
        if (h->run) {
            for (uint32_t i = 0; i < n; i++) out[i] = h->value;
            h->run -= n;
        } else {
            for (uint32_t i = 0; i < n; i++, h->bit += h->width)
                out[i] = (uint32_t)bits_at(h->p, h->end, h->bit, h->width);
            h->packed -= n;
        }
        out += n;
        count -= n;
    }
    return true;
}

/* --- delta ---------------------------------------------------------------------------------- */

static int64_t zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool parquet__delta_init(struct delta *d, struct slice s)
{
    uint64_t minis, first;
    const uint8_t *p = (const uint8_t *)s.data;
    *d = (struct delta){.p = p, .end = p + s.len};
    if (!varint(&d->p, d->end, &d->block_values) || !varint(&d->p, d->end, &minis) ||
        !varint(&d->p, d->end, &d->left) || !varint(&d->p, d->end, &first))
        return false;
    if (d->block_values == 0 || d->block_values > 1 << 24 || minis == 0 || minis > 1 << 16 ||
        d->block_values % minis != 0 || d->block_values / minis % 8 != 0)
        return false;
    d->minis = (uint32_t)minis;
    d->mini_values = d->block_values / minis;
    d->mini = d->minis; /* no block yet */
    d->value = zigzag(first);
    return true;
}

/* The next miniblock, of a new block perhaps; the one before has been read to its end. */
static bool next_mini(struct delta *d)
{
    uint64_t min;
    if (d->mini < d->minis) {
        d->p += d->mini_values / 8 * d->widths[d->mini];
        d->mini++;
    }
    if (d->mini >= d->minis) {
        if (!varint(&d->p, d->end, &min) || (uint64_t)(d->end - d->p) < d->minis) return false;
        d->min_delta = zigzag(min);
        d->widths = d->p;
        d->p += d->minis;
        d->mini = 0;
    }
    unsigned width = d->widths[d->mini];
    if (width > 64 || (uint64_t)(d->end - d->p) < d->mini_values / 8 * width) return false;
    d->mini_left = d->mini_values;
    d->bit = 0;
    return true;
}

bool parquet__delta_next(struct delta *d, int64_t *out, uint32_t count)
{
    if (count > d->left) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (d->started) {
            if (d->mini_left == 0 && !next_mini(d)) return false;
            unsigned width = d->widths[d->mini];
            uint64_t delta = bits_at(d->p, d->end, d->bit, width);
            d->bit += width;
            d->mini_left--;
            d->value = (int64_t)((uint64_t)d->value + (uint64_t)d->min_delta + delta);
        }
        d->started = true;
        out[i] = d->value;
        d->left--;
    }
    return true;
}

const uint8_t *parquet__delta_end(struct delta *d)
{
    enum { AT_ONCE = 256 };
    int64_t ignored[AT_ONCE];
    while (d->left > 0)
        if (!parquet__delta_next(d, ignored, d->left < AT_ONCE ? (uint32_t)d->left : AT_ONCE))
            return NULL;
    /* The miniblocks of a block that are not needed have a width, but no bytes. */
    return d->mini < d->minis ? d->p + d->mini_values / 8 * d->widths[d->mini] : d->p;
}
