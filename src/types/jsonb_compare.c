/* The order, the hash and the containment of jsonb, all by one idea of equality: numbers are equal whatever
 * their display scale. The order is PostgreSQL's, an empty array below every scalar included, which holds
 * for whole documents only. */
#include "types/jsonb.h"

#include "base/hash.h"
#include "types/jsonb_priv.h"
#include "types/numeric.h"

enum jsonb__rank jsonb__rank(const struct json_value *v)
{
    static const uint8_t ranks[] = {[JSON_NULL] = JSONB__NULL, [JSON_STRING] = JSONB__STRING,
                                    [JSON_NUMBER] = JSONB__NUMBER, [JSON_FALSE] = JSONB__BOOL,
                                    [JSON_TRUE] = JSONB__BOOL, [JSON_ARRAY] = JSONB__ARRAY,
                                    [JSON_OBJECT] = JSONB__OBJECT};
    return (enum jsonb__rank)ranks[v->kind];
}

enum jsonb__rank jsonb__root_rank(const struct json_value *v)
{
    return v->kind == JSON_ARRAY && v->count == 0 ? JSONB__EMPTY : jsonb__rank(v);
}

static int compare_counts(uint32_t a, uint32_t b) { return (a > b) - (a < b); }

static int compare_strings(struct slice a, struct slice b)
{
    int c = slice_cmp(a, b);
    return (c > 0) - (c < 0);
}

static int compare_numbers(const struct json_value *a, const struct json_value *b)
{
    struct arena arena;
    if (slice_eq(a->bytes, b->bytes)) return 0;
    arena_init(&arena, MEM_QUERY);
    struct numeric x = jsonb_number(a, &arena), y = jsonb_number(b, &arena);
    int c = numeric_compare(&x, &y);
    arena_release(&arena);
    return c;
}

/* Of one kind and count. */
static int compare_members(const struct json_value *a, const struct json_value *b)
{
    int c = 0;
    for (uint32_t i = 0; !c && i < a->count; i++) {
        if (a->kind == JSON_ARRAY) {
            struct json_value x = jsonb_item(a, i), y = jsonb_item(b, i);
            c = jsonb_compare_values(&x, &y);
        } else {
            struct json_pair x = jsonb_pair(a, i), y = jsonb_pair(b, i);
            c = compare_strings(x.key, y.key);
            if (!c) c = jsonb_compare_values(&x.value, &y.value);
        }
    }
    return c;
}

int jsonb_compare_values(const struct json_value *a, const struct json_value *b)
{
    enum jsonb__rank x = jsonb__rank(a), y = jsonb__rank(b);
    if (x != y) return x < y ? -1 : 1;
    switch (x) {
    case JSONB__STRING: return compare_strings(a->bytes, b->bytes);
    case JSONB__NUMBER: return compare_numbers(a, b);
    case JSONB__BOOL: return (a->kind == JSON_TRUE) - (b->kind == JSON_TRUE);
    case JSONB__ARRAY:
    case JSONB__OBJECT:
        if (a->count != b->count) return compare_counts(a->count, b->count);
        return compare_members(a, b);
    default: return 0;
    }
}

int jsonb_compare(struct slice a, struct slice b)
{
    if (slice_eq(a, b)) return 0;
    struct json_value x = jsonb_root(a), y = jsonb_root(b);
    enum jsonb__rank p = jsonb__root_rank(&x), q = jsonb__root_rank(&y);
    if (p != q) return p < q ? -1 : 1;
    return jsonb_compare_values(&x, &y);
}

/* --- hash ------------------------------------------------------------------------------------- */

static uint64_t hash_value(const struct json_value *v)
{
    uint64_t h = hash_u64((uint64_t)v->kind + 1);
    struct arena arena;
    if (v->kind == JSON_STRING) return hash_combine(h, hash_bytes(v->bytes.data, v->bytes.len));
    if (v->kind == JSON_NUMBER) {
        arena_init(&arena, MEM_QUERY);
        struct numeric n = jsonb_number(v, &arena);
        h = hash_combine(h, numeric_hash(&n));
        arena_release(&arena);
    }
    for (uint32_t i = 0; json_is_container(v) && i < v->count; i++) {
        struct json_value in;
        if (v->kind == JSON_OBJECT) {
            struct json_pair p = jsonb_pair(v, i);
            h = hash_combine(h, hash_bytes(p.key.data, p.key.len));
            in = p.value;
        } else {
            in = jsonb_item(v, i);
        }
        h = hash_combine(h, hash_value(&in));
    }
    return h;
}

uint64_t jsonb_hash(struct slice document)
{
    struct json_value v = jsonb_root(document);
    return hash_value(&v);
}

/* --- containment ------------------------------------------------------------------------------ */

static bool value_contains(const struct json_value *a, const struct json_value *b);

/* Is it an element? Of containers: does an element of its kind hold it? */
static bool array_holds(const struct json_value *array, const struct json_value *wanted)
{
    for (uint32_t i = 0; i < array->count; i++) {
        struct json_value in = jsonb_item(array, i);
        if (jsonb__rank(&in) != jsonb__rank(wanted)) continue;
        bool found = json_is_container(wanted) ? value_contains(&in, wanted)
                                               : jsonb_compare_values(&in, wanted) == 0;
        if (found) return true;
    }
    return false;
}

/* Of one kind. */
static bool value_contains(const struct json_value *a, const struct json_value *b)
{
    struct json_value found;
    if (a->kind == JSON_OBJECT && a->count < b->count) return false;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->kind == JSON_ARRAY) {
            struct json_value in = jsonb_item(b, i);
            if (!array_holds(a, &in)) return false;
            continue;
        }
        struct json_pair p = jsonb_pair(b, i);
        if (!jsonb_find(a, p.key, &found) || jsonb__rank(&found) != jsonb__rank(&p.value)) return false;
        bool same = json_is_container(&found) ? value_contains(&found, &p.value)
                                              : jsonb_compare_values(&found, &p.value) == 0;
        if (!same) return false;
    }
    return true;
}

bool jsonb_contains(struct slice a, struct slice b)
{
    struct json_value x = jsonb_root(a), y = jsonb_root(b);
    if (x.kind == JSON_ARRAY && !json_is_container(&y)) return array_holds(&x, &y);
    if (jsonb__rank(&x) != jsonb__rank(&y)) return false;
    if (!json_is_container(&x)) return jsonb_compare_values(&x, &y) == 0;
    return value_contains(&x, &y);
}
