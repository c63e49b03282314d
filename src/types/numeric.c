/* Arithmetic on decimals: the cases that fit into machine words, and what is neither finite nor
 * ordinary. Everything else goes to numeric_big.c, which needs no fast path of its own.
 *
 * Scales are PostgreSQL's: a sum has the larger scale, a product the sum of both, a quotient what
 * select_div_scale chooses from the leading base-10000 digits of the operands, which is why those
 * are computed here although we store no such digits. */
#include "types/numeric.h"

#include "base/hash.h"
#include "types/numeric_priv.h"

const uint64_t numeric__pow10[20] = {1ull,
                                     10ull,
                                     100ull,
                                     1000ull,
                                     10000ull,
                                     100000ull,
                                     1000000ull,
                                     10000000ull,
                                     100000000ull,
                                     1000000000ull,
                                     10000000000ull,
                                     100000000000ull,
                                     1000000000000ull,
                                     10000000000000ull,
                                     100000000000000ull,
                                     1000000000000000ull,
                                     10000000000000000ull,
                                     100000000000000000ull,
                                     1000000000000000000ull,
                                     10000000000000000000ull};

/* n <= 38 */
static i128 pow10_wide(int n)
{
    if (n < 20) return (i128)numeric__pow10[n];
    return (i128)numeric__pow10[19] * (i128)numeric__pow10[n - 19];
}

int numeric__digits_u64(uint64_t v)
{
    int n = 1;
    while (n < 20 && v >= numeric__pow10[n]) n++;
    return n;
}

static uint64_t magnitude(int64_t v) { return v < 0 ? -(uint64_t)v : (uint64_t)v; }

static bool both_small(const struct numeric *x, const struct numeric *y)
{
    return x->kind == NUMERIC_SMALL && y->kind == NUMERIC_SMALL;
}

/* Finite or infinite: the sign; NaN 0. */
int numeric_sign(const struct numeric *x)
{
    switch ((enum numeric_kind)x->kind) {
    case NUMERIC_SMALL: return (x->coefficient > 0) - (x->coefficient < 0);
    case NUMERIC_BIG: return numeric__sign_len(x->big) < 0 ? -1 : 1;
    case NUMERIC_PINF: return 1;
    case NUMERIC_NINF: return -1;
    case NUMERIC_NAN: break;
    }
    return 0;
}

struct numeric numeric_from_i64(struct arena *a, int64_t v)
{
    if (v > -NUMERIC__SMALL_LIMIT && v < NUMERIC__SMALL_LIMIT) return numeric_small(v, 0);
    return numeric__make_i128(a, v, 0);
}

/* Infinities in a sum or a difference (of y already negated). */
static struct numeric add_special(const struct numeric *x, const struct numeric *y, int y_sign)
{
    if (x->kind == NUMERIC_NAN || y->kind == NUMERIC_NAN) return numeric__nan();
    if (numeric__special(x) && numeric__special(y)) {
        int sx = numeric_sign(x), sy = numeric_sign(y) * y_sign;
        return sx == sy ? numeric__inf(sx) : numeric__nan();
    }
    return numeric__special(x) ? *x : numeric__inf(numeric_sign(y) * y_sign);
}

/* 10^18 × 10^20 and another 10^18 stay within 128 bits. */
enum { ALIGN_MAX = 20 };

static enum status add_signed(struct arena *a, const struct numeric *x, const struct numeric *y,
                              int y_sign, struct numeric *ret)
{
    if (both_small(x, y)) {
        int d = (int)x->scale - (int)y->scale;
        if (d >= -ALIGN_MAX && d <= ALIGN_MAX) {
            i128 cx = x->coefficient, cy = y->coefficient;
            if (d > 0) cy *= pow10_wide(d);
            if (d < 0) cx *= pow10_wide(-d);
            *ret = numeric__make_i128(a, y_sign < 0 ? cx - cy : cx + cy,
                                      d > 0 ? x->scale : y->scale);
            return OK;
        }
    }
    if (numeric__special(x) || numeric__special(y)) {
        *ret = add_special(x, y, y_sign);
        return OK;
    }
    return numeric__big_op(a, y_sign < 0 ? NUMERIC__SUB : NUMERIC__ADD, x, y, ret);
}

enum status numeric_add(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret)
{
    return add_signed(a, x, y, 1, ret);
}

enum status numeric_sub(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret)
{
    return add_signed(a, x, y, -1, ret);
}

