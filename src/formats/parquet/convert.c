/* From the values of a file to SQL's. Loops over a type at a time; what does not fit an SQL type (a
 * time of day beyond midnight, a year that timestamps do not have) is an error that names the
 * column. */
#include "formats/parquet/parquet_priv.h"

#include "types/datetime.h"
#include "types/numeric.h"

enum {
    DAYS_1970_TO_2000 = 10957,
    JULIAN_2000 = 2451545, /* the day of 2000-01-01 */
};
static const int64_t us_a_day = 86400000000;

static enum status out_of_range(const struct leaf *l, const char *what)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "%s out of range in column \"%s\" of the Parquet file",
                what, l->name);
}

/* --- numbers -------------------------------------------------------------------------------- */

#define LOOP(from, to, expr)                                                                       \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        from v;                                                                                    \
        memcpy(&v, fixed + (size_t)i * sizeof v, sizeof v);                                        \
        ((to *)dst)[i] = (to)(expr);                                                               \
    }

static void integers(const struct leaf *l, type_id type, const char *fixed, uint32_t count,
                     void *dst)
{
    if (l->physical == PHYSICAL_INT32 && type == TYPE_INT4 && l->logical == LOGICAL_INTEGER &&
        l->bits == 16)
        LOOP(uint32_t, int32_t, v & 0xffff)
    else if (l->physical == PHYSICAL_INT32 && type == TYPE_INT2 && !l->is_signed)
        LOOP(uint32_t, int16_t, v & 0xff)
    else if (l->physical == PHYSICAL_INT32 && type == TYPE_INT2) LOOP(int32_t, int16_t, v)
    else if (l->physical == PHYSICAL_INT32 && type == TYPE_INT4)
        memcpy(dst, fixed, count * sizeof(int32_t));
    else if (l->physical == PHYSICAL_INT32) LOOP(uint32_t, int64_t, v)
    else if (type == TYPE_INT2) LOOP(int64_t, int16_t, v)
    else if (type == TYPE_INT4) LOOP(int64_t, int32_t, v)
    else memcpy(dst, fixed, count * sizeof(int64_t));
}

/* Two's complement, big end first, of up to 32 bytes, as digits. */
static enum status big_decimal(const struct leaf *l, const uint8_t *p, uint32_t len,
                               struct arena *a, struct numeric *ret)
{
    enum { LIMBS = 8, CHUNK = 1000000000, DIGITS_MAX = 80 };
    uint32_t limbs[LIMBS] = {0};
    char digits[DIGITS_MAX + 4];
    int at = DIGITS_MAX + 3, made = 0;
    bool negative = len > 0 && p[0] & 0x80;
    while (len > LIMBS * 4) { /* more of the sign */
        if (*p != (negative ? 0xff : 0)) return out_of_range(l, "decimal");
        p++, len--;
    }
    for (uint32_t i = 0; i < LIMBS * 4; i++) {
        uint8_t byte = i < len ? p[len - 1 - i] : negative ? 0xff : 0;
        limbs[i / 4] |= (uint32_t)byte << (8 * (i % 4));
    }
    uint64_t carry = 1;
    for (int i = 0; negative && i < LIMBS; i++) {
        carry += (uint32_t)~limbs[i];
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    digits[at] = '\0';
    for (bool more = true; more || made <= l->scale;) {
        uint64_t rest = 0;
        more = false;
        for (int i = LIMBS - 1; i >= 0; i--) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / CHUNK);
            rest %= CHUNK;
            more |= limbs[i] != 0;
        }
        for (int i = 0; i < 9 && at > 2; i++, rest /= 10) {
            if (made == l->scale && made > 0) digits[--at] = '.';
            digits[--at] = (char)('0' + rest % 10);
            made++;
        }
    }
    if (negative) digits[--at] = '-';
    return numeric_from_text(slice_of(digits + at), -1, a, ret);
}

