/* Times of day with an offset: bytes, text, binary form, moving between zones. */
#include "types/timetz.h"

#include "types/datetime_priv.h"

enum { TIMETZ_BYTES = 12 };

struct timetz timetz_open(const struct bytes *b)
{
    uint64_t utc;
    uint32_t west;
    struct timetz t;
    memcpy(&utc, bytes_data(b), sizeof utc);
    memcpy(&west, bytes_data(b) + sizeof utc, sizeof west);
    t.west = (int32_t)(__builtin_bswap32(west) ^ 1u << 31);
    t.us = (int64_t)(__builtin_bswap64(utc) ^ 1ull << 63) - t.west * US_PER_SECOND;
    return t;
}

struct bytes timetz_close(const struct timetz *t)
{
    char p[TIMETZ_BYTES];
    int64_t utc = t->us + t->west * US_PER_SECOND;
    uint64_t first = __builtin_bswap64((uint64_t)utc ^ 1ull << 63);
    uint32_t second = __builtin_bswap32((uint32_t)t->west ^ 1u << 31);
    memcpy(p, &first, sizeof first);
    memcpy(p + sizeof first, &second, sizeof second);
    return bytes_ref(p, sizeof p);
}

enum status timetz_from_text(int32_t typmod, struct slice text, const struct format_options *fmt,
                             struct bytes *ret)
{
    struct timetz t;
    int32_t east;
    TRY(datetime__timetz_from_text(text, fmt, &t.us, &east));
    t.west = -east;
    *ret = timetz_close(&t);
    timetz_fit(typmod, ret);
    return OK;
}

void timetz_to_text(const struct bytes *b, const struct format_options *fmt, struct strbuf *out)
{
    struct timetz t = timetz_open(b);
    union value v = {.i64 = t.us};
    datetime_to_text(TYPE_TIME, &v, fmt, out);
    datetime__add_offset(out, -t.west, fmt->date_style == DATE_STYLE_XSD);
}

void timetz_fit(int32_t typmod, struct bytes *b)
{
    struct timetz t = timetz_open(b);
    union value v = {.i64 = t.us};
    if (typmod < 0 || datetime_apply_typmod(TYPE_TIME, typmod, &v) != OK) return;
    t.us = v.i64;
    *b = timetz_close(&t);
}

enum status timetz_from_binary(struct slice s, struct bytes *ret)
{
    uint64_t us;
    uint32_t west;
    if (s.len < TIMETZ_BYTES)
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (s.len > TIMETZ_BYTES)
        return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    memcpy(&us, s.data, sizeof us);
    memcpy(&west, s.data + sizeof us, sizeof west);
    struct timetz t = {(int64_t)__builtin_bswap64(us), (int32_t)__builtin_bswap32(west)};
    if (t.us < 0 || t.us > US_PER_DAY) return FAIL(DATETIME_FIELD_OVERFLOW, "time out of range");
    if (t.west <= -ZONE_OFFSET_MAX || t.west >= ZONE_OFFSET_MAX)
        return FAIL(INVALID_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range");
    *ret = timetz_close(&t);
    return OK;
}

void timetz_to_binary(const struct bytes *b, struct strbuf *out)
{
    struct timetz t = timetz_open(b);
    uint64_t us = __builtin_bswap64((uint64_t)t.us);
    uint32_t west = __builtin_bswap32((uint32_t)t.west);
    strbuf_add(out, &us, sizeof us);
    strbuf_add(out, &west, sizeof west);
}

enum status timetz_of_timestamptz(int64_t ts, const struct timezone *z, struct timetz *ret)
{
    int64_t local;
    TRY(timestamptz_to_timestamp(ts, z, &local));
    ret->west = -timezone_offset_at_utc(z, ts, NULL, NULL);
    ret->us = local - calendar__floor_div(local, US_PER_DAY) * US_PER_DAY;
    return OK;
}

struct timetz timetz_moved(const struct timetz *t, int32_t west)
{
    int64_t us = t->us + ((int64_t)t->west - west) * US_PER_SECOND;
    return (struct timetz){us - calendar__floor_div(us, US_PER_DAY) * US_PER_DAY, west};
}
