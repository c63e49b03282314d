/* Streams of strings (docs/format/column.md).
 *
 * Symbols keep every string by itself, so that few can be read without the others and equality
 * is told by the codes alone; they are taken unless a general compressor, which knows nothing of
 * strings, saves much more. Plain bytes are read in place. */
#include "core/column/strings_priv.h"

#include <lz4.h>
#include <zstd.h>

#include "base/status.h"

/* Decoding, in thousandths of a nanosecond a byte of the strings; measured by bench_kernels. */
enum { PS_SYMBOL_BYTE = 500, PS_LZ4_BYTE = 400, PS_ZSTD_BYTE = 1200, ZSTD_LEVEL = 3 };
enum { LZ4_RATIO_MAX = 255 };

/* --- encoding --------------------------------------------------------------------------------- */

struct draft {
    struct strbuf data;
    int64_t lengths[INTS_MAX];
    uint64_t score;
    bool there;
};

static bool may(const struct strings_options *o, enum strings_encoding e)
{
    return o->allowed & 1 << e;
}

static uint64_t score(size_t bytes, size_t raw, uint64_t picoseconds,
                      const struct strings_options *o)
{
    return bytes + raw * picoseconds * o->ints.bytes_a_ns / 1000;
}

static void try_symbols(const struct slice *values, uint32_t n, size_t raw,
                        const struct strings_options *o, struct draft *d)
{
    if (!o->symbols || !may(o, STRINGS_SYMBOLS)) return;
    for (uint32_t i = 0; i < n; i++) {
        size_t before = d->data.len;
        symbols__encode(o->symbols, values[i], &d->data);
        d->lengths[i] = (int64_t)(d->data.len - before);
    }
    d->score = score(d->data.len, raw, PS_SYMBOL_BYTE, o);
    d->there = d->data.len < STRINGS_BYTES_MAX;
}

static void try_general(struct slice plain, enum strings_encoding e,
                        const struct strings_options *o, struct draft *d)
{
    if (!may(o, e) || !plain.len) return;
    size_t room = plain.len; /* what is not smaller is not wanted */
    strbuf_reserve(&d->data, room);
    if (e == STRINGS_LZ4) {
        int n = LZ4_compress_default(plain.data, d->data.data, (int)plain.len, (int)room);
        d->data.len = n > 0 ? (size_t)n : 0;
        d->score = score(d->data.len, plain.len, PS_LZ4_BYTE, o);
    } else {
        size_t n = ZSTD_compress(d->data.data, room, plain.data, plain.len, ZSTD_LEVEL);
        d->data.len = ZSTD_isError(n) ? 0 : n;
        d->score = score(d->data.len, plain.len, PS_ZSTD_BYTE, o);
    }
    d->there = d->data.len > 0;
}

static void put(const struct draft *d, enum strings_encoding e, uint32_t count, size_t raw,
                const struct strings_options *o, struct strbuf *out)
{
    size_t start = out->len;
    struct strings_header h = {.encoding = (uint8_t)e, .count = (uint16_t)count,
                               .stored_bytes = (uint32_t)d->data.len,
                               .raw_bytes = (uint32_t)raw};
    strbuf_add(out, &h, sizeof h);
    struct ints_options lengths = o->ints;
    lengths.allowed = 0xff;
    lengths.narrow = true;
    ints__encode(d->lengths, count, &lengths, out);
    strbuf_add(out, d->data.data, d->data.len);
    while (out->len % 8) strbuf_addc(out, 0);
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + start, &h, sizeof h);
}