static enum status one_decimal(const struct leaf *l, const uint8_t *p, uint32_t len,
                               struct arena *a, struct numeric *ret)
{
    int64_t v = len > 0 && p[0] & 0x80 ? -1 : 0;
    if (len > 8) {
        /* Most decimals are small, however wide they are written. */
        uint8_t sign = (uint8_t)v;
        uint32_t same = 0;
        while (same < len - 8 && p[same] == sign) same++;
        if (same < len - 8) return big_decimal(l, p, len, a, ret);
        p += len - 8;
        if ((p[0] & 0x80) != (sign & 0x80)) return big_decimal(l, p - (len - 8), len, a, ret);
        len = 8;
    }
    for (uint32_t i = 0; i < len; i++) v = (int64_t)((uint64_t)v << 8 | p[i]);
    if (v > -1000000000000000000 && v < 1000000000000000000)
        *ret = numeric_small(v, (uint16_t)l->scale);
    else return big_decimal(l, (const uint8_t[]){(uint8_t)(v >> 56), (uint8_t)(v >> 48),
                            (uint8_t)(v >> 40), (uint8_t)(v >> 32), (uint8_t)(v >> 24),
                            (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 8, a, ret);
    return OK;
}

static enum status decimals(const struct leaf *l, const char *fixed, uint32_t count,
                            struct numeric *dst, struct arena *a)
{
    uint32_t width = parquet__fixed_width(l);
    for (uint32_t i = 0; i < count; i++) {
        const char *p = fixed + (size_t)i * width;
        uint8_t big[8];
        int64_t v;
        int32_t small;
        if (l->physical == PHYSICAL_FIXED) {
            TRY(one_decimal(l, (const uint8_t *)p, width, a, &dst[i]));
            continue;
        }
        memcpy(&v, p, width);
        memcpy(&small, p, sizeof small);
        if (l->physical == PHYSICAL_INT32) v = small;
        uint64_t swapped = __builtin_bswap64((uint64_t)v);
        memcpy(big, &swapped, 8);
        TRY(one_decimal(l, big, 8, a, &dst[i]));
    }
    return OK;
}

static enum status unsigned_64(const struct leaf *l, const char *fixed, uint32_t count,
                               struct numeric *dst, struct arena *a)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t big[9] = {0};
        uint64_t v;
        memcpy(&v, fixed + (size_t)i * 8, 8);
        v = __builtin_bswap64(v);
        memcpy(big + 1, &v, 8);
        TRY(one_decimal(l, big, 9, a, &dst[i]));
    }
    return OK;
}

static float half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 31;
    float fraction = (float)(h & 1023), v;
    if (exponent == 31) v = h & 1023 ? __builtin_nanf("") : __builtin_inff();
    else if (exponent == 0) v = fraction / 16777216.0f;
    else
        v = (1024.0f + fraction) *
            (exponent >= 25 ? (float)(1 << (exponent - 25)) : 1.0f / (float)(1 << (25 - exponent)));
    return h & 0x8000 ? -v : v;
}

/* --- dates and times ------------------------------------------------------------------------ */

static enum status dates(const struct leaf *l, const char *fixed, uint32_t count, int32_t *dst)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t days;
        memcpy(&days, fixed + (size_t)i * 4, 4);
        /* DuckDB's infinities. */
        if (days == INT32_MAX) dst[i] = DATE_NOEND;
        else if (days == -INT32_MAX) dst[i] = DATE_NOBEGIN;
        else if (days < -2451545 + DAYS_1970_TO_2000 || days > 2145031948 + DAYS_1970_TO_2000)
            return out_of_range(l, "date");
        else dst[i] = days - DAYS_1970_TO_2000;
    }
    return OK;
}

/* Towards the past, for what lies before 1970. */
static int64_t to_micros(const struct leaf *l, int64_t v, bool *overflow)
{
    if (l->unit == UNIT_MICROS) return v;
    if (l->unit == UNIT_NANOS) return v / 1000 - (v % 1000 < 0);
    *overflow |= __builtin_mul_overflow(v, 1000, &v);
    return v;
}

static enum status times(const struct leaf *l, const char *fixed, uint32_t count, int64_t *dst)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t v = 0;
        bool overflow = false;
        if (l->physical == PHYSICAL_INT32) {
            int32_t small;
            memcpy(&small, fixed + (size_t)i * 4, 4);
            v = small;
        } else {
            memcpy(&v, fixed + (size_t)i * 8, 8);
        }
        v = to_micros(l, v, &overflow);
        if (overflow || v < 0 || v > us_a_day) return out_of_range(l, "time");
        dst[i] = v;
    }
    return OK;
}

