/* Functions on strings of bits, and bit_and, bit_or, bit_xor of them. Positions count bits: from 0 where one
 * bit is got or set, from 1 in substring and its kin. */
#include "types/bits.h"

#include "exec/functions/aggregate_priv.h"
#include "exec/functions/text_priv.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

static struct bits arg_bits(struct call_ctx *c, const struct datum *args, uint32_t i)
{
    return bits_open(&args[i].v.bytes, c->arena);
}

static enum status ret_bits(struct call_ctx *c, const struct bits *b, struct datum *ret)
{
    return ret_bytes(ret, bits_close(b, c->arena));
}

/* --- bit by bit ------------------------------------------------------------------------------- */

enum bit_op { BIT_AND, BIT_OR, BIT_XOR };

static enum status combine(struct bits *to, const struct bits *with, enum bit_op op)
{
    static const char *const words[] = {"AND", "OR", "XOR"};
    if (to->count != with->count)
        return FAIL(STRING_DATA_LENGTH_MISMATCH, "cannot %s bit strings of different sizes",
                    words[op]);
    for (uint32_t i = 0; i < bits_bytes(to->count); i++) {
        if (op == BIT_AND) to->p[i] &= with->p[i];
        else if (op == BIT_OR) to->p[i] |= with->p[i];
        else to->p[i] ^= with->p[i];
    }
    return OK;
}

static enum status combined(struct call_ctx *c, const struct datum *args, enum bit_op op,
                            struct datum *ret)
{
    struct bits a = arg_bits(c, args, 0), b = arg_bits(c, args, 1);
    TRY(combine(&a, &b, op));
    return ret_bits(c, &a, ret);
}

FN(bits_and) { return combined(c, args, BIT_AND, ret); }
FN(bits_or) { return combined(c, args, BIT_OR, ret); }
FN(bits_xor) { return combined(c, args, BIT_XOR, ret); }

FN(bits_not)
{
    struct bits b = arg_bits(c, args, 0);
    for (uint32_t i = 0; i < b.count; i++) bits_set(&b, i, !bits_get(&b, i));
    return ret_bits(c, &b, ret);
}

/* `by` bits to the right; zeros come in. */
static enum status shifted(struct call_ctx *c, const struct bits *b, int64_t by, struct datum *ret)
{
    struct bits out = bits_new(c->arena, b->count);
    uint64_t far = (uint64_t)(by < 0 ? -by : by);
    if (far < b->count) {
        uint32_t kept = b->count - (uint32_t)far;
        struct bits part = bits_part(b, by < 0 ? (uint32_t)far : 0, kept, c->arena);
        bits_put(&out, by < 0 ? 0 : (uint32_t)far, &part);
    }
    return ret_bits(c, &out, ret);
}

FN(bits_left)
{
    struct bits b = arg_bits(c, args, 0);
    return shifted(c, &b, -(int64_t)args[1].v.i32, ret);
}

FN(bits_right)
{
    struct bits b = arg_bits(c, args, 0);
    return shifted(c, &b, args[1].v.i32, ret);
}

/* --- parts ------------------------------------------------------------------------------------ */

static enum status joined(struct call_ctx *c, const struct bits *parts, uint32_t count,
                          struct datum *ret)
{
    uint64_t total = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) total += parts[i].count;
    if (total > INT32_MAX - 7)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed (%d)",
                    INT32_MAX - 7);
    struct bits out = bits_new(c->arena, (uint32_t)total);
    for (uint32_t i = 0; i < count; at += parts[i++].count) bits_put(&out, at, &parts[i]);
    return ret_bits(c, &out, ret);
}

FN(bits_cat)
{
    struct bits parts[] = {arg_bits(c, args, 0), arg_bits(c, args, 1)};
    return joined(c, parts, 2, ret);
}

static enum status part(struct call_ctx *c, const struct bits *b, int32_t start, bool has_length,
                        int32_t length, struct bits *ret)
{
    size_t begin, end;
    TRY(text__range(start, has_length, length, b->count, &begin, &end));
    *ret = bits_part(b, (uint32_t)begin, (uint32_t)(end - begin), c->arena);
    return OK;
}

