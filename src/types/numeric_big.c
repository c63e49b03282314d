/* Decimals beyond a machine word: coefficients as GMP integers, a scale beside them.
 *
 * A BIG value is one block in an arena (a header and binary limbs), so that a copy is a memcpy and
 * storage keeps it as it lies. Binary rather than decimal limbs: addition, comparison and
 * multiplication need no conversion, and only changes of scale and text pay for the decimal point.
 * GMP's own temporaries live no longer than the function that makes them. */
#include "types/numeric_priv.h"

#include "base/hash.h"

_Static_assert(sizeof(mp_limb_t) == 8, "limbs are 64 bits wide");

void numeric__view(const struct numeric *n, struct numeric_view *v)
{
    if (n->kind == NUMERIC_BIG) {
        mpz_roinit_n(v->z, numeric__limbs(n->big), numeric__sign_len(n->big));
        return;
    }
    ASSERT(n->kind == NUMERIC_SMALL);
    int64_t c = n->coefficient;
    v->limb = c < 0 ? -(uint64_t)c : (uint64_t)c;
    mpz_roinit_n(v->z, &v->limb, (c > 0) - (c < 0));
}

static struct numeric make_block(struct arena *a, const mp_limb_t *limbs, int len, bool negative,
                                 uint16_t scale)
{
    struct numeric_big *b =
        arena_alloc_aligned(a, sizeof *b + (size_t)len * sizeof(mp_limb_t), 16);
    b->sign_len = negative ? -len : len;
    b->zero = 0;
    memcpy(b->limbs, limbs, (size_t)len * sizeof(mp_limb_t));
    return (struct numeric){.big = b, .scale = scale, .kind = NUMERIC_BIG};
}

struct numeric numeric__make_i128(struct arena *a, i128 c, uint16_t scale)
{
    if (c > -NUMERIC__SMALL_LIMIT && c < NUMERIC__SMALL_LIMIT)
        return numeric_small((int64_t)c, scale);
    u128 m = c < 0 ? -(u128)c : (u128)c;
    mp_limb_t limbs[2] = {(mp_limb_t)m, (mp_limb_t)(m >> 64)};
    return make_block(a, limbs, limbs[1] ? 2 : 1, c < 0, scale);
}

struct numeric numeric__make_unchecked(struct arena *a, mpz_srcptr c, int32_t scale)
{
    ASSERT(scale >= 0 && scale <= NUMERIC__SCALE_MAX);
    size_t len = mpz_size(c);
    if (len == 0) return numeric_small(0, (uint16_t)scale);
    if (len == 1) {
        i128 m = (i128)mpz_getlimbn(c, 0);
        return numeric__make_i128(a, mpz_sgn(c) < 0 ? -m : m, (uint16_t)scale);
    }
    return make_block(a, mpz_limbs_read(c), (int)len, mpz_sgn(c) < 0, (uint16_t)scale);
}

int numeric__digits(mpz_srcptr z)
{
    if (mpz_size(z) <= 1) return numeric__digits_u64(mpz_get_ui(z));
    size_t n = mpz_sizeinbase(z, 10); /* exact, or one too many */
    mpz_t p;
    mpz_init(p);
    numeric__pow10_mpz(p, (uint32_t)n - 1);
    if (mpz_cmpabs(z, p) < 0) n--;
    mpz_clear(p);
    return (int)n;
}

enum status numeric__make(struct arena *a, mpz_srcptr c, int32_t scale, struct numeric *ret)
{
    bool over = scale > NUMERIC__SCALE_MAX;
    if (!over && mpz_size(c) > 6000) {
        over = mpz_sizeinbase(c, 10) > (size_t)scale + NUMERIC__INTEGER_DIGITS_MAX &&
               numeric__digits(c) - scale > NUMERIC__INTEGER_DIGITS_MAX;
    }
    if (over) return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    *ret = numeric__make_unchecked(a, c, scale);
    return OK;
}

void numeric__pow10_mpz(mpz_ptr r, uint32_t n)
{
    if (n < 20)
        mpz_set_ui(r, numeric__pow10[n]);
    else
        mpz_ui_pow_ui(r, 10, n);
}

void numeric__div_round(mpz_ptr r, mpz_srcptr x, mpz_srcptr y)
{
    ASSERT(r != y); /* the divisor is needed after the quotient is there */
    int sign = mpz_sgn(x) * mpz_sgn(y);
    mpz_t rest;
    mpz_init(rest);
    mpz_tdiv_qr(r, rest, x, y);
    mpz_mul_2exp(rest, rest, 1);
    if (mpz_cmpabs(rest, y) >= 0) {
        if (sign < 0)
            mpz_sub_ui(r, r, 1);
        else
            mpz_add_ui(r, r, 1);
    }
    mpz_clear(rest);
}

