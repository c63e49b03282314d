/* Exact running sums for aggregates.
 *
 * Small values of one scale, which is what a column holds, cost one 128-bit addition. What does not
 * fit goes to a coefficient in 64-bit limbs, two's complement, whose room doubles in the arena when
 * needed: a sum of any number of values takes memory by its size, not by their number. */
#include "types/numeric.h"

#include "types/numeric_priv.h"

struct numeric_sum {
    i128 near;              /* pending sum at near_scale */
    int32_t near_scale;
    int32_t far_scale;
    mp_limb_t *far;         /* two's complement, far_len limbs, far_cap of room */
    int32_t far_len, far_cap;
    int64_t count, nan_count, pinf_count, ninf_count;
    int32_t scale_max;      /* display scale of the result */
};

/* One more small value, shifted by as much as add_near shifts, stays far within 128 bits. */
#define NEAR_LIMIT ((i128)NUMERIC__SMALL_LIMIT * NUMERIC__SMALL_LIMIT)

struct numeric_sum *numeric_sum_new(struct arena *a) { return ARENA_NEW(a, struct numeric_sum); }
int64_t numeric_sum_count(const struct numeric_sum *s) { return s->count; }

static bool far_negative(const struct numeric_sum *s)
{
    return s->far_len > 0 && (s->far[s->far_len - 1] >> 63) != 0;
}

/* Sign-extends to `len` limbs. */
static void far_widen(struct numeric_sum *s, struct arena *a, int32_t len)
{
    if (len <= s->far_len) return;
    mp_limb_t fill = far_negative(s) ? ~(mp_limb_t)0 : 0;
    if (len > s->far_cap) {
        int32_t cap = len * 2;
        mp_limb_t *room = ARENA_ARRAY(a, mp_limb_t, cap);
        if (s->far_len) memcpy(room, s->far, (size_t)s->far_len * sizeof *room);
        s->far = room;
        s->far_cap = cap;
    }
    for (int32_t i = s->far_len; i < len; i++) s->far[i] = fill;
    s->far_len = len;
}

/* Adds or subtracts a magnitude at far_scale. One limb of headroom keeps the sign bit true. */
static void far_add(struct numeric_sum *s, struct arena *a, mpz_srcptr z)
{
    int32_t len = (int32_t)mpz_size(z);
    if (len == 0) return;
    mp_limb_t top = s->far_len ? s->far[s->far_len - 1] : 0;
    bool room = s->far_len > len && (top + ((mp_limb_t)1 << 62)) >> 63 == 0;
    if (!room) far_widen(s, a, (s->far_len > len ? s->far_len : len) + 1);
    if (mpz_sgn(z) > 0)
        mpn_add(s->far, s->far, s->far_len, mpz_limbs_read(z), len);
    else
        mpn_sub(s->far, s->far, s->far_len, mpz_limbs_read(z), len);
}

/* The far sum as an integer; an initialised `r`. */
static void far_get(const struct numeric_sum *s, mpz_ptr r)
{
    if (s->far_len == 0) {
        mpz_set_ui(r, 0);
        return;
    }
    mp_limb_t *w = mpz_limbs_write(r, s->far_len);
    if (far_negative(s))
        mpn_neg(w, s->far, s->far_len);
    else
        mpn_copyi(w, s->far, s->far_len);
    mpz_limbs_finish(r, far_negative(s) ? -s->far_len : s->far_len);
}

/* Brings the far sum to a larger scale. Rare: once per scale seen. */
static void far_rescale(struct numeric_sum *s, struct arena *a, int32_t scale)
{
    if (s->far_len > 0) {
        mpz_t z;
        mpz_init(z);
        far_get(s, z);
        numeric__rescale(z, z, s->far_scale, scale, false);
        memset(s->far, 0, (size_t)s->far_len * sizeof *s->far);
        s->far_scale = scale;
        far_add(s, a, z);
        mpz_clear(z);
    }
    s->far_scale = scale;
}

