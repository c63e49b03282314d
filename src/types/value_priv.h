/* What the files of values share: the hash kernels and blank rules of value_compare.c and vec.c,
 * and the text forms that are long enough for a file of their own. */
#ifndef HELIOS_TYPES_VALUE_PRIV_H
#define HELIOS_TYPES_VALUE_PRIV_H

#include "base/hash.h"
#include "types/value.h"

/* What a NULL hashes to. */
#define VALUE_HASH_NULL 0x5bd1e9955bd1e995ull

static inline uint64_t value__hash_i64(int64_t v) { return hash_u64((uint64_t)v + 1); }

/* All NaNs are one value, and so are the zeros. */
static inline uint64_t value__hash_f64(double v)
{
    uint64_t u;
    if (v == 0) v = 0;
    if (__builtin_isnan(v)) v = __builtin_nan("");
    memcpy(&u, &v, sizeof(u));
    return hash_u64(u);
}

static inline uint64_t value__hash_bytes(const struct bytes *b)
{
    uint64_t w[2];
    if (b->len > BYTES_INLINE_MAX) return hash_bytes(b->ptr, b->len);
    memcpy(w, b, sizeof(w)); /* the padding is zero */
    return hash_combine(w[0], w[1]);
}

/* bpchar is stored with its blanks, which do not count in comparisons. */
static inline uint32_t value__trimmed_len(const struct bytes *b)
{
    const char *p = bytes_data(b);
    uint32_t n = b->len;
    for (uint64_t eight; n >= 8; n -= 8) {
        memcpy(&eight, p + n - 8, sizeof eight);
        if (eight != 0x2020202020202020u) break;
    }
    while (n && p[n - 1] == ' ') n--;
    return n;
}

static inline struct bytes value__trimmed(const struct bytes *b)
{
    return bytes_ref(bytes_data(b), value__trimmed_len(b));
}

static inline uint64_t value__hash_uuid(const void *uuid)
{
    uint64_t w[2];
    memcpy(w, uuid, sizeof(w));
    return hash_combine(w[0], w[1]);
}

/* A month is 30 days and a day 24 hours, as btree sees intervals. */
static inline uint64_t value__hash_interval(const struct interval *i)
{
    __int128 us = ((__int128)i->months * 30 + i->days) * 86400000000ll + i->us;
    return hash_combine((uint64_t)us, (uint64_t)(us >> 64));
}

static inline bool value__is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* value_float.c; `single` is float4. */
void value__float_to_text(double v, bool single, int extra_digits, struct strbuf *out);
enum status value__float_from_text(bool single, struct slice text, struct arena *a,
                                   double *ret) MUST;
/* value_bytea.c */
void value__bytea_to_text(const struct bytes *b, bool escape, struct strbuf *out);
enum status value__bytea_from_text(struct slice text, struct arena *a, struct bytes *ret) MUST;
/* value_array.c */
void value__array_to_text(type_id type, const struct bytes *b, const struct format_options *fmt,
                          struct strbuf *out);
enum status value__array_from_text(type_id type, int32_t typmod, struct slice text,
                                   const struct format_options *fmt, struct arena *a,
                                   struct bytes *ret) MUST;
/* value_record.c */
void value__record_to_text(const struct bytes *b, const struct format_options *fmt,
                           struct strbuf *out);
enum status value__record_from_text(type_id type, struct slice text,
                                    const struct format_options *fmt, struct arena *a,
                                    struct bytes *ret) MUST;
void value__record_to_binary(const struct bytes *b, struct strbuf *out);
enum status value__record_from_binary(type_id type, struct slice s, const struct reg_names *names,
                                      struct arena *a, struct bytes *ret) MUST;
enum status value__row_columns(type_id type, const struct reg_names *names, struct arena *a,
                               struct row_columns *ret) MUST;

#endif