void numeric__rescale(mpz_ptr r, mpz_srcptr c, int32_t from, int32_t to, bool cut)
{
    if (from == to || mpz_sgn(c) == 0) {
        mpz_set(r, c);
        return;
    }
    if (from > to && (size_t)(from - to) > mpz_sizeinbase(c, 10)) {
        mpz_set_ui(r, 0); /* below a tenth of the last place */
        return;
    }
    mpz_t p;
    mpz_init(p);
    numeric__pow10_mpz(p, (uint32_t)(from > to ? from - to : to - from));
    if (to > from)
        mpz_mul(r, c, p);
    else if (cut)
        mpz_tdiv_q(r, c, p);
    else
        numeric__div_round(r, c, p);
    mpz_clear(p);
}

/* Both coefficients at the larger of the scales. */
static int32_t align(const struct numeric *x, const struct numeric *y, mpz_ptr rx, mpz_ptr ry)
{
    struct numeric_view vx, vy;
    numeric__view(x, &vx);
    numeric__view(y, &vy);
    int32_t scale = x->scale > y->scale ? x->scale : y->scale;
    numeric__rescale(rx, vx.z, x->scale, scale, false);
    numeric__rescale(ry, vy.z, y->scale, scale, false);
    return scale;
}

static int32_t multiply(const struct numeric *x, const struct numeric *y, mpz_ptr r)
{
    struct numeric_view vx, vy;
    numeric__view(x, &vx);
    numeric__view(y, &vy);
    int32_t scale = x->scale + y->scale;
    mpz_mul(r, vx.z, vy.z);
    if (scale <= NUMERIC__SCALE_MAX) return scale;
    numeric__rescale(r, r, scale, NUMERIC__SCALE_MAX, false);
    return NUMERIC__SCALE_MAX;
}

enum status numeric__big_op(struct arena *a, enum numeric__op op, const struct numeric *x,
                            const struct numeric *y, struct numeric *ret)
{
    mpz_t p, q;
    mpz_init(p);
    mpz_init(q);
    int32_t scale;
    if (op == NUMERIC__MUL) {
        scale = multiply(x, y, p);
    } else {
        scale = align(x, y, p, q);
        if (op == NUMERIC__ADD) mpz_add(p, p, q);
        if (op == NUMERIC__SUB) mpz_sub(p, p, q);
        if (op == NUMERIC__MOD) mpz_tdiv_r(p, p, q);
    }
    enum status s = numeric__make(a, p, scale, ret);
    mpz_clear(p);
    mpz_clear(q);
    return s;
}

enum status numeric__big_div(struct arena *a, const struct numeric *x, const struct numeric *y,
                             int32_t rscale, bool cut, struct numeric *ret)
{
    struct numeric_view vx, vy;
    numeric__view(x, &vx);
    numeric__view(y, &vy);
    int32_t shift = rscale - x->scale + y->scale;
    mpz_t n, d;
    mpz_init(n);
    mpz_init(d);
    if (shift >= 0) {
        numeric__pow10_mpz(d, (uint32_t)shift);
        mpz_mul(n, vx.z, d);
        mpz_set(d, vy.z);
    } else {
        numeric__pow10_mpz(n, (uint32_t)-shift);
        mpz_mul(d, vy.z, n);
        mpz_set(n, vx.z);
    }
    if (cut)
        mpz_tdiv_q(n, n, d);
    else
        numeric__div_round(n, n, d);
    enum status s = numeric__make(a, n, rscale, ret);
    mpz_clear(n);
    mpz_clear(d);
    return s;
}

int numeric__big_compare(const struct numeric *x, const struct numeric *y)
{
    int sx = numeric_sign(x), sy = numeric_sign(y);
    if (sx != sy) return sx < sy ? -1 : 1;
    struct numeric_view vx, vy;
    numeric__view(x, &vx);
    numeric__view(y, &vy);
    int c;
    if (x->scale == y->scale) {
        c = mpz_cmp(vx.z, vy.z);
    } else {
        mpz_t p, q;
        mpz_init(p);
        mpz_init(q);
        align(x, y, p, q);
        c = mpz_cmp(p, q);
        mpz_clear(p);
        mpz_clear(q);
    }
    return (c > 0) - (c < 0);
}

/* 1.50 and 1.5 hash alike: trailing zeros go, as far as they are behind the point. */
uint64_t numeric__big_hash(const struct numeric *x)
{
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t c;
    mpz_init_set(c, v.z);
    uint32_t scale = x->scale;
    while (scale >= 18 && mpz_divisible_ui_p(c, numeric__pow10[18])) {
        mpz_tdiv_q_ui(c, c, numeric__pow10[18]);
        scale -= 18;
    }
    while (scale > 0 && mpz_divisible_ui_p(c, 10)) {
        mpz_tdiv_q_ui(c, c, 10);
        scale--;
    }
    uint64_t h;
    if (mpz_cmpabs_ui(c, NUMERIC__SMALL_LIMIT) < 0) {
        struct numeric small = numeric_small(mpz_get_si(c), (uint16_t)scale);
        h = numeric_hash(&small);
    } else {
        h = hash_bytes(mpz_limbs_read(c), mpz_size(c) * sizeof(mp_limb_t));
        h = hash_combine(h, scale * 2 + (mpz_sgn(c) < 0));
    }
    mpz_clear(c);
    return h;
}
