/* Transcendental functions in binary fixed point on GMP integers.
 *
 * exp: x = k ln 2 + r, r halved h times, Taylor's series, squared h times. ln: a double's estimate,
 * then Halley's iteration y += 2 (x - e^y) / (x + e^y), which trebles the digits each time. ln 2 by
 * Machin's kind of formula, 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749). Integer powers
 * by squaring with the mantissa cut to the digits that can matter. Sources: Brent and Zimmermann,
 * "Modern Computer Arithmetic", chapter 4. */
#include "types/numeric_priv.h"

#include <math.h>

enum { GUARD_BITS = 96 };

uint32_t numeric__bits(int32_t decimal_digits)
{
    if (decimal_digits < 1) decimal_digits = 1;
    return (uint32_t)((int64_t)decimal_digits * 3322 / 1000) + GUARD_BITS;
}

void numeric__fix(mpz_ptr r, const struct numeric *n, uint32_t bits)
{
    struct numeric_view v;
    numeric__view(n, &v);
    mpz_t p;
    mpz_init(p);
    numeric__pow10_mpz(p, n->scale);
    mpz_mul_2exp(r, v.z, bits);
    mpz_tdiv_q(r, r, p);
    mpz_clear(p);
}

double numeric__fix_to_f64(mpz_srcptr x, uint32_t bits)
{
    long e;
    double d = mpz_get_d_2exp(&e, x);
    long shift = e - (long)bits;
    if (shift > 2000) return d < 0 ? -HUGE_VAL : HUGE_VAL;
    return ldexp(d, (int)(shift < -2000 ? -2000 : shift));
}

/* r += times × artanh(1/n) */
static void add_artanh_inverse(mpz_ptr r, long times, unsigned long n, uint32_t bits)
{
    mpz_t power, term;
    mpz_init_set_ui(power, 1);
    mpz_init(term);
    mpz_mul_2exp(power, power, bits);
    mpz_mul_si(power, power, times);
    mpz_tdiv_q_ui(power, power, n);
    for (unsigned long k = 1; mpz_sgn(power) != 0; k += 2) {
        mpz_tdiv_q_ui(term, power, k);
        mpz_add(r, r, term);
        mpz_tdiv_q_ui(power, power, n * n);
    }
    mpz_clear(power);
    mpz_clear(term);
}

static void fix_ln2(mpz_ptr r, uint32_t bits)
{
    mpz_set_ui(r, 0);
    add_artanh_inverse(r, 18, 26, bits);
    add_artanh_inverse(r, -2, 4801, bits);
    add_artanh_inverse(r, 8, 8749, bits);
}

/* e^x for |x| < 1. */
static void exp_taylor(mpz_ptr r, mpz_srcptr x, uint32_t bits)
{
    uint32_t halvings = 8 + (uint32_t)sqrt((double)bits) / 4;
    uint32_t wide = bits + 2 * halvings + 16;
    mpz_t t, y;
    mpz_init(t);
    mpz_init(y);
    mpz_mul_2exp(y, x, wide - bits);
    mpz_tdiv_q_2exp(y, y, halvings);
    mpz_set_ui(t, 1);
    mpz_mul_2exp(t, t, wide);
    mpz_set(r, t);
    for (unsigned long n = 1; mpz_sgn(t) != 0; n++) {
        mpz_mul(t, t, y);
        mpz_tdiv_q_2exp(t, t, wide);
        mpz_tdiv_q_ui(t, t, n);
        mpz_add(r, r, t);
    }
    for (uint32_t i = 0; i < halvings; i++) {
        mpz_mul(r, r, r);
        mpz_tdiv_q_2exp(r, r, wide);
    }
    mpz_tdiv_q_2exp(r, r, wide - bits);
    mpz_clear(t);
    mpz_clear(y);
}

void numeric__fix_exp(mpz_ptr r, long *ret_k, mpz_srcptr x, uint32_t bits)
{
    uint32_t wide = bits + 32; /* k ln 2 must be right to `bits` places */
    mpz_t ln2, k, rest;
    mpz_init(ln2);
    mpz_init(k);
    mpz_init(rest);
    fix_ln2(ln2, wide);
    mpz_mul_2exp(rest, x, wide - bits);
    mpz_fdiv_qr(k, rest, rest, ln2);
    ASSERT(mpz_fits_slong_p(k));
    *ret_k = mpz_get_si(k);
    exp_taylor(r, rest, wide);
    mpz_tdiv_q_2exp(r, r, wide - bits);
    mpz_clear(ln2);
    mpz_clear(k);
    mpz_clear(rest);
}

/* One step of Halley's iteration for y = ln m, with 1/2 <= m < 2. */
static void ln_step(mpz_ptr y, mpz_srcptr m, uint32_t bits)
{
    mpz_t e, d;
    mpz_init(e);
    mpz_init(d);
    long k;
    numeric__fix_exp(e, &k, y, bits);
    if (k >= 0)
        mpz_mul_2exp(e, e, (mp_bitcnt_t)k);
    else
        mpz_tdiv_q_2exp(e, e, (mp_bitcnt_t)-k);
    mpz_sub(d, m, e);
    mpz_mul_2exp(d, d, bits + 1);
    mpz_add(e, e, m);
    mpz_tdiv_q(d, d, e);
    mpz_add(y, y, d);
    mpz_clear(e);
    mpz_clear(d);
}