static void far_add_scaled(struct numeric_sum *s, struct arena *a, mpz_srcptr z, int32_t scale)
{
    if (scale > s->far_scale) far_rescale(s, a, scale);
    if (scale == s->far_scale) {
        far_add(s, a, z);
        return;
    }
    mpz_t t;
    mpz_init(t);
    numeric__rescale(t, z, scale, s->far_scale, false);
    far_add(s, a, t);
    mpz_clear(t);
}

static void near_get(const struct numeric_sum *s, mpz_ptr r)
{
    u128 m = s->near < 0 ? -(u128)s->near : (u128)s->near;
    mpz_set_ui(r, (uint64_t)(m >> 64));
    mpz_mul_2exp(r, r, 64);
    mpz_add_ui(r, r, (uint64_t)m);
    if (s->near < 0) mpz_neg(r, r);
}

static void flush_near(struct numeric_sum *s, struct arena *a)
{
    if (s->near == 0) return;
    mpz_t z;
    mpz_init(z);
    near_get(s, z);
    far_add_scaled(s, a, z, s->near_scale);
    mpz_clear(z);
    s->near = 0;
}

/* False when the scales are too far apart for a cheap shift. */
static bool add_near(struct numeric_sum *s, struct arena *a, int64_t c, int32_t scale)
{
    if (s->near == 0) s->near_scale = scale;
    int32_t d = scale - s->near_scale;
    if (d > 0) {
        if (d > 18) return false;
        if (s->near > NUMERIC__SMALL_LIMIT || s->near < -NUMERIC__SMALL_LIMIT) flush_near(s, a);
        s->near *= (i128)numeric__pow10[d];
        s->near_scale = scale;
        d = 0;
    }
    if (d < -18) return false;
    i128 sum = s->near + (i128)c * (i128)numeric__pow10[-d];
    s->near = sum;
    if (sum > NEAR_LIMIT || sum < -NEAR_LIMIT) flush_near(s, a);
    return true;
}

void numeric_sum_add(struct numeric_sum *s, struct arena *a, const struct numeric *x)
{
    s->count++;
    if (numeric__special(x)) {
        s->nan_count += x->kind == NUMERIC_NAN;
        s->pinf_count += x->kind == NUMERIC_PINF;
        s->ninf_count += x->kind == NUMERIC_NINF;
        return;
    }
    if (x->scale > s->scale_max) s->scale_max = x->scale;
    if (x->kind == NUMERIC_SMALL && add_near(s, a, x->coefficient, x->scale)) return;
    struct numeric_view v;
    numeric__view(x, &v);
    far_add_scaled(s, a, v.z, x->scale);
}

void numeric_sum_merge(struct numeric_sum *s, struct arena *a, const struct numeric_sum *other)
{
    s->count += other->count;
    s->nan_count += other->nan_count;
    s->pinf_count += other->pinf_count;
    s->ninf_count += other->ninf_count;
    if (other->scale_max > s->scale_max) s->scale_max = other->scale_max;
    mpz_t z;
    mpz_init(z);
    near_get(other, z);
    far_add_scaled(s, a, z, other->near_scale);
    far_get(other, z);
    far_add_scaled(s, a, z, other->far_scale);
    mpz_clear(z);
}

enum status numeric_sum_result(const struct numeric_sum *s, struct arena *a, struct numeric *ret)
{
    if (s->nan_count > 0 || (s->pinf_count > 0 && s->ninf_count > 0)) {
        *ret = numeric__nan();
        return OK;
    }
    if (s->pinf_count > 0 || s->ninf_count > 0) {
        *ret = numeric__inf(s->pinf_count > 0 ? 1 : -1);
        return OK;
    }
    mpz_t z, t;
    mpz_init(z);
    mpz_init(t);
    near_get(s, t);
    numeric__rescale(t, t, s->near_scale, s->scale_max, false);
    far_get(s, z);
    numeric__rescale(z, z, s->far_scale, s->scale_max, false);
    mpz_add(z, z, t);
    enum status st = numeric__make(a, z, s->scale_max, ret);
    mpz_clear(z);
    mpz_clear(t);
    return st;
}