static bool fits_timestamp(int64_t us)
{
    return us >= -211813488000000000 && us < 9223371331200000000;
}

static enum status timestamps(const struct leaf *l, const char *fixed, uint32_t count, int64_t *dst)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t v;
        bool overflow = false;
        memcpy(&v, fixed + (size_t)i * 8, 8);
        if (l->unit == UNIT_MICROS && v == INT64_MAX) {
            dst[i] = TS_NOEND;
            continue;
        }
        if (l->unit == UNIT_MICROS && v == -INT64_MAX) {
            dst[i] = TS_NOBEGIN;
            continue;
        }
        v = to_micros(l, v, &overflow);
        overflow |= __builtin_sub_overflow(v, DAYS_1970_TO_2000 * us_a_day, &v);
        if (overflow || !fits_timestamp(v)) return out_of_range(l, "timestamp");
        dst[i] = v;
    }
    return OK;
}

/* Nanoseconds of the day, and the Julian day. */
static enum status timestamps_96(const struct leaf *l, const char *fixed, uint32_t count,
                                 int64_t *dst)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t nanos, v;
        int32_t day;
        memcpy(&nanos, fixed + (size_t)i * 12, 8);
        memcpy(&day, fixed + (size_t)i * 12 + 8, 4);
        if (nanos < 0 || nanos > us_a_day * 1000 ||
            __builtin_mul_overflow((int64_t)day - JULIAN_2000, us_a_day, &v) ||
            __builtin_add_overflow(v, nanos / 1000, &v) || !fits_timestamp(v))
            return out_of_range(l, "timestamp");
        dst[i] = v;
    }
    return OK;
}

static void intervals(const char *fixed, uint32_t count, struct interval *dst)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parts[3];
        memcpy(parts, fixed + (size_t)i * 12, sizeof parts);
        dst[i] = (struct interval){.months = (int32_t)parts[0], .days = (int32_t)parts[1],
                                   .us = (int64_t)parts[2] * 1000};
    }
}

/* --- all ------------------------------------------------------------------------------------ */

enum status parquet__convert_fixed(const struct leaf *l, type_id type, const char *fixed,
                                   uint32_t count, void *dst, struct arena *a)
{
    uint32_t width = parquet__fixed_width(l);
    switch (type) {
    case TYPE_BOOL: memcpy(dst, fixed, count); return OK;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: integers(l, type, fixed, count, dst); return OK;
    case TYPE_FLOAT4:
        if (l->physical == PHYSICAL_FLOAT) memcpy(dst, fixed, count * sizeof(float));
        else LOOP(uint16_t, float, half_to_float(v))
        return OK;
    case TYPE_FLOAT8: memcpy(dst, fixed, count * sizeof(double)); return OK;
    case TYPE_DATE: return dates(l, fixed, count, dst);
    case TYPE_TIME: return times(l, fixed, count, dst);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return l->physical == PHYSICAL_INT96 ? timestamps_96(l, fixed, count, dst)
                                             : timestamps(l, fixed, count, dst);
    case TYPE_NUMERIC:
        if (l->logical == LOGICAL_INTEGER) return unsigned_64(l, fixed, count, dst, a);
        return decimals(l, fixed, count, dst, a);
    case TYPE_UUID: memcpy(dst, fixed, (size_t)count * width); return OK;
    case TYPE_INTERVAL: intervals(fixed, count, dst); return OK;
    case TYPE_BYTEA:
        for (uint32_t i = 0; i < count; i++)
            ((struct bytes *)dst)[i] = bytes_copy(a, fixed + (size_t)i * width, width);
        return OK;
    default: UNREACHABLE();
    }
}

enum status parquet__convert_strings(const struct leaf *l, type_id type,
                                     const struct slice *strings, uint32_t count, void *dst,
                                     struct arena *a)
{
    for (uint32_t i = 0; i < count; i++) {
        if (type == TYPE_NUMERIC)
            TRY(one_decimal(l, (const uint8_t *)strings[i].data, (uint32_t)strings[i].len, a,
                            &((struct numeric *)dst)[i]));
        else ((struct bytes *)dst)[i] = bytes_from_slice(a, strings[i]);
    }
    return OK;
}
