/* Keys whose hashes are equal are compared column by column, over all pairs of a batch. */
#include "exec/ops/hash_join_priv.h"

#include "types/numeric.h"
#include "types/record.h"

static inline uint32_t left_at(const struct vec *v, uint32_t row)
{
    return v->form == VEC_FLAT ? row : v->form == VEC_DICT ? v->codes[row] : 0;
}

#define MATCH(ctype, equal)                                                                        \
    do {                                                                                           \
        const ctype *left = VEC_DATA(base, const ctype), *right = VEC_DATA(r, const ctype);        \
        for (uint32_t i = 0; i < j->pairs; i++) {                                                  \
            const ctype *a = &left[left_at(l, j->pair_left[i])], *b = &right[j->pair_right[i]];    \
            j->pair_left[n] = j->pair_left[i];                                                     \
            j->pair_right[n] = j->pair_right[i];                                                   \
            n += (equal);                                                                          \
        }                                                                                          \
    } while (0)

static inline bool numerics_equal(const struct numeric *a, const struct numeric *b)
{
    if (a->kind == NUMERIC_SMALL && b->kind == NUMERIC_SMALL && a->scale == b->scale)
        return a->coefficient == b->coefficient;
    return numeric_compare(a, b) == 0;
}

static bool values_equal(const struct vec *base, uint32_t l, const struct vec *r, uint32_t row)
{
    union value a = {0}, b = {0};
    memcpy(&a, (const char *)base->data + (size_t)l * base->width, base->width);
    memcpy(&b, (const char *)r->data + (size_t)row * r->width, r->width);
    return value_compare(base->type, &a, &b) == 0;
}

static void match_values(struct join_run *j, const struct vec *l, const struct vec *base,
                         const struct vec *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < j->pairs; i++) {
        if (!values_equal(base, left_at(l, j->pair_left[i]), r, j->pair_right[i])) continue;
        j->pair_left[n] = j->pair_left[i];
        j->pair_right[n++] = j->pair_right[i];
    }
    j->pairs = n;
}

static void match_column(struct join_run *j, const struct vec *l, const struct vec *r)
{
    const struct vec *base = l->form == VEC_DICT ? l->dict : l;
    uint32_t n = 0;
    switch (type_rep(l->type)) {
    case REP_BOOL: MATCH(uint8_t, *a == *b); break;
    case REP_I16: MATCH(int16_t, *a == *b); break;
    case REP_I32:
    case REP_U32: MATCH(uint32_t, *a == *b); break;
    case REP_I64: MATCH(int64_t, *a == *b); break;
    case REP_NUMERIC: MATCH(struct numeric, numerics_equal(a, b)); break;
    case REP_BYTES:
        if (type_is_bytewise(l->type)) {
            MATCH(struct bytes, bytes_eq(a, b));
            break;
        }
        match_values(j, l, base, r);
        return;
    default: match_values(j, l, base, r); return;
    }
    j->pairs = n;
}

void hash_join__match(struct join_run *j, const struct hash_build *b, const struct vec *left_keys)
{
    for (uint32_t k = 0; k < b->keys.count && j->pairs; k++)
        match_column(j, &left_keys[k], &b->columns[b->key_at[k]]);
}
