/* What the numeric files share: the block behind a BIG value, and GMP views of any finite value. */
#ifndef HELIOS_TYPES_NUMERIC_PRIV_H
#define HELIOS_TYPES_NUMERIC_PRIV_H

#include <gmp.h>

#include "types/numeric.h"

/* PostgreSQL's limits, by its names without the prefix NUMERIC_. */
enum {
    NUMERIC__SMALL_DIGITS = 18,
    NUMERIC__SCALE_MAX = 16383,
    NUMERIC__INTEGER_DIGITS_MAX = 131072,
    NUMERIC__MIN_SIG_DIGITS = 16,
    NUMERIC__MAX_DISPLAY_SCALE = 1000,
    NUMERIC__MAX_RESULT_SCALE = 2000,
};
#define NUMERIC__SMALL_LIMIT 1000000000000000000ll

typedef __int128 i128;
typedef unsigned __int128 u128;

/* |coefficient| in binary limbs, least significant first; never less than 10^18. */
struct numeric_big {
    int32_t sign_len; /* limbs, negative for a negative value: mpz's own convention */
    uint32_t zero;
    mp_limb_t limbs[];
};

/* A row's value is read where it lies, which is anywhere: the fields of `b` are not for the compiler
 * to load. GMP loads limbs from any address on the machines that we run on. */
static inline int32_t numeric__sign_len(const struct numeric_big *b)
{
    int32_t n;
    memcpy(&n, (const char *)b + offsetof(struct numeric_big, sign_len), sizeof n);
    return n;
}
static inline const mp_limb_t *numeric__limbs(const struct numeric_big *b)
{
    return (const void *)((const char *)b + offsetof(struct numeric_big, limbs));
}

/* A read-only mpz over a value's coefficient; nothing to free. Do not move: it points into
 * itself. */
struct numeric_view {
    mpz_t z;
    mp_limb_t limb;
};

extern const uint64_t numeric__pow10[20];

/* Decimal digits of v; 1 for 0. */
int numeric__digits_u64(uint64_t v);
/* Where the leading digit stands, for PostgreSQL's scale rules: `weight` and `first` are the
 * exponent and value of the first non-zero base-10000 digit (0, 0 for zero); `exponent` is
 * decimal. */
struct numeric__lead {
    int32_t weight, first, exponent;
    double mantissa; /* the first digits, up to 16 */
    int32_t mantissa_exponent;
};
void numeric__lead(const struct numeric *n, struct numeric__lead *ret);
/* result scale of a division: select_div_scale */
int32_t numeric__div_scale(const struct numeric *x, const struct numeric *y);

static inline bool numeric__special(const struct numeric *n) { return n->kind >= NUMERIC_NAN; }
static inline struct numeric numeric__of_kind(enum numeric_kind k)
{
    return (struct numeric){.kind = (uint8_t)k};
}
static inline struct numeric numeric__nan(void) { return numeric__of_kind(NUMERIC_NAN); }
static inline struct numeric numeric__inf(int sign)
{
    return numeric__of_kind(sign < 0 ? NUMERIC_NINF : NUMERIC_PINF);
}
static inline bool numeric__is_zero(const struct numeric *n)
{
    return n->kind == NUMERIC_SMALL && n->coefficient == 0;
}

void numeric__view(const struct numeric *n, struct numeric_view *v);
/* The value c × 10^-scale, normalised; "value overflows numeric format". */
enum status numeric__make(struct arena *a, mpz_srcptr c, int32_t scale, struct numeric *ret) MUST;
/* The same for coefficients that need no test of the limit. */
struct numeric numeric__make_i128(struct arena *a, i128 c, uint16_t scale);
struct numeric numeric__make_unchecked(struct arena *a, mpz_srcptr c, int32_t scale);
int numeric__digits(mpz_srcptr z);
void numeric__pow10_mpz(mpz_ptr r, uint32_t n);
/* r := c × 10^(to - from), rounded half away from zero, or cut when `cut`. */
void numeric__rescale(mpz_ptr r, mpz_srcptr c, int32_t from, int32_t to, bool cut);
/* r := x / y rounded half away from zero. */
void numeric__div_round(mpz_ptr r, mpz_srcptr x, mpz_srcptr y);

/* Whether foreign bytes are a stored numeric, which numeric_load takes for granted. */
bool numeric__store_valid(struct slice s);

enum numeric__op { NUMERIC__ADD, NUMERIC__SUB, NUMERIC__MUL, NUMERIC__MOD };
enum status numeric__big_op(struct arena *a, enum numeric__op op, const struct numeric *x,
                            const struct numeric *y, struct numeric *ret) MUST;
/* x / y at scale rscale. */
enum status numeric__big_div(struct arena *a, const struct numeric *x, const struct numeric *y,
                             int32_t rscale, bool cut, struct numeric *ret) MUST;
int numeric__big_compare(const struct numeric *x, const struct numeric *y);
uint64_t numeric__big_hash(const struct numeric *x);

/* Fixed point: an mpz with `bits` binary places; errors of some units in the last places, which
 * callers give away as guard bits. */
uint32_t numeric__bits(int32_t decimal_digits); /* that many digits and the guard */
void numeric__fix(mpz_ptr r, const struct numeric *n, uint32_t bits);
/* e^x = r × 2^k with r near 1. |x| < 2^24. */
void numeric__fix_exp(mpz_ptr r, long *ret_k, mpz_srcptr x, uint32_t bits);
/* x positive */
void numeric__fix_ln(mpz_ptr r, const struct numeric *x, uint32_t bits);
double numeric__fix_to_f64(mpz_srcptr x, uint32_t bits);
/* x × 2^k to a decimal of that scale. */
enum status numeric__unfix(struct arena *a, mpz_srcptr x, uint32_t bits, long k, int32_t scale,
                           struct numeric *ret) MUST;
/* x^n rounded to scale, n any but 0, x not 0; `digits` significant ones are wanted. */
enum status numeric__pow_int(struct arena *a, const struct numeric *x, int32_t n, int32_t digits,
                             int32_t scale, struct numeric *ret) MUST;

#endif