enum status numeric_mul(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret)
{
    if (both_small(x, y) && x->scale + y->scale <= NUMERIC__SCALE_MAX) {
        *ret = numeric__make_i128(a, (i128)x->coefficient * y->coefficient,
                                  (uint16_t)(x->scale + y->scale));
        return OK;
    }
    if (numeric__special(x) || numeric__special(y)) {
        int sign = numeric_sign(x) * numeric_sign(y);
        bool nan = x->kind == NUMERIC_NAN || y->kind == NUMERIC_NAN || sign == 0;
        *ret = nan ? numeric__nan() : numeric__inf(sign);
        return OK;
    }
    return numeric__big_op(a, NUMERIC__MUL, x, y, ret);
}

int32_t numeric__div_scale(const struct numeric *x, const struct numeric *y)
{
    struct numeric__lead lx, ly;
    numeric__lead(x, &lx);
    numeric__lead(y, &ly);
    int32_t weight = lx.weight - ly.weight - (lx.first <= ly.first);
    int32_t scale = NUMERIC__MIN_SIG_DIGITS - weight * 4;
    if (scale < x->scale) scale = x->scale;
    if (scale < y->scale) scale = y->scale;
    if (scale < 0) scale = 0;
    return scale < NUMERIC__MAX_DISPLAY_SCALE ? scale : NUMERIC__MAX_DISPLAY_SCALE;
}

/* Quotients with an operand that is no number. A finite x over an infinity is 0. */
static enum status div_special(const struct numeric *x, const struct numeric *y,
                               struct numeric *ret)
{
    if (x->kind == NUMERIC_NAN || y->kind == NUMERIC_NAN) {
        *ret = numeric__nan();
    } else if (numeric__special(x)) {
        if (numeric__is_zero(y)) return FAIL(DIVISION_BY_ZERO, "division by zero");
        *ret = numeric__special(y) ? numeric__nan()
                                   : numeric__inf(numeric_sign(x) * numeric_sign(y));
    } else {
        *ret = numeric_small(0, 0);
    }
    return OK;
}

/* False when 128 bits do not suffice. */
static bool div_small(struct arena *a, const struct numeric *x, const struct numeric *y,
                      int32_t rscale, bool cut, struct numeric *ret)
{
    if (!both_small(x, y)) return false;
    int shift = rscale - x->scale + y->scale; /* q = cx × 10^shift / cy */
    if (shift > 20 || shift < -18) return false;
    i128 n = x->coefficient, d = y->coefficient;
    if (shift > 0) n *= pow10_wide(shift);
    if (shift < 0) d *= pow10_wide(-shift);
    i128 q = n / d, r = n % d;
    if (!cut) {
        if (r < 0) r = -r;
        i128 ad = d < 0 ? -d : d;
        if (2 * r >= ad) q += (n < 0) != (d < 0) ? -1 : 1;
    }
    *ret = numeric__make_i128(a, q, (uint16_t)rscale);
    return true;
}

static enum status div_to_scale(struct arena *a, const struct numeric *x, const struct numeric *y,
                                int32_t rscale, bool cut, struct numeric *ret)
{
    if (div_small(a, x, y, rscale, cut, ret)) return OK;
    return numeric__big_div(a, x, y, rscale, cut, ret);
}

enum status numeric_div(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret)
{
    if (numeric__special(x) || numeric__special(y)) return div_special(x, y, ret);
    if (numeric__is_zero(y)) return FAIL(DIVISION_BY_ZERO, "division by zero");
    return div_to_scale(a, x, y, numeric__div_scale(x, y), false, ret);
}

enum status numeric_div_trunc(struct arena *a, const struct numeric *x, const struct numeric *y,
                              struct numeric *ret)
{
    if (numeric__special(x) || numeric__special(y)) return div_special(x, y, ret);
    if (numeric__is_zero(y)) return FAIL(DIVISION_BY_ZERO, "division by zero");
    return div_to_scale(a, x, y, 0, true, ret);
}

