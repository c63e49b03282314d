/* Conversions of types that are neither plain numbers nor text: strings of bits, addresses, money, times
 * with an offset, positions. */
#include "types/cast_priv.h"

#include "types/bits.h"
#include "types/datetime.h"
#include "types/money.h"
#include "types/net.h"
#include "types/numeric.h"
#include "types/position.h"
#include "types/range.h"
#include "types/timetz.h"

static enum status bits_to_integer(type_id to, const union value *v, struct arena *a,
                                   union value *ret)
{
    struct bits b = bits_open(&v->bytes, a);
    if (b.count > (to == TYPE_INT4 ? 32 : 64))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "%s out of range",
                    to == TYPE_INT4 ? "integer" : "bigint");
    if (to == TYPE_INT4) ret->i32 = (int32_t)(uint32_t)bits_to_int(&b);
    else ret->i64 = (int64_t)bits_to_int(&b);
    return OK;
}

struct bytes cast_int_to_bits(type_id from, const union value *v, int32_t typmod, struct arena *a)
{
    int64_t n = from == TYPE_INT4 ? v->i32 : v->i64;
    struct bits b = bits_of_int(n, from == TYPE_INT4 ? 32 : 64,
                                typmod > 0 ? (uint32_t)typmod : 1, a);
    return bits_close(&b, a);
}

/* The mask is always told. */
static void net_text(type_id from, const struct bytes *b, struct arena *a, struct bytes *ret)
{
    struct strbuf text;
    struct net n = net_open(b);
    strbuf_init(&text, a);
    net_to_text(from, b, &text);
    if (from == TYPE_INET && n.bits == net_bits_max(&n)) strbuf_addf(&text, "/%u", n.bits);
    *ret = bytes_ref(text.data, (uint32_t)text.len);
}

static enum status from_net(type_id from, type_id to, const union value *v, struct arena *a,
                            union value *ret)
{
    if (to == TYPE_INET) {
        ret->bytes = v->bytes;
    } else if (to == TYPE_CIDR) {
        struct net n = net_open(&v->bytes), masked = net_masked(&n, false);
        ret->bytes = net_close(&masked, a);
    } else {
        net_text(from, &v->bytes, a, &ret->bytes);
    }
    return OK;
}

static enum status time_to_timetz(int64_t us, const struct format_options *fmt, struct bytes *ret)
{
    int64_t now, midnight;
    TRY(timestamptz_to_timestamp(fmt->now_us, fmt->zone, &now));
    midnight = now - ((now % US_PER_DAY) + US_PER_DAY) % US_PER_DAY;
    struct timetz t = {us, -timezone_offset_at_local(fmt->zone, midnight + us)};
    *ret = timetz_close(&t);
    return OK;
}

static enum status to_timetz(type_id from, const union value *v, const struct format_options *fmt,
                             union value *ret)
{
    struct timetz t;
    if (from == TYPE_TIME) return time_to_timetz(v->i64, fmt, &ret->bytes);
    TRY(timetz_of_timestamptz(v->i64, fmt->zone, &t));
    ret->bytes = timetz_close(&t);
    return OK;
}

static enum status to_money(type_id from, const union value *v, struct arena *a, union value *ret)
{
    if (from == TYPE_NUMERIC) return money_of_numeric(&v->numeric, a, &ret->i64);
    return money_of_int(from == TYPE_INT4 ? v->i32 : v->i64, &ret->i64);
}

static bool is_text(type_id t) { return t == TYPE_TEXT || t == TYPE_VARCHAR || t == TYPE_BPCHAR; }

bool cast__special(type_id from, type_id to, const union value *v, const struct format_options *fmt,
                   struct arena *a, union value *ret, enum status *ret_status)
{
    bool bits = from == TYPE_BIT || from == TYPE_VARBIT;
    *ret_status = OK;
    if (bits && (to == TYPE_BIT || to == TYPE_VARBIT)) {
        ret->bytes = v->bytes;
    } else if (bits && (to == TYPE_INT4 || to == TYPE_INT8)) {
        *ret_status = bits_to_integer(to, v, a, ret);
    } else if (to == TYPE_BIT && (from == TYPE_INT4 || from == TYPE_INT8)) {
        ret->bytes = cast_int_to_bits(from, v, -1, a);
    } else if ((from == TYPE_INET || from == TYPE_CIDR) &&
               (to == TYPE_INET || to == TYPE_CIDR || is_text(to))) {
        *ret_status = from_net(from, to, v, a, ret);
    } else if (from == TYPE_MACADDR && to == TYPE_MACADDR8) {
        ret->bytes = mac_widened(&v->bytes);
    } else if (from == TYPE_MACADDR8 && to == TYPE_MACADDR) {
        *ret_status = mac_narrowed(&v->bytes, &ret->bytes);
    } else if (to == TYPE_TIMETZ && (from == TYPE_TIME || from == TYPE_TIMESTAMPTZ)) {
        *ret_status = to_timetz(from, v, fmt, ret);
    } else if (from == TYPE_TIMETZ && to == TYPE_TIME) {
        ret->i64 = timetz_open(&v->bytes).us;
    } else if (to == TYPE_MONEY &&
               (from == TYPE_NUMERIC || from == TYPE_INT4 || from == TYPE_INT8)) {
        *ret_status = to_money(from, v, a, ret);
    } else if (from == TYPE_MONEY && to == TYPE_NUMERIC) {
        ret->numeric = money_to_numeric(v->i64, a);
    } else if (from == TYPE_XID8 && to == TYPE_XID) {
        ret->u32 = (uint32_t)position_open(v->i64);
    } else if (type_is_range(from) && to == range_multirange(from)) {
        ret->bytes = v->bytes; /* one, or none */
    } else {
        return false;
    }
    return true;
}
