/* Values as numbers: what lets a histogram be read between its bounds, and values of different types
 * be held against each other (a date against a timestamp). */
#include "sql/plan/stats.h"

#include "types/numeric.h"

#define DAY_US 86400000000.0

bool stats_number(type_id type, const union value *v, double *ret)
{
    switch (type) {
    case TYPE_BOOL: *ret = v->b; return true;
    case TYPE_INT2: *ret = v->i16; return true;
    case TYPE_INT4: *ret = v->i32; return true;
    case TYPE_OID: *ret = v->u32; return true;
    case TYPE_INT8: *ret = (double)v->i64; return true;
    case TYPE_FLOAT4: *ret = (double)v->f32; break;
    case TYPE_FLOAT8: *ret = v->f64; break;
    case TYPE_NUMERIC:
        if (v->numeric.kind > NUMERIC_BIG) return false;
        *ret = numeric_to_f64(&v->numeric);
        break;
    case TYPE_DATE: *ret = v->i32 * DAY_US; return true;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_TIME: *ret = (double)v->i64; return true;
    case TYPE_INTERVAL:
        *ret = (double)v->interval.us + (v->interval.days + v->interval.months * 30.0) * DAY_US;
        return true;
    default: return false;
    }
    return __builtin_isfinite(*ret);
}

/* The bytes after the prefix as digits of a fraction. Only the range of bytes that text mostly uses
 * counts, or letters would all lie close together. */
static double fraction(struct slice s, size_t from, unsigned low, unsigned high)
{
    double base = high - low + 1, unit = 1, sum = 0;
    for (size_t i = from; i < s.len && i < from + 12; i++) {
        unsigned c = (unsigned char)s.data[i];
        unit /= base;
        sum += (c < low ? 0 : c > high ? base - 1 : c - low) * unit;
    }
    return sum;
}

static void widen(struct slice s, size_t from, unsigned *low, unsigned *high)
{
    for (size_t i = from; i < s.len && i < from + 12; i++) {
        unsigned c = (unsigned char)s.data[i];
        if (c < *low) *low = c;
        if (c > *high) *high = c;
    }
}

double stats_text_position(struct slice low, struct slice high, struct slice v)
{
    size_t same = 0;
    unsigned least = 255, most = 0;
    while (same < low.len && same < high.len && low.data[same] == high.data[same]) same++;
    if (v.len < same || memcmp(v.data, low.data, same) != 0) return 0.5;
    widen(low, same, &least, &most);
    widen(high, same, &least, &most);
    widen(v, same, &least, &most);
    if (least > most) return 0.5;
    double a = fraction(low, same, least, most), b = fraction(high, same, least, most);
    double x = fraction(v, same, least, most);
    if (b <= a) return 0.5;
    double p = (x - a) / (b - a);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}