void strings__encode(const struct slice *values, uint32_t count, const struct strings_options *o,
                     struct strings_hint *hint, struct strbuf *out)
{
    enum { ASK_EVERY = 16 };
    ASSERT(count && count <= INTS_MAX && out->len % 8 == 0);
    struct draft *d = mem_alloc(MEM_RUN, STRINGS_ENCODINGS * sizeof *d), *plain = d;
    struct strings_options now = *o;
    if (hint->blocks_left) now.allowed &= (uint8_t)(1 << hint->encoding);
    for (int e = 0; e < STRINGS_ENCODINGS; e++) strbuf_init(&d[e].data, NULL);
    size_t raw = 0;
    for (uint32_t i = 0; i < count; i++) raw += values[i].len;
    strbuf_reserve(&plain->data, raw + 1);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].len) memcpy(plain->data.data + plain->data.len, values[i].data, values[i].len);
        plain->data.len += values[i].len;
        plain->lengths[i] = (int64_t)values[i].len;
    }
    ASSERT(raw <= STRINGS_BYTES_MAX);
    plain->score = raw;
    plain->there = true;
    try_symbols(values, count, raw, &now, &d[STRINGS_SYMBOLS]);
    for (int e = STRINGS_LZ4; e <= STRINGS_ZSTD; e++) {
        memcpy(d[e].lengths, plain->lengths, count * sizeof *plain->lengths);
        try_general(strbuf_slice(&plain->data), (enum strings_encoding)e, &now, &d[e]);
    }
    int best = STRINGS_PLAIN;
    for (int e = 1; e < STRINGS_ENCODINGS; e++) {
        bool asked = o->allowed == 1 << e;
        if (d[e].there && (asked || d[e].score < d[best].score)) best = e;
    }
    put(&d[best], (enum strings_encoding)best, count, raw, o, out);
    if (hint->blocks_left) hint->blocks_left--;
    else *hint = (struct strings_hint){(uint8_t)best, ASK_EVERY - 1};
    for (int e = 0; e < STRINGS_ENCODINGS; e++) strbuf_release(&d[e].data);
    mem_free(MEM_RUN, d);
}

/* --- decoding --------------------------------------------------------------------------------- */

const char *strings__open(struct slice raw, uint32_t count, const struct symbols *table,
                          struct strings *ret)
{
    struct strings_header h;
    if (raw.len < sizeof h) return "a stream is too short";
    memcpy(&h, raw.data, sizeof h);
    if (h.bytes < sizeof h || h.bytes > raw.len || h.bytes % 8) return "a stream is cut off";
    if (h.count != count) return "a stream has another count";
    if (h.encoding >= STRINGS_ENCODINGS) return "the encoding of a stream is unknown";
    if (h.encoding == STRINGS_SYMBOLS && !table) return "there is no table of symbols";
    struct strings s = {.encoding = h.encoding, .count = h.count, .bytes = h.bytes,
                        .stored_bytes = h.stored_bytes, .raw_bytes = h.raw_bytes, .table = table};
    const char *wrong = ints__open(slice_make(raw.data + sizeof h, h.bytes - sizeof h), count, 4,
                                   UINT32_MAX, &s.lengths);
    if (wrong) return wrong;
    size_t left = h.bytes - sizeof h - s.lengths.bytes;
    if (h.stored_bytes > left || left - h.stored_bytes > 7) return "strings are cut off";
    if (h.raw_bytes > STRINGS_BYTES_MAX) return "strings are too long";
    s.data = raw.data + sizeof h + s.lengths.bytes;
    /* No more than its bytes can become: nobody has memory taken for nothing. */
    if (h.encoding == STRINGS_PLAIN && h.raw_bytes != h.stored_bytes) return "strings are cut off";
    if (h.encoding == STRINGS_SYMBOLS && h.raw_bytes > h.stored_bytes * (uint64_t)SYMBOL_BYTES_MAX)
        return "strings are too long";
    if (h.encoding == STRINGS_LZ4 && h.raw_bytes > h.stored_bytes * (uint64_t)LZ4_RATIO_MAX)
        return "strings are too long";
    if (h.encoding == STRINGS_ZSTD &&
        ZSTD_getFrameContentSize(s.data, h.stored_bytes) != h.raw_bytes)
        return "strings have another length";
    *ret = s;
    return NULL;
}

/* Where each begins: count + 1 offsets. False when they do not add up to `total`. */
static bool offsets_of(const struct strings *s, uint64_t total, uint32_t *offsets)
{
    uint32_t lengths[INTS_MAX];
    uint64_t at = 0;
    ints__decode(&s->lengths, 4, lengths);
    for (uint32_t i = 0; i < s->count; i++) {
        offsets[i] = (uint32_t)at;
        at += lengths[i];
        if (at > total) return false;
    }
    offsets[s->count] = (uint32_t)at;
    return at == total;
}

static const char *expand(const struct strings *s, char *to)
{
    if (s->encoding == STRINGS_LZ4) {
        int n = LZ4_decompress_safe(s->data, to, (int)s->stored_bytes, (int)s->raw_bytes);
        return n >= 0 && (uint32_t)n == s->raw_bytes ? NULL : "strings do not decompress";
    }
    size_t n = ZSTD_decompress(to, s->raw_bytes, s->data, s->stored_bytes);
    return !ZSTD_isError(n) && n == s->raw_bytes ? NULL : "strings do not decompress";
}