static enum status substring(struct call_ctx *c, const struct datum *args, bool has_length,
                             struct datum *ret)
{
    struct bits b = arg_bits(c, args, 0), p;
    TRY(part(c, &b, args[1].v.i32, has_length, has_length ? args[2].v.i32 : 0, &p));
    return ret_bits(c, &p, ret);
}

FN(bits_substring) { return substring(c, args, true, ret); }
FN(bits_substring_from) { return substring(c, args, false, ret); }

static enum status overlaid(struct call_ctx *c, const struct datum *args, int32_t length,
                            struct datum *ret)
{
    struct bits b = arg_bits(c, args, 0), parts[3];
    int32_t start = args[2].v.i32, after;
    if (start <= 0) return FAIL(SUBSTRING_ERROR, "negative substring length not allowed");
    if (__builtin_add_overflow(start, length, &after))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    TRY(part(c, &b, 1, true, start - 1, &parts[0]));
    parts[1] = arg_bits(c, args, 1);
    TRY(part(c, &b, after, false, 0, &parts[2]));
    return joined(c, parts, 3, ret);
}

FN(bits_overlay) { return overlaid(c, args, args[3].v.i32, ret); }
FN(bits_overlay_all) { return overlaid(c, args, (int32_t)bits_count(&args[1].v.bytes), ret); }

FN(bits_position)
{
    struct bits b = arg_bits(c, args, 0), what = arg_bits(c, args, 1);
    ret->v.i32 = 0;
    if (b.count == 0 || what.count > b.count) return OK;
    for (uint32_t at = 0; at + what.count <= b.count; at++) {
        uint32_t i = 0;
        while (i < what.count && bits_get(&b, at + i) == bits_get(&what, i)) i++;
        if (i == what.count) return ret_i32(ret, (int32_t)at + 1);
    }
    return OK;
}

/* --- single bits and counts ------------------------------------------------------------------- */

static enum status check_index(const struct bits *b, int32_t i)
{
    if (i >= 0 && (uint32_t)i < b->count) return OK;
    return FAIL(ARRAY_SUBSCRIPT_ERROR, "bit index %d out of valid range (0..%d)", i,
                (int)b->count - 1);
}

FN(bits_get_bit)
{
    struct bits b = arg_bits(c, args, 0);
    TRY(check_index(&b, args[1].v.i32));
    return ret_i32(ret, bits_get(&b, (uint32_t)args[1].v.i32));
}