void numeric__fix_ln(mpz_ptr r, const struct numeric *x, uint32_t bits)
{
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t m, p;
    mpz_init(m);
    mpz_init(p);
    numeric__pow10_mpz(p, x->scale);
    /* x = m × 2^k: choose k by the lengths, so that m falls into [1/2, 2) */
    long k = (long)mpz_sizeinbase(v.z, 2) - (long)mpz_sizeinbase(p, 2);
    uint32_t wide = bits + 32;
    long shift = (long)wide - k;
    if (shift >= 0) {
        mpz_mul_2exp(m, v.z, (mp_bitcnt_t)shift);
    } else {
        mpz_set(m, v.z);
        mpz_mul_2exp(p, p, (mp_bitcnt_t)-shift);
    }
    mpz_tdiv_q(m, m, p);
    double guess = log(numeric__fix_to_f64(m, wide));
    mpz_set_d(r, ldexp(guess, 60));
    if (wide >= 60)
        mpz_mul_2exp(r, r, wide - 60);
    else
        mpz_tdiv_q_2exp(r, r, 60 - wide);
    for (uint32_t good = 40; good < wide; good *= 3) ln_step(r, m, wide);
    fix_ln2(p, wide);
    mpz_mul_si(p, p, k);
    mpz_add(r, r, p);
    mpz_tdiv_q_2exp(r, r, wide - bits);
    mpz_clear(m);
    mpz_clear(p);
}

enum status numeric__unfix(struct arena *a, mpz_srcptr x, uint32_t bits, long k, int32_t scale,
                           struct numeric *ret)
{
    mpz_t r, half;
    mpz_init(r);
    mpz_init(half);
    numeric__pow10_mpz(r, (uint32_t)scale);
    mpz_mul(r, r, x);
    long drop = (long)bits - k;
    if (drop <= 0) {
        mpz_mul_2exp(r, r, (mp_bitcnt_t)-drop);
    } else {
        mpz_set_ui(half, 1);
        mpz_mul_2exp(half, half, (mp_bitcnt_t)drop - 1);
        if (mpz_sgn(r) < 0)
            mpz_sub(r, r, half);
        else
            mpz_add(r, r, half);
        mpz_tdiv_q_2exp(r, r, (mp_bitcnt_t)drop);
    }
    enum status s = numeric__make(a, r, scale, ret);
    mpz_clear(r);
    mpz_clear(half);
    return s;
}

/* m × 2^e, m cut to `bits` bits. */
struct floating {
    mpz_t m;
    int64_t e;
};

static void floating_cut(struct floating *f, uint32_t bits)
{
    size_t have = mpz_sizeinbase(f->m, 2);
    if (have <= bits) return;
    mpz_tdiv_q_2exp(f->m, f->m, have - bits);
    f->e += (int64_t)(have - bits);
}

/* f := c^n */
static void floating_pow(struct floating *f, mpz_srcptr c, uint64_t n, uint32_t bits)
{
    struct floating b;
    mpz_init_set(b.m, c);
    b.e = 0;
    mpz_set_ui(f->m, 1);
    f->e = 0;
    floating_cut(&b, bits);
    for (; n > 0; n >>= 1) {
        if (n & 1) {
            mpz_mul(f->m, f->m, b.m);
            f->e += b.e;
            floating_cut(f, bits);
        }
        if (n > 1) {
            mpz_mul(b.m, b.m, b.m);
            b.e *= 2;
            floating_cut(&b, bits);
        }
    }
    mpz_clear(b.m);
}

enum status numeric__pow_int(struct arena *a, const struct numeric *x, int32_t n, int32_t digits,
                             int32_t scale, struct numeric *ret)
{
    struct numeric_view v;
    numeric__view(x, &v);
    uint64_t times = n < 0 ? -(uint64_t)(int64_t)n : (uint64_t)n;
    uint32_t bits = numeric__bits(digits) + 64;
    struct floating top, bottom;
    mpz_t ten;
    mpz_init(top.m);
    mpz_init(bottom.m);
    mpz_init_set_ui(ten, 10);
    floating_pow(&top, v.z, times, bits);
    floating_pow(&bottom, ten, times * x->scale, bits);
    if (n < 0) {
        mpz_swap(top.m, bottom.m);
        int64_t e = top.e;
        top.e = bottom.e;
        bottom.e = e;
    }
    numeric__pow10_mpz(ten, (uint32_t)scale);
    mpz_mul(top.m, top.m, ten);
    int64_t shift = top.e - bottom.e;
    if (shift >= 0)
        mpz_mul_2exp(top.m, top.m, (mp_bitcnt_t)shift);
    else
        mpz_mul_2exp(bottom.m, bottom.m, (mp_bitcnt_t)-shift);
    numeric__div_round(top.m, top.m, bottom.m);
    enum status s = numeric__make(a, top.m, scale, ret);
    mpz_clear(top.m);
    mpz_clear(bottom.m);
    mpz_clear(ten);
    return s;
}