/* Those of `sel`, or all, from their codes. */
static const char *decode_symbols(const struct strings *s, const uint32_t *offsets,
                                  const uint16_t *sel, uint32_t n, struct arena *a,
                                  struct bytes *out)
{
    static const char wrong[] = "symbols do not decode";
    uint64_t room = 0, used = 0;
    for (uint32_t k = 0; sel && k < n; k++)
        room += (offsets[sel[k] + 1] - offsets[sel[k]]) * (uint64_t)SYMBOL_BYTES_MAX;
    if (!sel || room > s->raw_bytes) room = s->raw_bytes;
    char *to = arena_alloc(a, room + SYMBOLS_SLACK);
    for (uint32_t k = 0; k < (sel ? n : s->count); k++) {
        uint32_t i = sel ? sel[k] : k;
        struct slice codes = {s->data + offsets[i], offsets[i + 1] - offsets[i]};
        size_t len;
        if (!symbols__decode(s->table, codes, to + used, room - used, &len)) return wrong;
        out[i] = bytes_ref(to + used, (uint32_t)len);
        used += len;
    }
    return sel || used == s->raw_bytes ? NULL : wrong;
}

const char *strings__decode(const struct strings *s, const uint16_t *sel, uint32_t n,
                            struct arena *a, struct bytes *out)
{
    uint32_t offsets[INTS_MAX + 1];
    bool codes = s->encoding == STRINGS_SYMBOLS;
    if (!offsets_of(s, codes ? s->stored_bytes : s->raw_bytes, offsets))
        return "the lengths of strings do not add up";
    if (sel) memset(out, 0, s->count * sizeof *out);
    if (codes) return decode_symbols(s, offsets, sel, n, a, out);
    const char *from = s->data;
    if (s->encoding != STRINGS_PLAIN) {
        char *to = arena_alloc(a, s->raw_bytes + 1);
        const char *wrong = expand(s, to);
        if (wrong) return wrong;
        from = to;
    }
    for (uint32_t k = 0; k < (sel ? n : s->count); k++) {
        uint32_t i = sel ? sel[k] : k;
        out[i] = bytes_ref(from + offsets[i], offsets[i + 1] - offsets[i]);
    }
    return NULL;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Against strings or codes that lie at `from`. */
static void compare(const char *from, const uint32_t *offsets, uint32_t count,
                    const struct slice *values, uint32_t n, uint64_t *mask)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice one = {from + offsets[i], offsets[i + 1] - offsets[i]};
        bool hit = false;
        for (uint32_t k = 0; k < n && !hit; k++) hit = slice_eq(one, values[k]);
        mask[i / 64] |= (uint64_t)hit << i % 64;
    }
}

const char *strings__one_of(const struct strings *s, const struct slice *values, uint32_t n,
                            uint64_t *mask)
{
    uint32_t offsets[INTS_MAX + 1];
    bool codes = s->encoding == STRINGS_SYMBOLS;
    const char *wrong = NULL;
    struct arena a;
    mask__fill(mask, s->count, false);
    if (!offsets_of(s, codes ? s->stored_bytes : s->raw_bytes, offsets))
        return "the lengths of strings do not add up";
    if (s->encoding == STRINGS_PLAIN) {
        compare(s->data, offsets, s->count, values, n, mask);
        return NULL;
    }
    arena_init(&a, MEM_RUN);
    if (codes) {
        struct symbols_encoder *e = symbols__encoder(s->table);
        struct slice *as_codes = ARENA_ARRAY(&a, struct slice, n);
        struct strbuf buf;
        for (uint32_t k = 0; k < n; k++) {
            strbuf_init(&buf, &a);
            symbols__encode(e, values[k], &buf);
            as_codes[k] = strbuf_slice(&buf);
        }
        compare(s->data, offsets, s->count, as_codes, n, mask);
        symbols__free(e);
    } else {
        char *to = arena_alloc(&a, s->raw_bytes + 1);
        wrong = expand(s, to);
        if (!wrong) compare(to, offsets, s->count, values, n, mask);
    }
    arena_release(&a);
    return wrong;
}