FN(bits_set_bit)
{
    struct bits b = arg_bits(c, args, 0);
    int32_t bit = args[2].v.i32;
    TRY(check_index(&b, args[1].v.i32));
    if (bit != 0 && bit != 1) return FAIL(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1");
    bits_set(&b, (uint32_t)args[1].v.i32, bit);
    return ret_bits(c, &b, ret);
}

FN(bits_bit_count)
{
    struct bits b = arg_bits(c, args, 0);
    int64_t count = 0;
    for (uint32_t i = 0; i < bits_bytes(b.count); i++) count += __builtin_popcount(b.p[i]);
    ret->v.i64 = count;
    return OK;
}

FN(bits_length) { return ret_i32(ret, (int32_t)bits_count(&args[0].v.bytes)); }
FN(bits_octets) { return ret_i32(ret, (int32_t)bits_bytes(bits_count(&args[0].v.bytes))); }

/* --- conversions ------------------------------------------------------------------------------ */

FN(bits_of_int4)
{
    struct bits b = bits_of_int(args[0].v.i32, 32,
                                args[1].v.i32 > 0 ? (uint32_t)args[1].v.i32 : 1, c->arena);
    return ret_bits(c, &b, ret);
}

FN(bits_of_int8)
{
    struct bits b = bits_of_int(args[0].v.i64, 64,
                                args[1].v.i32 > 0 ? (uint32_t)args[1].v.i32 : 1, c->arena);
    return ret_bits(c, &b, ret);
}

FN(bits_int4)
{
    struct bits b = arg_bits(c, args, 0);
    if (b.count > 32) return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    return ret_i32(ret, (int32_t)(uint32_t)bits_to_int(&b));
}

FN(bits_int8)
{
    struct bits b = arg_bits(c, args, 0);
    if (b.count > 64) return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    ret->v.i64 = (int64_t)bits_to_int(&b);
    return OK;
}

FN(bits_fit_bit)
{
    ret->v = args[0].v;
    return bits_fit(TYPE_BIT, args[1].v.i32, args[2].v.b, c->arena, &ret->v.bytes);
}

FN(bits_fit_varbit)
{
    ret->v = args[0].v;
    return bits_fit(TYPE_VARBIT, args[1].v.i32, args[2].v.b, c->arena, &ret->v.bytes);
}

const struct proc_binding exec__bits_functions[] = {
    {"bit_and", bits_and, NULL}, {"bit_or", bits_or, NULL}, {"bitxor", bits_xor, NULL},
    {"bitnot", bits_not, NULL}, {"bitshiftleft", bits_left, NULL},
    {"bitshiftright", bits_right, NULL}, {"bitcat", bits_cat, NULL},
    {"bitsubstr", bits_substring, NULL}, {"bitsubstr_no_len", bits_substring_from, NULL},
    {"bitlength", bits_length, NULL}, {"bit_length_sql1812", bits_length, NULL},
    {"bitoctetlength", bits_octets, NULL}, {"bitfromint4", bits_of_int4, NULL},
    {"bittoint4", bits_int4, NULL}, {"bitfromint8", bits_of_int8, NULL},
    {"bittoint8", bits_int8, NULL}, {"bit", bits_fit_bit, NULL}, {"varbit", bits_fit_varbit, NULL},
    {"bitposition", bits_position, NULL}, {"bitoverlay", bits_overlay, NULL},
    {"bitoverlay_no_len", bits_overlay_all, NULL}, {"bitgetbit", bits_get_bit, NULL},
    {"bitsetbit", bits_set_bit, NULL}, {"bit_bit_count", bits_bit_count, NULL},
};
BINDING_COUNT(bits)

/* --- aggregates ------------------------------------------------------------------------------- */

struct bits_state {
    struct bits b;
    bool any;
};

static enum status state_add(struct arena *keep, struct bits_state *s, const struct bits *with,
                             enum bit_op op)
{
    if (s->any) return combine(&s->b, with, op);
    s->b = bits_new(keep, with->count);
    memcpy(s->b.p, with->p, bits_bytes(with->count));
    s->any = true;
    return OK;
}

#define BITS_AGGREGATE(name, op)                                                                   \
    static enum status name##_add(struct call_ctx *c, struct arena *keep, void *state,             \
                                  const struct datum *args, uint32_t n)                            \
    {                                                                                              \
        (void)n;                                                                                   \
        struct bits b = arg_bits(c, args, 0);                                                      \
        return state_add(keep, state, &b, op);                                                     \
    }                                                                                              \
    static enum status name##_merge(struct call_ctx *c, struct arena *keep, void *state,           \
                                    const void *other)                                             \
    {                                                                                              \
        (void)c;                                                                                   \
        const struct bits_state *o = other;                                                        \
        return o->any ? state_add(keep, state, &o->b, op) : OK;                                    \
    }
BITS_AGGREGATE(and, BIT_AND)
BITS_AGGREGATE(or, BIT_OR)
BITS_AGGREGATE(xor, BIT_XOR)

static enum status state_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct bits_state *s = state;
    if (!s->any) return ret_null(ret);
    return ret_bits(c, &s->b, ret);
}

#define IMPL(p) {sizeof(struct bits_state), true, p##_add, p##_merge, state_result, NULL}
const struct aggregate_binding exec__bits_aggregates[] = {
    {"bit_and_agg", TYPE_BIT, IMPL(and)},
    {"bit_or_agg", TYPE_BIT, IMPL(or)},
    {"bit_xor_agg", TYPE_BIT, IMPL(xor)},
};
const uint32_t exec__bits_aggregate_count =
    sizeof exec__bits_aggregates / sizeof exec__bits_aggregates[0];