enum status numeric_mod(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret)
{
    if (x->kind == NUMERIC_NAN || y->kind == NUMERIC_NAN) {
        *ret = numeric__nan();
        return OK;
    }
    if (numeric__is_zero(y)) return FAIL(DIVISION_BY_ZERO, "division by zero");
    if (numeric__special(x)) {
        *ret = numeric__nan();
        return OK;
    }
    if (numeric__special(y)) {
        *ret = *x;
        return OK;
    }
    if (both_small(x, y)) {
        int d = (int)x->scale - (int)y->scale;
        if (d >= -ALIGN_MAX && d <= ALIGN_MAX) {
            i128 cx = x->coefficient, cy = y->coefficient;
            if (d > 0) cy *= pow10_wide(d);
            if (d < 0) cx *= pow10_wide(-d);
            *ret = numeric__make_i128(a, cx % cy, d > 0 ? x->scale : y->scale);
            return OK;
        }
    }
    return numeric__big_op(a, NUMERIC__MOD, x, y, ret);
}

struct numeric numeric_neg(struct arena *a, const struct numeric *x)
{
    switch ((enum numeric_kind)x->kind) {
    case NUMERIC_SMALL: return numeric_small(-x->coefficient, x->scale);
    case NUMERIC_PINF: return numeric__inf(-1);
    case NUMERIC_NINF: return numeric__inf(1);
    case NUMERIC_NAN: return *x;
    case NUMERIC_BIG: break;
    }
    struct numeric_view v;
    numeric__view(x, &v);
    v.z->_mp_size = -v.z->_mp_size;
    return numeric__make_unchecked(a, v.z, x->scale);
}

struct numeric numeric_abs(struct arena *a, const struct numeric *x)
{
    return numeric_sign(x) < 0 ? numeric_neg(a, x) : *x;
}

/* Ranks of what is no number: -inf < numbers < inf < NaN. */
static int kind_rank(const struct numeric *x)
{
    switch ((enum numeric_kind)x->kind) {
    case NUMERIC_NINF: return 0;
    case NUMERIC_PINF: return 2;
    case NUMERIC_NAN: return 3;
    default: return 1;
    }
}

int numeric_compare(const struct numeric *x, const struct numeric *y)
{
    if (both_small(x, y)) {
        int d = (int)x->scale - (int)y->scale;
        i128 cx = x->coefficient, cy = y->coefficient;
        /* Beyond the bound the operand of smaller scale is the larger in magnitude, or zero. */
        if (d > 0) cy = d <= ALIGN_MAX ? cy * pow10_wide(d) : cy * pow10_wide(ALIGN_MAX);
        if (d < 0) cx = d >= -ALIGN_MAX ? cx * pow10_wide(-d) : cx * pow10_wide(ALIGN_MAX);
        return (cx > cy) - (cx < cy);
    }
    int rx = kind_rank(x), ry = kind_rank(y);
    if (rx != ry) return rx < ry ? -1 : 1;
    if (rx != 1) return 0;
    return numeric__big_compare(x, y);
}

uint64_t numeric_hash(const struct numeric *x)
{
    if (x->kind == NUMERIC_BIG) return numeric__big_hash(x);
    if (x->kind != NUMERIC_SMALL) return hash_u64(0x6e756d00u + x->kind);
    int64_t c = x->coefficient;
    uint64_t scale = x->scale;
    if (c == 0) scale = 0;
    while (scale > 0 && c % 10 == 0) {
        c /= 10;
        scale--;
    }
    return hash_combine(hash_u64((uint64_t)c), scale);
}

/* PostgreSQL bounds the places of round() and trunc() so. */
static int32_t clamp_places(int32_t scale)
{
    if (scale < -NUMERIC__MAX_RESULT_SCALE) return -NUMERIC__MAX_RESULT_SCALE;
    return scale > NUMERIC__MAX_RESULT_SCALE ? NUMERIC__MAX_RESULT_SCALE : scale;
}

/* To `places` digits after the point; negative ones leave zeros before it. */
static enum status to_places(struct arena *a, const struct numeric *x, int32_t places, bool cut,
                             struct numeric *ret)
{
    if (numeric__special(x) || x->scale == places) {
        *ret = *x;
        return OK;
    }
    if (x->kind == NUMERIC_SMALL && places >= 0 && x->scale > places) {
        int drop = x->scale - places;
        i128 c = x->coefficient, d = drop <= 19 ? pow10_wide(drop) : pow10_wide(20);
        i128 q = c / d, r = c % d;
        if (!cut && 2 * (r < 0 ? -r : r) >= d) q += c < 0 ? -1 : 1;
        *ret = numeric_small((int64_t)q, (uint16_t)places);
        return OK;
    }
    if (x->kind == NUMERIC_SMALL && places > x->scale && places - x->scale <= ALIGN_MAX) {
        i128 c = x->coefficient * pow10_wide(places - x->scale);
        *ret = numeric__make_i128(a, c, (uint16_t)places);
        return OK;
    }
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t r;
    mpz_init(r);
    numeric__rescale(r, v.z, x->scale, places, cut);
    if (places < 0) numeric__rescale(r, r, places, 0, true);
    enum status s = numeric__make(a, r, places < 0 ? 0 : places, ret);
    mpz_clear(r);
    return s;
}

