/* numeric: exact decimals with PostgreSQL's semantics (display scale, rounding half away from zero,
 * NaN and infinities, limits 131072 digits before and 16383 after the point).
 *
 * Small values (|coefficient| < 10^18) run on 64-bit integers with 128-bit intermediates; larger ones
 * on base-10^9 limbs (long multiplication and division by GMP). Results are normalised to SMALL
 * whenever they fit, so equal values of equal scale have equal representation. */
#ifndef HELIOS_TYPES_NUMERIC_H
#define HELIOS_TYPES_NUMERIC_H

#include "types/value.h"

static inline struct numeric numeric_small(int64_t coefficient, uint16_t scale)
{
    return (struct numeric){.coefficient = coefficient, .scale = scale, .kind = NUMERIC_SMALL};
}
struct numeric numeric_from_i64(struct arena *a, int64_t v); /* any int64 */
/* As PostgreSQL's float8::numeric: 15 significant digits; float4: 6. */
enum status numeric_from_f64(struct arena *a, double v, int digits, struct numeric *ret) MUST;
enum status numeric_to_i64(const struct numeric *n, int64_t *ret) MUST; /* rounds; 22003 */
double numeric_to_f64(const struct numeric *n);

enum status numeric_add(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret) MUST;
enum status numeric_sub(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret) MUST;
enum status numeric_mul(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret) MUST;
/* 22012 on zero; result scale by PostgreSQL's select_div_scale. */
enum status numeric_div(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret) MUST;
enum status numeric_div_trunc(struct arena *a, const struct numeric *x, const struct numeric *y,
                              struct numeric *ret) MUST; /* div() */
enum status numeric_mod(struct arena *a, const struct numeric *x, const struct numeric *y,
                        struct numeric *ret) MUST;
struct numeric numeric_neg(struct arena *a, const struct numeric *x);
struct numeric numeric_abs(struct arena *a, const struct numeric *x);
int numeric_sign(const struct numeric *x); /* -1 0 1; NaN: 0 */
int numeric_compare(const struct numeric *x, const struct numeric *y);
uint64_t numeric_hash(const struct numeric *x); /* scale-blind */

enum status numeric_round(struct arena *a, const struct numeric *x, int32_t scale,
                          struct numeric *ret) MUST;
enum status numeric_trunc(struct arena *a, const struct numeric *x, int32_t scale,
                          struct numeric *ret) MUST;
enum status numeric_ceil(struct arena *a, const struct numeric *x, struct numeric *ret) MUST;
enum status numeric_floor(struct arena *a, const struct numeric *x, struct numeric *ret) MUST;
enum status numeric_sqrt(struct arena *a, const struct numeric *x, struct numeric *ret) MUST;
enum status numeric_exp(struct arena *a, const struct numeric *x, struct numeric *ret) MUST;
enum status numeric_ln(struct arena *a, const struct numeric *x, struct numeric *ret) MUST;
enum status numeric_log(struct arena *a, const struct numeric *base, const struct numeric *x,
                        struct numeric *ret) MUST;
enum status numeric_power(struct arena *a, const struct numeric *x, const struct numeric *y,
                          struct numeric *ret) MUST;

void numeric_to_text(const struct numeric *n, struct strbuf *out);
enum status numeric_from_text(struct slice s, int32_t typmod, struct arena *a,
                              struct numeric *ret) MUST;
/* The storage form, used by rows: self-delimiting within its slice. */
void numeric_store(const struct numeric *n, struct strbuf *out);
/* Big digits are referenced in `s` where its alignment allows, else copied to the arena (may be NULL
 * only when s is 16-byte aligned by the caller). */
struct numeric numeric_load(struct slice s, struct arena *a);

/* Fits to numeric(p,s): rounds; 22003 "numeric field overflow". typmod -1 is no change. */
enum status numeric_apply_typmod(struct arena *a, int32_t typmod, struct numeric *n) MUST;
/* The wire's binary form: base-10000 digits, as numeric_send and numeric_recv. */
void numeric_to_binary(const struct numeric *n, struct strbuf *out);
enum status numeric_from_binary(struct slice data, int32_t typmod, struct arena *a,
                                struct numeric *ret) MUST;

/* Running exact sum, for aggregates: no rounding, cheap adds of small values (128-bit inside). */
struct numeric_sum;
struct numeric_sum *numeric_sum_new(struct arena *a);
void numeric_sum_add(struct numeric_sum *s, struct arena *a, const struct numeric *x);
void numeric_sum_merge(struct numeric_sum *s, struct arena *a, const struct numeric_sum *other);
int64_t numeric_sum_count(const struct numeric_sum *s);
enum status numeric_sum_result(const struct numeric_sum *s, struct arena *a,
                               struct numeric *ret) MUST;

#endif