enum status numeric_round(struct arena *a, const struct numeric *x, int32_t scale,
                          struct numeric *ret)
{
    return to_places(a, x, clamp_places(scale), false, ret);
}

enum status numeric_trunc(struct arena *a, const struct numeric *x, int32_t scale,
                          struct numeric *ret)
{
    return to_places(a, x, clamp_places(scale), true, ret);
}

/* The integer part moved by one when the rest has the sign asked for. */
static enum status toward(struct arena *a, const struct numeric *x, int direction,
                          struct numeric *ret)
{
    struct numeric whole, one = numeric_small(direction, 0);
    TRY(to_places(a, x, 0, true, &whole));
    if (!numeric__special(x) && numeric_compare(x, &whole) == direction)
        return numeric_add(a, &whole, &one, ret);
    *ret = whole;
    return OK;
}

enum status numeric_ceil(struct arena *a, const struct numeric *x, struct numeric *ret)
{
    return toward(a, x, 1, ret);
}

enum status numeric_floor(struct arena *a, const struct numeric *x, struct numeric *ret)
{
    return toward(a, x, -1, ret);
}

enum status numeric_to_i64(const struct numeric *n, int64_t *ret)
{
    if (n->kind == NUMERIC_SMALL) {
        struct numeric r;
        TRY(to_places(NULL, n, 0, false, &r)); /* a smaller scale needs no memory */
        *ret = r.coefficient;
        return OK;
    }
    if (n->kind == NUMERIC_NAN) return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert NaN to bigint");
    if (numeric__special(n))
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert infinity to bigint");
    struct numeric_view v;
    numeric__view(n, &v);
    mpz_t r;
    mpz_init(r);
    numeric__rescale(r, v.z, n->scale, 0, false);
    bool fits = mpz_fits_slong_p(r);
    if (fits) *ret = mpz_get_si(r);
    mpz_clear(r);
    return fits ? OK : FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
}

/* Magnitude of a small coefficient, for its leading digits. */
static void lead_small(const struct numeric *n, struct numeric__lead *l)
{
    uint64_t c = magnitude(n->coefficient);
    int digits = numeric__digits_u64(c);
    l->exponent = digits - n->scale - 1;
    l->weight = l->exponent >= 0 ? l->exponent / 4 : -((3 - l->exponent) / 4);
    int k = l->exponent - 4 * l->weight + 1;
    l->first = digits >= k ? (int32_t)(c / numeric__pow10[digits - k])
                           : (int32_t)(c * numeric__pow10[k - digits]);
    l->mantissa = (double)c;
    l->mantissa_exponent = -(int32_t)n->scale;
}

void numeric__lead(const struct numeric *n, struct numeric__lead *ret)
{
    memset(ret, 0, sizeof *ret);
    if (numeric__is_zero(n)) return;
    if (n->kind == NUMERIC_SMALL) {
        lead_small(n, ret);
        return;
    }
    struct numeric_view v;
    numeric__view(n, &v);
    int digits = numeric__digits(v.z);
    mpz_t top;
    mpz_init(top);
    numeric__rescale(top, v.z, digits - 17, 0, true);
    mpz_abs(top, top);
    struct numeric t = numeric_small((int64_t)mpz_get_ui(top), 0);
    mpz_clear(top);
    /* 17 leading digits stand for the whole: only the place of the point differs */
    int32_t shift = digits - 17;
    lead_small(&(struct numeric){.coefficient = t.coefficient}, ret);
    ret->exponent = digits - n->scale - 1;
    ret->weight = ret->exponent >= 0 ? ret->exponent / 4 : -((3 - ret->exponent) / 4);
    int k = ret->exponent - 4 * ret->weight + 1;
    ret->first = (int32_t)((uint64_t)t.coefficient / numeric__pow10[17 - k]);
    ret->mantissa_exponent = shift - (int32_t)n->scale;
}
